"""Section: the arms of the blocks, two modules of them in full as in the published figure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from layerwise.core.figures import NamedFigure, chart_of_section
from layerwise.core.kinds import SectionBuilder
from layerwise.core.layers import Layer
from layerwise.core.records import RunRecord
from layerwise.core.report import Chart, Figure, ReportContext, ReportSection
from layerwise.plugins.report import drawing
from layerwise.plugins.report.importance import list_importance_figures
from layerwise.plugins.report.layer_matrix import draw_cells, pair_frame
from layerwise.plugins.report.queries import (
    address,
    comparator_words,
    compare,
    featured_runs,
    layer_in_role,
    number,
    title_for,
)
from layerwise.plugins.report.scale import Scale, find_scale

if TYPE_CHECKING:
    import polars as pl

MIN_ARMS = 3


@dataclass(frozen=True)
class Module:
    """A block with its analysed arms, in order of computation."""

    name: str
    arms: tuple[Layer, ...]

    @property
    def widest(self) -> Layer | None:
        """The arm with the largest kernel, where one is larger than all others."""
        sizes = sorted(((_kernel(arm.branch or ""), index) for index, arm in enumerate(self.arms)), reverse=True)
        alone = sizes[0][0] > 1 and (len(sizes) == 1 or sizes[0][0] > sizes[1][0])
        return self.arms[sizes[0][1]] if alone else None


@dataclass(frozen=True)
class BranchMatrix:
    """The numbers of the two-module figure: names in order, similarities, frames and marks by name."""

    names: list[str]
    frame: pl.DataFrame
    modules: tuple[Module, ...]


def _kernel(label: str) -> int:
    """Side of the kernel that an arm is called after: 5 for `5x5`, 0 where it is called after something else."""
    found = re.match(r"(\d+)x(\d+)", label)
    return max(int(found[1]), int(found[2])) if found else 0


def find_modules(layers: Sequence[Layer]) -> list[Module]:
    """The blocks of which at least three arms were analysed, in order of computation."""
    arms: dict[str, list[Layer]] = {}
    for layer in layers:
        if layer.block is not None and layer.branch is not None:
            arms.setdefault(layer.block, []).append(layer)
    return [Module(name, tuple(found)) for name, found in arms.items() if len(found) >= MIN_ARMS]


def middle_modules(modules: Sequence[Module]) -> tuple[Module, ...]:
    """The two blocks in the middle of the network: `mixed4c` and `mixed4d` of GoogLeNet's nine."""
    start = (len(modules) - 1) // 2
    return tuple(modules[start : start + 2])


def query_branch_matrix(context: ReportContext, run: RunRecord) -> BranchMatrix:
    """Similarity among the input, the arms of the two middle blocks, and the output."""
    layers = context.history.list_layers(run.id)
    modules = middle_modules(find_modules(layers))
    ends = [layer_in_role(layers, role) for role in ("input", "output")]
    chosen = [ends[0], *(arm for module in modules for arm in module.arms), ends[1]]
    shown = [layer for layer in chosen if layer is not None]
    names = [layer.name for layer in shown]
    matrix = compare(context, [address(context, run, layer) for layer in shown])
    return BranchMatrix(names, pair_frame(names, matrix), modules)


def query_depth(context: ReportContext, run: RunRecord) -> pl.DataFrame:
    """Similarity of each arm to the output: `layer` (the block), `series` (the arm's label), `value`."""
    import polars as pl

    layers = context.history.list_layers(run.id)
    output = layer_in_role(layers, "output")
    arms = [(module.name, arm) for module in find_modules(layers) for arm in module.arms]
    schema = {"layer": pl.String, "series": pl.String, "value": pl.Float64}
    if output is None or not arms:
        return pl.DataFrame(schema=schema)
    column = compare(context, [address(context, run, arm) for _, arm in arms], [address(context, run, output)])[:, 0]
    rows = [(block, arm.branch, number(value)) for (block, arm), value in zip(arms, column, strict=True)]
    return pl.DataFrame(rows, schema=schema, orient="row").drop_nulls("value")


def _outline(spans: list[tuple[str, str, str, str]], **style: Any) -> Any:
    """Rectangles from (first column, last column, first row, last row)."""
    import altair as alt

    values = [dict(zip(("x", "x2", "y", "y2"), span, strict=True)) for span in spans]
    return (
        alt.Chart(alt.InlineData(values=values))
        .mark_rect(fillOpacity=0, tooltip=None, **style)
        .encode(
            x=alt.X("x:N", bandPosition=0),
            x2=alt.X2("x2:N", bandPosition=1),
            y=alt.Y("y:N", bandPosition=0),
            y2=alt.Y2("y2:N", bandPosition=1),
        )
    )


def draw_branch_matrix(found: BranchMatrix, scale: Scale) -> Any:
    """The branch matrix: modules framed, the arms with the largest kernel between dashed lines."""
    first, last = found.names[0], found.names[-1]
    frames = [(m.arms[0].name, m.arms[-1].name) * 2 for m in found.modules]
    widest = [module.widest.name for module in found.modules if module.widest is not None]
    dashed = [(name, name, first, last) for name in widest] + [(first, last, name, name) for name in widest]
    chart = draw_cells(found.names, found.frame, scale)
    chart += _outline(frames, stroke="#111111", strokeWidth=3)
    if dashed:
        chart += _outline(dashed, stroke="#111111", strokeWidth=1.6, strokeDash=[5, 4])
    return drawing.square(chart, found.names)


def draw_depth(frame: pl.DataFrame, scale: Scale) -> Any:
    """Similarity to the output of each kind of arm, along the blocks."""
    import altair as alt

    blocks = frame["layer"].unique(maintain_order=True).to_list()
    kinds = frame["series"].unique(maintain_order=True).to_list()
    base = alt.Chart(drawing.inline(frame)).encode(
        x=drawing.layer_axis(blocks, "block"),
        y=alt.Y("value:Q", title=scale.axis("to the output")),
        color=drawing.series_colour(kinds, "branch"),
        tooltip=[
            alt.Tooltip("layer:N", title="block"),
            alt.Tooltip("series:N", title="branch"),
            alt.Tooltip("value:Q", title=scale.symbol, format=".3f"),
        ],
    )
    lines = base.mark_line(strokeWidth=2.5) + base.mark_point(filled=True, size=60, opacity=1)
    return lines.properties(width="container", height=280)


class Branches(SectionBuilder):
    """What the parallel arms of a block do differently."""

    name = "branches"
    description = "the arms of two middle blocks against input and output, and each kind of arm along the blocks"
    position: ClassVar[int] = 60

    def applies(self, context: ReportContext) -> bool:
        """Whether there is something to show."""
        return any(find_modules(context.history.list_layers(run.id)) for run in featured_runs(context))

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        figures = [figure for run in featured_runs(context) for figure in self._figures(context, run)]
        introduction = (
            "The arms of a block see the same thing through kernels of different sizes. Do they agree on it?"
        )
        return ReportSection("Branches", tuple(figures), introduction)

    def figures(self) -> Sequence[NamedFigure]:
        """What `layerwise figure` draws of it."""
        return (
            chart_of_section(
                self,
                "branches",
                name="branch-matrix",
                description="the branches of the two middle blocks, the input and the output",
                needs="one run with blocks whose branches were analysed",
                uses_layers=False,
            ),
            chart_of_section(
                self,
                "depth",
                name="branch-depth",
                description="how alike each kind of branch is to the output, along the blocks",
                needs="one run with two blocks or more",
                uses_layers=False,
            ),
            chart_of_section(
                self,
                "importance-output",
                name="importance",
                description="what only one branch of a block explains of the output",
                needs="one run with blocks whose branches were analysed",
                uses_layers=False,
            ),
        )

    def _figures(self, context: ReportContext, run: RunRecord) -> list[Figure]:
        found = query_branch_matrix(context, run)
        if not found.modules:
            return []
        marked = sorted({m.widest.branch for m in found.modules if m.widest is not None and m.widest.branch})
        dashes = f" Dashed lines mark the arms with the largest kernel ({', '.join(marked)})." if marked else ""
        blocks = " and ".join(module.name for module in found.modules)
        method = f"{comparator_words(context)}; {run.n_stimuli} stimuli"
        matrix = Figure(
            f"branches-{run.id}",
            title_for(context, run, f"The branches of {blocks}"),
            Chart(draw_branch_matrix(found, find_scale(context))),
            f"Similarity among the arms of two blocks in the middle of the network, the input and the output; each "
            f"block is framed.{dashes}",
            f"{method}; arms in order of computation.",
        )
        importance = list_importance_figures(context, run)
        depth = query_depth(context, run)
        if depth["layer"].n_unique() < 2:
            return [matrix, *importance]
        caption = (
            "Each line is one kind of arm, followed through the blocks of the network. A line that stays below the "
            "others is an arm whose view of the stimuli has little to do with the answer."
        )
        title = title_for(context, run, "Similarity of each kind of branch to the output")
        lines = Figure(f"depth-{run.id}", title, Chart(draw_depth(depth, find_scale(context))), caption, f"{method}.")
        return [matrix, lines, *importance]

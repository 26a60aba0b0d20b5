"""Section: the branches of the blocks, side by side and along the network; two blocks as in the published figure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from layerwise.core.history.records import RunRecord
from layerwise.plugins.sections.branches.apart import find_branch_findings
from layerwise.plugins.sections.branches.importance import list_importance_figures
from layerwise.plugins.sections.branches.queries import (
    Block,
    BlockBranches,
    BranchMatrix,
    find_blocks,
    list_kinds,
    middle_blocks,
    query_agreement,
    query_branches,
    query_depth,
)
from layerwise.plugins.sections.layers.layer_matrix import draw_cells
from layerwise.plugins.sections.shared.grids import Grid, draw_grid, fit_width
from layerwise.report import drawing
from layerwise.report.by_name import chart_of_section
from layerwise.report.content import Alternatives, Chart, Figure, Finding, ReportContext, ReportSection, SideBySide
from layerwise.report.queries import (
    comparator_words,
    end_of,
    featured_runs,
    headline_prefix,
    headline_runs,
    title_for,
)
from layerwise.report.scale import Scale, find_scale
from layerwise.report.section import NamedFigure, SectionBuilder

if TYPE_CHECKING:
    import polars as pl

ALL_BLOCKS = "All blocks"


def _outline(spans: list[tuple[str, str, str, str]], **style: Any) -> Any:
    """Rectangles from (first column, last column, first row, last row)."""
    import altair as alt

    values = [dict(zip(("x", "x2", "y", "y2"), span, strict=True)) for span in spans]
    return (
        alt.Chart(drawing.decoration(values))
        .mark_rect(fillOpacity=0, tooltip=None, **style)
        .encode(
            x=alt.X("x:N", bandPosition=0),
            x2=alt.X2("x2:N", bandPosition=1),
            y=alt.Y("y:N", bandPosition=0),
            y2=alt.Y2("y2:N", bandPosition=1),
        )
    )


def draw_branch_matrix(found: BranchMatrix, scale: Scale) -> Any:
    """The branch matrix: blocks framed, the branches with the largest kernel between dashed lines."""
    first, last = found.names[0], found.names[-1]
    frames = [(m.branches[0].name, m.branches[-1].name) * 2 for m in found.blocks]
    widest = [block.widest.name for block in found.blocks if block.widest is not None]
    dashed = [(name, name, first, last) for name in widest] + [(first, last, name, name) for name in widest]
    chart = draw_cells(found.names, found.frame, scale)
    chart += _outline(frames, stroke="#111111", strokeWidth=3)
    if dashed:
        chart += _outline(dashed, stroke="#111111", strokeWidth=1.6, strokeDash=[5, 4])
    return drawing.square(chart, found.names)


def draw_depth(frame: pl.DataFrame, scale: Scale, end: str = "the output", among: Sequence[str] = ()) -> Any:
    """Similarity to `end`, as it is called, of each kind of branch (of all `among`), along the blocks."""
    import altair as alt

    blocks = frame["layer"].unique(maintain_order=True).to_list()
    kinds = frame["series"].unique(maintain_order=True).to_list()
    base = alt.Chart(drawing.inline(frame)).encode(
        x=drawing.layer_axis(blocks, "block"),
        y=alt.Y("value:Q", title=scale.axis(f"to {end}")),
        color=drawing.series_colour(kinds, "branch", among),
        tooltip=[
            alt.Tooltip("layer:N", title="block"),
            alt.Tooltip("series:N", title="branch"),
            alt.Tooltip("value:Q", title=scale.symbol, format=".3f"),
        ],
    )
    lines = base.mark_line(strokeWidth=2.5) + base.mark_point(filled=True, size=60, opacity=1)
    return lines.properties(width="container", height=280)


def draw_agreement(frame: pl.DataFrame, scale: Scale) -> Any:
    """How alike each two branches of a block are, pairs of branches by blocks."""
    grid = Grid(
        frame["row"].unique(maintain_order=True).to_list(),
        frame["column"].unique(maintain_order=True).to_list(),
        frame,
        scale.bounds(frame["value"].drop_nulls()),
        scale.axis("of the two branches"),
        scale.noun,
        row="branches",
        column="block",
        titles=("block", None),
        format=scale.format,
    )
    return fit_width(draw_grid(grid), grid)


class Branches(SectionBuilder):
    """What the parallel branches of a block do differently."""

    name = "branches"
    description = "the branches of all blocks against each other, against input and output, and along the blocks"
    position: ClassVar[int] = 60

    def applies(self, context: ReportContext) -> bool:
        """Whether there is something to show."""
        return any(find_blocks(context.history.list_layers(run.id)) for run in featured_runs(context))

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        figures = [figure for run in featured_runs(context) for figure in self._figures(context, run)]
        introduction = (
            "The branches of a block see the same thing through kernels of different sizes. Do they agree on it?"
        )
        return ReportSection("Branches", tuple(figures), introduction)

    def findings(self, context: ReportContext) -> Sequence[Finding]:
        """Which kind of branch stands apart from its siblings."""
        found = []
        for run in headline_runs(context):
            told = find_branch_findings(context, run, f"blocks-{run.id}")
            found += [replace(one, text=headline_prefix(context, run) + one.text) for one in told]
        return found

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
        found = query_branches(context, run)
        if not found.blocks:
            return []
        method = f"{comparator_words(context)}; {run.n_stimuli} stimuli; branches in order of computation."
        figures = [self._matrices(context, run, found, method)]
        if len(found.blocks) > 1:
            figures += [self._agreement(context, run, found, method), *self._depth(context, run, method)]
        return [*figures, *list_importance_figures(context, run)]

    def _matrices(self, context: ReportContext, run: RunRecord, found: BlockBranches, method: str) -> Figure:
        scale, middle = find_scale(context), middle_blocks(found.blocks)
        marked = sorted({m.widest.branch for m in found.blocks if m.widest is not None and m.widest.branch})
        dashes = f" Dashed lines mark the branches with the largest kernel ({', '.join(marked)})." if marked else ""
        views = list_views(found.blocks)
        inner = []
        for index, (title, blocks) in enumerate(views.items(), start=1):
            name = "branches" if blocks == middle else "branches-all" if title == ALL_BLOCKS else f"branches-{index}"
            chart = Chart(draw_branch_matrix(found.pick(blocks), scale))
            inner.append(Figure(f"{name}-{run.id}", title, chart))
        first = list(views.values()).index(middle)
        caption = (
            f"{scale.noun.capitalize()} among the branches of blocks and the network's ends; each block is framed."
            f"{dashes}"
        )
        title = title_for(context, run, "Branch by branch")
        content = Alternatives("Blocks", tuple(inner), first)
        return Figure(f"blocks-{run.id}", title, content, caption, method)

    def _agreement(self, context: ReportContext, run: RunRecord, found: BlockBranches, method: str) -> Figure:
        scale = find_scale(context)
        caption = (
            f"All blocks side by side: each row is two kinds of branches, each column a block; {scale.reading}. "
            "A row that stands out is two branches that never see the stimuli alike."
        )
        chart = Chart(draw_agreement(query_agreement(found), scale))
        title = title_for(context, run, "Do the branches of a block agree?")
        return Figure(f"agreement-{run.id}", title, chart, caption, method)

    def _depth(self, context: ReportContext, run: RunRecord, method: str) -> list[Figure]:
        scale = find_scale(context)
        kinds, inner = list_kinds(context.history.list_layers(run.id)), []
        for end, name in (("input", "depth-input"), ("output", "depth")):
            frame = query_depth(context, run, end)
            words = "the input" if end == "input" else end_of(context, [run])
            if frame["layer"].n_unique() > 1:
                title = f"{scale.noun.capitalize()} to {words}"
                inner.append(Figure(f"{name}-{run.id}", title, Chart(draw_depth(frame, scale, words, kinds))))
        if not inner:
            return []
        caption = (
            "Each line is one kind of branch, followed through the blocks of the network. A line apart from the "
            "others is a branch whose view of the stimuli is its own."
        )
        title = title_for(context, run, "Each kind of branch along the blocks")
        return [Figure(f"along-{run.id}", title, SideBySide(tuple(inner)), caption, method)]


def list_views(blocks: Sequence[Block]) -> dict[str, tuple[Block, ...]]:
    """Which blocks can be looked at together, by heading: each two neighbours, and all at once."""
    if len(blocks) == 1:
        return {blocks[0].name: tuple(blocks)}
    pairs: list[tuple[Block, ...]] = list(itertools.pairwise(blocks))
    views = {" and ".join(block.name for block in pair): pair for pair in pairs}
    return views if len(blocks) == 2 else {**views, ALL_BLOCKS: tuple(blocks)}

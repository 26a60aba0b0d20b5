"""Section: the same model on different stimuli. Is what was found a property of the network, or of the photos?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from layerwise.core.history.records import RunRecord
from layerwise.core.network.representation import strict_upper
from layerwise.plugins.sections.shared.grids import (
    Grid,
    cell_frame,
    difference_bounds,
    draw_grid,
    fit_square,
    write_value,
)
from layerwise.plugins.sections.shared.grouping import Runs, find_stimulus_sets, set_names
from layerwise.plugins.sections.shared.overlays import (
    list_transitions,
    overlay_figures,
    query_overlay,
    transition_columns,
)
from layerwise.report.by_name import chart_of_section
from layerwise.report.content import (
    Alternatives,
    Chart,
    Content,
    Fact,
    Facts,
    Figure,
    ReportContext,
    ReportSection,
    SideBySide,
    Table,
)
from layerwise.report.queries import address, comparator_words, compare, end_of, main_layers
from layerwise.report.scale import Scale, find_scale
from layerwise.report.section import NamedFigure, SectionBuilder

if TYPE_CHECKING:
    pass

LEAST_CELLS = 3  # below so many there is nothing to correlate


@dataclass(frozen=True, eq=False)
class SetPair:
    """One model on two sets of stimuli.

    Attributes:
        names: What the sets are called.
        layers: The main layers that were analysed on both, in order of computation.
        matrices: float64 (len(layers), len(layers)) each: the layer x layer matrix on each set.
        agreement: Pearson correlation of the two matrices over their strict upper triangles; None where undefined.
        n_cells: Number of pairs of layers that it is over.
    """

    names: tuple[str, str]
    layers: list[str]
    matrices: tuple[NDArray[np.float64], NDArray[np.float64]]
    agreement: float | None
    n_cells: int

    @property
    def title(self) -> str:
        """Both names."""
        return " and ".join(self.names)

    @property
    def difference(self) -> NDArray[np.float64]:
        """The second matrix minus the first."""
        return self.matrices[1] - self.matrices[0]


def correlate_cells(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float | None, int]:
    """Pearson correlation of two (m, m) matrices over their strict upper triangles, and over how many cells.

    Cells that are undefined in either are left out; None where fewer than three are left, or one matrix is the
    same everywhere.
    """
    cells = np.vstack([strict_upper(first), strict_upper(second)])
    cells = cells[:, np.isfinite(cells).all(axis=0)]
    n_cells = cells.shape[1]
    if n_cells < LEAST_CELLS:
        return None, n_cells
    with np.errstate(invalid="ignore", divide="ignore"):  # of a matrix that is the same everywhere
        correlations = np.asarray(np.corrcoef(cells), dtype=np.float64)
    return (float(correlations[0, 1]) if np.isfinite(correlations[0, 1]) else None), n_cells


def query_sets(context: ReportContext, runs: Runs, names: Mapping[str, str]) -> list[SetPair]:
    """The first set against each other one."""
    first, *others = runs
    return [_query_pair(context, (first, other), (names[first.id], names[other.id])) for other in others]


def _query_pair(context: ReportContext, runs: tuple[RunRecord, RunRecord], names: tuple[str, str]) -> SetPair:
    layers = [main_layers(context, run) for run in runs]
    both = {layer.name for layer in layers[0]} & {layer.name for layer in layers[1]}
    shown = [[layer for layer in some if layer.name in both] for some in layers]
    first, second = (
        compare(context, [address(context, run, layer) for layer in some])
        for run, some in zip(runs, shown, strict=True)
    )
    agreement, n_cells = correlate_cells(first, second)
    return SetPair(names, [layer.name for layer in shown[0]], (first, second), agreement, n_cells)


def list_facts(pair: SetPair) -> tuple[Fact, ...]:
    """How well the two matrices agree, in numbers."""
    facts = []
    if pair.agreement is not None:
        note = f"correlation of the two layer x layer matrices, over {pair.n_cells} pairs of layers"
        facts.append(Fact("agreement", f"{pair.agreement:.3f}", note))
    gaps = np.abs(strict_upper(pair.difference))
    if np.isfinite(gaps).any():
        mean = write_value(float(np.nanmean(gaps)), 3)
        facts.append(Fact("mean difference", mean, "of the two matrices, without sign"))
        row, column = largest_difference(pair)
        values = " against ".join(write_value(matrix[row, column]) for matrix in pair.matrices)
        note = f"between {pair.layers[row]} and {pair.layers[column]}: {values}"
        facts.append(Fact("largest difference", write_value(float(np.nanmax(gaps)), 3), note))
    return tuple(facts)


def largest_difference(pair: SetPair) -> tuple[int, int]:
    """The two layers whose similarity differs most between the sets; at least one must be defined."""
    gaps = np.triu(np.nan_to_num(np.abs(pair.difference), nan=-1.0), 1)
    row, column = np.unravel_index(int(np.argmax(gaps)), gaps.shape)
    return int(row), int(column)


def tabulate_agreement(pairs: list[SetPair]) -> Table:
    """How well the first set agrees with each other one, a line each."""
    facts = [{fact.label: f"{fact.value} ({fact.note})" for fact in list_facts(pair)} for pair in pairs]
    labels = list(dict.fromkeys(label for found in facts for label in found))
    rows = [(*pair.names, *(found.get(label) for label in labels)) for pair, found in zip(pairs, facts, strict=True)]
    return Table(("one set", "another", *labels), tuple(rows))


def draw_matrix(layers: list[str], matrix: NDArray[np.float64], scale: Scale) -> Any:
    """One set's layer x layer matrix."""
    frame = cell_frame(layers, layers, matrix)
    bounds = scale.bounds(frame["value"].drop_nulls())
    grid = Grid(layers, layers, frame, bounds, scale.axis(), scale.noun, format=scale.format)
    return fit_square(draw_grid(grid), grid)


def draw_difference(pair: SetPair, scale: Scale) -> Any:
    """The second matrix minus the first, in colours around zero."""
    frame = cell_frame(pair.layers, pair.layers, pair.difference)
    grid = Grid(
        pair.layers,
        pair.layers,
        frame,
        difference_bounds(frame["value"].drop_nulls()),
        f"difference in {scale.axis()}",
        "difference",
        digits="+.3f",
    )
    return fit_square(draw_grid(grid), grid)


class StimulusSets(SectionBuilder):
    """What stays the same when the stimuli are others."""

    name = "stimulus-sets"
    description = "the same model on different stimuli: both layer x layer matrices, their difference and agreement"
    position: ClassVar[int] = 17

    def applies(self, context: ReportContext) -> bool:
        """Whether there is something to show."""
        return bool(find_stimulus_sets(context.runs).groups)

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        figures: list[Figure] = []
        for runs, *several in find_stimulus_sets(context.runs).told_apart(lambda run: run.model.name):
            figures += _Drawing(context, runs, *several).figures()
        introduction = (
            "The same network sees other stimuli. What stays is a property of the network; what changes was one of "
            "the stimuli."
        )
        return ReportSection("Across stimulus sets", tuple(figures), introduction)

    def figures(self) -> Sequence[NamedFigure]:
        """What `layerwise figure` draws of it."""
        return (
            chart_of_section(
                self,
                "difference",
                name="across-sets",
                description="where the layer x layer matrices of a model differ between two sets of stimuli",
                needs="one model on two sets of stimuli",
                n_runs=(2, 2),
            ),
        )


@dataclass(frozen=True)
class _Drawing:
    """The figures of one model; `suffix` and `where` tell it apart from others."""

    context: ReportContext
    runs: Runs
    suffix: str
    where: str

    def figures(self) -> list[Figure]:
        """From the numbers to the matrices."""
        scale, names = find_scale(self.context), set_names(self.runs)
        overlay = query_overlay(self.context, self.runs, names)
        pairs = [pair for pair in query_sets(self.context, self.runs, names) if len(pair.layers) > 1]
        transitions = list_transitions(self.context, self.runs, overlay, names)
        rows = [(names[r.id], r.n_stimuli, *cells) for r, cells in zip(self.runs, transitions, strict=True)]
        table = Table(("stimulus set", "stimuli", *transition_columns(self.context, self.runs)), tuple(rows))
        figures = [
            self._figure("sets", "The stimulus sets", table, "The same model, and what it does with each set.")
        ]
        if pairs:
            figures += self._pairs(pairs, scale)
        last = end_of(self.context, self.runs)
        beside = overlay_figures(overlay, scale, last, self.suffix, by_layer=True)
        if beside:
            caption = "Each line is one set of stimuli, against the network's own input and end point on that set."
            figures.append(self._figure("profiles", "Profiles on each set", SideBySide(beside), caption))
        return figures

    def _figure(self, name: str, title: str, content: Content, caption: str) -> Figure:
        counts = " and ".join(str(run.n_stimuli) for run in self.runs)
        method = f"{comparator_words(self.context)}; {counts} stimuli; main layers in order of computation."
        return Figure(f"{name}{self.suffix}", f"{title}{self.where}", content, caption, method)

    def _pairs(self, pairs: list[SetPair], scale: Scale) -> list[Figure]:
        agreement = Facts(list_facts(pairs[0])) if len(pairs) == 1 else tabulate_agreement(pairs)
        beside = [
            SideBySide(
                tuple(
                    Figure(
                        f"on-{place + 1}-{which + 1}{self.suffix}", name, Chart(draw_matrix(pair.layers, m, scale))
                    )
                    for which, (name, m) in enumerate(zip(pair.names, pair.matrices, strict=True))
                )
            )
            for place, pair in enumerate(pairs)
        ]
        drawn = [Chart(draw_difference(pair, scale)) for pair in pairs]
        agree = (
            "The correlation of the two layer x layer matrices is 1 where the layers relate to each other in the "
            "same way on both sets, whatever the stimuli."
        )
        matrices = f"Each cell compares two layers on one set of stimuli; {scale.reading}."
        differ = (
            "Red where two layers are closer on the second set, blue where they are on the first; the colour scale "
            "reaches to the largest difference."
        )
        if scale.noun == "distance":
            differ = differ.replace("closer", "further apart")
        return [
            self._figure("agreement", "How well the sets agree", agreement, agree),
            self._figure("matrices", "Layer by layer on each set", self._choose(pairs, beside, "matrices"), matrices),
            self._figure("difference", "Where the sets differ", self._choose(pairs, drawn, "difference"), differ),
        ]

    def _choose(self, pairs: list[SetPair], contents: list[Any], name: str) -> Content:
        """The content itself where there is one, otherwise one of several."""
        if len(pairs) == 1:
            only: Content = contents[0]
            return only
        figures = [
            Figure(f"{name}-of{self.suffix}-{index + 1}", pair.title, content)
            for index, (pair, content) in enumerate(zip(pairs, contents, strict=True))
        ]
        return Alternatives("Stimulus sets", tuple(figures))

"""Section: *look closer*, two layers held against each other pair of stimuli by pair of stimuli.

One number says how alike two layers are; here is what it is made of. The scatter is drawn by the page from the same
bytes as the matrices. The correlation and the pairs that are listed are computed here, from what is stored.
"""

from __future__ import annotations

from typing import ClassVar

from layerwise.core.analysis.parallel import side_by_side
from layerwise.core.history.records import RunRecord
from layerwise.plugins.sections.stimuli.atlas import pair_measure, query_atlas, read_matrices, shown_metric, words_of
from layerwise.plugins.sections.stimuli.changes import compare_all_pairs, place_pairs
from layerwise.report.atlas import LayerPair, PairExplorer, StimulusAtlas
from layerwise.report.content import Figure, ReportContext, ReportSection
from layerwise.report.queries import featured_runs, layer_in_role, title_for
from layerwise.report.section import SectionBuilder

N_LAYERS_MOST = 60
MIN_STIMULI = 3


def query_pairs(context: ReportContext, run: RunRecord) -> tuple[LayerPair, ...]:
    """Every two layers of a run held against each other; of more than 60 layers, the main ones come first."""
    measure = pair_measure(shown_metric(context))
    shown = read_matrices(context, run)[:N_LAYERS_MOST]
    with side_by_side(True) as spread:
        placed = list(spread(lambda found: place_pairs(found[1], measure), shown))
    in_order = sorted(range(len(shown)), key=lambda place: shown[place][0].position)
    return compare_all_pairs([(place, placed[place]) for place in in_order])


def choose_start(context: ReportContext, run: RunRecord, atlas: StimulusAtlas) -> tuple[int, int]:
    """The two layers that are shown first: input and output, or else the first and the last of `main`."""
    names = [matrix.name for matrix in atlas.matrices]
    main = [index for index, matrix in enumerate(atlas.matrices) if matrix.group == atlas.matrices[0].group]
    ends = [layer_in_role(context.history.list_layers(run.id), role) for role in ("input", "output")]
    found = [names.index(layer.name) for layer in ends if layer is not None]
    first = found[0] if ends[0] is not None else main[0]
    last = found[-1] if ends[1] is not None else main[-1]
    if first == last:
        first, last = sorted((0, len(names) - 1), key=lambda index: atlas.matrices[index].position)
    return first, last


def _shown_runs(context: ReportContext) -> list[RunRecord]:
    return [
        run
        for run in featured_runs(context)
        if run.n_stimuli >= MIN_STIMULI and len(context.history.list_layers(run.id)) > 1
    ]


class Explorer(SectionBuilder):
    """What the similarity of two layers is made of."""

    name = "explorer"
    description = "look closer: two layers, pair of stimuli by pair of stimuli, and the pairs that changed most"
    position: ClassVar[int] = 35

    def applies(self, context: ReportContext) -> bool:
        """Whether there are two layers and three stimuli."""
        return bool(_shown_runs(context))

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        figures = tuple(self._figure(context, run) for run in _shown_runs(context))
        introduction = (
            "An orange and a desert may be alike in their pixels, and nothing of the kind to the output. Choose two "
            "layers, here or by clicking a cell of the layer by layer matrix, and see which pairs they agree on, "
            "which ones were torn apart on the way, and which were brought together."
        )
        return ReportSection("Look closer", figures, introduction)

    def _figure(self, context: ReportContext, run: RunRecord) -> Figure:
        atlas = query_atlas(context, run)
        shown = min(N_LAYERS_MOST, len(atlas.matrices))
        part = "" if shown == len(atlas.matrices) else f" The first {shown} layers can be chosen."
        return Figure(
            f"explorer-{run.id}",
            title_for(context, run, "Two layers, pair by pair"),
            PairExplorer(atlas, query_pairs(context, run), choose_start(context, run, atlas)),
            "Each point is a pair of stimuli: how alike one layer finds them, against how alike the other does; "
            "where there are more of them, the colour is stronger. The numbered rings are the pairs listed below, "
            "those that changed most: alike in one layer, unlike in the other.",
            f"{words_of(atlas)} Points lie within half of 1/253 of a layer's range; r and the values of listed pairs "
            "are those of the stored matrices. Change: each pair has a place in each layer, from 0 for the layer's "
            "least alike pair to 1 for its most alike, and the difference of the two places counts. Each stimulus is "
            f"listed once, in the pair that changed most.{part}",
            "Scatter plot of pair values of two layers, and the pairs of stimuli that changed most between them.",
        )

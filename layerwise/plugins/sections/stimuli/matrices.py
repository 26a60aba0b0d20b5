"""Section: each layer's stimulus x stimulus matrix, in the order of a layer chosen in the page.

A matrix is sent to the page once, as one byte for each pair of stimuli; the page orders and colours it. So every
layer can be looked at in every order at its full resolution, and still fits into a file that can be mailed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from layerwise.core.history.records import RunRecord
from layerwise.plugins.sections.stimuli.atlas import query_atlas, words_of
from layerwise.report.atlas import MatrixBrowser, StimulusAtlas
from layerwise.report.content import Figure, ReportContext, ReportSection
from layerwise.report.queries import featured_runs, title_for
from layerwise.report.section import NamedFigure, SectionBuilder


class Matrices(SectionBuilder):
    """What each layer finds alike."""

    name = "matrices"
    description = "each layer's stimulus x stimulus matrix, in several orders"
    position: ClassVar[int] = 50

    def applies(self, context: ReportContext) -> bool:
        """Whether there is something to show."""
        return any(context.history.list_layers(run.id) for run in featured_runs(context))

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        runs = [run for run in featured_runs(context) if context.history.list_layers(run.id)]
        introduction = (
            "Which stimuli does a layer find alike? Order the stimuli by what the input finds alike, and watch its "
            "blocks dissolve from layer to layer; order them by the output, and watch its blocks appear."
        )
        return ReportSection("Stimulus by stimulus", tuple(self._figure(context, run) for run in runs), introduction)

    def figures(self) -> Sequence[NamedFigure]:
        """What `layerwise figure` draws of it."""
        from layerwise.plugins.sections.stimuli.stimulus_matrices import build_matrices, build_matrix

        return (
            NamedFigure(
                "matrices",
                "the stimulus x stimulus matrices of all main layers, in one order",
                "one run",
                build_matrices,
                ordered=True,
                paneled=True,
            ),
            NamedFigure(
                "matrix",
                "one layer's stimulus x stimulus matrix: the output's, or that of --layers NAME",
                "one run",
                build_matrix,
                ordered=True,
            ),
        )

    def _figure(self, context: ReportContext, run: RunRecord) -> Figure:
        atlas = query_atlas(context, run)
        noun = atlas.measure.kind
        return Figure(
            f"matrices-{run.id}",
            title_for(context, run, f"{noun.capitalize()} between stimuli, layer by layer"),
            MatrixBrowser(atlas),
            f"Each dot is a pair of stimuli; {_colour_words(atlas)}. Point at the large matrix to see the pair. On "
            "the shared scale layers can be compared; each on its own scale, faint structure shows."
            f"{_lost_words(atlas)}",
            f"{words_of(atlas)} Values are shown to half of 1/253 of a layer's range. Orders by a layer: average "
            "linkage on its matrix with optimal leaf ordering.",
            f"Stimulus by stimulus {noun} matrices of each layer.",
        )


def _colour_words(atlas: StimulusAtlas) -> str:
    """What the colours of a matrix mean."""
    if atlas.measure.kind == "distance":
        return "dark where the layer finds them alike, pale where they are far apart"
    if is_diverging(atlas):
        return "red where the layer finds them alike, blue where they are opposed, white where they are unrelated"
    return "dark where the layer finds them alike, pale where they are unrelated"


def is_diverging(atlas: StimulusAtlas) -> bool:
    """Whether 0 lies in the middle of the measure, between alike and opposed."""
    low, _ = atlas.measure.value_range
    return atlas.measure.kind == "similarity" and (low is None or low < 0)


def _lost_words(atlas: StimulusAtlas) -> str:
    if not any(matrix.undefined for matrix in atlas.matrices):
        return ""
    return " Grey rows belong to stimuli with constant activations, of which nothing is defined."

"""Section: maps, on which what is alike lies close together: of the layers, and of the stimuli in each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.parallel import side_by_side
from layerwise.core.history.records import RunRecord
from layerwise.plugins.sections.maps import mds
from layerwise.plugins.sections.maps.layer_map import draw_layer_map, query_layer_map
from layerwise.plugins.sections.stimuli.atlas import query_atlas, read_matrices, words_of
from layerwise.report.atlas import LayerMap, PairMeasure, StimulusAtlas, StimulusMap
from layerwise.report.by_name import chart_of_section
from layerwise.report.content import Chart, Figure, ReportContext, ReportSection
from layerwise.report.queries import comparator_words, featured_runs, main_layers, title_for
from layerwise.report.section import NamedFigure, SectionBuilder

N_MAPS_MOST = 80
MIN_STIMULI = 2


def query_stimulus_maps(context: ReportContext, run: RunRecord, measure: PairMeasure) -> tuple[LayerMap, ...]:
    """A map of the stimuli for each layer, in the order of the atlas, turned to fit that of the main layer before."""
    shown = read_matrices(context, run)[:N_MAPS_MOST]
    with side_by_side(True) as spread:
        found = list(spread(lambda one: scale_defined(one[1], measure), shown))
    maps: list[LayerMap] = []
    drawn: list[tuple[int, NDArray[np.float64]]] = []
    n_main = len(main_layers(context, run))
    for place, ((layer, _), scaled) in enumerate(zip(shown, found, strict=True)):
        points = mds.to_same_size(scaled.points)
        reference = _closest_before(drawn, layer.position)
        if reference is not None:
            points = mds.align(points, reference)
        if place < n_main:
            drawn.append((layer.position, points))
        maps.append(LayerMap(place, _as_pairs(points), scaled.stress, scaled.kept))
    return tuple(maps)


def _closest_before(drawn: list[tuple[int, NDArray[np.float64]]], position: int) -> NDArray[np.float64] | None:
    """The map of the last layer before this one in order of computation, of those that are there."""
    before = [found for found in drawn if found[0] < position]
    return max(before, key=lambda found: found[0])[1] if before else None


def scale_defined(matrix: NDArray[np.floating], measure: PairMeasure) -> mds.Scaled:
    """A map of the stimuli of which something is defined; the others are NaN."""
    live = np.flatnonzero(np.isfinite(np.diagonal(matrix)))
    points = np.full((len(matrix), 2), np.nan)
    if not live.size:
        return mds.Scaled(points, None, None)
    scaled = mds.scale(mds.to_distances(matrix[np.ix_(live, live)], measure.kind))
    points[live] = scaled.points
    return mds.Scaled(points, scaled.stress, scaled.kept)


def _as_pairs(points: NDArray[np.float64]) -> tuple[tuple[float, float] | None, ...]:
    return tuple(None if np.isnan(x) else (float(x), float(y)) for x, y in points)


class Maps(SectionBuilder):
    """Where stimuli and layers lie."""

    name = "maps"
    description = (
        "multidimensional scaling: a map of the layers, and maps of the stimuli that move from layer to layer"
    )
    position: ClassVar[int] = 45

    def applies(self, context: ReportContext) -> bool:
        """Whether there are two stimuli to lie somewhere."""
        return bool(self._shown_runs(context))

    @staticmethod
    def _shown_runs(context: ReportContext) -> list[RunRecord]:
        runs = featured_runs(context)
        return [run for run in runs if run.n_stimuli >= MIN_STIMULI and context.history.list_layers(run.id)]

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        figures: list[Figure] = []
        for run in self._shown_runs(context):
            layers = self._layer_figure(context, run)
            figures += [layers] if layers is not None else []
            figures.append(self._stimulus_figure(context, run))
        introduction = (
            "On a map what is alike lies close together, as far as a plane can show it. Each map says how much of "
            "the distances it keeps; where that is little, do not trust what lies next to what."
        )
        return ReportSection("Maps", tuple(figures), introduction)

    def figures(self) -> Sequence[NamedFigure]:
        """What `layerwise figure` draws of it."""
        return (
            chart_of_section(
                self,
                "layers",
                name="layer-map",
                description="a map on which similar layers lie close together",
                needs="one run with three main layers or more",
            ),
        )

    def _stimulus_figure(self, context: ReportContext, run: RunRecord) -> Figure:
        atlas = query_atlas(context, run)
        return Figure(
            f"stimuli-{run.id}",
            title_for(context, run, "The stimuli, layer by layer"),
            StimulusMap(atlas, query_stimulus_maps(context, run, atlas.measure)),
            "Move from layer to layer and watch the stimuli regroup. Point at one to see it, with lines to the five "
            "that the layer itself finds most like it: where a line is long, the map cannot show what the layer "
            "knows.",
            f"Metric multidimensional scaling of {_distance_words(atlas)}: classical scaling, improved by "
            f"{mds.steps_for(len(atlas.stimuli))} steps of SMACOF. Each map is turned and mirrored, not stretched, "
            "to lie as close as it can to that of the main layer before (Procrustes), and drawn to fill the plane. "
            f"{words_of(atlas)}",
            "Maps of the stimuli, one for each layer, on which those that the layer finds alike lie close together.",
        )

    def _layer_figure(self, context: ReportContext, run: RunRecord) -> Figure | None:
        found = query_layer_map(context, run)
        if found is None:
            return None
        kept = "" if found.kept is None else f" and {found.kept:.0%} of the variance of the distances kept"
        stress = "none to measure" if found.stress is None else f"{found.stress:.2f}"
        lost = f" Undefined, and left out: {', '.join(found.left_out)}." if found.left_out else ""
        return Figure(
            f"layers-{run.id}",
            title_for(context, run, "The layers"),
            Chart(draw_layer_map(found)),
            "Each point is a layer; layers that find the same pairs of stimuli alike lie close together. The line "
            "runs from the input to the output in order of computation; a long stretch of it is a large change."
            f"{' Thin lines lead from a block to its branches.' if found.has_branches else ''}",
            f"{comparator_words(context)}; distance: {found.distance_words}; metric multidimensional scaling "
            f"(classical scaling, improved by SMACOF), stress {stress}{kept}.{lost}",
            f"Map of {found.frame.height} layers by multidimensional scaling.",
        )


def _distance_words(atlas: StimulusAtlas) -> str:
    """What distance is scaled."""
    measure = atlas.measure
    if measure.kind == "distance":
        return f"{measure.name} distances"
    if all(abs(own - 1) < 1e-4 for matrix in atlas.matrices for own in matrix.diagonal):
        return f"1 - {measure.symbol or measure.name}"
    return f"the distances that belong to {measure.symbol or measure.name} as an inner product"

"""The figures of one training, from what the network can do to what its weights are."""

from __future__ import annotations

from dataclasses import dataclass

from layerwise.core.analysis.training.alarms import AlarmLimits
from layerwise.plugins.sections.layers.weights import N_TENSORS_MOST, query_ridges
from layerwise.plugins.sections.models.counterparts import draw_pair, query_pairs
from layerwise.plugins.sections.models.differences import describe_path
from layerwise.plugins.sections.models.section import PATH_METHOD
from layerwise.plugins.sections.training.charts import (
    N_RIDGE_ROWS,
    draw_lines,
    draw_moving_profile,
    draw_moving_ridges,
    draw_sparseness_over,
    draw_training,
    draw_weight_statistic,
)
from layerwise.plugins.sections.training.growth import (
    draw_moving_matrices,
    draw_statistic,
    has_plain,
    list_statistics,
    query_alarms,
    query_course_stored,
    query_moving_matrices,
    tabulate_alarms,
)
from layerwise.plugins.sections.training.queries import (
    VIEWS,
    WEIGHT_CHANGE,
    WEIGHT_STATISTICS,
    Training,
    query_accuracy,
    query_course,
    query_sparseness_over,
    query_training,
    query_weight_statistics,
    spread_evenly,
)
from layerwise.plugins.sections.training.settling import (
    describe_bound,
    describe_order,
    draw_settling,
    query_settling,
    settling_frame,
)
from layerwise.report.content import Alternatives, Chart, Content, Figure, ReportContext
from layerwise.report.queries import chosen_measure, comparator_words, end_of
from layerwise.report.scale import Scale, find_scale

REFERENCES = {
    "final": "the same layer in the last checkpoint",
    "input": "each checkpoint's own input",
}
TITLES = {"final": "its final state", "input": "the input"}
STATISTICS = {
    WEIGHT_CHANGE: "Spread of the weights, against the start",
    "weight-fraction-near-zero": "Share of weights near zero",
    "weight-kurtosis": "Kurtosis of the weights",
}


@dataclass(frozen=True)
class TrainingFigures:
    """The figures of one training; `suffix` and `where` tell it apart from others."""

    context: ReportContext
    training: Training
    suffix: str
    where: str

    def figures(self) -> list[Figure]:
        """From what the network can do to what its weights are."""
        scale = find_scale(self.context)
        found = (
            *self._alarms(),
            *self._accuracy(),
            *self._settling(),
            *self._similarities(scale),
            *self._matrices(scale),
            *self._course(),
            *self._first_and_last(scale),
            *self._growth(),
            *self._sparseness(),
            *self._weights(),
        )
        return list(found)

    def _figure(self, name: str, title: str, content: Content, caption: str, method: str = "") -> Figure:
        compared = f"{comparator_words(self.context)}; {self.training.runs[0].n_stimuli} stimuli"
        words = method or f"{compared}; {len(self.training.runs)} checkpoints; main layers in order of computation."
        return Figure(f"{name}{self.suffix}", f"{title}{self.where}", content, caption, words)

    def _accuracy(self) -> list[Figure]:
        frame = query_accuracy(self.training)
        if frame.is_empty():
            return []
        caption = (
            "Share of the labelled stimuli whose label comes first, or among the first five, at each checkpoint."
        )
        chart = Chart(draw_lines(frame, ("top-1", "top-5"), "accuracy", "%"))
        return [
            self._figure("accuracy", "Accuracy over training", chart, caption, "Predictions on the analysed stimuli.")
        ]

    def _alarms(self) -> list[Figure]:
        alarms = query_alarms(self.context, self.training)
        if not alarms:
            return []
        caption = (
            "Something to look at: a layer that collapsed to few dimensions, units that died, a layer that stands "
            "still, an output that tells stimuli apart no more."
        )
        limits = "; ".join(f"{name} {value:g}" for name, value in vars(AlarmLimits()).items())
        method = f"The usual limits ({limits}), which the command layerwise training changes."
        return [self._figure("alarms", "Alarms", tabulate_alarms(alarms), caption, method)]

    def _settling(self) -> list[Figure]:
        settling = query_settling(self.context, self.training)
        if settling is None:
            return []
        chart = Chart(draw_settling(settling_frame(settling, self.training), self.training.names))
        bound = describe_bound(settling, chosen_measure(self.context))
        bars = " Bars are intervals over the stimuli." if settling.bands else ""
        caption = f"{describe_order(settling)} {bound}{bars}"
        method = (
            f"{comparator_words(self.context)}; {self.training.runs[0].n_stimuli} stimuli; after Raghu et al. "
            "(2017). All intervals are quantiles over resamples of the stimuli, the same ones for all layers; the "
            "input, in which nothing is learned, does not count for the order."
        )
        return [self._figure("settling", "When each layer settles", chart, caption, method)]

    def _matrices(self, scale: Scale) -> list[Figure]:
        layers, names, frame = query_moving_matrices(self.context, self.training)
        if len(layers) < 2 or not frame["value"].count():
            return []
        chart = Chart(draw_moving_matrices(layers, frame, scale))
        some = "" if len(names) == len(self.training.runs) else f" {len(names)} checkpoints are shown, evenly spaced."
        caption = (
            f"Move the slider to see how the {scale.noun} between layers comes about: each cell compares two layers "
            f"of the same checkpoint.{some}"
        )
        return [self._figure("layer-matrices", "Layer by layer, checkpoint by checkpoint", chart, caption)]

    def _growth(self) -> list[Figure]:
        if not has_plain(self.context, self.training):
            return []
        course = query_course_stored(self.context, self.training)
        found = list_statistics(course)
        inner = [
            Figure(f"{name}{self.suffix}", words, Chart(draw_statistic(course, self.training.names, name)))
            for name, words in found.items()
        ]
        if not inner:
            return []
        caption = (
            "Each row is a layer, each column a checkpoint. The participation ratio and the effective rank count the "
            "directions in which stimuli differ; dead units are 0 for every stimulus."
        )
        method = f"Statistics as stored with each checkpoint; {self.training.runs[0].n_stimuli} stimuli."
        content = Alternatives("Statistic", tuple(inner))
        return [self._figure("dimensions", "Dimensions and dead units over training", content, caption, method)]

    def _similarities(self, scale: Scale) -> list[Figure]:
        frame = query_training(self.context, self.training)
        end, figures = end_of(self.context, self.training.runs), []
        if frame["input"].count() or frame["output"].count():
            caption = (
                "Move the slider from the first checkpoint to the last, by hand or with the arrow keys: bold is the "
                "checkpoint it points at, pale are all others."
            )
            chart = Chart(draw_moving_profile(frame, scale, end))
            figures.append(self._figure("profiles", "The profile, checkpoint by checkpoint", chart, caption))
        for view in VIEWS:
            if frame[view].count():
                colour = f"{scale.noun} to {REFERENCES.get(view, f'{end} of each checkpoint')}"
                caption = f"Each row is a layer, each column a checkpoint; colour is the {colour}."
                title = f"{scale.noun.capitalize()} to {TITLES.get(view, end)}, over training"
                chart = Chart(draw_training(frame, view, scale))
                figures.append(self._figure(f"training-{view}", title, chart, caption))
        return figures

    def _course(self) -> list[Figure]:
        frame = query_course(self.context, self.training)
        if frame.is_empty():
            return []
        caption = (
            "Smoothness is 1 where all layers change equally much, near 0 where one does it all; the crossing is the "
            "relative depth at which layers turn from being more like the input to being more like the end."
        )
        chart = Chart(draw_lines(frame, ("smoothness", "crossing"), "from 0 to 1", ".1f"))
        return [self._figure("course", "The transition in numbers, over training", chart, caption)]

    def _first_and_last(self, scale: Scale) -> list[Figure]:
        ends = (self.training.runs[0], self.training.runs[-1])
        pairs = query_pairs(self.context, ends, self.training.by_id)
        if not pairs:
            return []
        caption = (
            f"Each row is a layer of {pairs[0].names[0]}, each column one of {pairs[0].names[1]}; {scale.reading}. "
            f"{describe_path(pairs[0], scale)}"
        )
        chart = Chart(draw_pair(pairs[0], scale))
        figure = self._figure("first-last", "Layers before and after", chart, caption)
        return [Figure(figure.name, figure.title, chart, caption, f"{figure.method} {PATH_METHOD}")]

    def _sparseness(self) -> list[Figure]:
        frame = query_sparseness_over(self.context, self.training)
        if frame.is_empty():
            return []
        caption = (
            "0 means that all units answer alike, 1 that a single one does; choose the measure below the chart. "
            "Treves-Rolls sparseness is defined for activations that are never negative."
        )
        chart = Chart(draw_sparseness_over(frame))
        method = (
            "Treves-Rolls (1 - a) / (1 - 1/n) over units or stimuli, Hoyer, and the share of exact zeros; "
            f"{self.training.runs[0].n_stimuli} stimuli."
        )
        return [self._figure("sparseness", "Sparseness over training", chart, caption, method)]

    def _weights(self) -> list[Figure]:
        frame = query_weight_statistics(self.context, self.training)
        known = [s for s in (WEIGHT_CHANGE, *WEIGHT_STATISTICS) if frame.filter(series=s)["value"].count()]
        figures = []
        if known:
            inner = [
                Figure(f"{name}{self.suffix}", STATISTICS[name], Chart(draw_weight_statistic(frame, name)))
                for name in known
            ]
            caption = (
                "Each row is a tensor of weights, each column a checkpoint. The spread is log2 of the standard "
                "deviation over that in the first checkpoint: 1 is twice as wide, -1 half."
            )
            method = "Statistics of each tensor with two or more axes, as stored with each checkpoint."
            content = Alternatives("Statistic", tuple(inner))
            figures.append(self._figure("weights", "Weights over training", content, caption, method))
        return [*figures, *self._histograms()]

    def _histograms(self) -> list[Figure]:
        runs = self.training.runs
        newest = query_ridges(self.context, runs[-1])
        if not newest.tensors:
            return []
        shown = spread_evenly(len(runs), N_RIDGE_ROWS // max(newest.frame.height, 1))
        ridges = [query_ridges(self.context, runs[index]) for index in shown]
        chart = Chart(draw_moving_ridges(ridges, [self.training.names[index] for index in shown]))
        caption = (
            "Each ridge is the histogram of one tensor of weights, drawn to the same height. Move the slider to see "
            "weights spread, or gather at zero, while the network learns."
        )
        some = "" if len(shown) == len(runs) else f"; {len(shown)} checkpoints, evenly spaced"
        method = f"64 bins for each tensor with two or more axes; at most {N_TENSORS_MOST} tensors{some}."
        return [
            self._figure(
                "histograms", "Distribution of the weights, checkpoint by checkpoint", chart, caption, method
            )
        ]

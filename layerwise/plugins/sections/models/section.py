"""Section: different models on the same stimuli. Do they go the same way, and at the same pace?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from layerwise.plugins.sections.models.counterparts import (
    SAME_LAYER,
    ModelPair,
    draw_counterparts,
    draw_pair,
    find_poorest,
)
from layerwise.plugins.sections.models.differences import (
    ModelGroup,
    describe_path,
    list_facts,
    query_models,
    tabulate_differences,
    tabulate_models,
)
from layerwise.plugins.sections.models.findings import find_between_models
from layerwise.plugins.sections.shared.grouping import find_models, model_names
from layerwise.plugins.sections.shared.overlays import overlay_figures
from layerwise.report.by_name import chart_of_section
from layerwise.report.content import (
    Alternatives,
    Chart,
    Content,
    Facts,
    Figure,
    Finding,
    ReportContext,
    ReportSection,
    SideBySide,
    Table,
)
from layerwise.report.queries import comparator_words, end_of, recording_ids
from layerwise.report.scale import Scale, find_scale
from layerwise.report.section import NamedFigure, SectionBuilder

N_POOREST = 4
PATH_METHOD = (
    "The boxed path goes from both first to both last layers without going back, with the best sum on the way "
    "(dynamic time warping with the symmetric weights of Sakoe and Chiba 1978, so that a detour does not win by "
    "being long)."
)


class Models(SectionBuilder):
    """How networks differ in what they make of the same stimuli."""

    name = "models"
    description = "layers of one model against those of another with the best path, profiles on relative depth"
    position: ClassVar[int] = 16

    def applies(self, context: ReportContext) -> bool:
        """Whether there is something to show."""
        return bool(find_models(context.runs, recording_ids(context)).groups)

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        figures: list[Figure] = []
        found = find_models(context.runs, recording_ids(context))
        for runs, *several in found.told_apart(lambda run: f"on {run.stimuli_name}"):
            figures += _Drawing(context, query_models(context, runs), *several).figures()
        introduction = (
            "Different networks see the same stimuli. Which layer of one does what a layer of the other does, do "
            "they get there at the same pace, and what has no counterpart at all?"
        )
        return ReportSection("Across models", tuple(figures), introduction)

    def findings(self, context: ReportContext) -> Sequence[Finding]:
        """In what the profiles of the models differ."""
        told = []
        groups = find_models(context.runs, recording_ids(context))
        for runs, suffix, _ in groups.told_apart(lambda run: f"on {run.stimuli_name}"):
            told += [
                replace(one, figure=f"{one.figure}{suffix}")
                for one in find_between_models(context, runs, model_names(runs))
            ]
        return told

    def figures(self) -> Sequence[NamedFigure]:
        """What `layerwise figure` draws of it."""
        return (
            chart_of_section(
                self,
                "layers-of-1",
                name="across-models",
                description="the layers of one model against those of another, with the best path",
                needs="two models on the same stimuli",
                n_runs=(2, 2),
            ),
            chart_of_section(
                self,
                "counterparts-of-1",
                name="counterparts",
                description="how like the most similar layer of the other model each layer is",
                needs="two models on the same stimuli",
                n_runs=(2, 2),
            ),
            chart_of_section(
                self,
                "to-input",
                name="profiles-to-input",
                description="how alike layers are to the input, of several models on relative depth",
                needs="models on the same stimuli",
                n_runs=(2, None),
            ),
            chart_of_section(
                self,
                "to-output",
                name="profiles-to-output",
                description="how alike layers are to the logits, or the output, of several models on relative depth",
                needs="models on the same stimuli",
                n_runs=(2, None),
            ),
        )


@dataclass(frozen=True)
class _Drawing:
    """The figures of one group; `suffix` and `where` tell it apart from others."""

    context: ReportContext
    group: ModelGroup
    suffix: str
    where: str

    def figures(self) -> list[Figure]:
        """From the overview to the single layer."""
        scale, group = find_scale(self.context), self.group
        smoothness = (
            "Smoothness says how evenly the change is spread over the steps (1 is equal steps), the crossing where "
            "layers turn from being more like the input to being more like the end (the logits, or the output)."
        )
        depths = (
            "Each model against its own input and its own end point; 0 is its first layer, 1 its last. Lines that "
            "fall or rise at another depth belong to networks that do the same work earlier or later."
        )
        last = end_of(self.context, group.runs)
        beside = overlay_figures(group.overlay, scale, last, self.suffix)
        figures = [
            self._figure("models", "The models", tabulate_models(self.context, group), smoothness),
            *self._differences(scale),
            *self._matrices(scale),
        ]
        if beside:
            figures.append(self._figure("profiles", "Profiles on relative depth", SideBySide(beside), depths))
        return [*figures, *self._counterparts(scale)]

    def _figure(self, name: str, title: str, content: Content, caption: str, more: str = "") -> Figure:
        method = (
            f"{comparator_words(self.context)}; {self.group.runs[0].n_stimuli} stimuli; main layers in order of "
            f"computation.{more and ' '}{more}"
        )
        return Figure(f"{name}{self.suffix}", f"{title}{self.where}", content, caption, method)

    def _differences(self, scale: Scale) -> list[Figure]:
        found = self.group.differences
        if not found:
            return []
        content = Facts(list_facts(found[0], scale)) if len(found) == 1 else tabulate_differences(found, scale)
        caption = (
            "The best path pairs the layers of two models in order, and bends where one is ahead of the other. An "
            "odd layer is the one whose best counterpart in the other model is the poorest."
        )
        return [self._figure("differences", "What differs", content, caption)]

    def _matrices(self, scale: Scale) -> list[Figure]:
        pairs = self.group.pairs
        inner = [(pair, draw_pair(pair, scale), describe_path(pair, scale)) for pair in pairs]
        caption = (
            f"Each cell compares a layer of one model (row) with a layer of the other (column); {scale.reading}. "
            "Boxes mark which layers belong together, in order from input to output."
        )
        content = self._choose("layers-of", inner)
        return [self._figure("layers", "Layer by layer", content, caption, PATH_METHOD)] if inner else []

    def _counterparts(self, scale: Scale) -> list[Figure]:
        frame = self.group.counterparts
        if frame.is_empty():
            return []
        inner = [
            (pair, draw_counterparts(frame.filter(pair=pair.title), pair.names, scale), "")
            for pair in self.group.pairs
        ]
        extreme = "dip" if scale.noun == "similarity" else "peak"
        caption = (
            "How like the most similar layer of the other model each layer is, wherever in the network that may be. "
            f"A {extreme} is a layer that does something the other model never does."
        )
        if frame["series"].eq(SAME_LAYER).any():
            caption += " Where both have the same layers, a third line holds each against its namesake."
        found = [self._figure("counterparts", "Best counterparts", self._choose("counterparts-of", inner), caption)]
        if len(self.group.pairs) == 1:
            few = f"The {N_POOREST} layers of each model that are least like any layer of the other."
            found.append(self._figure("poorest", "Layers without a good counterpart", self._poorest(scale), few))
        return found

    def _poorest(self, scale: Scale) -> Table:
        """The layers of the only pair that have the poorest counterparts."""
        frame, names = self.group.counterparts, self.group.pairs[0].names
        columns = ("series", "layer", "depth", "counterpart", "place", "value")
        rows = [
            row
            for name in names
            for row in find_poorest(frame.filter(series=name), scale.noun, N_POOREST).select(columns).iter_rows()
        ]
        heads = ("model", "layer", "relative depth", "best counterpart", "its relative depth", scale.axis())
        return Table(heads, tuple(rows))

    def _choose(self, name: str, inner: list[tuple[ModelPair, Any, str]]) -> Alternatives:
        figures = [
            Figure(f"{name}{self.suffix}-{index + 1}", pair.title, Chart(drawn), words)
            for index, (pair, drawn, words) in enumerate(inner)
        ]
        return Alternatives("Models", tuple(figures))

"""Section: recordings beside networks. Which layer sees the stimuli as an area of a brain does, or as people do?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from layerwise.plugins.sections.recordings import charts
from layerwise.plugins.sections.recordings.ceilings import Ceiling, find_ceilings
from layerwise.plugins.sections.recordings.findings import find_in_matches
from layerwise.plugins.sections.recordings.queries import (
    Area,
    Match,
    best_frame,
    list_areas,
    match_frame,
    match_network,
    name_networks,
    split_group,
    write_ranges,
)
from layerwise.plugins.sections.shared.grouping import Runs, find_recordings, model_names
from layerwise.plugins.sections.training.queries import spread_evenly
from layerwise.report.by_name import chart_of_section
from layerwise.report.content import (
    Alternatives,
    Chart,
    Content,
    Figure,
    Finding,
    ReportContext,
    ReportSection,
    Table,
)
from layerwise.report.drawing import PALETTE
from layerwise.report.queries import comparator_words, compare, recording_ids
from layerwise.report.scale import Scale, find_scale
from layerwise.report.section import NamedFigure, SectionBuilder

if TYPE_CHECKING:
    import polars as pl

N_SHOWN = 6  # of more networks evenly spaced ones are shown layer by layer
N_LINES = len(PALETTE)
_ONE_LINE_EACH = "Each line is an area, followed through the layers of the network; a ring marks its best layer."
NEEDS = "an imported recording and a network on the same stimuli"
INTRODUCTION = (
    "What was recorded, of a brain or of people, beside what a network makes of the same stimuli. Which layer sees "
    "them alike, how sure is that, and would another layer do as well?"
)


class Recordings(SectionBuilder):
    """Imported matrices against the layers of networks."""

    name = "recordings"
    description = "imported recordings against each layer of a network: the best layers, with intervals and ceilings"
    position: ClassVar[int] = 14

    def applies(self, context: ReportContext) -> bool:
        """Whether there is something to show."""
        return bool(find_recordings(context.runs, recording_ids(context)).groups)

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        figures: list[Figure] = []
        found = find_recordings(context.runs, recording_ids(context))
        for runs, *several in found.told_apart(lambda run: f"on {run.stimuli_name}"):
            figures += _Drawing(context, runs, *several).figures()
        return ReportSection("Recordings and networks", tuple(figures), INTRODUCTION)

    def findings(self, context: ReportContext) -> Sequence[Finding]:
        """Which layer each area is most like."""
        told = []
        found = find_recordings(context.runs, recording_ids(context))
        for runs, suffix, where in found.told_apart(lambda run: f"on {run.stimuli_name}"):
            told += find_in_matches(_Drawing(context, runs, suffix, where).shown, f"best{suffix}")
        return told

    def figures(self) -> Sequence[NamedFigure]:
        """What `layerwise figure` draws of it."""
        named = {
            "along-1": (
                "recordings",
                "how alike each layer of a network is to each area of a recording",
                NEEDS,
            ),
            "cells-1": ("recordings-matrix", "areas of a recording by layers of a network, the best boxed", NEEDS),
            "networks": (
                "recordings-networks",
                "how alike the best layer of each of several networks is to each area",
                "an imported recording and two networks or more on the same stimuli",
            ),
            "ceiling-1": (
                "recordings-ceiling",
                "the mean over several recordings of an area along the layers, under its noise ceiling",
                "two recordings of the same area or more, and a network on the same stimuli",
            ),
        }
        return [
            chart_of_section(self, chart, name=name, description=words, needs=needs, n_runs=(2, None))
            for chart, (name, words, needs) in named.items()
        ]


@dataclass(frozen=True)
class _Drawing:
    """The figures of one set of stimuli; `suffix` and `where` tell it apart from others."""

    context: ReportContext
    runs: Runs
    suffix: str
    where: str

    @cached_property
    def areas(self) -> tuple[Area, ...]:
        """All areas of all recordings."""
        return list_areas(self.context, split_group(self.context, self.runs)[0])

    @cached_property
    def matches(self) -> list[Match]:
        """The areas against each network; those that are shown layer by layer have intervals."""
        networks = split_group(self.context, self.runs)[1]
        names = name_networks(networks, model_names(networks)) if networks else {}
        shown = spread_evenly(len(networks), N_SHOWN)
        return [
            match_network(self.context, self.areas, run, names[run.id], sure=place in shown)
            for place, run in enumerate(networks)
        ]

    @property
    def shown(self) -> list[Match]:
        """The networks that are shown layer by layer."""
        return [self.matches[place] for place in spread_evenly(len(self.matches), N_SHOWN)]

    def figures(self) -> list[Figure]:
        """From the answer to the single cell."""
        scale = find_scale(self.context)
        found = [*self._best(scale), *self._layers(scale), *self._ceilings(scale), *self._networks(scale)]
        return [*found, *self._among(scale)]

    def _figure(self, name: str, title: str, content: Content, caption: str, more: str = "") -> Figure:
        n_stimuli = self.runs[0].n_stimuli
        method = f"{comparator_words(self.context)}; {n_stimuli} stimuli; main layers in order of computation."
        return Figure(f"{name}{self.suffix}", f"{title}{self.where}", content, caption, f"{method}{more}")

    @property
    def _sure(self) -> str:
        """How intervals were made; empty without any."""
        plan = next((match.plan for match in self.shown if match.plan is not None), None)
        if plan is None:
            return ""
        return (
            f" {plan.level:.0%} intervals over the stimuli ('{plan.method}' method), from {plan.n_resamples} "
            f"resamples (seed {plan.seed})."
        )

    def _best(self, scale: Scale) -> list[Figure]:
        if not self.matches:
            return []
        rows = [row for match in self.shown for row in list_best(match)]
        heads = (
            "area",
            "network",
            "best layer",
            scale.axis(),
            "95 % interval",
            "relative depth",
            "not clearly worse",
        )
        caption = (
            "For each area the layer that is most like it. It is chosen and judged on the same stimuli, so its value "
            "is a little too good; the layers in the last column would do as well, as far as these stimuli can tell."
        )
        return [self._figure("best", "The best layers", Table(heads, tuple(rows)), caption, self._sure)]

    def _layers(self, scale: Scale) -> list[Figure]:
        frames = [match_frame(match) for match in self.shown]
        figures = []
        if frames:
            few = len(self.areas) <= N_LINES
            draw = charts.draw_along if few else charts.draw_many_along
            drawn = [draw(m, frame, scale) for m, frame in zip(self.shown, frames, strict=True)]
            caption = (
                f"{_ONE_LINE_EACH if few else self._tell_means()} Areas that peak one after the other are a "
                "hierarchy that brain and network share."
            )
            content = self._choose("along", "Network", drawn)
            title = f"{scale.noun.capitalize()} of each layer to each area"
            figures.append(self._figure("lines", title, content, caption, self._sure if few else ""))
        if frames:
            dashes = " Dashed are layers that are not clearly worse." if self._sure else ""
            caption = (
                f"Each row is an area, each column a layer; {scale.reading}. The best layer of each area is boxed."
                f"{dashes}"
            )
            drawn = [charts.draw_cells(m, frame, scale) for m, frame in zip(self.shown, frames, strict=True)]
            figures.append(
                self._figure("matrix", "Area by layer", self._choose("cells", "Network", drawn), caption, self._sure)
            )
        return figures

    def _tell_means(self) -> str:
        """What the lines are where there are too many areas for one with its interval each."""
        if len({area.own_name for area in self.areas}) < len(self.areas):
            return "Each colour is an area: bold is the mean over the recordings that have it, pale each of them."
        return f"Each line is one of {len(self.areas)} areas, in their order from pale to dark."

    def _choose(self, name: str, label: str, drawn: Sequence[Any], titles: Sequence[str] = ()) -> Alternatives:
        names = titles or [match.name for match in self.shown]
        inner = [
            Figure(f"{name}-{index}{self.suffix}", title, Chart(chart))
            for index, (title, chart) in enumerate(zip(names, drawn, strict=True), start=1)
        ]
        return Alternatives(label, tuple(inner))

    def _ceilings(self, scale: Scale) -> list[Figure]:
        found = find_ceilings(self.context, self.areas) if self.matches else []
        if not found:
            return []
        drawn = [charts.draw_under_ceiling(ceiling_frame(self.shown, one), one, scale) for one in found]
        lines = (
            "Bold is the mean over the recordings, pale each of them."
            if len(self.shown) == 1
            else "Each line is a network, and the mean over the recordings."
        )
        caption = (
            f"{lines} The grey band is the noise ceiling: no network can be expected above it, because the "
            "recordings agree with each other no better."
        )
        method = (
            " The ceiling, from the mean of the others to the mean of all, is that of Nili et al. (2014), over "
            f"{len(found[0].areas)} recordings."
        )
        content = self._choose("ceiling", "Area", drawn, [ceiling.name for ceiling in found])
        return [self._figure("ceilings", "How much could be explained", content, caption, method)]

    def _networks(self, scale: Scale) -> list[Figure]:
        if len(self.matches) < 2:
            return []
        frame, names = best_frame(self.matches), [match.name for match in self.matches]
        one_training = len({match.run.lineage for match in self.matches}) == 1 and self.matches[0].run.lineage
        many = len(names) > N_LINES or (one_training and len(names) > 2)
        draw = charts.draw_course if many and len(self.areas) <= N_LINES else charts.draw_networks
        caption = (
            "How like each area the best layer of each network is. Overlapping intervals are no test: networks were "
            "shown the same stimuli, which `layerwise difference` takes into account."
        )
        if draw is charts.draw_course:
            caption = "How like each area the best layer is, in one network after the other."
        chart = Chart(draw(frame, names, scale))
        return [self._figure("networks", "Network against network", chart, caption, self._sure)]

    def _among(self, scale: Scale) -> list[Figure]:
        """The areas of several recordings among each other; those of a single one are under `layer-matrix`."""
        if len({area.address.run_id for area in self.areas}) < 2:
            return []
        names = [area.name for area in self.areas]
        matrix = compare(self.context, [area.address for area in self.areas])
        chart = charts.draw_among(names, matrix, scale)
        caption = f"Each cell compares two areas, of one recording or of two; {scale.reading}."
        return [self._figure("among", "Area by area", Chart(chart), caption)]


def list_best(match: Match) -> list[tuple[str | float | None, ...]]:
    """A row for each area: its best layer, how like it that is, and which layers are not clearly worse."""
    rows: list[tuple[str | float | None, ...]] = []
    for row in match_frame(match).filter(standing="best").to_dicts():
        place = next(index for index, area in enumerate(match.areas) if area.name == row["series"])
        sure = None if row["low"] is None else f"{row['low']:.2f} to {row['high']:.2f}"
        others = write_ranges(match.layers, match.rivals[place]) or "none" if match.rivals else None
        rows.append((row["series"], match.name, row["layer"], row["value"], sure, round(row["depth"], 2), others))
    return rows


def ceiling_frame(matches: Sequence[Match], ceiling: Ceiling) -> pl.DataFrame:
    """One area along the layers of each network.

    Returns:
        `series` (the network), `layer`, `depth`, `recording` (the area's full name), `value`, and `mean` over the
        recordings.
    """
    import polars as pl

    names = [area.name for area in ceiling.areas]
    found = pl.concat(
        match_frame(match).filter(pl.col("series").is_in(names)).with_columns(network=pl.lit(match.name))
        for match in matches
    )
    found = found.with_columns(pl.col("value").mean().over("network", "layer").alias("mean"))
    return found.select("layer", "depth", "value", "mean", series="network", recording="series")

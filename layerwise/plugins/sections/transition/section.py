"""Section: how the similarity of the inputs turns into that of the outputs, along the layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from layerwise.core.analysis.profile_run import largest_value
from layerwise.core.history.records import RunRecord
from layerwise.core.network.layers import end_words
from layerwise.plugins.sections.transition.bands import describe_bands, query_intervals, with_bands
from layerwise.plugins.sections.transition.curves import (
    draw_pace,
    list_numbers,
    query_pace,
    read_profile,
    tell_undrawn,
)
from layerwise.plugins.sections.transition.findings import find_in_profile, name_figures
from layerwise.report import drawing
from layerwise.report.by_name import chart_of_section
from layerwise.report.content import Alternatives, Chart, Facts, Figure, Finding, ReportContext, ReportSection
from layerwise.report.queries import (
    chosen_measure,
    comparator_words,
    end_of,
    end_point,
    featured_runs,
    headline_prefix,
    headline_runs,
    main_layers,
    networks_among,
    number,
    title_for,
)
from layerwise.report.scale import Scale, find_scale
from layerwise.report.section import NamedFigure, SectionBuilder

if TYPE_CHECKING:
    import polars as pl

TO_INPUT = "to the input"


def query_profile(context: ReportContext, run: RunRecord) -> pl.DataFrame:
    """The layers of the way, with their similarity to the `input`, the end (`output`) and the `previous` layer.

    `change` is how far the layer is from that, `share` its part of all change, `before` that layer's name; all are
    None where undefined, or where the layer was not analysed.
    """
    import polars as pl

    profile = read_profile(context, run)
    columns: dict[str, list[Any]] = {"layer": list(profile.layers)}
    curves = {
        "input": profile.to_input,
        "output": profile.to_output,
        "change": profile.steps,
        "share": profile.shares,
    }
    columns |= {name: [number(value) for value in curve] for name, curve in curves.items()}
    measure = chosen_measure(context)
    largest = largest_value(measure) if measure.kind == "similarity" else None
    columns["previous"] = [
        value if value is None or largest is None else largest - value for value in columns["change"]
    ]
    columns["before"] = [None, *profile.layers[:-1]]
    numbers = dict.fromkeys((*curves, "previous"), pl.Float64)
    return pl.DataFrame(columns, schema={"layer": pl.String, **numbers, "before": pl.String})


def query_curves(context: ReportContext, run: RunRecord) -> pl.DataFrame:
    """The profile in long form: `layer`, `series`, `value`, and its interval from `low` to `high`."""
    import polars as pl

    profile, to_end = query_profile(context, run), f"to {end_of(context, [run])}"
    long = pl.concat(
        profile.select("layer", series=pl.lit(series), value=pl.col(column))
        for column, series in (("input", TO_INPUT), ("output", to_end))
    )
    return with_bands(long, query_intervals(context, run), {"to_input": TO_INPUT, "to_output": to_end})


def query_steps(context: ReportContext, run: RunRecord) -> pl.DataFrame:
    """The steps that are defined, the largest marked: the profile's columns, `low`, `high` and `largest`."""
    import polars as pl

    steps = query_profile(context, run).with_columns(series=pl.lit("step"))
    steps = with_bands(steps, query_intervals(context, run), {"steps": "step"}).drop("series", "input", "output")
    return steps.drop_nulls("change").with_columns(largest=pl.col("change") == pl.col("change").max())


def draw_curves(curves: pl.DataFrame, scale: Scale) -> Any:
    """The measure to the input and to the end point, as two lines along the layers, in their bands."""
    import altair as alt

    names = curves["layer"].unique(maintain_order=True).to_list()
    series = curves["series"].unique(maintain_order=True).to_list()
    base = alt.Chart(drawing.inline(curves.drop_nulls("value"))).encode(
        x=drawing.layer_axis(names, "layer", every=len(names) <= 32),
        color=drawing.series_colour(series, scale.noun),
        tooltip=[
            "layer:N",
            alt.Tooltip("series:N", title=scale.noun),
            alt.Tooltip("value:Q", title=scale.symbol, format=".3f"),
            *drawing.interval_tooltips(curves),
        ],
    )
    y = alt.Y("value:Q", title=scale.axis())
    zero = alt.Chart(drawing.decoration([{"value": 0}])).mark_rule(color=drawing.QUIET, strokeDash=[2, 3])
    chart = zero.encode(y="value:Q")
    if curves["low"].count():
        chart += (
            base.transform_filter("isValid(datum.low)")
            .mark_area(opacity=0.2, tooltip=None)
            .encode(y=alt.Y("low:Q", title=scale.axis()), y2="high:Q")
        )
    chart += base.mark_line(strokeWidth=2.5).encode(y=y)
    chart += base.mark_point(filled=True, size=55, opacity=1).encode(y=y)
    return chart.properties(width="container", height=280)


def draw_steps(steps: pl.DataFrame, scale: Scale) -> Any:
    """How much each layer changes what it gets from the one before, with the largest step marked."""
    import altair as alt

    names = steps["layer"].to_list()
    colour = alt.condition("datum.largest", alt.value(drawing.SECOND), alt.value(drawing.ACCENT))
    base = alt.Chart(drawing.inline(steps)).encode(
        x=drawing.layer_axis(names, "layer", every=len(names) <= 32),
        tooltip=[
            alt.Tooltip("before:N", title="from"),
            alt.Tooltip("layer:N", title="to"),
            alt.Tooltip("previous:Q", title=scale.noun, format=".3f"),
            alt.Tooltip("change:Q", title="change", format=".3f"),
            alt.Tooltip("share:Q", title="share of all change", format=".1%"),
            *drawing.interval_tooltips(steps),
        ],
    )
    y = alt.Y("change:Q", title=scale.step_title)
    chart = base.mark_bar(cornerRadiusEnd=2).encode(y=y, color=colour)
    if steps["low"].count():
        chart += (
            base.transform_filter("isValid(datum.low)")
            .mark_rule(strokeWidth=1.6, color=drawing.QUIET)
            .encode(y=alt.Y("low:Q", title=scale.step_title), y2="high:Q")
        )
    return chart.properties(width="container", height=220)


def _tell_end(context: ReportContext, run: RunRecord) -> str:
    """Where the way ends, if layers come after it."""
    layers = main_layers(context, run)
    end = end_point(context, run, layers)
    beyond = [layer.name for layer in layers if end is not None and layer.position > end.position]
    if end is None or not beyond:
        return ""
    return f" The way ends at {end_words(end)}, before {' and '.join(beyond)}; --end-point says otherwise."


class Transition(SectionBuilder):
    """From the input's structure to the output's."""

    name = "transition"
    description = "similarity to the input and to the end along the layers, and the step between neighbours"
    position: ClassVar[int] = 40

    def applies(self, context: ReportContext) -> bool:
        """Whether there is something to show."""
        return any(len(main_layers(context, run)) > 1 for run in networks_among(context, featured_runs(context)))

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        figures = [
            figure
            for run in networks_among(context, featured_runs(context))
            for figure in self._figures(context, run)
        ]
        pace = query_pace(context)
        if not pace.is_empty():
            caption = (
                "How much of all change along the network is done by each layer. On the dashed diagonal all steps "
                "are equal, and smoothness is 1; a line that is flat and then jumps is abrupt, and smoothness near 0."
            )
            steps = f"Steps are {find_scale(context).step_words}"
            method = f"{steps}: {comparator_words(context)}; main layers in order of computation."
            method += tell_undrawn(context, pace)
            figures = _add_panel(
                figures, Figure("pace", "The pace of the transition", Chart(draw_pace(pace)), caption, method)
            )
        introduction = "Where along the network is the structure of the inputs lost, and that of the outputs found?"
        return ReportSection("From input to output", tuple(figures), introduction)

    def findings(self, context: ReportContext) -> Sequence[Finding]:
        """Where the input's structure is lost, and which step changes most: of the last checkpoint of a training."""
        largest = largest_value(chosen_measure(context))
        return [
            finding
            for run in headline_runs(context)
            for finding in name_figures(
                find_in_profile(read_profile(context, run), query_intervals(context, run), largest),
                run.id,
                headline_prefix(context, run),
            )
        ]

    def figures(self) -> Sequence[NamedFigure]:
        """What `layerwise figure` draws of it."""
        return (
            chart_of_section(
                self,
                "profile",
                name="profile",
                description="how alike each layer is to the input, and to the logits or the output",
                needs="one run with two main layers or more",
            ),
            chart_of_section(
                self,
                "steps",
                name="steps",
                description="how much each layer changes what it gets",
                needs="one run with two main layers or more",
            ),
            chart_of_section(
                self,
                "pace",
                name="pace",
                description="how much of all change is done, against relative depth",
                needs="one run or several",
                n_runs=(1, None),
            ),
        )

    def _figures(self, context: ReportContext, run: RunRecord) -> list[Figure]:
        scale, intervals = find_scale(context), query_intervals(context, run)
        curves, steps = query_curves(context, run), query_steps(context, run)
        method = f"{comparator_words(context)}; {run.n_stimuli} stimuli; main layers in order of computation."
        method += _tell_end(context, run) + describe_bands(intervals)
        end = end_of(context, [run])
        figures, panels = [], []
        facts = list_numbers(read_profile(context, run), intervals)
        if facts:
            caption = (
                "Smoothness says how evenly the change is spread over the steps, the crossing where layers turn from "
                f"being more like the input to being more like {end}. A network that takes the same step "
                "everywhere has smoothness 1, and one that does it all at once has 0."
            )
            title = title_for(context, run, "The transition in numbers")
            figures.append(Figure(f"transition-{run.id}", title, Facts(facts), caption, method))
        if curves["value"].count():
            ways = ("falls", "rises") if scale.noun == "similarity" else ("rises", "falls")
            caption = (
                f"The blue line {ways[0]} as the structure of the inputs is given up, the orange one {ways[1]} as "
                f"that of {end} appears. Where they cross, a layer is equally far from both."
            )
            title = title_for(context, run, f"{scale.noun.capitalize()} to the input and to {end}")
            panels.append(Figure(f"profile-{run.id}", title, Chart(draw_curves(curves, scale)), caption, method))
        if len(steps):
            caption = (
                "How far each layer moves from the one before it; the largest step is orange. A step of 0 leaves the "
                f"structure as it is; a step is {scale.step_words}."
            )
            title = title_for(context, run, "The step from layer to layer")
            panels.append(Figure(f"steps-{run.id}", title, Chart(draw_steps(steps, scale)), caption, method))
        if panels:
            title = title_for(context, run, "The transition, layer by layer")
            caption = (
                "The same way through the network, seen as what is left of both ends and as steps; choose above."
            )
            figures.append(Figure(f"curves-{run.id}", title, Alternatives("Show", tuple(panels)), caption, method))
        return figures


def _add_panel(figures: list[Figure], panel: Figure) -> list[Figure]:
    """The same figures, the panel beside the curves where they are of one run, otherwise by itself."""
    content = figures[-1].content if figures else None
    if not isinstance(content, Alternatives) or len(figures) > 2:
        return [*figures, panel]
    return [*figures[:-1], replace(figures[-1], content=replace(content, figures=(*content.figures, panel)))]

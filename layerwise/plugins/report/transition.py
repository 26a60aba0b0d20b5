"""Section: how the similarity of the inputs turns into that of the outputs, along the layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from layerwise.core.kinds import SectionBuilder
from layerwise.core.profiling import largest_value
from layerwise.core.records import RunRecord
from layerwise.core.report import Chart, Facts, Figure, ReportContext, ReportSection
from layerwise.plugins.report import drawing
from layerwise.plugins.report.profile import draw_pace, list_numbers, query_pace, read_profile
from layerwise.plugins.report.queries import (
    chosen_measure,
    comparator_words,
    featured_runs,
    main_layers,
    number,
    title_for,
)
from layerwise.plugins.report.scale import Scale, find_scale

if TYPE_CHECKING:
    import polars as pl

TO_INPUT, TO_OUTPUT = "to the input", "to the output"


def query_profile(context: ReportContext, run: RunRecord) -> pl.DataFrame:
    """The main layers in order, with their similarity to the `input`, the `output` and the `previous` layer.

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


def draw_profile(profile: pl.DataFrame, scale: Scale) -> Any:
    """The measure to the input and to the output, as two lines along the layers."""
    import altair as alt
    import polars as pl

    long = pl.concat(
        profile.select("layer", series=pl.lit(series), value=pl.col(column))
        for column, series in (("input", TO_INPUT), ("output", TO_OUTPUT))
    ).drop_nulls("value")
    names = profile["layer"].to_list()
    base = alt.Chart(drawing.inline(long)).encode(
        x=drawing.layer_axis(names, "layer", every=len(names) <= 32),
        y=alt.Y("value:Q", title=scale.axis()),
        color=drawing.series_colour((TO_INPUT, TO_OUTPUT), scale.noun),
        tooltip=[
            "layer:N",
            alt.Tooltip("series:N", title=scale.noun),
            alt.Tooltip("value:Q", title=scale.symbol, format=".3~f"),
        ],
    )
    zero = alt.Chart(alt.InlineData(values=[{"value": 0}])).mark_rule(color=drawing.QUIET, strokeDash=[2, 3])
    lines = base.mark_line(strokeWidth=2.5) + base.mark_point(filled=True, size=55, opacity=1)
    return (zero.encode(y="value:Q") + lines).properties(width="container", height=280)


def draw_steps(profile: pl.DataFrame, scale: Scale) -> Any:
    """How much each layer changes what it gets from the one before, with the largest step marked."""
    import altair as alt
    import polars as pl

    steps = profile.drop_nulls("change").with_columns(largest=pl.col("change") == pl.col("change").max())
    names = steps["layer"].to_list()
    colour = alt.condition("datum.largest", alt.value(drawing.SECOND), alt.value(drawing.ACCENT))
    bars = alt.Chart(drawing.inline(steps)).mark_bar(cornerRadiusEnd=2)
    return bars.encode(
        x=drawing.layer_axis(names, "layer", every=len(names) <= 32),
        y=alt.Y("change:Q", title=scale.step_title),
        color=colour,
        tooltip=[
            alt.Tooltip("before:N", title="from"),
            alt.Tooltip("layer:N", title="to"),
            alt.Tooltip("previous:Q", title=scale.noun, format=".3f"),
            alt.Tooltip("change:Q", title="change", format=".3f"),
            alt.Tooltip("share:Q", title="share of all change", format=".1%"),
        ],
    ).properties(width="container", height=220)


class Transition(SectionBuilder):
    """From the input's structure to the output's."""

    name = "transition"
    description = "similarity to the input and to the output along the layers, and the step between neighbours"
    position: ClassVar[int] = 40

    def applies(self, context: ReportContext) -> bool:
        """Whether there is something to show."""
        return any(len(main_layers(context, run)) > 1 for run in featured_runs(context))

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        figures = [figure for run in featured_runs(context) for figure in self._figures(context, run)]
        pace = query_pace(context)
        if not pace.is_empty():
            caption = (
                "How much of all change along the network is done by each layer. On the dashed diagonal all steps "
                "are equal, and smoothness is 1; a line that is flat and then jumps is abrupt, and smoothness near 0."
            )
            steps = f"Steps are {find_scale(context).step_words}"
            method = f"{steps}: {comparator_words(context)}; main layers in order of computation."
            figures.append(Figure("pace", "The pace of the transition", Chart(draw_pace(pace)), caption, method))
        introduction = "Where along the network is the structure of the inputs lost, and that of the outputs found?"
        return ReportSection("From input to output", tuple(figures), introduction)

    def _figures(self, context: ReportContext, run: RunRecord) -> list[Figure]:
        profile, scale = query_profile(context, run), find_scale(context)
        method = f"{comparator_words(context)}; {run.n_stimuli} stimuli; main layers in order of computation."
        figures = []
        facts = list_numbers(read_profile(context, run))
        if facts:
            caption = (
                "Smoothness says how evenly the change is spread over the steps, the crossing where layers turn from "
                "being more like the input to being more like the output."
            )
            title = title_for(context, run, "The transition in numbers")
            figures.append(Figure(f"transition-{run.id}", title, Facts(facts), caption, method))
        if profile["input"].count() or profile["output"].count():
            ways = ("falls", "rises") if scale.noun == "similarity" else ("rises", "falls")
            caption = (
                f"The blue line {ways[0]} as the structure of the inputs is given up, the orange one {ways[1]} as "
                "that of the outputs appears. Where they cross, a layer is equally far from both."
            )
            title = title_for(context, run, f"{scale.noun.capitalize()} to the input and to the output")
            figures.append(Figure(f"profile-{run.id}", title, Chart(draw_profile(profile, scale)), caption, method))
        if profile["change"].count():
            caption = (
                "How far each layer moves from the one before it; the largest step is orange. A step of 0 leaves the "
                f"structure as it is; a step is {scale.step_words}."
            )
            title = title_for(context, run, "The step from layer to layer")
            figures.append(Figure(f"steps-{run.id}", title, Chart(draw_steps(profile, scale)), caption, method))
        return figures

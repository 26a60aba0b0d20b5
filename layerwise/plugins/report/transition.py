"""Section: how the similarity of the inputs turns into that of the outputs, along the layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from layerwise.core.kinds import SectionBuilder
from layerwise.core.records import RunRecord
from layerwise.core.report import Chart, Facts, Figure, ReportContext, ReportSection
from layerwise.plugins.report import drawing
from layerwise.plugins.report.profile import draw_pace, list_numbers, query_pace, read_profile
from layerwise.plugins.report.queries import (
    comparator_words,
    featured_runs,
    main_layers,
    number,
    title_for,
)

if TYPE_CHECKING:
    import polars as pl

TO_INPUT, TO_OUTPUT = "to the input", "to the output"


def query_profile(context: ReportContext, run: RunRecord) -> pl.DataFrame:
    """The main layers in order, with their similarity to the `input`, the `output` and the `previous` layer.

    `change` is 1 - `previous`, `share` its part of all change, `before` that layer's name; all are None where
    undefined, or where the layer was not analysed.
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
    columns["previous"] = [None if value is None else 1 - value for value in columns["change"]]
    columns["before"] = [None, *profile.layers[:-1]]
    numbers = dict.fromkeys((*curves, "previous"), pl.Float64)
    return pl.DataFrame(columns, schema={"layer": pl.String, **numbers, "before": pl.String})


def draw_profile(profile: pl.DataFrame) -> Any:
    """Similarity to the input and to the output, as two lines along the layers."""
    import altair as alt
    import polars as pl

    long = pl.concat(
        profile.select("layer", series=pl.lit(series), value=pl.col(column))
        for column, series in (("input", TO_INPUT), ("output", TO_OUTPUT))
    ).drop_nulls("value")
    names = profile["layer"].to_list()
    base = alt.Chart(drawing.inline(long)).encode(
        x=drawing.layer_axis(names, "layer", every=len(names) <= 32),
        y=alt.Y("value:Q", title="similarity (r)"),
        color=drawing.series_colour((TO_INPUT, TO_OUTPUT), "similarity"),
        tooltip=[
            "layer:N",
            alt.Tooltip("series:N", title="similarity"),
            alt.Tooltip("value:Q", title="r", format=".3f"),
        ],
    )
    zero = alt.Chart(alt.InlineData(values=[{"value": 0}])).mark_rule(color=drawing.QUIET, strokeDash=[2, 3])
    lines = base.mark_line(strokeWidth=2.5) + base.mark_point(filled=True, size=55, opacity=1)
    return (zero.encode(y="value:Q") + lines).properties(width="container", height=280)


def draw_steps(profile: pl.DataFrame) -> Any:
    """How much each layer changes what it gets from the one before, with the largest step marked."""
    import altair as alt
    import polars as pl

    steps = profile.drop_nulls("change").with_columns(largest=pl.col("change") == pl.col("change").max())
    names = steps["layer"].to_list()
    colour = alt.condition("datum.largest", alt.value(drawing.SECOND), alt.value(drawing.ACCENT))
    bars = alt.Chart(drawing.inline(steps)).mark_bar(cornerRadiusEnd=2)
    return bars.encode(
        x=drawing.layer_axis(names, "layer", every=len(names) <= 32),
        y=alt.Y("change:Q", title="change (1 - r)"),
        color=colour,
        tooltip=[
            alt.Tooltip("before:N", title="from"),
            alt.Tooltip("layer:N", title="to"),
            alt.Tooltip("previous:Q", title="similarity", format=".3f"),
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
            method = f"Steps are 1 - similarity: {comparator_words(context)}; main layers in order of computation."
            figures.append(Figure("pace", "The pace of the transition", Chart(draw_pace(pace)), caption, method))
        introduction = "Where along the network is the structure of the inputs lost, and that of the outputs found?"
        return ReportSection("From input to output", tuple(figures), introduction)

    def _figures(self, context: ReportContext, run: RunRecord) -> list[Figure]:
        profile = query_profile(context, run)
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
            caption = (
                "The blue line falls as the similarity of the inputs is given up, the orange one rises as that of "
                "the outputs appears. Where they cross, a layer is equally far from both."
            )
            title = title_for(context, run, "Similarity to the input and to the output")
            figures.append(Figure(f"profile-{run.id}", title, Chart(draw_profile(profile)), caption, method))
        if profile["change"].count():
            caption = (
                "How far each layer moves from the one before it; the largest step is orange. A step of 0 keeps all "
                "similarities in proportion, a step of 1 leaves nothing of them."
            )
            title = title_for(context, run, "The step from layer to layer")
            figures.append(Figure(f"steps-{run.id}", title, Chart(draw_steps(profile)), caption, method))
        return figures

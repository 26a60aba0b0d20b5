"""How sure a profile is: intervals over the stimuli, as bands around its curves and as notes to its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerwise.core.analysis.inference.profile_intervals import ask_profile_intervals
from layerwise.core.base.errors import InputError
from layerwise.core.history.intervals import Interval
from layerwise.core.history.profiles import ProfileIntervals
from layerwise.core.history.records import RunRecord
from layerwise.report.content import ReportContext
from layerwise.report.queries import chosen_measure, main_layers, plan_bands, shown_transform

if TYPE_CHECKING:
    import polars as pl


def query_intervals(context: ReportContext, run: RunRecord) -> ProfileIntervals | None:
    """Intervals of a run's profile; None where none are wanted, or there is too little to resample."""
    measure = chosen_measure(context)
    plan = plan_bands(context, measure)
    layers = main_layers(context, run)
    if plan is None or len(layers) < 2:
        return None

    def ask() -> ProfileIntervals | None:
        try:
            return ask_profile_intervals(context.history, run, measure, plan, layers, shown_transform(context, run))
        except InputError:  # too few stimuli
            return None

    return context.once(("profile intervals", run.id, context.choice.transform), ask)


def with_bands(frame: pl.DataFrame, intervals: ProfileIntervals | None, curves: dict[str, str]) -> pl.DataFrame:
    """The same rows with `low` and `high`, the ends of each value's interval; None where there is none.

    Args:
        frame: Rows with a `layer` and a `series`; the layers are those of the profile, in order.
        intervals: What to add; None for nothing.
        curves: The profile's curve to the name of its series.
    """
    import polars as pl

    layers = frame["layer"].unique(maintain_order=True).to_list()
    rows = [
        (layer, series, interval.low, interval.high)
        for curve, series in curves.items()
        for layer, interval in zip(layers, intervals.curves[curve] if intervals else (), strict=False)
    ]
    schema = {"layer": pl.String, "series": pl.String, "low": pl.Float64, "high": pl.Float64}
    return frame.join(pl.DataFrame(rows, schema=schema, orient="row"), on=["layer", "series"], how="left")


def interval_words(interval: Interval | None) -> str:
    """An interval as `0.41 to 0.47`; empty where there is none."""
    if interval is None or interval.low is None or interval.high is None:
        return ""
    return f"{interval.low:.2f} to {interval.high:.2f}"


def describe_bands(intervals: ProfileIntervals | None) -> str:
    """The sentence on how the bands were made; empty without bands."""
    if intervals is None:
        return ""
    plan = intervals.plan
    return (
        f" Bands and ranges: {plan.level:.0%} intervals over the stimuli ('{plan.method}' method), from "
        f"{plan.n_resamples} resamples (seed {plan.seed})."
    )

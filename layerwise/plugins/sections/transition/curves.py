"""The transition in numbers: what `layerwise profile` says, and how the runs of a report differ in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from layerwise.core.analysis.profile import measure_profile
from layerwise.core.analysis.profile_run import find_ends, profile_run
from layerwise.core.history.profiles import Profile, ProfileIntervals
from layerwise.core.history.records import RunRecord
from layerwise.plugins.sections.transition.bands import interval_words
from layerwise.report import drawing
from layerwise.report.content import Fact, ReportContext
from layerwise.report.queries import (
    address,
    chosen_measure,
    compare,
    main_layers,
    networks_among,
    number,
    run_label,
    shown_transform,
)

if TYPE_CHECKING:
    import polars as pl

MAX_LINES = len(drawing.PALETTE)


def read_profile(context: ReportContext, run: RunRecord) -> Profile:
    """The profile of a run's main layers under the chosen measure; of fewer than two, one without steps.

    Raises:
        InputError: If the measure gives no steps.
    """
    layers, measure, end = main_layers(context, run), chosen_measure(context), context.choice.end_point
    if len(layers) > 1:
        transform = shown_transform(context, run)
        return profile_run(context.registry, context.history, run, measure, layers, transform, end_point=end)
    matrix = compare(context, [address(context, run, layer) for layer in layers])
    return measure_profile([layer.name for layer in layers], matrix, measure.kind, 1.0, *find_ends(layers, end))


def list_numbers(profile: Profile, intervals: ProfileIntervals | None = None) -> tuple[Fact, ...]:
    """What a profile comes to, with its intervals: smoothness, the largest share, the crossing; what is defined."""

    def sure(number: str) -> str:
        words = interval_words(intervals.numbers[number]) if intervals else ""
        return f"{words}; " if words else ""

    facts = []
    if profile.smoothness is not None and profile.effective_steps is not None and profile.largest is not None:
        n_steps, largest = len(profile.layers) - 1, profile.largest
        spread = (
            f"1 is equal steps, 0 a single one; as spread out as {profile.effective_steps:.1f} of {n_steps} steps"
        )
        facts.append(Fact("smoothness", f"{profile.smoothness:.2f}", sure("smoothness") + spread))
        note = f"of all change from {profile.layers[largest - 1]} to {profile.layers[largest]}"
        facts.append(Fact("largest share", f"{profile.shares[largest]:.0%}", note))
    if profile.crossings:
        crossing = profile.crossings[0]
        at = f"between {crossing.after} and {crossing.before}"
        if crossing.after == crossing.before:
            at = f"at {crossing.after}"
        more = len(profile.crossings) - 1
        again = f"; {more} more behind it" if more else ""
        facts.append(Fact("crossing", f"{crossing.depth:.2f}", f"{sure('crossing')}relative depth, {at}{again}"))
    return tuple(facts)


def choose_runs(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """As many runs as there are colours, evenly spaced from the first to the last."""
    if len(runs) <= MAX_LINES:
        return list(runs)
    places = np.linspace(0, len(runs) - 1, MAX_LINES).round().astype(int)
    return [runs[place] for place in places]


def tell_undrawn(context: ReportContext, pace: pl.DataFrame) -> str:
    """Which runs have no line, in words; empty where all have one."""
    drawn = set(pace["series"].to_list())
    runs = networks_among(context, context.runs)
    labels = [run_label(run) for run in runs]
    names = [
        f"{run_label(run)}, run {run.id[:8]}" if labels.count(run_label(run)) > 1 else run_label(run) for run in runs
    ]
    undrawn = [name for name in names if name not in drawn]
    if not undrawn:
        return ""
    return f" {len(drawn)} of {len(runs)} runs are drawn; without a line: {', '.join(undrawn)}."


def query_pace(context: ReportContext) -> pl.DataFrame:
    """How much of all change lies behind each layer of each run: `series`, `layer`, `depth`, `share`, `progress`."""
    import polars as pl

    rows = []
    runs = choose_runs(networks_among(context, context.runs))
    labels = [run_label(run) for run in runs]
    for run, label in zip(runs, labels, strict=True):
        profile = read_profile(context, run)
        series = label if labels.count(label) == 1 else f"{label}, run {run.id[:8]}"
        columns = zip(profile.layers, profile.depths, profile.shares, profile.progress, strict=True)
        if profile.smoothness is not None:
            rows += [(series, name, float(depth), number(share), float(done)) for name, depth, share, done in columns]
    numbers = dict.fromkeys(("depth", "share", "progress"), pl.Float64)
    return pl.DataFrame(rows, schema={"series": pl.String, "layer": pl.String, **numbers}, orient="row")


def draw_pace(pace: pl.DataFrame) -> Any:
    """The share of all change that is done, against relative depth; the diagonal is a transition in equal steps."""
    import altair as alt

    names = pace["series"].unique(maintain_order=True).to_list()
    base = alt.Chart(drawing.inline(pace)).encode(
        x=alt.X("depth:Q", title="relative depth", scale=alt.Scale(domain=[0, 1])),
        y=alt.Y("progress:Q", title="share of all change", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")),
        color=drawing.series_colour(names, "run" if len(names) > 1 else None),
        tooltip=[
            alt.Tooltip("series:N", title="run"),
            alt.Tooltip("layer:N", title="layer"),
            alt.Tooltip("share:Q", title="its step", format=".1%"),
            alt.Tooltip("progress:Q", title="done by then", format=".1%"),
        ],
    )
    even = alt.Chart(drawing.decoration([{"depth": 0, "progress": 0}, {"depth": 1, "progress": 1}]))
    diagonal = even.mark_line(color=drawing.QUIET, strokeDash=[4, 4], tooltip=None).encode(
        x="depth:Q", y="progress:Q"
    )
    lines = base.mark_line(strokeWidth=2.5) + base.mark_point(filled=True, size=50, opacity=1)
    return (diagonal + lines).properties(width="container", height=280)

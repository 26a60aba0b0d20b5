"""Profiles of several runs in one picture: along the layers, or along relative depth for networks that differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from layerwise.core.base.errors import InputError
from layerwise.core.history.profiles import Profile
from layerwise.core.history.records import RunRecord
from layerwise.core.network.layers import list_up_to
from layerwise.plugins.sections.transition.curves import read_profile
from layerwise.report import drawing
from layerwise.report.content import Chart, Figure, ReportContext
from layerwise.report.queries import address, compare, end_of, end_point, layer_in_role, main_layers, number
from layerwise.report.scale import Scale, find_scale

if TYPE_CHECKING:
    import polars as pl

ENDS = ("input", "output")
N_GRID = 201  # places between 0 and 1 at which two profiles are held against each other


@dataclass(frozen=True)
class Gap:
    """Where two profiles are furthest apart.

    Attributes:
        end: What the profiles are to: `the input`, `the output`, `the logits`.
        depth: Relative depth.
        values: The two profiles there, interpolated linearly between layers.
    """

    end: str
    depth: float
    values: tuple[float, float]

    @property
    def size(self) -> float:
        """How far apart they are."""
        return abs(self.values[0] - self.values[1])


def query_overlay(
    context: ReportContext, runs: Sequence[RunRecord], names: Mapping[str, str], *, beyond: bool = False
) -> pl.DataFrame:
    """The main layers of each run with their relative depth, and the measure to the run's own input and end point.

    Args:
        context: What is reported.
        runs: The runs.
        names: What each run is called, by its id.
        beyond: Whether layers behind the end point are there, too.

    Returns:
        `series` (what the run is called), `layer`, `depth`, `input`, `output`; None where undefined.
    """
    import polars as pl

    rows = []
    for run in runs:
        layers = main_layers(context, run)
        end = end_point(context, run, layers)
        layers = layers if beyond else list_up_to(end, layers)
        here = [address(context, run, layer) for layer in layers]
        places = [layers.index(one) if one is not None else None for one in (layer_in_role(layers, "input"), end)]
        matrix = compare(context, here) if here else np.empty((0, 0))
        unknown = np.full(len(layers), np.nan)
        to_input = unknown if places[0] is None else matrix[places[0]]
        to_output = unknown if places[1] is None else matrix[:, places[1]]
        depths = np.linspace(0, 1, len(layers))
        for layer, depth, first, last in zip(layers, depths, to_input, to_output, strict=True):
            rows.append((names[run.id], layer.name, float(depth), number(first), number(last)))
    schema = {"series": pl.String, "layer": pl.String, **dict.fromkeys(("depth", *ENDS), pl.Float64)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def find_gap(overlay: pl.DataFrame, first: str, second: str, last: str = "the output") -> Gap | None:
    """Where the profiles of two series are furthest apart; None where neither end is known of both.

    Args:
        overlay: As `query_overlay` gives it.
        first: What one run is called.
        second: What the other one is called.
        last: What the end points are called.
    """
    import polars as pl

    places = np.linspace(0, 1, N_GRID)
    gaps = []
    for end in ENDS:
        curves = []
        for series in (first, second):
            known = overlay.filter(pl.col("series") == series).drop_nulls(end)
            if known.height > 1:
                curves.append(np.interp(places, known["depth"].to_numpy(), known[end].to_numpy()))
        if len(curves) == 2:
            widest = int(np.argmax(np.abs(curves[0] - curves[1])))
            gaps.append(
                Gap(
                    "the input" if end == "input" else last,
                    float(places[widest]),
                    (float(curves[0][widest]), float(curves[1][widest])),
                )
            )
    return max(gaps, key=lambda gap: gap.size, default=None)


def read_profiles(context: ReportContext, runs: Sequence[RunRecord]) -> dict[str, Profile]:
    """The profiles of the runs, by id; without those for which the measure gives no steps."""
    found = {}
    for run in runs:
        try:
            found[run.id] = read_profile(context, run)
        except InputError:  # the measure has no largest value, from which a step would be counted
            continue
    return found


def transition_columns(context: ReportContext, runs: Sequence[RunRecord]) -> tuple[str, ...]:
    """Headings of what `list_transitions` gives for each run."""
    return (
        "top-1",
        f"{find_scale(context).noun} of the input and {end_of(context, runs)}",
        "smoothness",
        "crossing (relative depth)",
        "largest step (share of all change)",
    )


def list_transitions(
    context: ReportContext, runs: Sequence[RunRecord], overlay: pl.DataFrame, names: Mapping[str, str]
) -> list[tuple[str | float | None, ...]]:
    """The accuracy and the transition of each run, as cells of a table."""
    profiles = read_profiles(context, runs)
    rows: list[tuple[str | float | None, ...]] = []
    for run in runs:
        profile = profiles.get(run.id)
        ends = overlay.filter(series=names[run.id])["output"]
        largest = profile.largest if profile else None
        step = None
        if profile is not None and largest is not None:
            step = f"{profile.layers[largest - 1]} to {profile.layers[largest]} ({profile.shares[largest]:.0%})"
        numbers = (
            ends[0] if len(ends) else None,
            profile.smoothness if profile else None,
            profile.crossings[0].depth if profile and profile.crossings else None,
        )
        accuracy = None if run.accuracy is None else f"{run.accuracy.top1:.1%}"
        rows.append((accuracy, *numbers, step))
    return rows


def draw_overlay(overlay: pl.DataFrame, end: str, scale: Scale, words: str, *, by_layer: bool = False) -> Any:
    """The measure to one end (called `words`), a line for each series, along the layers or along relative depth."""
    import altair as alt

    frame = overlay.select("series", "layer", "depth", end).drop_nulls(end)
    names = overlay["series"].unique(maintain_order=True).to_list()
    layers = overlay["layer"].unique(maintain_order=True).to_list()
    depth = alt.X("depth:Q", title="relative depth", scale=alt.Scale(domain=[0, 1]))
    base = alt.Chart(drawing.inline(frame)).encode(
        x=drawing.layer_axis(layers, "layer", every=len(layers) <= 32) if by_layer else depth,
        y=alt.Y(f"{end}:Q", title=scale.axis(f"to {words}")),
        color=drawing.series_colour(names),
        tooltip=[
            alt.Tooltip("series:N", title="run"),
            "layer:N",
            alt.Tooltip("depth:Q", title="relative depth", format=".2f"),
            alt.Tooltip(f"{end}:Q", title=scale.symbol, format=".3f"),
        ],
    )
    lines = base.mark_line(strokeWidth=2.5) + base.mark_point(filled=True, size=50, opacity=1)
    return lines.properties(width="container", height=260)


def overlay_figures(
    overlay: pl.DataFrame, scale: Scale, last: str, suffix: str = "", *, by_layer: bool = False
) -> tuple[Figure, ...]:
    """A figure for each end that is known; `last` is what the end points are called, `suffix` ends the names."""
    words = dict(zip(ENDS, ("the input", last), strict=True))
    return tuple(
        Figure(
            f"to-{end}{suffix}",
            f"{scale.noun.capitalize()} to {words[end]}",
            Chart(draw_overlay(overlay, end, scale, words[end], by_layer=by_layer)),
        )
        for end in ENDS
        if overlay[end].count()
    )

"""How the charts of a report look: colours, scales, axes.

Colours are fixed here; fonts, grid and text colours belong to the page's style sheet, so that light, dark and
printed pages need no second drawing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import polars as pl

    from layerwise.report.scale import Bounds

# Okabe and Ito's palette, told apart with every kind of colour blindness; yellow and black are left out.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
ACCENT, SECOND = PALETTE[0], PALETTE[1]
QUIET = "#8a94a3"
UNDEFINED = (154, 154, 154)
N_CODES = 255
N_STOPS = 21
_BLUE, _MIDDLE, _RED = (0.42, 0.16, 258.0), (0.97, 0.0, 0.0), (0.46, 0.17, 32.0)  # lightness, chroma, hue


@lru_cache(maxsize=4)
def diverging_colours(count: int) -> tuple[tuple[int, int, int], ...]:
    """Red, green and blue from dark blue over near-white to dark red, `count` steps.

    Lightness and chroma run linearly in OKLab (Ottosson 2020), so equal differences look equal, on either side
    of zero; blue against red is told apart with every kind of colour blindness.
    """
    place = np.linspace(-1, 1, count)[:, None]
    ends = [np.array(_from_polar(*colour)) for colour in (_BLUE, _MIDDLE, _RED)]
    lab = np.where(place < 0, ends[1] + (ends[0] - ends[1]) * -place, ends[1] + (ends[2] - ends[1]) * place)
    return tuple((int(r), int(g), int(b)) for r, g, b in _to_srgb(lab))


@lru_cache(maxsize=4)
def sequential_colours(count: int) -> tuple[tuple[int, int, int], ...]:
    """Red, green and blue from pale yellow over green to dark blue, `count` steps of equal lightness in OKLab."""
    place = np.linspace(0, 1, count)
    lightness, hue = 0.97 - 0.66 * place, np.deg2rad(105 + 160 * place)
    chroma = 0.04 + 0.06 * np.sin(np.pi * place) + 0.07 * place
    for _ in range(80):  # less colour, rather than a colour that no screen has and whose lightness would be off
        lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=1)
        linear = _to_linear(lab)
        chroma[((linear < 0) | (linear > 1)).any(axis=1)] *= 0.97
    return tuple((int(r), int(g), int(b)) for r, g, b in _to_srgb(lab))


def _from_polar(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    angle = np.deg2rad(hue)
    return lightness, chroma * float(np.cos(angle)), chroma * float(np.sin(angle))


def _to_srgb(lab: Any) -> Any:
    """OKLab (m, 3) to sRGB (m, 3) in 0..255."""
    linear = np.clip(_to_linear(lab), 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(255 * encoded).astype(int)


def _to_linear(lab: Any) -> Any:
    """OKLab (m, 3) to linear sRGB (m, 3), in 0..1 where a screen can show it."""
    to_cones = np.array(
        [
            [1, 0.3963377774, 0.2158037573],
            [1, -0.1055613458, -0.0638541728],
            [1, -0.0894841775, -1.2914855480],
        ]
    )
    to_linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    return (lab @ to_cones.T) ** 3 @ to_linear.T


def inline(frame: pl.DataFrame) -> Any:
    """A frame as data inside a chart; column names are ours, user's text is only ever a value."""
    import altair as alt
    from altair.utils.schemapi import debug_mode

    with debug_mode(False):  # which would check every row
        return alt.InlineData(values=tuple(frame.to_dicts()))  # a list would be copied with every step of drawing


def decoration(values: Sequence[dict[str, Any]]) -> Any:
    """Data that only decorates a chart, such as a line at zero: the CSV of the chart leaves it out."""
    import altair as alt

    digest = hashlib.sha256(json.dumps(values).encode()).hexdigest()[:12]
    return alt.InlineData(values=list(values), name=f"decoration-{digest}")  # a name keeps it out of `datasets`


def measure_colour(bounds: Bounds, title: str, field: str = "value", *, open_ends: str = "") -> Any:
    """A measure's value as colour, with its legend on top: diverging around 0, or from light to dark.

    Args:
        bounds: Ends of the scale.
        title: Of the legend.
        field: Of the data.
        open_ends: `low`, `high` or both in one word: where values beyond have the colour of the end, as the legend
            then says.
    """
    import altair as alt

    colours = diverging_colours(N_STOPS) if bounds.diverging else sequential_colours(N_STOPS)
    if bounds.dark_is_low:
        colours = colours[::-1]
    stops = [float(f"{stop:.6g}") for stop in np.linspace(bounds.low, bounds.high, N_STOPS)]
    values = [stops[0], 0, stops[-1]] if bounds.diverging else [stops[0], stops[-1]]
    legend = alt.Legend(
        orient="top",
        direction="horizontal",
        gradientLength=220,
        title=title,
        titleLimit=300,
        values=values,
        format=".3~g",
    )
    if open_ends:
        marks = [f"datum.value == {stops[0]} ? '≤ '"] if "low" in open_ends else []
        marks += [f"datum.value == {stops[-1]} ? '≥ '"] if "high" in open_ends else []
        legend.labelExpr = f"({' : '.join(marks)} : '') + datum.label"
    names = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in colours]
    return alt.Color(f"{field}:Q", scale=alt.Scale(domain=stops, range=names, clamp=True), legend=legend)


def ink(bounds: Bounds, field: str = "value") -> Any:
    """The colour of text on a cell of that colour: white on dark, dark on light."""
    import altair as alt

    span = bounds.high - bounds.low
    if bounds.diverging:
        dark = f"abs(datum['{field}']) > {0.55 * bounds.high}"
    elif bounds.dark_is_low:
        dark = f"datum['{field}'] < {bounds.low + 0.5 * span}"
    else:
        dark = f"datum['{field}'] > {bounds.low + 0.5 * span}"
    return alt.condition(dark, alt.value("#ffffff"), alt.value("#1b1f24"))


def layer_axis(names: Sequence[str], title: str | None, *, angle: float = -45, every: bool = True) -> Any:
    """A horizontal axis with one place for each layer, in the order of computation."""
    import altair as alt

    axis = alt.Axis(labelAngle=angle, labelLimit=130, labelOverlap=not every, grid=False, ticks=False)
    return alt.X("layer:N", title=title, scale=alt.Scale(domain=list(names)), axis=axis)


def palette_colours(names: Sequence[str], among: Sequence[str] = ()) -> list[str]:
    """A palette colour for each name: that of its place among all that a page shows, where a chart has only some."""
    places = list(among or names)
    return [PALETTE[places.index(name) % len(PALETTE)] for name in names]


def series_colour(names: Sequence[str], title: str | None = None, among: Sequence[str] = ()) -> Any:
    """One colour for each series, as `palette_colours` gives them, with a legend on top."""
    import altair as alt

    legend = alt.Legend(
        orient="top", direction="horizontal", title=title, symbolType="circle", symbolOpacity=1, columns=4
    )
    scale = alt.Scale(domain=list(names), range=palette_colours(names, among))
    return alt.Color("series:N", scale=scale, legend=legend)


def interval_tooltips(frame: pl.DataFrame) -> list[Any]:
    """What is said of an interval from `low` to `high` on hover; nothing where there is none."""
    import altair as alt

    ends = (("low", "interval from"), ("high", "to")) if frame["low"].count() else ()
    return [alt.Tooltip(f"{end}:Q", title=title, format=".3f") for end, title in ends]


def label_room(names: Sequence[str]) -> int:
    """Pixels that the longest of these labels takes up, at the size that axes use."""
    return 16 + int(6.2 * min(21, max((len(name) for name in names), default=0)))


def square(chart: Any, names: Sequence[str]) -> Any:
    """Mark a chart as one of square cells, which the page fits into the column's width."""
    side = len(names) * 28
    meta = {"layerwise": {"square": label_room(names), "cells": len(names)}}
    return chart.properties(width=side, height=side, usermeta=meta)


def lead_to_pairs(chart: Any, run_id: str) -> Any:
    """Mark a layer x layer matrix as one whose cells lead to the pairs of stimuli behind them."""
    return chart.properties(usermeta={"layerwise": {**chart.usermeta["layerwise"], "pairs": run_id}})

"""A chart as SVG, PNG or PDF of an exact width, drawn by vl-convert.

Vega-Lite's widths are of the plot alone; what labels and legends take up is known once they are drawn. So a figure
is drawn at two widths, and the third, exact one follows from how they grew. PNG and PDF are made from the same SVG,
so all three show the same; in PDF text stays text, with its font embedded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.report.paper.look import FONT, MM, Look
from layerwise.report.paper.restyle import Sheet, hollow, lay_out, resize, settle

_HEADER = re.compile(r'width="([\d.]+)" height="([\d.]+)" viewBox="0 0 [\d.]+ [\d.]+"')
_N_ROUNDS = 2
_N_TRIES = 12
_SMALLEST, _LARGEST = 0.02, 500.0  # factors
_TOLERANCE = 1.0  # points; pictures are measured in whole ones


@dataclass(frozen=True)
class Drawing:
    """A figure as SVG.

    Attributes:
        svg: The picture; its lengths are points, its `width` and `height` have no unit.
        width: In points.
        height: In points.
        spec: The Vega-Lite specification it was drawn from.
    """

    svg: str
    width: float
    height: float
    spec: dict[str, Any]


def draw_on_paper(chart: dict[str, Any], look: Look, title: str = "") -> Drawing:
    """A chart, as a dictionary, drawn in a look and fitted to its width.

    Raises:
        InputError: If there is no such font.
        LayerwiseError: If the chart cannot be drawn, or cannot be made so narrow.
    """
    check_font(look.font)
    sheet = lay_out(chart, look, title)
    for _ in range(_N_ROUNDS):
        fitted = _fit(sheet)
        sheet = settle(fitted)
        if sheet == fitted:
            break
    else:  # labels that were turned or made smaller leave more room
        sheet = _fit(sheet)
    svg = render_svg(sheet.spec)
    height = _measure(svg)[1]
    return Drawing(set_size(svg, look.points, height), look.points, height, sheet.spec)


def _fit(sheet: Sheet) -> Sheet:
    """The sheet with views as wide as the wanted total width allows.

    The total grows in proportion to the views as long as nothing else decides on it, such as a title; panels side by
    side have places of whole points. So the factor is looked for: along the line through the last two tries, and
    half way between a factor that is too small and one that is too large where that line misleads.
    """
    wanted, small, large = sheet.look.points, 0.0, float("inf")
    tries = [(factor, _measure(render_svg(hollow(resize(sheet, factor))))[0]) for factor in (1.0, 1.25)]
    for _ in range(_N_TRIES):
        for factor, width in tries[-2:]:
            small, large = (max(small, factor), large) if width <= wanted else (small, min(large, factor))
        if small and wanted - dict(tries)[small] <= _TOLERANCE:
            break
        factor = _guess(tries, wanted, small, large)
        if factor < _SMALLEST or factor > _LARGEST:
            break
        tries.append((factor, _measure(render_svg(hollow(resize(sheet, factor))))[0]))
    if not small:
        needed = min(width for _, width in tries) / MM
        raise LayerwiseError(f"the figure needs {needed:.0f} mm for its labels, more than {sheet.look.width:g} mm")
    return resize(sheet, small)


def _guess(tries: list[tuple[float, float]], wanted: float, small: float, large: float) -> float:
    """The next factor to try, between one that is too small and one that is too large."""
    (first, before), (second, after) = tries[-2:]
    if abs(after - before) > _TOLERANCE / 2:
        factor = second + (wanted - _TOLERANCE / 2 - after) * (second - first) / (after - before)
        if small < factor < large:
            return factor
    return small * 2 if large == float("inf") else (small + large) / 2


def render_svg(spec: dict[str, Any]) -> str:
    """A Vega-Lite specification as SVG; nothing is fetched for it.

    Raises:
        LayerwiseError: If it cannot be drawn.
    """
    import altair as alt
    import vl_convert

    major, minor, *_ = alt.SCHEMA_VERSION.removeprefix("v").split(".")
    try:
        return str(vl_convert.vegalite_to_svg(spec, vl_version=f"{major}.{minor}", allowed_base_urls=[]))
    except ValueError as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), "no reason given")
        raise LayerwiseError(f"the figure cannot be drawn: {reason}") from error


def _measure(svg: str) -> tuple[float, float]:
    found = _HEADER.search(svg)
    if found is None:
        raise LayerwiseError("the figure cannot be drawn: its picture says no size")
    return float(found[1]), float(found[2])


def set_size(svg: str, width: float, height: float, unit: str = "", per_unit: float = 1.0) -> str:
    """The SVG with this size in points, said in another unit; the background grows with it."""
    said = f'width="{width / per_unit:.6g}{unit}" height="{height / per_unit:.6g}{unit}"'
    sized = _HEADER.sub(f'{said} viewBox="0 0 {width:.6g} {height:.6g}"', svg, count=1)
    return re.sub(r'<rect width="[\d.]+" height="[\d.]+"', '<rect width="100%" height="100%"', sized, count=1)


@lru_cache(maxsize=8)
def check_font(font: str) -> None:
    """Make sure that vl-convert has the font: text in one that it does not have is left out, without a word.

    Raises:
        InputError: If it has not.
    """
    import vl_convert

    if not re.fullmatch(r"[\w \-]+", font):
        raise InputError(f"--font '{font}' is no font's name")
    text = f'<text y="8" font-family="{font}">a</text>'
    sample = f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{text}</svg>'
    if b"/BaseFont" not in vl_convert.svg_to_pdf(sample):
        raise InputError(f"there is no font '{font}' on this machine; '{FONT}' is always there")

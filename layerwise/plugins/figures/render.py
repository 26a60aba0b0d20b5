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

from layerwise.core.errors import InputError, LayerwiseError
from layerwise.plugins.figures.look import FONT, MM, Look
from layerwise.plugins.figures.paper import Sheet, lay_out, resize, settle

_HEADER = re.compile(r'width="([\d.]+)" height="([\d.]+)" viewBox="0 0 [\d.]+ [\d.]+"')
_N_ROUNDS = 2
_N_CORRECTIONS = 4
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
    for _ in range(_N_ROUNDS):  # labels that were turned or made smaller leave more room
        sheet = settle(_fit(sheet))
    svg = _to_svg(sheet)
    width, height = _measure(svg)
    if width > look.points + 2 * _TOLERANCE:
        raise LayerwiseError(f"the figure needs {width / MM:.0f} mm for its labels, more than {look.width:g} mm")
    return Drawing(set_size(svg, look.points, height), look.points, height, sheet.spec)


def _fit(sheet: Sheet) -> Sheet:
    """The sheet at the largest factor found at which it is no wider than wanted.

    Its total width grows in proportion to the factor, but for panels side by side, whose places are whole points.
    """
    wanted, factors = sheet.look.points, (1.0, 1.25)
    first, second = (_measure(_to_svg(resize(sheet, factor)))[0] for factor in factors)
    growth = (second - first) / (factors[1] - factors[0])
    if growth <= 1:  # something else than the plot decides on the width
        return sheet
    factor = 1 + (wanted - first) / growth
    for _ in range(_N_CORRECTIONS):
        if factor < 0.1:
            raise LayerwiseError(f"labels leave no room in a figure of {sheet.look.width:g} mm: choose a wider one")
        excess = _measure(_to_svg(fitted := resize(sheet, factor)))[0] - wanted
        if excess <= _TOLERANCE:
            break
        factor -= excess / growth
    return fitted


def _to_svg(sheet: Sheet) -> str:
    import altair as alt
    import vl_convert

    major, minor, *_ = alt.SCHEMA_VERSION.removeprefix("v").split(".")
    try:
        return str(vl_convert.vegalite_to_svg(sheet.spec, vl_version=f"{major}.{minor}", allowed_base_urls=[]))
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

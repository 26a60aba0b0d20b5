"""How a figure for a paper looks: its width, its type, and its theme.

Lengths are points (1/72 inch) throughout: Vega's pixel is one point in a PDF, so a font size of 7 is the 7 pt that
journals ask for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names

MM = 72 / 25.4
"""Points in a millimetre."""

FONT = "Liberation Sans"
"""The font that vl-convert brings along; its letters are exactly as wide as Arial's and Helvetica's."""

FALLBACKS = "Arial, Helvetica, sans-serif"
NARROWEST, WIDEST = 40.0, 600.0  # mm

# Widths in millimetres that journals ask for. Nature and Science: guides to authors; PLOS: 5.2 inches and 7.5 inches
# at most; IEEE: 3.5 and 7.16 inches; NeurIPS and ICLR: 5.5 inches of text; A4: between margins of 20 mm.
PRESETS = {
    "column": 89.0,
    "1.5": 120.0,
    "page": 183.0,
    "nature": 89.0,
    "nature-page": 183.0,
    "science": 57.0,
    "science-page": 121.0,
    "plos": 132.0,
    "plos-page": 190.5,
    "ieee": 88.9,
    "ieee-page": 181.9,
    "neurips": 139.7,
    "a4": 170.0,
}


@dataclass(frozen=True)
class Theme:
    """Colours of everything that is not data.

    Attributes:
        background: Of the whole figure.
        ink: Of text and axes.
        soft: Of titles of axes and legends.
        rule: Of grid lines; None for no grid.
        frame: Of what is drawn around cells.
        bars: Of bars beside each other, which nothing but colour tells apart; empty for the chart's own.
    """

    background: str
    ink: str
    soft: str
    rule: str | None
    frame: str = "#111111"
    bars: tuple[str, ...] = ()


# Hues after Okabe and Ito, each lighter than the one before, so that bars differ in grey as well.
_GREY_SAFE = ("#00446b", "#c24f00", "#2fae84", "#e9a6ca", "#f7dd90", "#1b1b1b", "#d5e8f3")

THEMES = {
    "print": Theme("#ffffff", "#000000", "#000000", None, bars=_GREY_SAFE),
    "light": Theme("#ffffff", "#1b1f24", "#57606b", "#e4e7eb"),
    "dark": Theme("#14181d", "#e6e9ed", "#a3acb8", "#2e353e", frame="#ffd54a"),
}


@dataclass(frozen=True)
class Look:
    """What a figure is drawn with.

    Attributes:
        width: Of the whole figure, in millimetres.
        font: Name of a font that vl-convert finds.
        font_size: Of labels, in points; titles of axes and legends are of the same size.
        theme: Colours, and what carries the difference between lines.
        title: Whether the figure carries its title.
    """

    width: float = PRESETS["column"]
    font: str = FONT
    font_size: float = 7.0
    theme: Theme = field(default_factory=lambda: THEMES["print"])
    title: bool = False

    @property
    def points(self) -> float:
        """The width in points."""
        return self.width * MM

    @property
    def families(self) -> str:
        """The font, and what stands in for it where an SVG is opened without it."""
        return f"{self.font}, {FALLBACKS}"

    @property
    def config(self) -> dict[str, Any]:
        """Vega-Lite's configuration."""
        theme, size = self.theme, self.font_size
        text = {"labelFontSize": size, "titleFontSize": size, "labelColor": theme.ink, "titleColor": theme.soft}
        line = {"domainColor": theme.ink, "tickColor": theme.ink, "domainWidth": 0.5, "tickWidth": 0.5}
        grid = {"grid": False} if theme.rule is None else {"gridColor": theme.rule, "gridWidth": 0.5}
        spacing = {"titlePadding": 0.5 * size, "labelPadding": 0.3 * size, "tickSize": 0.45 * size}
        legend = {
            "symbolSize": 5 * size,
            "symbolStrokeWidth": 1,
            "rowPadding": 1,
            "columnPadding": size,
            "offset": size,
        }
        plain = {"titleFontWeight": "normal"}
        return {
            "aria": False,  # the picture as a whole is described; each mark again would double its size
            "background": theme.background,
            "font": self.families,
            "padding": 2,
            "view": {"stroke": None},
            "axis": text | line | grid | spacing | plain,
            "legend": text
            | legend
            | plain
            | {"titlePadding": 0.3 * size, "gradientThickness": size, "labelLimit": 0},
            "header": text | plain | {"labelPadding": 0.4 * size},
            "title": {"fontSize": size + 1, "color": theme.ink, "offset": size, "anchor": "start"},
            "text": {"color": theme.ink, "fontSize": size},
            "line": {"strokeWidth": 0.17 * size},
            "rule": {"strokeWidth": 0.12 * size},
        }


def find_theme(name: str) -> Theme:
    """The theme of this name.

    Raises:
        InputError: If there is none.
    """
    if name not in THEMES:
        raise InputError(f"no theme '{name}'; there are: {', '.join(THEMES)}")
    return THEMES[name]


def read_width(text: str) -> float:
    """Millimetres of a width such as `89`, `89mm`, `3.5in` or `column`.

    Raises:
        InputError: If it is none, or narrower or wider than a figure can be.
    """
    word = text.strip().lower()
    if word in PRESETS:
        return PRESETS[word]
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(mm|cm|in|pt)?", word)
    if found is None:
        near = near_names(word, list(PRESETS))
        raise InputError(f"--width '{text}' is no width{near}; write millimetres, or one of {', '.join(PRESETS)}")
    width = float(found[1]) * {"mm": 1.0, "cm": 10.0, "in": 25.4, "pt": 1 / MM}[found[2] or "mm"]
    if not NARROWEST <= width <= WIDEST:
        raise InputError(f"--width {text} is {width:.4g} mm; a figure is {NARROWEST:g} to {WIDEST:g} mm wide")
    return width

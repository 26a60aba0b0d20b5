"""From a chart made for a page to one for paper.

A page's chart is wide as its column, speaks on hover, and tells lines apart by colour alone. On paper it has a width
in millimetres and type of a size that a journal accepts; nothing answers a pointer; and lines must be told apart by a
reader who prints in grey, so they are dashed and their points shaped. All of that is done to the chart's
specification, so that a plugin's chart needs nothing but to be one.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from layerwise.report.paper.look import Look
from layerwise.report.paper.shape import find_shape, list_views

Spec = dict[str, Any]

PAGE_FONT_SIZE = 12.0  # of the page's labels, in its pixels; what it draws is scaled to the font size of the paper
SMALLEST_TYPE = 5.0  # points; smaller type is refused by journals, and left out here
DASHES = ([1, 0], [5, 2], [1.5, 1.5], [5, 1.5, 1.5, 1.5], [8, 2], [3, 3], [8, 2, 1.5, 2])
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
_LINES, _POINTS = ("line", "trail", "rule"), ("point", "circle", "square")
_LENGTHS = ("strokeWidth", "fontSize", "dx", "dy", "radius", "cornerRadius", "cornerRadiusEnd", "limit", "padding")
_INTERACTIVE = ("tooltip", "href")  # parameters stay: what is drawn may depend on their first values
_LETTER = 0.5  # width of a letter on average, of its size


@dataclass(frozen=True)
class Sheet:
    """A chart laid out for a look, but not yet fitted to its width.

    Attributes:
        spec: The Vega-Lite specification.
        look: What it is drawn with.
        keeps_shape: Whether heights follow widths, as those of square cells do.
        n_cells: Number of cells along the width, 0 where there are none.
    """

    spec: Spec
    look: Look
    keeps_shape: bool
    n_cells: int


def lay_out(chart: Spec, look: Look, title: str = "") -> Sheet:
    """A chart's specification as it goes on paper; the one that is given is not changed."""
    # The page's `config` goes: what it says of type and grid is for a screen, and would win over the look's.
    spec = {key: value for key, value in _copy(chart).items() if key not in ("$schema", "usermeta", "config")}
    scale = look.font_size / PAGE_FONT_SIZE
    for view in list_views(spec):
        _size(view, look, scale)
        _scale_mark(view, scale)
        _recolour(view, look)
        _tell_apart(view.get("layer") or [view], scale)
        if isinstance(view.get("spacing"), int | float):
            view["spacing"] = view["spacing"] * scale
    _for_each_part(spec, lambda part: _restyle_part(part, look, scale))
    spec["config"] = look.config
    if title and look.title:
        n_letters = int(look.points / (_LETTER * (look.font_size + 1)))
        spec["title"] = {"text": textwrap.wrap(title, n_letters), "anchor": "start"}
    shape = find_shape(chart)
    return Sheet(spec, look, shape.keeps, shape.n_cells)


def resize(sheet: Sheet, factor: float) -> Sheet:
    """The sheet with the width of every view multiplied, and its height too where it keeps its shape."""
    spec = _copy(sheet.spec)
    for view in list_views(spec):
        # Heights stay otherwise: a chart of lines that grew with its width would not fit the page it is set on.
        for side in ("width", "height") if sheet.keeps_shape else ("width",):
            if isinstance(view.get(side), int | float):
                view[side] = round(view[side] * factor, 3)
        if isinstance(view.get("title"), dict) and isinstance(view.get("width"), int | float) and view is not spec:
            _fit_heading(view["title"], view["width"])
    return Sheet(spec, sheet.look, sheet.keeps_shape, sheet.n_cells)


def _fit_heading(heading: Spec, width: float) -> None:
    """A panel's title no wider than the panel, behind which the next one's begins: smaller type first, then cut."""
    heading["limit"] = width
    room = width / (0.55 * max(1, len(str(heading.get("text", "")))))
    heading["fontSize"] = round(max(SMALLEST_TYPE, min(heading.get("fontSize", room), room)), 2)


def hollow(sheet: Sheet) -> Spec:
    """The specification with just as much data as its size depends on, so that it can be measured quickly.

    Cells stand on scales that name their rows and columns; and a picture is as wide as its place, whatever it shows.
    """

    def empty(rows: Any) -> Any:
        if not isinstance(rows, list):
            return rows
        plain = [{k: "" if _is_picture(v) else v for k, v in row.items()} for row in rows if isinstance(row, dict)]
        return plain[:1] if sheet.n_cells else plain

    spec: Spec = _copy(sheet.spec)
    for view in list_views(spec):
        if "values" in (view.get("data") or {}):
            view["data"]["values"] = empty(view["data"]["values"])
    if "datasets" in spec:
        spec["datasets"] = {name: empty(rows) for name, rows in spec["datasets"].items()}
    return spec


def _is_picture(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("data:image")


def settle(sheet: Sheet) -> Sheet:
    """The sheet, once its width is known, with labels that fit: smaller, upright, or left out where they cannot."""
    spec = _copy(sheet.spec)
    for view in list_views(spec):
        _settle_labels(view, sheet.look.font_size, spec)
    width = next((view["width"] for view in list_views(spec) if isinstance(view.get("width"), int | float)), 0)
    if sheet.n_cells:
        for view in list_views(spec):
            view["layer"] = [part for part in view.get("layer", ()) if _fits(part, width / sheet.n_cells)]
            if not view["layer"]:
                del view["layer"]
    return Sheet(spec, sheet.look, sheet.keeps_shape, sheet.n_cells)


def _copy(value: Any) -> Any:
    """A deep copy of plain data, without what only a pointer could make use of."""
    # Rows of data are shared, not copied: nothing here changes them, and they are nearly all of a specification.
    if isinstance(value, dict):
        return {key: inner if key == "values" else _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


def _size(view: Spec, look: Look, scale: float) -> None:
    if view.get("width") == "container":
        view["width"] = round(0.8 * look.points, 3)
        if isinstance(view.get("height"), int | float) and _measures_upward(view):
            view["height"] = min(view["height"], 0.64 * look.points / scale)  # no towers on narrow paper
    elif isinstance(view.get("width"), int | float):
        view["width"] = view["width"] * scale
    if isinstance(view.get("height"), int | float):
        view["height"] = view["height"] * scale


def _measures_upward(view: Spec) -> bool:
    """Whether the vertical axis is one of numbers, rather than of rows that each need their room."""
    axes = [part.get("encoding", {}).get("y", {}) for part in list_views(view)]
    shown = [axis for axis in axes if isinstance(axis, dict) and axis]
    return all(axis.get("type") == "quantitative" and axis.get("axis", 0) is not None for axis in shown)


def _scale_mark(view: Spec, scale: float) -> None:
    mark = view.get("mark")
    if isinstance(mark, dict):
        for key in _LENGTHS:
            if isinstance(mark.get(key), int | float):
                mark[key] = mark[key] * scale
        if isinstance(mark.get("size"), int | float):
            # The size of a point is an area, and scales with the square; that of a bar is its width.
            mark["size"] = mark["size"] * scale * (1 if mark.get("type") == "bar" else scale)
        if isinstance(mark.get("strokeDash"), list):
            mark["strokeDash"] = [length * scale for length in mark["strokeDash"]]


def _recolour(view: Spec, look: Look) -> None:
    """Outlines in colours that show on this paper: white ones are the page's, dark ones around cells are frames."""
    mark, theme = view.get("mark"), look.theme
    if isinstance(mark, dict) and mark.get("stroke") == "#ffffff":
        mark["stroke"] = theme.background
    elif isinstance(mark, dict) and mark.get("stroke") == "#111111":
        mark["stroke"] = theme.frame
    names = _series(view)
    if _kind(view) == "bar" and theme.bars and names:
        colours = [theme.bars[place % len(theme.bars)] for place in range(len(names))]
        view["encoding"]["color"]["scale"] = view["encoding"]["color"]["scale"] | {"range": colours}


def _tell_apart(parts: list[Spec], scale: float) -> None:
    """Dashes and shapes beside colour, for the lines and points of several series that are drawn over each other."""
    pointed = any(_kind(part) in _POINTS and _series(part) for part in parts)
    # Legends merge only where the scales have the same domain: hence the names, whatever order the data come in.
    for part in parts:
        names = _series(part)
        if not names:
            continue
        kind, encoding, places = _kind(part), part["encoding"], range(len(names))
        field = {
            key: encoding["color"][key] for key in ("field", "type", "title", "legend") if key in encoding["color"]
        }
        if kind in _LINES and "strokeDash" not in encoding:
            dashes = [[1.5 * scale * length for length in DASHES[place % len(DASHES)]] for place in places]
            if pointed:  # the legend shows points; dashes with a scale of their own would cut those points' edges
                encoding["strokeDash"] = _choose_by_name(field["field"], names, dashes)
            else:
                encoding["strokeDash"] = field | {"scale": {"domain": names, "range": dashes}}
        if kind in _POINTS and "shape" not in encoding:
            shapes = [SHAPES[place % len(SHAPES)] for place in places]
            part["mark"] = (part["mark"] if isinstance(part["mark"], dict) else {}) | {
                "type": "point",
                "filled": True,
            }
            encoding["shape"] = field | {"scale": {"domain": names, "range": shapes}}


def _choose_by_name(field: str, names: list[str], values: list[Any]) -> Spec:
    """A channel whose value follows from a name without a scale, and so without a legend."""
    tests = [f"datum[{json.dumps(field)}] === {json.dumps(name)}" for name in names]
    chosen = [{"test": test, "value": value} for test, value in zip(tests, values, strict=True)]
    return {"condition": chosen, "value": values[0]}


def _kind(view: Spec) -> str:
    mark = view.get("mark", "")
    return str(mark.get("type", "")) if isinstance(mark, dict) else str(mark)


def _series(view: Spec) -> list[str]:
    """The names of what is told apart by colour in a view, where there are two or more."""
    colour = (view.get("encoding") or {}).get("color")
    if not isinstance(colour, dict) or colour.get("type") != "nominal" or "field" not in colour:
        return []
    names = (colour.get("scale") or {}).get("domain")
    return names if isinstance(names, list) and len(names) > 1 else []


def _for_each_part(value: Any, change: Callable[[Spec], None]) -> None:
    """Call with every dictionary of a specification, but not with the data."""
    if isinstance(value, dict):
        change(value)
        for key, inner in value.items():
            if key not in ("data", "datasets", "values"):
                _for_each_part(inner, change)
    elif isinstance(value, list):
        for inner in value:
            _for_each_part(inner, change)


def _restyle_part(part: Spec, look: Look, scale: float) -> None:
    for key in _INTERACTIVE:
        part.pop(key, None)
    axis, legend, heading = part.get("axis"), part.get("legend"), part.get("title")
    if isinstance(heading, dict):
        _scale_keys(heading, ("fontSize", "offset", "dx", "dy"), scale)
    if isinstance(axis, dict):
        axis["labelLimit"] = look.points / 3
        _scale_keys(axis, ("labelFontSize", "titleFontSize", "titlePadding", "labelPadding", "offset"), scale)
    if isinstance(legend, dict):
        _scale_keys(legend, ("gradientLength", "gradientThickness", "symbolSize", "offset"), scale)
        if "gradientLength" in legend:
            legend["gradientLength"] = min(legend["gradientLength"], look.points / 2)
            if isinstance(legend.get("title"), str):
                n_letters = max(8, int(0.62 * look.points / (_LETTER * look.font_size)))
                legend["title"] = textwrap.wrap(legend["title"], n_letters) or None
        legend.pop("symbolType", None)
        if part.get("type") == "nominal":
            legend["symbolOpacity"] = 1  # a band's own colour is too faint to be told by
        names = (part.get("scale") or {}).get("domain")
        if part.get("type") == "nominal" and isinstance(names, list) and len(names) == 1:
            part["legend"] = None  # there is nothing to tell apart
        elif "columns" in legend and isinstance(names, list):
            legend["columns"] = _count_columns([str(name) for name in names], look)


def _scale_keys(part: Spec, keys: tuple[str, ...], scale: float) -> None:
    for key in keys:
        if isinstance(part.get(key), int | float):
            part[key] = part[key] * scale


def _count_columns(names: list[str], look: Look) -> int:
    """How many entries of a legend stand side by side."""
    entry = look.font_size * (3.5 + _LETTER * max(map(len, names), default=0))
    return max(1, min(len(names), int(0.92 * look.points / entry)))


def _fits(part: Spec, cell: float) -> bool:
    """Whether a layer can be read: numbers in cells only where they fit."""
    mark = part.get("mark")
    if not isinstance(mark, dict) or mark.get("type") != "text":
        return True
    size = mark.get("fontSize", 0)
    smaller = min(size, cell / (4.4 * _LETTER))  # `-0.12`, in which the point is narrow
    mark["fontSize"] = round(smaller, 2)
    return bool(smaller >= SMALLEST_TYPE * 0.9)


def _settle_labels(view: Spec, font_size: float, spec: Spec) -> None:
    for name, side in (("x", "width"), ("y", "height")):
        channel: Spec = (view.get("encoding") or {}).get(name) or {}
        axis, names = channel.get("axis"), (channel.get("scale") or {}).get("domain")
        length = view.get(side, spec.get(side))
        if not isinstance(axis, dict) or axis.get("labelOverlap") is not False or channel.get("type") != "nominal":
            continue
        if not names or not isinstance(names, list) or not isinstance(length, int | float):
            continue
        # vl-convert overlaps labels without a word; so upright before small, and small before leaving some out.
        step = length / len(names)
        if axis.get("labelAngle") == -45 and step < 1.35 * font_size:
            axis["labelAngle"] = -90
        if step < 1.05 * font_size:
            axis["labelFontSize"] = round(max(SMALLEST_TYPE, step / 1.05), 2)
            axis["labelOverlap"] = step < 1.05 * SMALLEST_TYPE

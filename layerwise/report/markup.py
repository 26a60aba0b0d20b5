"""Contents of figures as HTML: one small template for each kind, and data that cannot break out of its element."""

from __future__ import annotations

import base64
import json
from functools import lru_cache, singledispatch
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from layerwise.report.assets import TEMPLATES
from layerwise.report.content import Alternatives, Chart, Facts, Figure, Gallery, Listing, SideBySide, Table


@lru_cache(maxsize=1)
def templates() -> Environment:
    """The page's templates; all text is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = data_uri
    environment.filters["cell"] = format_cell
    return environment


def embed_json(value: Any) -> Markup:
    """A value as JSON for a data element: `<`, `>`, `&` and all that is not ASCII are escaped inside strings."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)


def data_uri(image: bytes) -> str:
    """A picture as a data URI; its kind is told from its first bytes."""
    kind = "png" if image.startswith(b"\x89PNG") else "gif" if image.startswith(b"GIF8") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def format_cell(value: str | float | None) -> str:
    """A table's cell as text."""
    if value is None:
        return "–"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


@singledispatch
def render_content(content: object, anchor: str, figure: Figure) -> Markup:  # noqa: ARG001
    """The HTML of a figure's content; `anchor` is unique on the page."""
    raise TypeError(f"figure {figure.name} holds a {type(content).__name__}, which the page cannot show")


def _render(template: str, **values: Any) -> Markup:
    return Markup(templates().get_template(template).render(values))


@render_content.register
def _chart(content: Chart, anchor: str, figure: Figure) -> Markup:
    spec = chart_spec(content, figure)
    return _render("chart.html", anchor=anchor, spec=embed_json(spec), figure=figure)


def chart_spec(content: Chart, figure: Figure) -> dict[str, Any]:
    """A chart's Vega-Lite specification, without the address of its schema, and described for screen readers."""
    spec: dict[str, Any] = content.drawing.to_dict(validate=False)
    _check_chart(content.drawing, spec)
    spec.pop("$schema", None)
    spec["description"] = figure.description or f"{figure.title}. {figure.caption}"
    return spec


def _check_chart(drawing: Any, spec: dict[str, Any]) -> None:
    """Hold a chart against Vega-Lite's schema, all but the rows, on each of which that takes its time.

    Raises:
        SchemaValidationError: Altair's, which says in words what is wrong, if it is not what Vega-Lite can draw.
    """
    from altair.utils.schemapi import SchemaValidationError, jsonschema

    try:
        type(drawing).validate({**spec, "datasets": {}})
    except jsonschema.ValidationError as error:
        raise SchemaValidationError(drawing, error) from None


@render_content.register
def _table(content: Table, anchor: str, figure: Figure) -> Markup:
    return _render("table.html", anchor=anchor, table=content, figure=figure)


@render_content.register
def _facts(content: Facts, anchor: str, figure: Figure) -> Markup:
    return _render("facts.html", anchor=anchor, facts=content.facts, figure=figure)


@render_content.register
def _gallery(content: Gallery, anchor: str, figure: Figure) -> Markup:
    return _render("gallery.html", anchor=anchor, cards=content.cards, figure=figure)


@render_content.register
def _listing(content: Listing, anchor: str, figure: Figure) -> Markup:
    return _render("listing.html", anchor=anchor, text=content.text, figure=figure)


@render_content.register
def _beside(content: SideBySide, anchor: str, figure: Figure) -> Markup:
    panels = _render_panels(content.figures, anchor)
    return _render("beside.html", anchor=anchor, panels=panels, figure=figure)


@render_content.register
def _alternatives(content: Alternatives, anchor: str, figure: Figure) -> Markup:
    panels = _render_panels(content.figures, anchor)
    shared = {"panel_anchor": panel_anchor, "content": content, "panels": panels}
    return _render("alternatives.html", anchor=anchor, figure=figure, **shared)


def panel_anchor(anchor: str, name: str) -> str:
    """The HTML id of one of several figures that are shown one at a time; `anchor` is that of all of them."""
    return f"{anchor}-{name}-panel"


def _render_panels(figures: tuple[Figure, ...], anchor: str) -> list[tuple[Figure, Markup]]:
    """Figures inside a figure, each with its HTML."""
    return [(inner, render_content(inner.content, f"{anchor}-{inner.name}", inner)) for inner in figures]

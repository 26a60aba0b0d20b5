"""The HTML of the local pages; all text from the history is escaped by the templates."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import layerwise
from layerwise.cli.output import count, duration, number, size
from layerwise.core.history.listing import checkpoint_of

HERE = Path(__file__).parent
STATIC = HERE / "static"
MOST_LETTERS = 500  # of a cell of an answer; the CSV has all of it


@lru_cache(maxsize=1)
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "duration": duration,
        "count": count,
        "size": size,
        "checkpoint": checkpoint_of,
        "cell": format_cell,
        "address": urlencode,
    }
    environment.globals |= {"version": layerwise.__version__, "here": "", "history": "", "reach": ""}
    return environment


def render(template: str, values: Mapping[str, Any]) -> str:
    """A page, or a part of one."""
    return _templates().get_template(template).render(values)


def format_cell(value: object) -> str:
    """A value of a query's answer as text."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]} … ({len(text):,} characters)"

"""Which shape a chart is to keep on paper: told by the chart, or seen from what it is made of.

A report's chart says so in its `usermeta`. A chart in a notebook carries none, because Altair refuses to put charts
that have one beside each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Spec = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """How a chart takes a new width.

    Attributes:
        keeps: Whether heights follow widths, as those of square cells do.
        n_cells: Number of cells along the width, 0 where there are none.
    """

    keeps: bool = False
    n_cells: int = 0


def find_shape(chart: Spec) -> Shape:
    """The shape of a chart's specification."""
    told = (chart.get("usermeta") or {}).get("layerwise")
    if told is not None:
        return Shape("square" in told, int(told.get("cells", 0)))
    views = list(list_views(chart))
    marks = {_mark(view) for view in views}
    axes = [view.get("encoding") or {} for view in views if _mark(view) == "rect"]
    across, down = (max((_count(axis.get(name)) for axis in axes), default=0) for name in ("x", "y"))
    is_square = any(view.get("width") == view.get("height") is not None for view in views)
    keeps = is_square and ("image" in marks or across > 0)
    return Shape(keeps, max(across, down) if keeps else across)


def list_views(spec: Spec) -> Iterator[Spec]:
    """The specification and every view inside it, outermost first."""
    yield spec
    for key in ("layer", "concat", "hconcat", "vconcat"):
        for inner in spec.get(key, ()):
            yield from list_views(inner)
    if isinstance(spec.get("spec"), dict):
        yield from list_views(spec["spec"])


def _mark(view: Spec) -> str:
    mark = view.get("mark")
    return str(mark.get("type")) if isinstance(mark, dict) else str(mark)


def _count(channel: Spec | None) -> int:
    """How many places a nominal axis has; 0 for any other."""
    if not isinstance(channel, dict) or channel.get("type") != "nominal":
        return 0
    return len((channel.get("scale") or {}).get("domain") or ())

"""The numbers behind a chart, as a table that can be written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from layerwise.core.base.errors import LayerwiseError
from layerwise.report.content import Chart
from layerwise.report.paper.shape import list_views

if TYPE_CHECKING:
    import polars as pl


def read_numbers(chart: Chart) -> pl.DataFrame:
    """What a chart shows: what it says it shows, otherwise the largest of the tables it carries.

    Raises:
        LayerwiseError: If there is none.
    """
    import polars as pl

    if chart.numbers is not None:
        return chart.numbers()
    spec: dict[str, Any] = chart.drawing.to_dict()
    tables = [view["data"]["values"] for view in list_views(spec) if "values" in (view.get("data") or {})]
    tables += (spec.get("datasets") or {}).values()
    rows = max((table for table in tables if isinstance(table, list | tuple)), key=len, default=())
    if not rows:
        raise LayerwiseError("the chart carries no numbers")
    return pl.DataFrame(list(rows), infer_schema_length=None)

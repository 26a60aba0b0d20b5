"""Columns of a table: what they hold, and their values as names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerwise.interchange.labels import FoundLabels, read_labels

if TYPE_CHECKING:
    import polars as pl


def is_number(kind: pl.DataType) -> bool:
    """Whether a column of this type holds numbers; truth values are some."""
    import polars as pl

    return kind.is_numeric() or kind == pl.Boolean


def is_text(kind: pl.DataType) -> bool:
    """Whether a column of this type can only hold names: texts, categories, bytes, dates."""
    import polars as pl

    return kind in (pl.String, pl.Categorical, pl.Enum, pl.Binary) or kind.is_temporal()


def is_whole(column: pl.Series) -> bool:
    """Whether a column holds whole numbers, in whatever type; empty cells do not count, truth values are none."""
    import polars as pl

    if column.dtype.is_integer():
        return True
    if not column.dtype.is_numeric():
        return False
    numbers = column.cast(pl.Float64).drop_nulls().drop_nans()
    return len(numbers) > 0 and bool((numbers == numbers.floor()).all())


def read_column(column: pl.Series) -> FoundLabels:
    """The values of a column as names."""
    import polars as pl

    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    elif column.dtype.is_decimal():
        column = column.cast(pl.Float64)
    return read_labels(column.name, column.to_list())

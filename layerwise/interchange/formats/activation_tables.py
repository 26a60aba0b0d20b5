"""Tables of activations: a row for each stimulus, and which of the columns are units.

Units are the columns of numbers, except those that are called like names of stimuli. A column of whole numbers that
is called unlike all others (`photo_nr` beside `u0`, `u1`, ...) may number the stimuli or be a unit: that is asked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from layerwise.core.base.errors import InputError
from layerwise.interchange.content import FileContent, FoundArray
from layerwise.interchange.formats.columns import is_number, is_text, is_whole, read_column
from layerwise.interchange.labels import is_name_key, is_strong_key

if TYPE_CHECKING:
    import polars as pl

_PAIR_ENDS = (("i", "j"), ("1", "2"), ("0", "1"), ("a", "b"))
"""How two columns that name a pair of stimuli are told from each other."""


def read_activations(frame: pl.DataFrame, stem: str, column: str | None = None) -> FileContent:
    """The units of a table as one array, and its other columns as what may name the stimuli.

    Args:
        frame: One row a stimulus.
        stem: What the layer is called.
        column: The column that the user says has the stimuli's names.

    Raises:
        InputError: If there are no units, activations are missing, or it is a table of pairs.
    """
    import polars as pl

    _check_no_pairs(frame.columns)
    known = [name for name in frame.columns if name == column or (is_name_key(name) and is_whole(frame[name]))]
    units = [name for name, kind in frame.schema.items() if is_number(kind) and name not in known]
    if not units:
        raise InputError(f"neither pairs of stimuli (i, j, value) nor activations: columns {_some(frame.columns)}")
    if frame.select(pl.col(units).null_count()).sum_horizontal().item():
        raise InputError("activations are missing in some cells")
    labels = tuple(read_column(frame[name]) for name, kind in frame.schema.items() if name in known or is_text(kind))
    left_out = [found.key for found in labels if found.is_number and not is_strong_key(found.key)]
    notes = (f"not taken for units: {_some(left_out)}",) if left_out else ()
    values = frame.select(units).with_columns(pl.col(pl.Decimal).cast(pl.Float64)).to_numpy()
    array = FoundArray(stem, values, "activations", doubt=_explain_doubt(frame, units), notes=notes)
    return FileContent((array,), labels)


def _explain_doubt(frame: pl.DataFrame, units: Sequence[str]) -> str:
    """Why a column of numbers may be none of activations; empty where all are like units."""
    for name in units:
        if is_name_key(name):
            return (
                f"column '{name}' is called like names of stimuli and does not hold any: leave it out, or say "
                "--kind activations if it is a unit"
            )
    stems = Counter(_stem(name) for name in units)
    is_mixed = any(kind.is_float() for kind in frame.select(units).schema.values())
    if not is_mixed and max(stems.values()) == 1:
        return ""
    for name in units:
        if stems[_stem(name)] == 1 and len(units) > 1 and _may_number(frame[name]):
            return (
                f"column '{name}' has whole numbers and is called unlike the others: say --stimulus-column {name} if "
                "it names the stimuli, or --kind activations if it is a unit"
            )
    return ""


def _may_number(column: pl.Series) -> bool:
    """Whether a column may number stimuli or their categories; whole floats that are all different may."""
    return is_whole(column) and (not column.dtype.is_float() or column.n_unique() == len(column))


def _check_no_pairs(columns: Sequence[str]) -> None:
    """Check that no two columns name a pair of stimuli in words of their own, which would be read as units."""
    by_base: dict[str, list[str]] = {}
    for name in columns:
        by_base.setdefault(name[:-1].rstrip("_").lower(), []).append(name)
    for base, pair in by_base.items():
        if len(pair) == 2 and is_strong_key(base) and tuple(name[-1].lower() for name in pair) in _PAIR_ENDS:
            raise InputError(
                f"columns '{pair[0]}' and '{pair[1]}' seem to name pairs of stimuli: call them stimulus_i and "
                "stimulus_j"
            )


def _stem(name: str) -> str:
    return re.sub(r"\d+", "", name)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")

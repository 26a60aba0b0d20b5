"""Answers with their labels: a matrix that knows what its rows and columns are, a profile, an order.

Each is NumPy where NumPy is wanted (`np.asarray`), a Polars frame (`to_polars`), an xarray array where xarray is
installed (`to_xarray`), a chart (`chart`), and in a notebook a picture of itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.notebook.pictures import caption, draw_heatmap, picture

if TYPE_CHECKING:
    import polars as pl
    from altair.typing import ChartType

    from layerwise.core.history.profiles import Profile

_PLURALS = {"layer": "layers", "stimulus": "stimuli", "checkpoint": "checkpoints"}


@dataclass(frozen=True, eq=False)
class LabelledMatrix:
    """A measure or metric for every pair of two lists: layers, or stimuli.

    Attributes:
        values: float64 (n_rows, n_columns); NaN where undefined.
        rows: What each row is.
        columns: What each column is.
        of: What was computed, in a few words: `cka`, `pearson of mixed4c`.
        kind: Whether larger means more alike, or less.
        axes: What rows and columns are called: `("layer", "layer")`.
        reasons: Why, for each pair of labels without a number.
        warnings: What speaks against relying on it, each once.
    """

    values: NDArray[np.float64]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    of: str
    kind: Literal["similarity", "distance"] = "similarity"
    axes: tuple[str, str] = ("layer", "layer")
    reasons: Mapping[tuple[str, str], str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    drawn_by: Callable[[], ChartType] | None = field(default=None, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows, and of columns."""
        return len(self.rows), len(self.columns)

    @overload
    def sel(self, row: str, column: str) -> float: ...

    @overload
    def sel(self, row: str, column: None = None) -> dict[str, float]: ...

    @overload
    def sel(self, row: None = None, *, column: str) -> dict[str, float]: ...

    def sel(self, row: str | None = None, column: str | None = None) -> float | dict[str, float]:
        """The value of a row and a column; of one of them alone, all values with their labels.

        Raises:
            InputError: If there is none of this name; near names are suggested.
        """
        if row is not None and column is not None:
            return float(self.values[_place(row, self.rows), _place(column, self.columns)])
        if row is not None:
            return _label(self.columns, self.values[_place(row, self.rows)])
        if column is not None:
            return _label(self.rows, self.values[:, _place(column, self.columns)])
        raise InputError("sel takes a row, a column, or both")

    def to_polars(self) -> pl.DataFrame:
        """One line for each pair: both labels, and the value (null where undefined)."""
        import polars as pl

        first, second = _tell_apart(self.axes)
        value = self.values.reshape(-1)
        return pl.DataFrame(
            {
                first: np.repeat(np.array(self.rows, dtype=object), len(self.columns)).tolist(),
                second: list(self.columns) * len(self.rows),
                self.kind: value,
            }
        ).with_columns(pl.col(self.kind).fill_nan(None))

    def to_xarray(self) -> Any:
        """An `xarray.DataArray` with both labels as coordinates.

        Raises:
            InputError: If xarray is not installed.
        """
        try:
            xarray: Any = import_module("xarray")
        except ImportError as error:
            raise InputError("to_xarray needs xarray: pip install xarray") from error
        names = _tell_apart(self.axes)
        coordinates = dict(zip(names, (list(self.rows), list(self.columns)), strict=True))
        return xarray.DataArray(self.values, dims=names, coords=coordinates, name=self.of)

    def chart(self) -> ChartType:
        """An Altair chart of it."""
        if self.drawn_by is not None:
            return self.drawn_by()
        return draw_heatmap(self.values, self.rows, self.columns, self.of, self.kind)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The values, for NumPy."""
        return np.array(self.values, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        """What it is, in one line."""
        n_rows, n_columns = self.shape
        finite = self.values[np.isfinite(self.values)]
        span = f", {finite.min():.3f} to {finite.max():.3f}" if finite.size else ""
        gaps = self.values.size - finite.size
        missing = f", {gaps} undefined" if gaps else ""
        many = [_PLURALS.get(axis, axis) for axis in self.axes]
        extent = f"{n_rows} {many[0]} x {n_columns} {many[1]}"
        return f"<{self.kind} matrix ({self.of}): {extent}{span}{missing}>"

    def _repr_html_(self) -> str:
        return picture(self.chart()) + caption(repr(self)[1:-1], *self.warnings)


@dataclass(frozen=True, eq=False)
class ProfileCurves:
    """How a network turns its input's structure into its output's; see `layerwise profile`.

    Attributes:
        profile: The numbers: `to_input`, `to_output` (the layer that is its `end_point`), `steps`, `shares`,
            `smoothness`, `crossings`.
        of: The measure.
    """

    profile: Profile
    of: str
    drawn_by: Callable[[], ChartType] = field(repr=False)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers, in order of computation."""
        return self.profile.layers

    @property
    def end_point(self) -> str:
        """The layer that `to_output` is about: the logits, the output, or the one that was asked for."""
        return self.profile.end_point or "no end"

    @property
    def smoothness(self) -> float | None:
        """1 where all steps are equal, 0 where one step does it all."""
        return self.profile.smoothness

    def to_polars(self) -> pl.DataFrame:
        """One line for each layer."""
        import polars as pl

        found = self.profile
        curves = {
            "layer": list(found.layers),
            "depth": found.depths,
            "to_input": found.to_input,
            "to_output": found.to_output,
            "step": found.steps,
            "share": found.shares,
        }
        return pl.DataFrame(curves).with_columns(pl.exclude("layer").fill_nan(None))

    def chart(self) -> ChartType:
        """An Altair chart of both curves."""
        return self.drawn_by()

    def __repr__(self) -> str:
        """What it is, in one line."""
        smooth = "undefined" if self.smoothness is None else f"{self.smoothness:.3f}"
        return f"<profile ({self.of}): {len(self.layers)} layers to {self.end_point}, smoothness {smooth}>"

    def _repr_html_(self) -> str:
        return picture(self.chart()) + caption(repr(self)[1:-1], self.profile.reason)


@dataclass(frozen=True, eq=False)
class StimulusOrder:
    """An order of a run's stimuli.

    Attributes:
        positions: int64 (n,); positions of the stimuli, in this order: `x[order.positions]` is reordered.
        stimuli: Names of all stimuli, in the order of the run.
        of: Which layer and which method decided.
    """

    positions: NDArray[np.int64]
    stimuli: tuple[str, ...]
    of: str
    drawn_by: Callable[[], ChartType] = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the stimuli, in this order."""
        return tuple(self.stimuli[position] for position in self.positions)

    def to_polars(self) -> pl.DataFrame:
        """One line for each stimulus, in this order: its name, and its position in the run."""
        import polars as pl

        return pl.DataFrame({"stimulus": list(self.names), "position": self.positions})

    def chart(self) -> ChartType:
        """The matrices of the main layers in this order."""
        return self.drawn_by()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The positions, for NumPy."""
        return np.array(self.positions, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        """What it is, in one line."""
        return f"<order of {len(self.positions)} stimuli by {self.of}>"

    def _repr_html_(self) -> str:
        return picture(self.chart()) + caption(repr(self)[1:-1])


def _place(name: str, names: Sequence[str]) -> int:
    try:
        return names.index(name)
    except ValueError:
        raise InputError(f"there is no '{name}' here{near_names(name, names)}") from None


def _label(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(names, map(float, values), strict=True))


def _tell_apart(axes: tuple[str, str]) -> tuple[str, str]:
    first, second = axes
    return (first, f"other {second}") if first == second else axes

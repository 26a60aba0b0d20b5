"""Representations as Layerwise exports them: the same fields in every format, checked when they come back.

`correlation` is for other tools; what comes back is made of the other fields, bit for bit. Files of before have
correlations, means, norms and numbers of units alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.history.checks import check_outputs, check_representation
from layerwise.core.history.outputs import Outputs, OutputScale
from layerwise.core.network.layers import Layer
from layerwise.core.network.matrices.correlations import from_correlations
from layerwise.core.network.matrices.panels import panels
from layerwise.core.network.representation import Representation
from layerwise.core.network.resolution import Resolution
from layerwise.interchange.content import about

BEFORE = ("correlation", "mean", "norm", "n_features")
FIELDS = (*BEFORE, "entries", "deviation", "resolution")
OUTPUTS = ("outputs", "scale")
"""What the output layer has besides, where the run has kept its whole output."""
VECTORS = ("mean", "norm", "n_features", "deviation", "resolution")
STIMULI = "stimuli"
LAYERS = "layers"
METRIC = "metric"


@dataclass(frozen=True)
class Export:
    """What is written to a file.

    Attributes:
        layers: The layers, in order of computation.
        representations: One each.
        stimuli: Names of the stimuli.
        prefixed: Whether fields are called `layer/field`; without, there is one layer.
        outputs: The whole output of the run, where it is kept.
    """

    layers: Sequence[Layer]
    representations: Sequence[Representation]
    stimuli: Sequence[str]
    prefixed: bool = True
    outputs: Outputs | None = None

    def fields(self) -> Iterator[tuple[str, Any]]:
        """Every field of every layer with its key, one layer after the other; correlations as `Correlations`."""
        for layer, representation in zip(self.layers, self.representations, strict=True):
            prefix = f"{layer.name}/" if self.prefixed else ""
            for field in FIELDS:
                yield f"{prefix}{field}", describe_field(representation, field)
            if self.outputs is not None and self.outputs.layer == layer.name:
                yield from zip(
                    (f"{prefix}{field}" for field in OUTPUTS), (self.outputs.values, self.outputs.scale), strict=True
                )


@dataclass(frozen=True, eq=False)
class Correlations:
    """The float64 (n, n) correlations of a layer, to be written a few rows at a time: nobody need hold them."""

    representation: Representation

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.representation.n_stimuli, self.representation.n_stimuli

    def rows(self) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Some rows at a time."""
        found = self.representation
        if not found.has_zero:  # then they are scaled by the largest of all
            yield slice(0, found.n_stimuli), found.correlation
            return
        for rows in panels(found.n_stimuli):
            apart = found.panel(rows).correlation_distances()
            yield rows, np.subtract(1, apart, out=apart)


def describe(representation: Representation) -> dict[str, Any]:
    """All fields of a representation but correlations, as arrays and numbers."""
    return {field: describe_field(representation, field) for field in FIELDS[1:]}


def describe_field(representation: Representation, field: str) -> Any:
    """One of the fields; `correlation` to be written a few rows at a time."""
    if field == "correlation":
        return Correlations(representation)
    if field == "resolution":
        return np.array((*astuple(representation.resolution), float(representation.has_zero)))
    return getattr(representation, field)


def find_prefixes(keys: Sequence[str]) -> list[str]:
    """The prefixes of the fields of representations, in the order of the keys; `""` for an unprefixed file."""
    there = set(keys)
    ends = [key[: -len(FIELDS[0])] for key in keys if key == FIELDS[0] or key.endswith(f"/{FIELDS[0]}")]
    return [prefix for prefix in ends if all(f"{prefix}{field}" in there for field in BEFORE)]


def rebuild(name: str, fields: Mapping[str, NDArray[Any]]) -> Representation:
    """A representation from its fields, bit for bit.

    Raises:
        InputError: If they do not make one.
    """
    with about(f"'{name}'"):
        if "entries" in fields:
            return _rebuild(fields)
        correlation, mean, norm = (np.asarray(fields[field]) for field in BEFORE[:3])
        n_features = np.asarray(fields["n_features"])
        _check_shapes(correlation, mean, norm, n_features)
        if correlation.dtype != np.float32 or {mean.dtype, norm.dtype} != {np.dtype(np.float64)}:
            raise InputError(f"{correlation.dtype} correlations, {mean.dtype} means: not what Layerwise exports")
        _check_values(correlation, mean, norm)
        return from_correlations(correlation, mean, norm, _check_count(n_features))


def rebuild_outputs(name: str, fields: Mapping[str, NDArray[Any]], n_stimuli: int) -> Outputs | None:
    """The whole output from its fields, bit for bit; None where a file has none.

    Raises:
        InputError: If they do not make one.
    """
    if OUTPUTS[0] not in fields:
        return None
    values, scale = np.asarray(fields[OUTPUTS[0]]), str(fields.get(OUTPUTS[1], ""))
    found = next((known for known in get_args(OutputScale) if known == scale), None)
    if found is None or values.shape[:1] != (n_stimuli,):
        raise InputError(f"'{name}': outputs of shape {values.shape} on scale '{scale}': the file was changed")
    outputs = Outputs(name, values, found)
    with about(f"'{name}'"):
        try:
            check_outputs(outputs)
        except ValueError as error:
            raise InputError(f"outputs: {error}") from error
    return outputs


def _rebuild(fields: Mapping[str, NDArray[Any]]) -> Representation:
    matrix, deviation, mean, norm, n_features, resolution = (
        np.asarray(fields[field]) for field in ("entries", "deviation", "mean", "norm", "n_features", "resolution")
    )
    _check_shapes(matrix, mean, norm, n_features)
    if deviation.shape != mean.shape or resolution.shape != (5,) or matrix.dtype not in (np.float32, np.float64):
        raise InputError("the fields are not those that Layerwise exports: the file was changed")
    if not all(vector.dtype == np.float64 for vector in (deviation, mean, norm, resolution)):
        raise InputError("means, norms, deviations and resolution must be float64, as Layerwise exports them")
    finite = all(np.isfinite(vector).all() for vector in (deviation, mean, norm, resolution))
    if not (finite and (norm >= 0).all() and (deviation >= 0).all() and (resolution >= 0).all()):
        raise InputError("means, norms and deviations must be finite, and norms and deviations not negative")
    *errors, has_zero = (float(value) for value in resolution)
    found = Representation(
        matrix,
        deviation,
        mean,
        norm,
        _check_count(n_features),
        Resolution(*errors),
        has_zero=bool(has_zero),
    )
    try:
        check_representation(found)
    except ValueError as error:
        raise InputError(str(error)) from error
    return found


def _check_shapes(matrix: NDArray[Any], mean: NDArray[Any], norm: NDArray[Any], n_features: NDArray[Any]) -> None:
    n_stimuli = len(mean) if mean.ndim == 1 else -1
    if matrix.shape != (n_stimuli, n_stimuli) or norm.shape != (n_stimuli,) or n_features.size != 1:
        raise InputError(f"fields of shape {matrix.shape}, {mean.shape} and {norm.shape} make no representation")


def _check_values(correlation: NDArray[Any], mean: NDArray[Any], norm: NDArray[Any]) -> None:
    if not (np.isfinite(mean).all() and np.isfinite(norm).all() and (norm >= 0).all()):
        raise InputError("means and norms must be finite, and norms not negative")
    live = norm > 0
    if not np.array_equal(correlation, correlation.T, equal_nan=True):
        raise InputError("the correlations are not symmetric")
    if not np.array_equal(np.isfinite(correlation), np.outer(live, live)):
        raise InputError("correlations must be numbers exactly where both norms are positive")
    if (np.diagonal(correlation)[live] != 1).any() or (np.abs(correlation[np.outer(live, live)]) > 1).any():
        raise InputError("correlations lie between -1 and 1, and are 1 on the diagonal")


def _check_count(n_features: NDArray[Any]) -> int:
    value = n_features.reshape(-1)[0]
    if n_features.dtype.kind not in "iu" or value < 1:
        raise InputError(f"n_features is {value}, not a positive whole number")
    return int(value)

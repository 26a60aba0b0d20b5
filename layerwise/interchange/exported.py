"""Representations as Layerwise exports them: the same four fields in every format, checked when they come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.network.layers import Layer
from layerwise.core.network.representation import Representation
from layerwise.interchange.content import about

FIELDS = ("correlation", "mean", "norm", "n_features")
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
    """

    layers: Sequence[Layer]
    representations: Sequence[Representation]
    stimuli: Sequence[str]
    prefixed: bool = True

    def fields(self) -> dict[str, Any]:
        """Every field of every layer under its key."""
        found: dict[str, Any] = {}
        for layer, representation in zip(self.layers, self.representations, strict=True):
            prefix = f"{layer.name}/" if self.prefixed else ""
            found |= {f"{prefix}{field}": getattr(representation, field) for field in FIELDS}
        return found


def find_prefixes(keys: Sequence[str]) -> list[str]:
    """The prefixes under which all four fields lie, in the order of the keys; `""` for an unprefixed file."""
    there = set(keys)
    ends = [key[: -len(FIELDS[0])] for key in keys if key == FIELDS[0] or key.endswith(f"/{FIELDS[0]}")]
    return [prefix for prefix in ends if all(f"{prefix}{field}" in there for field in FIELDS)]


def rebuild(name: str, fields: Mapping[str, NDArray[Any]]) -> Representation:
    """A representation from its four fields, bit for bit.

    Raises:
        InputError: If they do not make one.
    """
    with about(f"'{name}'"):
        correlation, mean, norm = (np.asarray(fields[field]) for field in FIELDS[:3])
        n_features = np.asarray(fields["n_features"])
        n_stimuli = len(mean) if mean.ndim == 1 else -1
        if correlation.shape != (n_stimuli, n_stimuli) or norm.shape != (n_stimuli,) or n_features.size != 1:
            raise InputError(
                f"fields of shape {correlation.shape}, {mean.shape} and {norm.shape} make no representation"
            )
        if correlation.dtype != np.float32 or {mean.dtype, norm.dtype} != {np.dtype(np.float64)}:
            raise InputError(f"{correlation.dtype} correlations, {mean.dtype} means: not what Layerwise exports")
        _check_values(correlation, mean, norm)
        return Representation(correlation, mean, norm, _check_count(n_features))


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

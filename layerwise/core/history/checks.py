"""What every history checks before it keeps something, and how it says that something is not there."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from layerwise.core.base.words import near_names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from layerwise.core.history.outputs import Outputs
    from layerwise.core.history.records import LayerAddress
    from layerwise.core.network.matrices.pairs import Pairs
    from layerwise.core.network.representation import Representation


def check_representation(representation: Representation) -> None:
    """Check that a representation could be given back as it is from its upper triangle and its vectors.

    Raises:
        ValueError: If its matrix is not symmetric, no matrix of floats, its diagonal is not what it must be, or its
            resolution is made of anything but numbers from 0 on.
    """
    import numpy as np

    from layerwise.core.network.matrices.panels import panels

    matrix, n_stimuli = representation.entries, representation.n_stimuli
    if matrix.dtype not in (np.float32, np.float64) or matrix.shape != (n_stimuli, n_stimuli):
        raise ValueError(f"entries of {matrix.dtype} with shape {matrix.shape} for {n_stimuli} stimuli")
    check_vectors(representation)
    for rows in panels(n_stimuli):  # the copy of a transposed matrix would be one more
        if not np.array_equal(matrix[rows, rows.start :], matrix[rows.start :, rows].T, equal_nan=True):
            raise ValueError("entries that are not symmetric")
    if (np.diagonal(matrix) != diagonal_of(matrix.dtype)).any():
        raise ValueError("a diagonal that is not that of a stimulus and itself")


def check_vectors(layer: Pairs) -> None:
    """Check all of a layer but its pairs.

    Raises:
        ValueError: If its vectors are not what they must be, or its resolution is made of anything but numbers from 0
            on.
    """
    import numpy as np

    for name in ("mean", "norm", "deviation"):
        vector = getattr(layer, name)
        if vector.dtype != np.float64 or vector.shape != (layer.n_stimuli,):
            raise ValueError(f"{name}s of {vector.dtype} with shape {vector.shape} for {layer.n_stimuli} stimuli")
    for name, error in vars(layer.resolution).items():
        if not 0 <= error < math.inf:
            raise ValueError(f"a resolution of which '{name}' is {error}")


def diagonal_of(dtype: np.dtype[Any]) -> float:
    """What the entries of each stimulus with itself are: the dissimilarity of 0, as float32 numbers stand for it."""
    import numpy as np

    return np.inf if dtype == np.float32 else 0.0


def check_vector(vector: NDArray[np.float64]) -> None:
    """Check that a statistic's vector is one.

    Raises:
        ValueError: If it has more than one axis.
    """
    import numpy as np

    if np.ndim(vector) != 1:
        raise ValueError(f"a vector of shape {np.shape(vector)}; one axis is expected")


def check_outputs(outputs: Outputs) -> None:
    """Check that outputs are a matrix of numbers.

    Raises:
        ValueError: If they are not (n, n_classes) of float32 or float16.
    """
    import numpy as np

    values = outputs.values
    if values.ndim != 2 or not values.size or values.dtype not in (np.float32, np.float16):
        raise ValueError(f"values of {values.dtype} with shape {values.shape}; (n, n_classes) floats are expected")


def describe_missing(address: LayerAddress, known: Iterable[LayerAddress]) -> str:
    """Why there is nothing at an address, and what is near; `known` are those where there is something."""
    stored = [other for other in known if other.run_id == address.run_id]
    transforms = [other.transform for other in stored if other.layer == address.layer]
    if transforms:
        return (
            f"layer '{address.layer}' of run {address.run_id} is not stored under '{address.transform}', "
            f"only under {', '.join(transforms)}"
        )
    names = list(dict.fromkeys(other.layer for other in stored))
    return f"run {address.run_id} has no stored layer '{address.layer}'{near_names(address.layer, names)}"

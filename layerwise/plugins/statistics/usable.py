"""What geometry statistics can use of a representation: stimuli with finite activations, distinct ones, live ones."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.matrices.derived import take_from
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.core.network.matrices.panels import Panel
from layerwise.core.network.representation import Representation
from layerwise.core.network.resolution import SURE

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
_ROUNDINGS = 16.0  # of an activation's last bit, in deviations of one rounding


Layer = TypeVar("Layer", bound=Pairs)


def keep_finite(representation: Layer) -> tuple[Layer | Representation, str]:
    """The stimuli whose activations are finite, and a note on the others; constant ones stay, they have a place."""
    usable = np.flatnonzero(np.isfinite(representation.norm) & np.isfinite(representation.mean))
    n_left_out = representation.n_stimuli - len(usable)
    if not n_left_out:
        return representation, ""
    note = f"{n_left_out} stimuli have activations that are not finite and are left out"
    return take_from(representation, usable), note


def allow_for_rounding(panel: Panel) -> Matrix:
    """How large squared distances may be, (r, c), of stimuli that have the same activations as far as is known.

    A network may compute a stimulus in another order of sums at another place of a batch, which costs it a few
    roundings more than one.
    """
    allowed = np.add.outer((_ROUNDINGS * panel.row_noise) ** 2, (_ROUNDINGS * panel.column_noise) ** 2)
    allowed += SURE * panel.squared_distance_errors()
    return np.asarray(allowed)


def correlation_moments(representation: Pairs) -> tuple[int, float, float, str]:
    """Number, mean and deviation of 1 - correlation over all pairs of stimuli, and a note on those that have none."""
    usable, note = keep_finite(representation)
    n_constant = len(usable.constant)
    constant = f"{n_constant} of {usable.n_stimuli} stimuli have constant activations and are left out"
    return *usable.correlation_moments, join_notes(note, constant if n_constant else "")


def join_notes(*notes: str) -> str:
    """Notes in one line."""
    return "; ".join(note for note in notes if note)

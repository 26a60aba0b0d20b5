"""What geometry statistics can use of a representation: stimuli with finite activations, distinct ones, live ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.representation import Representation, strict_upper
from layerwise.core.network.resolution import SURE

Vector = NDArray[np.float64]
_ROUNDINGS = 16.0  # of an activation's last bit, in deviations of one rounding


def keep_finite(representation: Representation) -> tuple[Representation, str]:
    """The stimuli whose activations are finite, and a note on the others; constant ones stay, they have a place."""
    usable = np.flatnonzero(np.isfinite(representation.norm) & np.isfinite(representation.mean))
    n_left_out = representation.n_stimuli - len(usable)
    if not n_left_out:
        return representation, ""
    note = f"{n_left_out} stimuli have activations that are not finite and are left out"
    return representation.take(usable), note


def find_doubles(representation: Representation) -> NDArray[np.bool_]:
    """Which pairs of stimuli have the same activations, as far as their rounding can tell; (n, n).

    A network may compute a stimulus in another order of sums at another place of a batch, which costs it a few
    roundings more than one.
    """
    noise = _ROUNDINGS * representation.activation_noise
    allowed = np.add.outer(noise**2, noise**2)
    allowed += SURE * representation.squared_distance_errors()
    return np.asarray(representation.squared_distances() <= allowed, dtype=np.bool_)


def correlation_pairs(representation: Representation) -> tuple[Vector, str]:
    """1 - correlation of all pairs of different stimuli, and a note on those that have none."""
    usable, note = keep_finite(representation)
    pairs = strict_upper(usable.correlation_distances())
    live = pairs[np.isfinite(pairs)]
    n_constant = len(usable.constant)
    constant = f"{n_constant} of {usable.n_stimuli} stimuli have constant activations and are left out"
    return live, join_notes(note, constant if n_constant else "")


def join_notes(*notes: str) -> str:
    """Notes in one line."""
    return "; ".join(note for note in notes if note)

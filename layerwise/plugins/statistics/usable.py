"""What geometry statistics can use of a representation: stimuli with finite activations, distinct ones, live ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.representation import Representation, strict_upper

Vector = NDArray[np.float64]
_SAME_ANGLE = 2.0**-22  # 1 - r that may be nothing but the rounding of r to float32
_SAME_LENGTH = 1e-6  # of norms and means, relative: what float32 activations and their sums can be off by


def keep_finite(representation: Representation) -> tuple[Representation, str]:
    """The stimuli whose activations are finite, and a note on the others; constant ones stay, they have a place."""
    usable = np.flatnonzero(np.isfinite(representation.norm) & np.isfinite(representation.mean))
    n_left_out = representation.n_stimuli - len(usable)
    if not n_left_out:
        return representation, ""
    note = f"{n_left_out} stimuli have activations that are not finite and are left out"
    return representation.take(usable), note


def find_doubles(representation: Representation) -> NDArray[np.bool_]:
    """Which pairs of stimuli have the same activations, as far as float32 can tell; (n, n)."""
    norm, level = representation.norm, np.sqrt(representation.n_features) * representation.mean
    size = norm + np.abs(level)
    allowed = _SAME_LENGTH * np.maximum.outer(size, size)
    same = np.nan_to_num(1 - representation.correlation) <= _SAME_ANGLE
    same &= np.abs(np.subtract.outer(norm, norm)) <= allowed
    same &= np.abs(np.subtract.outer(level, level)) <= allowed
    return np.asarray(same, dtype=np.bool_)


def upper_triangle(representation: Representation) -> tuple[Vector, str]:
    """Correlations of all pairs of different stimuli, and a note on those that have none."""
    usable, note = keep_finite(representation)
    pairs = strict_upper(usable.correlation).astype(np.float64)
    live = pairs[np.isfinite(pairs)]
    n_constant = len(usable.constant)
    constant = f"{n_constant} of {usable.n_stimuli} stimuli have constant activations and are left out"
    return live, join_notes(note, constant if n_constant else "")


def join_notes(*notes: str) -> str:
    """Notes in one line."""
    return "; ".join(note for note in notes if note)

"""Two transforms that keep one half of a layer's units each: what a noise ceiling is measured from.

A Gram matrix cannot be split by units afterwards, so halves must be asked for when the network runs:
`layerwise run ... --transform none --transform half-a --transform half-b`, then `layerwise ceiling RUN`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import Transform
from layerwise.core.network.model import Floats


def split_units(n_units: int, half: int) -> NDArray[np.intp]:
    """The indices of one half (0 or 1) of so many units, in ascending order; always the same ones.

    The first half is the larger one of an odd number. Which unit goes where is drawn with the number of units as
    the seed, so that a regular pattern in the units' order is not split along.
    """
    order = np.random.default_rng(n_units).permutation(n_units)
    middle = (n_units + 1) // 2
    return np.sort(order[:middle] if half == 0 else order[middle:])


class _Half(Transform):
    """Base: half of the channels, or of the units where there are fewer than two channels."""

    additive = False  # half of a block's channels is not half of each branch's
    half: int

    def apply(self, activations: Floats) -> Floats:
        """(batch, *positions, channels) to (batch, anything): whole channels, which positions share.

        Neighbouring positions of a channel are nearly copies of each other; split between the halves, they would
        make every layer look reliable.
        """
        if activations.shape[-1] < 2:
            activations = activations.reshape(len(activations), -1)
        kept: NDArray[Any] = activations[..., split_units(activations.shape[-1], self.half)]
        if not kept.size:  # the second half of a single unit: nothing that could vary
            return np.zeros((len(activations), 1), dtype=np.float32)
        return kept.reshape(len(kept), -1)


class HalfATransform(_Half):
    """The first half."""

    name = "half-a"
    description = "one random half of the channels, for noise ceilings; the other is half-b"
    half = 0


class HalfBTransform(_Half):
    """The second half."""

    name = "half-b"
    description = "the other half of the channels"
    half = 1


@hookimpl
def register_transforms() -> Sequence[Transform]:
    """The two halves."""
    return [HalfATransform(), HalfBTransform()]

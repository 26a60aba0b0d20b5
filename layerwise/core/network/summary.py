"""The numbers from which the default statistics of a layer are computed, gathered in one streaming pass.

They are sums, so that the summary of a block follows from those of its branches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.representation import read_only

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LayerSummary:
    """Moments and counts of one layer's activations. Provisional until 1.0.

    Attributes:
        n_features: Number of units p.
        mean: (n,); mean over units, per stimulus.
        power2: (n,); sum over units of (x - mean)^2, per stimulus.
        power3: (n,); sum over units of (x - mean)^3.
        power4: (n,); sum over units of (x - mean)^4.
        minimum: (n,); smallest activation.
        maximum: (n,); largest activation.
        n_zeros: (n,); number of activations that are exactly 0.
        absolute: (n,); sum over units of abs(x).
        n_dead: Units that are 0 for every stimulus.
        lifetime_sum: Sum over the other units of their Treves-Rolls sparseness over stimuli; NaN where
            some activation is negative.
        unit_variance2: Sum over units of their squared variance over stimuli (divided by n).
        n_stimuli: Number of stimuli n.
    """

    n_features: int
    mean: Vector
    power2: Vector
    power3: Vector
    power4: Vector
    minimum: Vector
    maximum: Vector
    n_zeros: Vector
    absolute: Vector
    n_dead: int
    lifetime_sum: float
    unit_variance2: float = float("nan")

    def __post_init__(self) -> None:
        for name, value in vars(self).items():  # every statistic is given the same arrays: none may change them
            if isinstance(value, np.ndarray):
                object.__setattr__(self, name, read_only(value))

    @property
    def n_stimuli(self) -> int:
        """Number of stimuli."""
        return len(self.mean)

    def central_moments(self) -> tuple[float, float, float, float]:
        """Mean and central moments 2, 3 and 4 over all units and stimuli together.

        Each stimulus's powers are moved from its own mean to the common one, in which nothing cancels.
        """
        mean = float(self.mean.mean())
        shift = self.mean - mean
        count = self.n_features * self.n_stimuli
        second = self.power2 + self.n_features * shift**2
        third = self.power3 + 3 * shift * self.power2 + self.n_features * shift**3
        fourth = self.power4 + 4 * shift * self.power3 + 6 * shift**2 * self.power2
        fourth += self.n_features * shift**4
        return mean, float(second.sum()) / count, float(third.sum()) / count, float(fourth.sum()) / count


Moments = tuple[Vector, Vector, Vector, Vector]
"""Mean over some units, and sums of squares, third and fourth powers about it, (n,) each."""


def concatenate_moments(parts: Sequence[tuple[int, Moments]]) -> Moments:
    """The moments of units laid side by side, from those of each part with its number of units.

    Powers are moved from each part's mean to the common one, in which nothing cancels.
    """
    n_features = sum(size for size, _ in parts)
    zero = np.zeros(len(parts[0][1][0]))
    mean = sum((size * moments[0] for size, moments in parts), zero) / n_features
    power2, power3, power4 = zero.copy(), zero.copy(), zero.copy()
    for size, (own_mean, second, third, fourth) in parts:
        shift = own_mean - mean
        power2 += second + size * shift**2
        power3 += third + 3 * shift * second + size * shift**3
        power4 += fourth + 4 * shift * third + 6 * shift**2 * second + size * shift**4
    return mean, power2, power3, power4


def concatenate_summaries(parts: Sequence[LayerSummary]) -> LayerSummary:
    """The summary of layers laid side by side: a block from its branches."""
    if len(parts) == 1:
        return parts[0]
    zero = np.zeros(parts[0].n_stimuli)
    mean, power2, power3, power4 = concatenate_moments(
        [(part.n_features, (part.mean, part.power2, part.power3, part.power4)) for part in parts]
    )
    return LayerSummary(
        n_features=sum(part.n_features for part in parts),
        mean=mean,
        power2=power2,
        power3=power3,
        power4=power4,
        minimum=np.min([part.minimum for part in parts], axis=0),
        maximum=np.max([part.maximum for part in parts], axis=0),
        n_zeros=sum((part.n_zeros for part in parts), zero),
        absolute=sum((part.absolute for part in parts), zero),
        n_dead=sum(part.n_dead for part in parts),
        lifetime_sum=sum(part.lifetime_sum for part in parts),
        unit_variance2=sum(part.unit_variance2 for part in parts),
    )

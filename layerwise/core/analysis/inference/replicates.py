"""Bootstrap and jackknife replicates: a number and what it would have been on other stimuli.

Two schemes draw the stimuli anew. With replacement, pairs of one stimulus with itself left out, where a measure
is a correlation over pairs and can weight them. For every other measure, subsets without replacement: a stimulus
that is there twice would be its own nearest neighbour and perfectly similar to itself, and no measure but a sum
over pairs can be told to overlook that.

The variance of a measure that is made of pairs has a part from the stimuli (which falls with n) and a part from the
pairs (which falls with n squared). Either scheme gets the first right and counts the second too often, by a factor
that is known (see `pair_factor`); so does the jackknife, by another. That is what lets `intervals` correct it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Statistic = Callable[[Values], Mapping[str, float]]


@dataclass(frozen=True, eq=False)
class Replicates:
    """Numbers, and the same numbers on other draws of the stimuli; NaN where one is undefined.

    Attributes:
        estimate: (...); on all stimuli.
        resampled: (n_resamples, ...); on each resample.
        left_out: (n_groups, ...); without each group of stimuli.
        n_stimuli: How many stimuli there are.
        subset_size: How many of them a resample has, drawn without replacement; 0 where it is as many as there
            are, drawn with replacement.
        value_range: Smallest and largest possible value, None where unbounded.
    """

    estimate: Values
    resampled: Values
    left_out: Values
    n_stimuli: int
    subset_size: int = 0
    value_range: tuple[float | None, float | None] = (None, None)

    @property
    def n_resamples(self) -> int:
        """How many resamples were drawn."""
        return len(self.resampled)

    @property
    def stretch(self) -> float:
        """What a deviation of a resample is multiplied by to be one of as many stimuli as there are."""
        if not self.subset_size:
            return 1.0
        return float(np.sqrt(self.subset_size / (self.n_stimuli - self.subset_size)))

    @property
    def pair_factor(self) -> float:
        """How often the (stretched) resamples count the part of the variance that comes from the pairs.

        With replacement 3: the weight w_i w_j of a pair has the mean square 2 x 2, so the variance 3. Subsets of a
        share f: (1 / f^2 - 1) f / (1 - f) = (1 + f) / f.
        """
        return 3.0 if not self.subset_size else (self.n_stimuli + self.subset_size) / self.subset_size

    @property
    def trust(self) -> float:
        """How much of what the pairs are counted too often is taken off: all with weights, half with subsets.

        Measures that cannot be reweighted are made of more than pairs (CKA's estimator of quadruples, ranks of all),
        which subsets count more often still; taking all of it off would leave too little.
        """
        return 0.5 if self.subset_size else 1.0

    @property
    def jackknife_factor(self) -> float:
        """The same of the jackknife: 2 where single stimuli are left out (Efron and Stein 1981)."""
        return 2.0 + 1.0 / (len(self.left_out) - 1)

    def select(self, index: tuple[NDArray[np.intp], ...]) -> Replicates:
        """Some of the numbers; `index` picks from the axes of `estimate`."""
        return replace(
            self,
            estimate=self.estimate[index],
            resampled=np.stack([values[index] for values in self.resampled]),
            left_out=np.stack([values[index] for values in self.left_out]),
        )

    def minus(self, other: Replicates) -> Replicates:
        """The differences, resample by resample; both must be of the same draws and shapes."""
        return replace(
            self,
            estimate=self.estimate - other.estimate,
            resampled=self.resampled - other.resampled,
            left_out=self.left_out - other.left_out,
            value_range=(None, None),
        )

    def map(self, statistic: Statistic) -> tuple[tuple[str, ...], Replicates]:
        """Names and replicates of numbers that are computed from a matrix; a name that is missing is NaN.

        Args:
            statistic: A matrix, as `estimate` is, to numbers by name.
        """
        first = statistic(self.estimate)
        names = tuple(first)

        def of_all(matrices: Values) -> Values:
            rows = [statistic(matrix) for matrix in matrices]
            return np.array([[row.get(name, np.nan) for name in names] for row in rows]).reshape(-1, len(names))

        found = replace(
            self,
            estimate=np.array([first[name] for name in names], dtype=np.float64),
            resampled=of_all(self.resampled),
            left_out=of_all(self.left_out),
            value_range=(None, None),
        )
        return names, found

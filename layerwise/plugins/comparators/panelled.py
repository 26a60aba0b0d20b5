"""RSA and centred kernels a few rows at a time: what they read of a panel, and what follows from sums of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.host.kinds import Metric, PairSums, PanelComparator
from layerwise.core.network.matrices.landmarks import LandmarkPairs
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.core.network.matrices.panels import Panel, above_diagonal
from layerwise.core.network.representation import Representation
from layerwise.core.network.resolution import CLOSE, SURE, is_flat

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
MIN_STIMULI = 3
FLAT = "all pairs of stimuli are equally similar, as far as the layer's resolution tells"
FEW_PAIRS = "fewer than three pairs of stimuli are defined in both layers"
SAME = "all stimuli have the same activations"
UNTOLD = "the layer's resolution does not tell the stimuli's activations apart"


@dataclass(frozen=True, eq=False)
class Spread:
    """What a metric's values for all pairs of a layer look like.

    Attributes:
        mean: Their mean.
        lowest: The smallest.
        highest: The largest.
        size: The largest, whatever its sign, stimuli with themselves included.
        error: The standard deviation of the error of the difference of the smallest and the largest.
        is_flat: Whether they are all the same as far as they are known.
    """

    mean: float
    lowest: float
    highest: float
    size: float
    error: float
    is_flat: bool


class RsaPanels(PanelComparator):
    """RSA whose values are compared as they are. Comes before `Rsa` among a class's bases."""

    metric: Metric
    shift_invariant: ClassVar[bool]

    @property
    def reads_panels(self) -> bool:
        """Whether the metric can, too."""
        return super().reads_panels and self.metric.reads_panels

    def survey(self, layer: Pairs) -> Spread:
        """Mean and ends of the metric's values.

        Raises:
            InputError: If fewer than three stimuli are defined, or all pairs are equally similar.
        """
        spread = survey_values(self.metric, layer, shifted=self.shift_invariant)
        self.check_spread(spread)
        return spread

    def check_spread(self, spread: Spread) -> None:
        """Refuse values that say nothing.

        Raises:
            InputError: If they are all the same.
        """
        if spread.is_flat:
            raise InputError(FLAT)

    def read_panel(self, survey: Spread, rows: slice, panel: Panel) -> Vector:
        """The metric's values less their mean."""
        del rows
        return above_diagonal(self.metric.compute_panel(panel, shifted=True)) - survey.mean


def correlate(sums: PairSums) -> float:
    """Pearson's correlation.

    Raises:
        InputError: If there are fewer than three pairs, or they are all the same in one of the layers.
    """
    if sums.count < MIN_STIMULI:
        raise InputError(FEW_PAIRS)
    first = sums.first_squared - sums.first**2 / sums.count
    second = sums.second_squared - sums.second**2 / sums.count
    if first <= 0 or second <= 0:
        raise InputError(FLAT)
    product = sums.product - sums.first * sums.second / sums.count
    return float(np.clip(product / math.sqrt(first) / math.sqrt(second), -1, 1))


def survey_values(metric: Metric, layer: Pairs, *, shifted: bool) -> Spread:
    """What a metric's values for all pairs look like.

    Raises:
        InputError: If fewer than three stimuli have a defined value with the others.
    """
    total, count, n_defined, n_seen, size = 0.0, 0, 0, 0, 0.0
    ends = [(np.inf, (0, 0, 0.0)), (np.inf, (0, 0, 0.0))]  # the smallest, and the smallest of the negative
    for rows, panel in layer.upper_panels():
        matrix = metric.compute_panel(panel, shifted=shifted)
        n_defined += int(np.isfinite(np.diagonal(matrix)).sum())
        n_seen += len(matrix)
        values = above_diagonal(matrix)
        known = values[np.isfinite(values)]
        total, count = total + float(known.sum()), count + len(known)
        size = max(size, float(np.nanmax(np.abs(matrix), initial=0)))
        for place, sign in enumerate((1, -1)):
            least = float((sign * known).min(initial=np.inf))
            if least < ends[place][0]:
                ends[place] = least, _find(matrix, sign * least, rows, panel)
    if n_defined < MIN_STIMULI:
        constant = n_seen - n_defined
        why = f" ({constant} of {n_seen} have constant activations)" if constant else ""
        raise InputError(f"RSA needs at least {MIN_STIMULI} stimuli, here are {n_defined}{why}")
    (lowest, low_pair), (negative, high_pair) = ends
    errors = np.array([_find_error(metric, layer, pair, shifted=shifted) for pair in (low_pair, high_pair)])
    values = np.array([lowest, -negative])
    same = values[1] - values[0] <= CLOSE * size and is_flat(values, errors)
    return Spread(total / count, lowest, -negative, size, float(np.hypot(*errors)), bool(same))


def _find(matrix: Matrix, value: float, rows: slice, panel: Panel) -> tuple[int, int, float]:
    """The first pair of different stimuli that has a value: both places, and what is stored of it."""
    n_rows, n_columns = matrix.shape
    is_it = (matrix == value) & (np.arange(n_columns) > np.arange(n_rows)[:, None])
    row, column = (int(place) for place in np.argwhere(is_it)[0])
    return rows.start + row, rows.start + column, float(panel.entries[row, column])


def _find_error(metric: Metric, layer: Pairs, pair: tuple[int, int, float], *, shifted: bool) -> float:
    """The standard deviation of the error of one pair's value: that of a layer of these two stimuli."""
    first, second, entry = pair
    both = [first, second]
    itself = np.inf if layer.entry_type == np.float32 else 0.0
    entries = np.array([[itself, entry], [entry, itself]], dtype=layer.entry_type)
    two = Representation(
        entries, layer.deviation[both], layer.mean[both], layer.norm[both], layer.n_features, layer.resolution
    )
    matrix = np.asarray(metric.compute(two), dtype=np.float64)
    if shifted:
        matrix = metric.differences(two, matrix)
    return float(metric.errors(two, matrix)[0, 1])


@dataclass(frozen=True, eq=False)
class Means:
    """What is taken out of a kernel's rows and columns.

    Attributes:
        across: float64 (n,); of each row, with half of what is put back.
        floor: How long the centred kernel may be where it is nothing but error.
        trace: Of the centred Gram matrix.
        share: How many pairs of different stimuli one that is read stands for.
        beyond: The centred kernel's diagonal of the stimuli that are no landmarks.
    """

    across: Vector
    floor: float
    trace: float
    share: float = 1.0
    beyond: Vector = field(default_factory=lambda: np.zeros(0))


class KernelPanels(PanelComparator):
    """The cosine between centred kernels. Comes before `CosineComparator` among a class's bases.

    Attributes:
        with_diagonal: Whether stimuli with themselves count.
        owner: What the measure is called in a refusal.
        n_least: How few stimuli there may be.
    """

    with_diagonal: ClassVar[bool] = True
    owner: ClassVar[str]
    n_least: ClassVar[int] = 3
    nothing: ClassVar[str]

    def survey(self, layer: Pairs) -> Means:
        """The kernel's means.

        Raises:
            InputError: If there are too few stimuli, or the layer does the same with all of them.
        """
        if layer.n_stimuli < self.n_least:
            raise InputError(f"{self.owner} needs at least {self.n_least} stimuli, here are {layer.n_stimuli}")
        layer.require_all()
        across = layer.centred_means
        trace = float(layer.deviation @ layer.deviation) - layer.n_stimuli * float(across.mean())
        if not trace > 0:
            raise InputError(f"{self.owner} is undefined: {SAME}")
        if trace <= SURE**2 * float(layer.activation_noise @ layer.activation_noise):
            raise InputError(f"{self.owner} is undefined: {UNTOLD}")
        means = Means(self.find_means(layer), self.find_floor(layer), trace)
        if isinstance(layer, LandmarkPairs):
            beyond = (layer.deviation**2 - 2 * means.across)[layer.landmarks :]
            return replace(means, share=layer.share, beyond=beyond)
        return means

    def find_means(self, layer: Pairs) -> Vector:
        """What `read_panel` takes out of row i and column j: k_ij - u_i - u_j."""
        across = layer.centred_means
        return np.asarray(across - across.mean() / 2)

    def find_floor(self, layer: Pairs) -> float:
        """As `CosineComparator.floor`."""
        return 2.0 * layer.gram_error

    def read_kernel(self, panel: Panel) -> Matrix:
        """The kernel before it is centred, (r, c)."""
        return panel.centred_products()

    def read_panel(self, survey: Means, rows: slice, panel: Panel) -> Vector:
        """A vector with the inner products of the symmetric matrix: the diagonal, then sqrt(2) times the rest.

        Of pairs with landmarks, as they are estimated: the diagonal is known, pairs that are not are like those that
        are.
        """
        kernel = self.read_kernel(panel)
        kernel -= survey.across[rows.start :]
        kernel -= survey.across[rows, None]
        above = above_diagonal(kernel)
        above *= math.sqrt(2 * survey.share)
        if not self.with_diagonal:
            return above
        beyond = survey.beyond if rows.start == 0 else survey.beyond[:0]
        return np.concatenate([np.diagonal(kernel), beyond, above])

    def check_sums(self, survey: Means, squared: float) -> str:
        """Refuse what is nothing but error.

        Raises:
            InputError: If the centred kernel is no longer than its error.
        """
        if math.sqrt(max(squared, 0.0)) <= survey.floor:
            raise InputError(f"{self.name} is undefined: {self.nothing}, as far as its resolution tells")
        return ""

    def conclude(self, sums: PairSums) -> float:
        """The cosine, read as the measure."""
        cosine = sums.product / math.sqrt(sums.first_squared) / math.sqrt(sums.second_squared)
        return float(self.read(np.atleast_1d(cosine))[0])

    def read(self, cosine: Vector) -> Vector:
        """The measure from cosines."""
        return np.clip(cosine, -1, 1)

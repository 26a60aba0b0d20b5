"""Comparators that take what layers say of pairs of stimuli a few rows at a time, and never hold a whole matrix."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from layerwise.core.host.kinds.measures import Comparator

if TYPE_CHECKING:
    from layerwise.core.network.matrices.pairs import Pairs
    from layerwise.core.network.matrices.panels import Panel


@dataclass(frozen=True)
class PairSums:
    """Sums over the pairs of stimuli that are defined in both of two layers, x of the first and y of the second.

    Attributes:
        count: How many there are.
        first: Sum of x.
        second: Sum of y.
        first_squared: Sum of x^2.
        second_squared: Sum of y^2.
        product: Sum of x y.
    """

    count: float
    first: float
    second: float
    first_squared: float
    second_squared: float
    product: float


class PanelComparator(Comparator):
    """A comparator whose value follows from sums of products of what two layers say of pairs. Provisional until 1.0.

    It gives the same as `prepare` and `compare` but for rounding, and is asked in their place where a matrix of all
    pairs of stimuli would be too large.

    Attributes:
        panelled: Whether it may be; declared by each class for itself, because one that changes what another computes
            does not change its panels.
        landmarked: Whether it may also be asked where only pairs with some stimuli are known (`Pairs.landmarks`), and
            gives the same then or an estimate of it; declared likewise.
    """

    panelled: ClassVar[bool] = False
    landmarked: ClassVar[bool] = False

    @property
    def reads_panels(self) -> bool:
        """Whether it can be asked in panels, as it is configured."""
        return bool(vars(type(self)).get("panelled", False))

    @property
    def reads_landmarks(self) -> bool:
        """Whether it can be asked of pairs with landmarks, as it is configured."""
        return self.reads_panels and bool(vars(type(self)).get("landmarked", False))

    @abstractmethod
    def survey(self, layer: Pairs) -> Any:
        """What must be known of a whole layer before its pairs are read: a mean, say. At most a few vectors.

        Raises:
            InputError: If the measure is undefined there; says why.
        """

    @abstractmethod
    def read_panel(self, survey: Any, rows: slice, panel: Panel) -> NDArray[np.float64]:
        """What is compared, of the pairs in a panel of the upper triangle; (k,), NaN where undefined."""

    def check_sums(self, survey: Any, squared: float) -> str:
        """What speaks against relying on a layer, in one line, once the sum of its squares is known; or nothing.

        Raises:
            InputError: If the measure is undefined there; says why.
        """
        del survey, squared
        return ""

    @abstractmethod
    def conclude(self, sums: PairSums) -> float:
        """The measure for two layers.

        Raises:
            InputError: If it is undefined for them; says why.
        """

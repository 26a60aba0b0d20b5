"""Statistics: summaries of one layer or of one weight tensor, by what they are computed from."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from layerwise.core.host.kinds.offer import Offer

if TYPE_CHECKING:
    from layerwise.core.network.model import Floats
    from layerwise.core.network.representation import Representation
    from layerwise.core.network.summary import LayerSummary


@dataclass(frozen=True, eq=False)
class StatisticValue:
    """What a statistic says of a layer or a weight tensor.

    Attributes:
        value: The number; None where it is undefined, and then `reason` says why.
        reason: Why there is no number, in a few words.
        vector: Several numbers (per stimulus, or a histogram's counts) where the statistic has them.
    """

    value: float | None
    reason: str = ""
    vector: NDArray[np.float64] | None = None


class Statistic(Offer):
    """Base of the five kinds of statistic; not subclassed directly. `unit` is shown beside the value."""

    _hook = "statistics"
    unit: ClassVar[str] = ""


class ActivationStatistic(Statistic):
    """A statistic that follows from the moments and counts that every analysis gathers. Costs nothing."""

    @abstractmethod
    def compute(self, summary: LayerSummary) -> StatisticValue:
        """The statistic of one layer."""


class RepresentationStatistic(Statistic):
    """A statistic that follows from the Gram matrix, and so can be asked of old runs.

    Attributes:
        cubic: Whether its cost grows with the cube of the number of stimuli, as eigenvalues do. Then a run above
            2,000 stimuli leaves it out, and `layerwise measure` computes it when asked.
        panelled: Whether it asks for nothing but what `Pairs` has, which is read a few rows at a time. Above 2,000
            stimuli a run holds no matrix, and leaves all others out as if they were cubic.
        landmarked: Whether it can also be had, or estimated, where only pairs with some stimuli are known
            (`Pairs.landmarks`). A run with landmarks has a reason in place of all others.
    """

    cubic: ClassVar[bool] = False
    panelled: ClassVar[bool] = False
    landmarked: ClassVar[bool] = False

    @abstractmethod
    def compute(self, representation: Representation) -> StatisticValue:
        """The statistic of one layer."""


class JointStatistic(Statistic):
    """A statistic that needs the Gram matrix and the moments and counts besides. Costs nothing while streaming.

    Attributes:
        panelled: As of a `RepresentationStatistic`; what is left out of a run of many stimuli cannot be added later.
        landmarked: As there.
    """

    panelled: ClassVar[bool] = False
    landmarked: ClassVar[bool] = False

    @abstractmethod
    def compute(self, summary: LayerSummary, representation: Representation) -> StatisticValue:
        """The statistic of one layer."""


class StreamedStatistic(Statistic):
    """A statistic that must see single units' activations as they stream by.

    A state belongs to one layer, and only one call at a time is given it: it needs no lock of its own. The calls may
    come from different threads, and those for different layers at the same time, so everything that changes belongs
    into the state and nothing onto the statistic itself. The order in which pieces of a layer come is not promised,
    and may differ from one run to the next.
    """

    @abstractmethod
    def start(self, n_stimuli: int, n_features: int) -> Any:
        """State for one layer."""

    @abstractmethod
    def update(self, state: Any, activations: Floats, stimuli: slice, units: slice) -> None:
        """Take in activations of shape (len(stimuli), len(units)); each cell of the layer comes once, in any order.

        Never called for one state by two threads at once.
        """

    @abstractmethod
    def finish(self, state: Any) -> StatisticValue:
        """The statistic, once all has been seen."""


class WeightStatistic(Statistic):
    """A statistic of one weight tensor."""

    @abstractmethod
    def compute(self, weights: NDArray[np.floating]) -> StatisticValue:
        """The statistic of one tensor, of any shape."""

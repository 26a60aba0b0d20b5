"""The kinds of thing a plugin can offer, as base classes: what each is asked for and what it must give.

A plugin subclasses one of these, and returns instances from the matching `register_*` hook. `name` is what
people type, `description` one line for `layerwise plugins`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from layerwise.core.layers import Layer
    from layerwise.core.model import Floats, LoadRequest, Model
    from layerwise.core.report import ReportContext, ReportSection
    from layerwise.core.representation import Representation
    from layerwise.core.stimuli import StimulusSet
    from layerwise.core.streaming.job import LayerSink, StreamJob
    from layerwise.core.summary import LayerSummary

Matrix = NDArray[np.floating]


class Offer(ABC):
    """Base of everything a plugin offers under a name."""

    name: ClassVar[str]
    description: ClassVar[str]


class ModelLoader(Offer):
    """Makes a `Model` from a name or a file."""

    def known_models(self) -> Sequence[str]:
        """Names that `layerwise models` lists; empty for loaders of files."""
        return ()

    @abstractmethod
    def accepts(self, model: str) -> bool:
        """Whether this loader can load the MODEL argument; cheap, and without importing a framework."""

    @abstractmethod
    def load(self, request: LoadRequest) -> Model:
        """Load it.

        Raises:
            InputError: If the model, its weights or its file are not as they must be.
        """


class StimulusSource(Offer):
    """Lists the stimuli found at a path."""

    @abstractmethod
    def accepts(self, location: str) -> bool:
        """Whether this source can read the PATH argument; cheap."""

    @abstractmethod
    def open(self, location: str) -> StimulusSet:
        """List its stimuli, without decoding them.

        Raises:
            InputError: If there is nothing there, or it is not as it must be.
        """


class LayerSelector(Offer):
    """Picks layers: `--layers NAME` or `--layers NAME:ARGUMENT`."""

    @abstractmethod
    def select(self, argument: str, layers: Sequence[Layer]) -> Sequence[Layer]:
        """The layers that `argument` (what follows the colon, or empty) picks, a subset of `layers`.

        Raises:
            InputError: If the argument makes no sense; that nothing matches is reported by the caller.
        """


class Transform(Offer):
    """Changes each stimulus's activation before it becomes a representation.

    Attributes:
        additive: Whether transforming branches and laying them side by side is the same as transforming the
            block; only then is a block the sum of its branches.
    """

    additive: ClassVar[bool]

    @abstractmethod
    def apply(self, activations: Floats) -> Floats:
        """(batch, *shape) to float32 (batch, anything), each stimulus by itself; the input is not changed."""


@dataclass(frozen=True)
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
    """Base of the four kinds of statistic; not subclassed directly. `unit` is shown beside the value."""

    unit: ClassVar[str] = ""


class ActivationStatistic(Statistic):
    """A statistic that follows from the moments and counts that every analysis gathers. Costs nothing."""

    @abstractmethod
    def compute(self, summary: LayerSummary) -> StatisticValue:
        """The statistic of one layer."""


class RepresentationStatistic(Statistic):
    """A statistic that follows from the Gram matrix, and so can be asked of old runs."""

    @abstractmethod
    def compute(self, representation: Representation) -> StatisticValue:
        """The statistic of one layer."""


class StreamedStatistic(Statistic):
    """A statistic that must see single units' activations as they stream by."""

    @abstractmethod
    def start(self, n_stimuli: int, n_features: int) -> Any:
        """State for one layer."""

    @abstractmethod
    def update(self, state: Any, activations: Floats, stimuli: slice, units: slice) -> None:
        """Take in activations of shape (len(stimuli), len(units)); each cell of the layer comes once."""

    @abstractmethod
    def finish(self, state: Any) -> StatisticValue:
        """The statistic, once all has been seen."""


class WeightStatistic(Statistic):
    """A statistic of one weight tensor."""

    @abstractmethod
    def compute(self, weights: NDArray[np.floating]) -> StatisticValue:
        """The statistic of one tensor, of any shape."""


class Metric(Offer):
    """First order: a representation to an (n, n) similarity or distance between stimuli."""

    kind: ClassVar[Literal["similarity", "distance"]]

    @abstractmethod
    def compute(self, representation: Representation) -> Matrix:
        """The symmetric (n, n) matrix; NaN only for stimuli with constant activations."""


class Comparator(Offer):
    """Second order: two representations of the same stimuli to a number.

    Attributes:
        kind: Whether larger means more alike (`similarity`) or less (`distance`).
        symmetric: Whether the order of the two does not matter.
        value_range: Smallest and largest possible value, None where unbounded.
        invariant_to: What leaves it unchanged, among `orthogonal`, `isotropic-scaling`, `invertible-linear`,
            `translation` (the same vector added to every stimulus), `stimulus-permutation`.
    """

    kind: ClassVar[Literal["similarity", "distance"]]
    symmetric: ClassVar[bool]
    value_range: ClassVar[tuple[float | None, float | None]]
    invariant_to: ClassVar[frozenset[str]]

    @abstractmethod
    def prepare(self, representation: Representation) -> Any:
        """What `compare` needs of one layer; called once per layer.

        Raises:
            InputError: If the measure is undefined there (too few stimuli, constant activations); says why.
        """

    @abstractmethod
    def compare(self, first: Any, second: Any) -> float:
        """The measure for two prepared layers."""

    def compare_all(self, rows: Sequence[Any], columns: Sequence[Any]) -> NDArray[np.float64]:
        """The measure for every pair, (len(rows), len(columns)); override where a product does it at once."""
        return np.array([[self.compare(row, column) for column in columns] for row in rows], dtype=np.float64)


class Reorderer(Offer):
    """An (n, n) similarity matrix to a permutation of its stimuli."""

    @abstractmethod
    def order(self, similarity: Matrix, labels: Sequence[str | None]) -> NDArray[np.intp]:
        """A permutation of range(n); rows of constant activations are NaN.

        Raises:
            InputError: If it cannot be done (no labels, for instance).
        """


class Engine(Offer):
    """Carries out the streaming of one run: on this machine, or on several."""

    @abstractmethod
    def stream(self, job: StreamJob, sink: LayerSink) -> None:
        """Compute every layer of the job, handing each to the sink as soon as it is finished."""


class SectionBuilder(Offer):
    """Builds one section of a report from queries. `position` orders the sections."""

    position: ClassVar[int]

    @abstractmethod
    def applies(self, context: ReportContext) -> bool:
        """Whether the section has something to show for the runs of `context`; cheap."""

    @abstractmethod
    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw.

        Raises:
            LayerwiseError: If it cannot be shown; the page says so in one line, and goes on with the next section.
        """


class CommandGroup(Offer):
    """Adds commands to the command line."""

    @abstractmethod
    def attach(self, app: Any) -> None:
        """Add commands to the Typer application `app`."""

"""The kinds of thing a plugin can offer, as base classes: what each is asked for and what it must give.

A plugin subclasses one of these, and returns instances from the matching `register_*` hook. `name` is what
people type, `description` one line for `layerwise plugins`.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from layerwise.core.parameters import Parameter, Setting, read_settings

if TYPE_CHECKING:
    from layerwise.core.figures import NamedFigure
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
    """Base of the five kinds of statistic; not subclassed directly. `unit` is shown beside the value."""

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


class JointStatistic(Statistic):
    """A statistic that needs the Gram matrix and the moments and counts besides. Costs nothing while streaming."""

    @abstractmethod
    def compute(self, summary: LayerSummary, representation: Representation) -> StatisticValue:
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
    """First order: a representation to an (n, n) similarity or distance between stimuli.

    Attributes:
        kind: Whether larger means more alike (`similarity`) or less (`distance`).
        symbol: What a value is called on an axis: `r` for a correlation; the metric's name where empty.
        unit: Of the values, where they have one: `radians`.
        value_range: Smallest and largest possible value, None where unbounded.
        needs_transform: The activation transform whose representation it is computed from, `none` for the plain one.
    """

    kind: ClassVar[Literal["similarity", "distance"]]
    symbol: ClassVar[str] = ""
    unit: ClassVar[str] = ""
    value_range: ClassVar[tuple[float | None, float | None]] = (None, None)
    needs_transform: ClassVar[str] = "none"

    @abstractmethod
    def compute(self, representation: Representation) -> Matrix:
        """The symmetric (n, n) matrix; NaN only for stimuli with constant activations."""


class Comparator(Offer):
    """Second order: two representations of the same stimuli to a number.

    Attributes:
        kind: Whether larger means more alike (`similarity`) or less (`distance`).
        symmetric: Whether the order of the two does not matter; where it does, the first is the row.
        value_range: Smallest and largest possible value, None where unbounded.
        invariant_to: What leaves it unchanged, among `orthogonal`, `isotropic-scaling`, `invertible-linear`,
            `translation` (the same vector added to every stimulus), `stimulus-permutation`; with default settings.
        parameters: What can be set.
        symbol: What a value is called on an axis, such as `r`; the comparator's name where empty.
        threaded: Whether `prepare` and `compare` may be called from several threads at once, because they change
            nothing but their own variables; then layers and pairs are computed side by side.
    """

    kind: ClassVar[Literal["similarity", "distance"]]
    symmetric: ClassVar[bool]
    value_range: ClassVar[tuple[float | None, float | None]]
    invariant_to: ClassVar[frozenset[str]]
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    symbol: ClassVar[str] = ""
    threaded: ClassVar[bool] = False
    _changed: Mapping[str, Setting] = {}

    @property
    def settings(self) -> dict[str, Any]:
        """The value of every parameter, set or default."""
        return {item.name: item.default for item in self.parameters} | dict(self._changed)

    @property
    def changed(self) -> dict[str, Setting]:
        """The settings that are not the defaults: part of the key under which a value is kept."""
        return dict(self._changed)

    def configured(self, **settings: Setting) -> Self:
        """A copy with these settings, the others as they are here.

        Raises:
            InputError: If there is no such parameter (those that there are are listed) or a value is not allowed.
        """
        read = read_settings(self.name, self.parameters, settings)
        defaults = {item.name: item.default for item in self.parameters}
        together = {**self._changed, **read}
        other = copy.copy(self)
        other._changed = {name: value for name, value in together.items() if value != defaults[name]}
        return other

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
        """The measure for every pair, (len(rows), len(columns)); override where a product does it at once.

        NaN leaves that pair to `compare`.
        """
        return np.array([[self.compare(row, column) for column in columns] for row in rows], dtype=np.float64)

    def compare_pairs(self, firsts: Sequence[Any], seconds: Sequence[Any]) -> NDArray[np.float64]:
        """The measure for several pairs, each of `firsts` with that of `seconds`; override where that is faster.

        Asked with a few pairs at a time, and where `threaded` from several threads. NaN leaves a pair to `compare`.
        """
        return np.array([self.compare(first, second) for first, second in zip(firsts, seconds, strict=True)])

    def warn(self, representation: Representation, state: Any) -> str:
        """Why the measure says little about this layer, in one line; empty where nothing speaks against it."""
        del representation, state
        return ""


class MetricComparator(Comparator):
    """A comparator of what one metric makes of two layers: a matrix each.

    Attributes:
        metric: The metric that is used unless another is asked for (`--metric`).
    """

    metric: Metric

    def with_metric(self, metric: Metric) -> Self:
        """A copy that compares another metric's matrices."""
        other = copy.copy(self)
        other.metric = metric
        return other

    def prepare(self, representation: Representation) -> Any:
        """Compute the metric's matrix and prepare that."""
        return self.prepare_matrix(self.metric.compute(representation))

    @abstractmethod
    def prepare_matrix(self, matrix: Matrix) -> Any:
        """What `compare` needs of one layer's (n, n) matrix; NaN where a stimulus is undefined.

        Raises:
            InputError: If the measure is undefined there; says why.
        """


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

    def figures(self) -> Sequence[NamedFigure]:
        """Figures that `layerwise figure` draws under a name of their own; none unless the section says otherwise.

        The charts that `build` makes are offered as `SECTION/FIGURE` besides.
        """
        return ()


class CommandGroup(Offer):
    """Adds commands to the command line."""

    @abstractmethod
    def attach(self, app: Any) -> None:
        """Add commands to the Typer application `app`."""

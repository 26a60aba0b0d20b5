"""Measures of first and second order: metrics between stimuli, comparators of layers, and orders of stimuli."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.parameters import Parameter, Setting, read_settings
from layerwise.core.host.kinds.offer import Offer
from layerwise.core.network.resolution import settle

if TYPE_CHECKING:
    from layerwise.core.network.matrices.panels import Panel
    from layerwise.core.network.representation import Representation

Matrix = NDArray[np.floating]

INVARIANCES = frozenset(
    {"orthogonal", "isotropic-scaling", "invertible-linear", "translation", "stimulus-permutation"}
)
"""What a comparator may say that it is invariant to."""


class Metric(Offer):
    """First order: a representation to an (n, n) similarity or distance between stimuli.

    Attributes:
        kind: Whether larger means more alike (`similarity`) or less (`distance`).
        symbol: What a value is called on an axis: `r` for a correlation; the metric's name where empty.
        unit: Of the values, where they have one: `radians`.
        value_range: Smallest and largest possible value, None where unbounded.
        needs_transform: The activation transform whose representation it is computed from, `none` for the plain one.
        of_distances: Whether it is a function of each pair's squared distance alone, so that of imported distances it
            keeps the zero.
    """

    _hook = "metrics"
    kind: ClassVar[Literal["similarity", "distance"]]
    symbol: ClassVar[str] = ""
    unit: ClassVar[str] = ""
    value_range: ClassVar[tuple[float | None, float | None]] = (None, None)
    needs_transform: ClassVar[str] = "none"
    of_distances: ClassVar[bool] = False

    @abstractmethod
    def compute(self, representation: Representation) -> Matrix:
        """The symmetric (n, n) matrix; NaN only for stimuli with constant activations.

        Raises:
            InputError: If the metric is undefined for the layer; says why.
        """

    @property
    def reads_panels(self) -> bool:
        """Whether `compute_panel` gives what `compute` gives: not where only the latter was overridden since."""
        kinds = type(self).__mro__
        panel, whole = (next(kind for kind in kinds if name in vars(kind)) for name in ("compute_panel", "compute"))
        return panel is not Metric and kinds.index(panel) <= kinds.index(whole)

    def compute_panel(self, panel: Panel, *, shifted: bool) -> NDArray[np.float64]:
        """Some rows of the matrix, (r, c), a new array; for metrics that can. Provisional until 1.0.

        Args:
            panel: The pairs.
            shifted: Whether the same number may be added to all values, so that none loses digits; as `differences`.
        """
        raise NotImplementedError

    def differences(self, representation: Representation, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """What `compute` gave less one number for all entries, with digits that it has lost; (n, n).

        Similarities that are 1 for what is the same have few digits left near 1, and their differences from 1 have
        all. Asked by comparators that are `shift_invariant`. This one gives the matrix as it is.
        """
        del representation
        return matrix

    def errors(self, representation: Representation, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """The standard deviation of the error of each entry of what `compute` or `differences` gave, (n, n).

        Decides which pairs are equally similar as far as is known. This one computes the matrix again from a
        perturbed representation, and takes the typical change for all entries; override it where more is known.
        """
        again = self.compute(representation.perturb(with_activations=False))
        change = (again - matrix)[~np.eye(len(matrix), dtype=np.bool_)]
        change = change[np.isfinite(change)]
        typical = float(np.sqrt(np.mean(change**2))) if len(change) else 0.0
        return np.full(matrix.shape, typical)


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
        ordinal: Whether the order of values between stimuli counts, or how many are the same: where stimuli are
            crowded, rounding may change it though it changes no value by much.
    """

    _hook = "comparators"
    kind: ClassVar[Literal["similarity", "distance"]]
    symmetric: ClassVar[bool]
    value_range: ClassVar[tuple[float | None, float | None]]
    invariant_to: ClassVar[frozenset[str]]
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    symbol: ClassVar[str] = ""
    threaded: ClassVar[bool] = False
    ordinal: ClassVar[bool] = False
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
        """What `compare` needs of one layer; called once per layer, or again where not all states fit into memory.

        Raises:
            InputError: If the measure is undefined there (too few stimuli, constant activations); says why.
        """

    @abstractmethod
    def compare(self, first: Any, second: Any) -> float:
        """The measure for two prepared layers."""

    def compare_all(self, rows: Sequence[Any], columns: Sequence[Any]) -> NDArray[np.float64]:
        """The measure for every pair, (len(rows), len(columns)); override where a product does it at once.

        Asked for as many at once as fit into memory with a copy of each; `rows` and `columns` are the very same list
        where all are compared with each other.
        NaN leaves that pair to `compare`.
        """
        return np.array([[self.compare(row, column) for column in columns] for row in rows], dtype=np.float64)

    def compare_pairs(self, firsts: Sequence[Any], seconds: Sequence[Any]) -> NDArray[np.float64]:
        """The measure for several pairs, each of `firsts` with that of `seconds`; override where that is faster.

        Asked with a few pairs at a time, and where `threaded` from several threads. NaN leaves a pair to `compare`.
        """
        return np.array([self.compare(first, second) for first, second in zip(firsts, seconds, strict=True)])

    def error(self, value: float, first: Any, second: Any) -> float:
        """The standard deviation of a value's error, as far as the states know; 0 where they say nothing of it.

        For distances of layers that are nearly the same, and other small differences of what is large. That stimuli
        are hardly told apart is looked after without this.
        """
        del value, first, second
        return 0.0

    def warn(self, representation: Representation, state: Any) -> str:
        """Why the measure says little about this layer, in one line; empty where nothing speaks against it."""
        del representation, state
        return ""


class MetricComparator(Comparator):
    """A comparator of what one metric makes of two layers: a matrix each.

    Attributes:
        metric: The metric that is used unless another is asked for (`--metric`).
        ordinal: As of every comparator. Then values that are the same as far as they are known are made exactly equal
            before `prepare_matrix` sees them.
        needs_zero: Whether the zero of the values counts, which similarities made of imported distances do not have.
        shift_invariant: Whether a number that is added to all values changes nothing. Then `prepare_matrix` may be
            handed similarities less their largest value, which have all of their digits.
    """

    metric: Metric
    ordinal: ClassVar[bool] = True
    needs_zero: ClassVar[bool] = False
    shift_invariant: ClassVar[bool] = False

    def with_metric(self, metric: Metric) -> Self:
        """A copy that compares another metric's matrices."""
        other = copy.copy(self)
        other.metric = metric
        return other

    def prepare(self, representation: Representation) -> Any:
        """Compute the metric's matrix and prepare that."""
        return self.prepare_metric(self.metric, representation, self.metric.compute(representation))

    def prepare_metric(self, metric: Metric, representation: Representation, matrix: Matrix) -> Any:
        """Settle what a metric made of a layer as far as it is known, and prepare that.

        Args:
            metric: The metric.
            representation: The layer.
            matrix: What the metric made of it, (n, n).

        Raises:
            InputError: If the measure is undefined there; says why.
        """
        if self.needs_zero and not (representation.has_zero or metric.of_distances):
            raise InputError(
                f"only distances are known of it, and {self.name} needs the zero of the {metric.name} metric: "
                "ask for `--metric squared-euclidean`"
            )
        return self.prepare_matrix(
            self._settle(metric, representation, matrix, shift=self.shift_invariant, ties=self.ordinal)
        )

    @staticmethod
    def _settle(
        metric: Metric, representation: Representation, matrix: Matrix, *, shift: bool, ties: bool
    ) -> NDArray[np.float64]:
        exact = np.asarray(matrix, dtype=np.float64)
        if shift:
            exact = np.asarray(metric.differences(representation, exact), dtype=np.float64)
        return settle(exact, lambda: metric.errors(representation, exact), ties=ties)

    @abstractmethod
    def prepare_matrix(self, matrix: Matrix) -> Any:
        """What `compare` needs of one layer's (n, n) matrix; NaN where a stimulus is undefined.

        Raises:
            InputError: If the measure is undefined there; says why.
        """


class Reorderer(Offer):
    """An (n, n) similarity matrix to a permutation of its stimuli."""

    _hook = "reorderers"

    @abstractmethod
    def order(self, similarity: Matrix, labels: Sequence[str | None]) -> NDArray[np.intp]:
        """A permutation of range(n); rows of constant activations are NaN.

        Raises:
            InputError: If it cannot be done (no labels, for instance).
        """

"""A measure: a comparator with its settings and, where it compares matrices, a metric, ready to be asked.

The registry knows comparators and metrics by name; a `Measure` is one of them made ready, with the provider under
which its values are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.parameters import Setting, canonical
from layerwise.core.base.provider import Provider
from layerwise.core.history.records import LayerAddress
from layerwise.core.host.kinds import Comparator, Metric, MetricComparator
from layerwise.core.host.registry import Registered, Registry
from layerwise.core.host.validation import check_array, check_comparison, check_metric
from layerwise.core.network.representation import NO_TRANSFORM, Representation


@dataclass(frozen=True)
class Measure:
    """A comparator with its settings, ready to be asked. All failures name the plugin.

    Attributes:
        comparator: The comparator, configured.
        metric: The metric that was asked for; None where the comparator's own default is used or it needs none.
    """

    comparator: Registered[Comparator]
    metric: Registered[Metric] | None = None

    @property
    def name(self) -> str:
        """The comparator's bare name."""
        return self.comparator.name

    @property
    def kind(self) -> Literal["similarity", "distance"]:
        """Whether larger means more alike, or less."""
        return self.comparator.offer.kind

    @property
    def symmetric(self) -> bool:
        """Whether the order of the two layers does not matter."""
        return self.comparator.offer.symmetric

    @property
    def provider(self) -> Provider:
        """Who computes it, with the settings that are not the defaults: the key under which values are kept."""
        return provider_with(self.comparator, self.comparator.offer.changed, self.metric)

    def resolve(self, address: LayerAddress) -> LayerAddress:
        """Where the representation is that this measure reads of a layer: a metric may need a transform's.

        Raises:
            InputError: If the layer is asked for under one transform, and the metric needs another.
        """
        return address if self.metric is None else find_read_address(self.metric, address)

    def prepare(self, representation: Representation) -> Any:
        """The comparator's state of one layer.

        Raises:
            InputError: If the measure is undefined there; says why.
            PluginError: If the comparator or the metric fails.
        """
        offer = self.comparator.offer
        if self.metric is None or not isinstance(offer, MetricComparator):
            return self.comparator.call(offer.prepare, representation)
        matrix = compute_metric(self.metric, representation)
        return self.comparator.call(offer.prepare_metric, self.metric.offer, representation, matrix)

    def warn(self, representation: Representation, state: Any) -> str:
        """Why the measure says little about this layer, in one line; or nothing."""
        return " ".join(str(self.comparator.call(self.comparator.offer.warn, representation, state)).split())

    def compare(self, first: Any, second: Any) -> float:
        """The checked value for two states.

        Raises:
            InputError: If it is undefined for them; says why.
            PluginError: If the comparator fails, or the value is not in its range.
        """
        return self.check(self.comparator.call(self.comparator.offer.compare, first, second))

    def error(self, value: float, first: Any, second: Any) -> float:
        """The standard deviation of a value's error, as far as the comparator knows; 0 where it does not."""
        offer = self.comparator.offer
        if type(offer).error is Comparator.error:
            return 0.0
        return float(self.comparator.call(offer.error, value, first, second))

    def check(self, value: object) -> float:
        """A value as a float, within the comparator's range."""
        return check_comparison(self.comparator, value)

    def compare_all(self, rows: Sequence[Any], columns: Sequence[Any]) -> NDArray[np.float64] | None:
        """(len(rows), len(columns)) values at once, not yet checked; None where the comparator cannot."""
        if not self.compares_all:
            return None
        matrix = self.comparator.call(self.comparator.offer.compare_all, rows, columns)
        return check_array(self.comparator, matrix, (len(rows), len(columns)), finite=False)

    @property
    def compares_all(self) -> bool:
        """Whether the comparator has a way to compare rows with columns that is faster than one by one."""
        return type(self.comparator.offer).compare_all is not Comparator.compare_all

    @property
    def compares_pairs(self) -> bool:
        """Whether the comparator has a way to compare several pairs that is faster than one by one."""
        return type(self.comparator.offer).compare_pairs is not Comparator.compare_pairs

    def compare_pairs(self, firsts: Sequence[Any], seconds: Sequence[Any]) -> NDArray[np.float64]:
        """(len(firsts),) values of pairs, not yet checked; NaN where undefined.

        Raises:
            InputError: If the comparator refuses one of the pairs, whichever.
            PluginError: If it fails.
        """
        values = self.comparator.call(self.comparator.offer.compare_pairs, firsts, seconds)
        return check_array(self.comparator, values, (len(firsts),), finite=False)


def provider_with(
    offer: Registered[Any], settings: Mapping[str, Setting], metric: Registered[Metric] | None
) -> Provider:
    """Under whom results of an offer are kept that was given settings, and perhaps a metric to work on."""
    provider = replace(offer.provider, parameters=canonical(settings))
    if metric is None:
        return provider
    named = {**settings, "metric": f"{metric.qualified_name} r{metric.offer.revision}"}
    strange = f", {metric.distribution} {metric.version}" if metric.distribution != offer.distribution else ""
    return replace(provider, parameters=canonical(named), version=f"{offer.version}{strange}")


def find_read_address(metric: Registered[Metric], address: LayerAddress) -> LayerAddress:
    """Where the representation is that a metric reads of a layer: it may need a transform's.

    Raises:
        InputError: If the layer is asked for under one transform, and the metric needs another.
    """
    needed = metric.offer.needs_transform
    if needed in (NO_TRANSFORM, address.transform):
        return address
    if address.transform != NO_TRANSFORM:
        raise InputError(f"metric '{metric.name}' is of '{needed}' activations, not of '{address.transform}' ones")
    return replace(address, transform=needed)


def compute_metric(metric: Registered[Metric], representation: Representation) -> NDArray[np.float64]:
    """A metric's matrix of one layer, checked; (n, n).

    Raises:
        PluginError: If the metric fails, or what it gives is no such matrix.
    """
    matrix = metric.call(metric.offer.compute, representation)
    return check_metric(metric, matrix, representation.n_stimuli, representation.constant)


def explain_missing(metric: Registered[Metric] | None, error: InputError) -> InputError:
    """The error that a representation is not stored, with what would store it where a metric needs a transform."""
    if metric is None or metric.offer.needs_transform == NO_TRANSFORM:
        return error
    return InputError(
        f"{error}; metric '{metric.name}' needs a run with `--transform {metric.offer.needs_transform}`"
    )


def find_measure(
    registry: Registry, comparator: str, settings: Mapping[str, Setting] | None = None, metric: str | None = None
) -> Measure:
    """Look a comparator up and configure it.

    Args:
        registry: Knows comparators and metrics.
        comparator: Bare or qualified name.
        settings: Values of its parameters, as numbers or as typed.
        metric: Bare or qualified name of the metric whose matrices it compares; None for its own default.

    Raises:
        InputError: If there is no such comparator, parameter or metric, or the comparator uses no metric.
    """
    found = registry.get(Comparator, comparator)
    if settings:
        found = replace(found, offer=found.offer.configured(**settings))
    if metric is None:
        return Measure(found)
    chosen = registry.get(Metric, metric)
    if not isinstance(found.offer, MetricComparator):
        raise InputError(f"'{found.name}' compares no metric's matrices, so it cannot be asked for '{metric}'")
    default = find_default_metric(registry, found)
    if default is not None and chosen.qualified_name == default.qualified_name:
        return Measure(found)  # under the key of the default, however it is asked for
    return Measure(replace(found, offer=found.offer.with_metric(chosen.offer)), chosen)


def find_default_metric(registry: Registry, comparator: Registered[Comparator]) -> Registered[Metric] | None:
    """The metric that a comparator compares unless it is asked for another, as it is registered.

    None where it compares none, or one that nobody offers. Class, name and settings decide together: several offers
    may share a class, and two distributions a name; of these the comparator's own comes first.
    """
    offer = comparator.offer
    if not isinstance(offer, MetricComparator):
        return None
    alike = [metric for metric in registry.all(Metric) if _are_alike(metric.offer, offer.metric)]
    return min(alike, key=lambda metric: metric.distribution != comparator.distribution, default=None)


def _are_alike(one: Metric, other: Metric) -> bool:
    """Whether two metrics are the same offer: if in doubt they are not, which costs a computation, never a number."""
    if one is other:
        return True
    mine, theirs = vars(one), vars(other)
    same_kind = type(one) is type(other) and one.name == other.name and mine.keys() == theirs.keys()
    return same_kind and all(np.array_equal(mine[name], theirs[name]) for name in mine)

"""Measures, made ready from the built-in plugins."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from layerwise.core.analysis.measure import Measure, find_measure
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import Comparator
from layerwise.core.host.registry import Registry
from layerwise.plugins import load_plugins


@pytest.fixture(scope="session")
def registry() -> Registry:
    return load_plugins()


@pytest.fixture(scope="session")
def rsa(registry: Registry) -> Measure:
    return find_measure(registry, "rsa-pearson")


@pytest.fixture
def measure_of() -> Callable[[Comparator], Measure]:
    """A measure from a comparator that no plugin offers."""

    def make(comparator: Comparator) -> Measure:
        registry = Registry()
        plugin = SimpleNamespace(register_comparators=hookimpl(lambda: [comparator]))
        registry.register(plugin, "plugin", "dist", "1")
        return find_measure(registry, comparator.name)

    return make

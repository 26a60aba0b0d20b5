"""Layers compared a few rows at a time: the same numbers, refusals and warnings as from whole matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from layerwise.core.analysis import compute_panels
from layerwise.core.analysis.compare import ComparisonTable, compare_layers
from layerwise.core.analysis.measure import find_measure
from layerwise.core.base.errors import InputError
from layerwise.core.history.records import LayerAddress
from layerwise.core.host.kinds import PanelComparator
from layerwise.core.network.representation import Representation
from layerwise.plugins.comparators import cka, register_comparators
from layerwise.plugins.comparators.rsa import PearsonRsa
from layerwise.plugins.metrics import PearsonMetric, SpearmanMetric

N = 150  # more than two panels, and no whole number of them
PANELLED = [offer.name for offer in register_comparators() if isinstance(offer, PanelComparator)]
METRICS = ["cosine", "correlation-distance", "euclidean", "squared-euclidean", "angular"]


def make_layers() -> dict[str, np.ndarray]:
    """Layers of every kind that a comparison treats in its own way."""
    generator = np.random.default_rng(5)
    base = generator.normal(size=(N, 40))
    constant = np.maximum(base @ generator.normal(size=(40, 30)), 0).astype(np.float32)
    constant[[3, 70]], constant[140] = 0, 2.5
    return {
        "plain": base.astype(np.float32),
        "related": (base + generator.normal(size=base.shape)).astype(np.float32),
        "constant": constant,
        "blurred": (1e4 + 0.02 * base).astype(np.float32),
        "same": np.full((N, 7), 0.25, dtype=np.float32),
        "flat": np.eye(N, dtype=np.float32),
    }


@pytest.fixture(scope="module")
def layers() -> dict[str, np.ndarray]:
    return make_layers()


@pytest.fixture(autouse=True)
def _one_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of thousands of stimuli: how often a layer is drawn as it might as well be known."""
    monkeypatch.setattr("layerwise.core.analysis.doubt._CELLS", 1)


def compare(fake: Any, layers: Any, name: str, metric: str | None = None, **options: Any) -> ComparisonTable:
    history, registry = fake.MadeHistory(), fake.make_registry()
    fake.add_rows(history, "run1", layers)
    addresses = [LayerAddress("run1", layer) for layer in layers]
    with np.errstate(all="raise", under="ignore"):
        return compare_layers(registry, history, find_measure(registry, name, metric=metric), addresses, **options)


def check_same(whole: ComparisonTable, panels: ComparisonTable) -> None:
    np.testing.assert_allclose(panels.matrix, whole.matrix, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(panels.matrix, panels.matrix.T)
    assert panels.reasons.keys() == whole.reasons.keys()
    itself = [pair for pair in whole.reasons if pair[0] == pair[1]]  # of two without a value either may be named
    assert [panels.reasons[pair] for pair in itself] == [whole.reasons[pair] for pair in itself]
    assert {panels.reasons[pair] for pair in whole.reasons} <= set(whole.reasons.values())
    assert sorted(panels.warnings) == sorted(whole.warnings)
    np.testing.assert_array_equal(panels.marked, whole.marked)


def refuse_matrices(layer: Representation, read: Any) -> np.ndarray:
    assert layer.n_stimuli == 2, "a whole matrix was made"
    return read(layer.panel(slice(None)))


@pytest.mark.parametrize("name", PANELLED)
def test_a_measure_says_the_same_in_panels_as_of_whole_layers(fake, layers, monkeypatch, name) -> None:
    whole = compare(fake, layers, name)
    monkeypatch.setattr(compute_panels, "MOST_WHOLE", N - 1)
    monkeypatch.setattr(Representation, "_fill", refuse_matrices)
    check_same(whole, compare(fake, layers, name, memory=1))
    check_same(whole, compare(fake, layers, name))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", ["rsa-pearson", "rsa-cosine"])
def test_every_metric_says_the_same_in_panels(fake, layers, monkeypatch, name, metric) -> None:
    whole = compare(fake, layers, name, metric)
    monkeypatch.setattr(compute_panels, "MOST_WHOLE", N - 1)
    check_same(whole, compare(fake, layers, name, metric))


def test_progress_goes_up_and_ends_with_all_pairs(fake, layers, monkeypatch) -> None:
    monkeypatch.setattr(compute_panels, "MOST_WHOLE", N - 1)
    seen: list[tuple[int, int]] = []
    compare(fake, layers, "cka", progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == ((0, 36), (36, 36))


def test_what_changes_a_comparator_without_its_panels_is_asked_for_whole_layers() -> None:
    class Other(PearsonRsa):
        name = "other"

    class OtherMetric(PearsonMetric):
        def compute(self, representation):
            return super().compute(representation) ** 2

    assert PearsonRsa().reads_panels
    assert not Other().reads_panels
    assert SpearmanMetric().reads_panels
    assert not OtherMetric().reads_panels
    assert not PearsonRsa().with_metric(OtherMetric()).reads_panels
    assert not isinstance(cka.RbfCka(), PanelComparator)


def test_a_measure_that_needs_whole_layers_says_what_it_takes_before_it_starts(fake, monkeypatch) -> None:
    monkeypatch.setattr("layerwise.core.analysis.working_memory.MOST_WHOLE", 100)
    layers = {name: np.random.default_rng(0).normal(size=(N, 5)) for name in "ab"}
    with pytest.raises(InputError, match=r"rsa-spearman holds whole layers: for 150 stimuli that takes 1.5 M"):
        compare(fake, layers, "rsa-spearman", memory=2**20)
    assert np.isfinite(compare(fake, layers, "rsa-spearman", memory=2**24).matrix).all()

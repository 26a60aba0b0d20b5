"""Recordings beside networks: the best of many layers is tested as such, on the stimuli that both have."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from layerwise.core.analysis.measure import find_measure
from layerwise.core.analysis.recordings.best_layers import match_areas
from layerwise.core.base.errors import InputError
from layerwise.core.history.intervals import IntervalPlan, PermutationPlan
from layerwise.core.history.records import LayerAddress
from layerwise.core.network.products import represent
from layerwise.plugins import load_plugins

REGISTRY = load_plugins()
MEASURE = find_measure(REGISTRY, "rsa-pearson")
N = 16


class Layers:
    """As much of a history as is asked here: representations by address, all of the same stimuli."""

    def __init__(self, layers: dict[str, np.ndarray[Any, Any]]) -> None:
        self.layers = {name: represent(values) for name, values in layers.items()}

    def find_run(self, run: str) -> Any:
        """A run of the same stimuli, whichever."""
        n_stimuli = next(iter(self.layers.values())).n_stimuli
        return SimpleNamespace(id=run, stimuli_fingerprint="s", n_stimuli=n_stimuli, n_landmarks=None)

    def read_representation(self, address: LayerAddress) -> Any:
        """One layer."""
        return self.layers[address.layer]

    def read_representations(self, addresses: Any) -> list[Any]:
        """Several."""
        return [self.layers[address.layer] for address in addresses]

    def open_layers(self, addresses: Any) -> list[Any]:
        """The same."""
        return self.read_representations(addresses)

    def read_comparisons(self, *_: Any) -> list[Any]:
        """Nothing is stored."""
        return []

    def save_comparisons(self, *_: Any) -> None:
        """Nothing is kept."""


def ask(seed: int, n_layers: int, *, tests: int = 99, related: bool = False) -> Any:
    """One area against some layers of random activations."""
    rng = np.random.default_rng(seed)
    layers = {f"l{index}": rng.normal(size=(N, 10)) for index in range(n_layers)}
    area = layers["l1"] + 0.3 * rng.normal(size=(N, 10)) if related else rng.normal(size=(N, 10))
    history: Any = Layers(layers | {"area": area})
    addresses = [LayerAddress("net", name) for name in layers]
    plan = PermutationPlan(tests, seed)
    found = match_areas(REGISTRY, history, MEASURE, [LayerAddress("brain", "area")], addresses, None, plan)
    return found[0]


def test_the_best_of_many_unrelated_layers_is_significant_as_often_as_it_says() -> None:
    p = np.array([ask(seed, 20).p for seed in range(200)])
    share = float((p <= 0.05).mean())
    assert 0.01 <= share <= 0.10  # 0.05 in 200 draws: 2.3 standard errors each way


def test_a_related_layer_is_found_and_significant() -> None:
    found = ask(3, 20, related=True)
    assert found.layer.layer == "l1"
    assert found.p == pytest.approx(0.01)


def test_p_is_the_share_of_permutations_whose_best_layer_is_as_alike() -> None:
    from layerwise.core.analysis.inference.generic import permute

    rng = np.random.default_rng(11)
    layers = {name: rng.normal(size=(N, 6)) for name in ("area", "a", "b", "c")}
    history: Any = Layers(layers)
    names = [LayerAddress("r", name) for name in layers]
    plan = PermutationPlan(199, 5)
    (found,) = match_areas(REGISTRY, history, MEASURE, names[:1], names[1:], None, plan)
    estimate, permuted = permute(MEASURE, history.read_representations(names), 199, 5)
    best = permuted[:, 0, 1:].max(axis=1)
    assert found.value == pytest.approx(estimate[0, 1:].max())
    assert found.p == pytest.approx((1 + (best >= found.value).sum()) / 200)


def test_too_few_permutations_are_refused_before_anything_is_computed() -> None:
    history: Any = Layers({"a": np.eye(8), "b": np.eye(8)[::-1].copy()})
    areas = [LayerAddress("brain", "a")] * 6
    with pytest.raises(InputError, match=r"no corrected p below 0\.05 for 6 areas: take --permutations 119"):
        match_areas(REGISTRY, history, MEASURE, areas, [LayerAddress("net", "b")], None, PermutationPlan(100))


def test_intervals_and_rivals_come_with_the_best_layer() -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(size=(40, 10))
    near, other = base + 0.1 * rng.normal(size=(40, 10)), rng.normal(size=(40, 10))
    history: Any = Layers({"area": base, "same": near, "other": other})
    addresses = [LayerAddress("net", name) for name in ("same", "other")]
    plan = IntervalPlan(100)
    (found,) = match_areas(REGISTRY, history, MEASURE, [LayerAddress("brain", "area")], addresses, plan)
    assert found.layer.layer == "same"
    assert found.low < found.value < found.high
    assert found.rivals == ()
    assert found.p is None

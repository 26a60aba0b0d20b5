"""Resampling and permuting in blocks of layers: the same numbers, in as much memory as there is."""

from __future__ import annotations

import weakref
from itertools import combinations_with_replacement
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.analysis.inference import layer_blocks
from layerwise.core.analysis.inference.from_history import ask_intervals, ask_tests
from layerwise.core.analysis.inference.generic import permute, permute_blocks, replicate, replicate_blocks
from layerwise.core.analysis.inference.layer_blocks import StoredLayers, choose_block_size, list_blocks
from layerwise.core.analysis.measure import find_measure
from layerwise.core.history.intervals import IntervalPlan, PermutationPlan
from layerwise.core.history.records import LayerAddress
from layerwise.core.network.products import represent
from layerwise.core.network.representation import Representation

N_STIMULI, N_LAYERS = 12, 7
ADDRESSES = [LayerAddress("run1", f"layer{number}") for number in range(N_LAYERS)]
TINY = 1  # bytes: two layers at a time are the least


def make_layer(number: int, *, gap: bool = False) -> Representation:
    rng = np.random.default_rng(number)
    activations = rng.normal(size=(N_STIMULI, 20))
    if gap:
        activations[3] = 1.0
    return represent(activations)


@pytest.fixture
def layers() -> list[Representation]:
    return [make_layer(number) for number in range(N_LAYERS)]


class Memory:
    """A history that makes each layer when it is read, keeps none, and counts those that somebody still has.

    No cycle holds a representation, so that one is gone as soon as nobody has it; collecting at each read would cost
    minutes beside TensorFlow.
    """

    def __init__(self) -> None:
        self.alive: weakref.WeakSet[Representation] = weakref.WeakSet()
        self.most_alive = 0
        self.n_asked: list[int] = []

    def find_run(self, run):
        return SimpleNamespace(id=run, stimuli_fingerprint="same", n_stimuli=N_STIMULI, n_landmarks=None)

    def read_representations(self, addresses):
        found = [make_layer(ADDRESSES.index(address)) for address in addresses]
        self.alive.update(found)
        self.most_alive = max(self.most_alive, len(self.alive))
        self.n_asked.append(len(found))
        return found

    def read_intervals(self, *question):
        return []

    read_tests = read_intervals


@given(st.integers(1, 30), st.integers(2, 12))
def test_every_two_layers_are_in_a_block_and_no_block_is_larger_than_asked(n_layers, n_most):
    blocks = [block.tolist() for block in list_blocks(n_layers, n_most)]
    assert max(len(block) for block in blocks) <= n_most
    met = {pair for block in blocks for pair in combinations_with_replacement(block, 2)}
    assert met == set(combinations_with_replacement(range(n_layers), 2))


def test_where_all_layers_fit_there_is_one_block_on_as_many_threads_as_fit(monkeypatch):
    monkeypatch.setattr(layer_blocks, "n_cores", lambda: 4)

    def predict(n_layers: int, n_threads: int) -> int:
        return n_layers * (1 + n_threads)

    assert choose_block_size(10, 50, predict, threaded=True) == (10, 4)
    assert choose_block_size(10, 30, predict, threaded=True) == (10, 2)
    assert choose_block_size(10, 50, predict, threaded=False) == (10, 1)
    assert choose_block_size(10, 0, predict, threaded=True) == (2, 1)
    assert choose_block_size(1, 0, predict, threaded=True) == (1, 1)


@pytest.mark.parametrize("name", ["rsa-pearson", "cka", "svcca"])
def test_resamples_in_blocks_are_those_of_all_layers_together(registry, layers, name):
    measure = find_measure(registry, name)
    assert len(list(replicate_blocks(measure, layers, 5, 0, TINY))) > 1
    whole, joined = (replicate(measure, layers, 5, 0, memory) for memory in (None, TINY))
    for part in ("estimate", "resampled", "left_out"):
        assert np.allclose(getattr(whole, part), getattr(joined, part), atol=1e-9, equal_nan=True)
        assert np.isfinite(getattr(joined, part)).all()
    assert (whole.subset_size, whole.value_range) == (joined.subset_size, joined.value_range)


@pytest.mark.parametrize("name", ["rsa-pearson", "rsa-spearman", "cka"])
@pytest.mark.parametrize("gap", [False, True])
def test_permutations_in_blocks_are_those_of_all_layers_together(registry, layers, name, gap):
    layers[5] = make_layer(5, gap=gap)
    measure = find_measure(registry, name)
    assert len(list(permute_blocks(measure, layers, 4, 0, TINY))) > 1
    for one, other in zip(permute(measure, layers, 4, 0), permute(measure, layers, 4, 0, TINY), strict=True):
        assert np.allclose(one, other, atol=1e-6, equal_nan=True)


def test_intervals_and_tests_of_a_history_are_the_same_in_any_memory(rsa):
    for ask, plan in ((ask_intervals, IntervalPlan(20)), (ask_tests, PermutationPlan(20))):
        whole, cut = (ask(Memory(), rsa, ADDRESSES, plan, save=False, memory=memory) for memory in (None, TINY))
        for part in ("low", "high") if ask is ask_intervals else ("p", "p_corrected"):
            assert np.allclose(getattr(whole, part), getattr(cut, part), atol=1e-9, equal_nan=True)
        assert whole.reasons == cut.reasons


@pytest.mark.parametrize("name", ["rsa-pearson", "cka"])
def test_no_more_layers_of_a_history_are_in_memory_than_a_block_has(registry, monkeypatch, name):
    monkeypatch.setattr(layer_blocks, "_READ_BYTES", 0)  # one by one, as large ones are
    history = Memory()
    replicate(find_measure(registry, name), StoredLayers(history, ADDRESSES), 3, 0, TINY)
    assert history.most_alive <= 3  # two, and one that is being read


def test_large_layers_are_read_one_by_one_and_small_ones_together(monkeypatch):
    history = Memory()
    assert len(list(StoredLayers(history, ADDRESSES))) == N_LAYERS
    assert history.n_asked == [1, N_LAYERS - 1]
    monkeypatch.setattr(layer_blocks, "_READ_BYTES", 2 * 8 * N_STIMULI**2)
    history.n_asked.clear()
    read = list(StoredLayers(history, ADDRESSES)[1:])
    assert history.n_asked == [1, 2, 2, 1]
    assert np.array_equal(read[0].correlation, make_layer(1).correlation)

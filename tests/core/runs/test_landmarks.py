"""Runs that keep pairs with their first stimuli alone: what follows exactly, what is estimated, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from given_model import GivenLoader

from layerwise.core.analysis.compare import compare_layers, describe_basis
from layerwise.core.analysis.importance_run import apportion_run
from layerwise.core.analysis.measure import find_measure
from layerwise.core.base.errors import InputError
from layerwise.core.history.memory import MemoryHistory
from layerwise.core.history.records import LayerAddress
from layerwise.core.host.kinds import PanelComparator
from layerwise.core.host.registry import Registry
from layerwise.core.network.matrices.derived import hold_whole, take_from
from layerwise.core.network.matrices.landmarks import LandmarkPairs, count_pairs
from layerwise.core.network.products import represent
from layerwise.core.network.representation import Representation
from layerwise.core.runs.add_statistics import measure_run
from layerwise.core.runs.prepared import prepare_run
from layerwise.core.runs.request import RunRequest, SilentObserver
from layerwise.core.runs.run import execute_run
from layerwise.plugins import load_plugins
from layerwise.plugins.comparators import register_comparators
from layerwise.storage import open_store
from layerwise.testing import make_plugin

N, M = 150, 70  # more than a panel of rows, and no whole number of them
FROM_PAIRS = ["rsa-pearson", "rsa-cosine"]
FROM_SUMS = ["cka", "cka-debiased", "rv2"]


@pytest.fixture(scope="module")
def registry(toy: Any) -> Registry:
    registry = load_plugins()
    registry.register(make_plugin(GivenLoader(toy.ToyModel())), "toys", "toys", "1.0")
    return registry


@pytest.fixture(scope="module")
def pixels(toy: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("pixels") / "noise.npz"
    np.savez(path, images=toy.make_stimuli(N).read(0, N))
    return str(path)


def run(registry: Registry, store: Any, pixels: str, **changes: Any) -> str:
    request = RunRequest("toy", pixels, layers=("all",), batch_size=50, **changes)
    return execute_run(prepare_run(request, registry, SilentObserver()), store, SilentObserver()).run_id


@pytest.fixture(scope="module", params=["memory", "sqlite"])
def histories(
    request: pytest.FixtureRequest, registry: Registry, pixels: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Any, str, str]]:
    """A history with a run that keeps all pairs, and one with landmarks."""
    if request.param == "memory":
        store = MemoryHistory()
        yield store, run(registry, store, pixels), run(registry, store, pixels, landmarks=M)
        return
    with open_store(f"sqlite:///{tmp_path_factory.mktemp('history')}/history.db") as opened:
        yield opened, run(registry, opened, pixels), run(registry, opened, pixels, landmarks=M)


def list_addresses(store: Any, run_id: str) -> list[LayerAddress]:
    return [LayerAddress(run_id, layer.name) for layer in store.list_layers(run_id)]


def test_pairs_with_landmarks_are_those_of_the_run_that_keeps_all(histories: Any) -> None:
    store, full, few = histories
    assert (store.find_run(full).n_landmarks, store.find_run(few).n_landmarks) == (None, M)
    addresses = list_addresses(store, few)
    assert [address.layer for address in addresses] == [layer.layer for layer in list_addresses(store, full)]
    for address, found in zip(addresses, store.open_layers(addresses), strict=True):
        whole = store.read_representation(LayerAddress(full, address.layer))
        for name in ("deviation", "mean", "norm"):
            np.testing.assert_allclose(getattr(found, name), getattr(whole, name), rtol=1e-7, atol=1e-12)
        seen = 0
        for rows, panel in found.upper_panels():
            expected = whole.squared_distances()[rows, rows.start :]
            np.testing.assert_allclose(panel.squared_distances(), expected, rtol=2e-6, atol=1e-9 * expected.max())
            seen += len(expected)
        assert seen == M


def test_measures_over_pairs_are_exact_and_sums_are_estimated_from_them(registry: Registry, histories: Any) -> None:
    store, full, few = histories
    layers = [address.layer for address in list_addresses(store, few)]
    known = np.zeros((N, N), dtype=bool)
    known[:M] = True
    known &= np.triu(np.ones((N, N), dtype=bool), 1)
    share = count_pairs(N) / count_pairs(N, M)
    wholes = {name: store.read_representation(LayerAddress(full, name)) for name in layers}
    for name in FROM_PAIRS + FROM_SUMS:
        table = compare_layers(registry, store, name, [LayerAddress(few, layer) for layer in layers])
        for i, j in ((0, 1), (1, len(layers) - 1)):
            expected = _by_hand(name, wholes[layers[i]], wholes[layers[j]], known, share)
            assert table.matrix[i, j] == pytest.approx(expected, abs=2e-6), name


def _by_hand(name: str, first: Representation, second: Representation, known: Any, share: float) -> float:
    if name in FROM_PAIRS:
        x, y = (1 - layer.correlation_distances()[known] for layer in (first, second))
        if name == "rsa-pearson":
            return float(np.corrcoef(x, y)[0, 1])
        return float(x @ y / np.sqrt((x @ x) * (y @ y)))
    kernels = [layer.column_centred_gram() for layer in (first, second)]
    if name == "cka-debiased":
        for kernel in kernels:
            sums = (kernel.sum(axis=0) - np.diagonal(kernel)) / (N - 2)
            kernel += sums.sum() / (N - 1) - sums[:, None] - sums
    with_diagonal = name == "cka"

    def multiply(a: Any, b: Any) -> float:
        return float(with_diagonal * np.diagonal(a) @ np.diagonal(b) + 2 * share * a[known] @ b[known])

    a, b = kernels
    return multiply(a, b) / np.sqrt(multiply(a, a) * multiply(b, b))


def test_a_run_with_landmarks_and_one_with_all_pairs_are_compared_over_the_same_pairs(
    registry: Registry, histories: Any
) -> None:
    store, full, few = histories
    layers = [address.layer for address in list_addresses(store, few)]
    for name in ("rsa-pearson", "cka-debiased"):
        rows, columns = ([LayerAddress(run_id, layer) for layer in layers] for run_id in (full, few))
        across = compare_layers(registry, store, name, rows, columns)
        within = compare_layers(registry, store, name, columns)
        np.testing.assert_allclose(across.matrix, within.matrix, atol=1e-6)
    assert describe_basis([store.find_run(full)]) == ""
    assert describe_basis([store.find_run(full), store.find_run(few)]) == (
        "of pairs with the first 70 of 150 stimuli, the landmarks"
    )


def test_what_needs_all_pairs_says_so_in_one_line(registry: Registry, histories: Any) -> None:
    store, _, few = histories
    addresses = list_addresses(store, few)
    reads = {offer.name for offer in register_comparators() if isinstance(offer, PanelComparator)}
    assert "distance-correlation" in reads  # whose means are over all pairs
    for name in ("svcca", "rsa-spearman", "procrustes", "distance-correlation"):
        with pytest.raises(InputError) as refused:
            compare_layers(registry, store, name, addresses)
        assert name in str(refused.value)
        assert "its first 70 stimuli alone (--landmarks)" in str(refused.value)
        assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match=r"--landmarks.*--limit 70"):
        store.read_representation(addresses[0])


def test_statistics_say_what_they_follow_from(registry: Registry, histories: Any) -> None:
    store, full, few = histories
    exact = {(one.layer, one.result.name): one.result for one in store.read_statistics(full)}
    found = {(one.layer, one.result.name): one.result for one in store.read_statistics(few)}
    assert found.keys() == exact.keys()
    refused = set()
    for (layer, name), result in found.items():
        if name in ("participation-ratio", "mean-correlation", "std-correlation"):
            assert result.value == pytest.approx(exact[layer, name].value, rel=0.1, abs=0.005)
            assert result.reason == "from pairs with 70 landmarks"
        elif result.value is None and exact[layer, name].value is not None:
            refused.add(name)
            assert result.reason == "needs all pairs of stimuli; the run keeps those with its first 70 (--landmarks)"
        else:  # of activations, which do not ask for pairs
            value = exact[layer, name].value
            assert result.value == (None if value is None else pytest.approx(value, rel=1e-6)), name
    assert {"effective-rank", "intrinsic-dimension", "decov"} <= refused
    assert not refused & {"mean", "sparseness-population", "kurtosis", "dead-units"}
    record = store.find_run(few)
    assert measure_run(registry, store, record, ["participation-ratio"], pytest.fail) == []
    with pytest.raises(InputError, match="statistic 'effective-rank' needs all pairs"):
        measure_run(registry, store, record, ["effective-rank"], pytest.fail)


def test_the_same_request_is_the_same_run_and_another_number_of_landmarks_is_not(
    registry: Registry, pixels: str
) -> None:
    store = MemoryHistory()
    one = run(registry, store, pixels, landmarks=20)
    assert run(registry, store, pixels, landmarks=20) == one
    assert len({one, run(registry, store, pixels), run(registry, store, pixels, landmarks=21)}) == 3
    for wrong, said in ((2, "at least 3 are needed"), (N, "all pairs would be kept")):
        with pytest.raises(InputError, match=said):
            run(registry, store, pixels, landmarks=wrong)


def test_importance_is_over_the_pairs_with_landmarks(registry: Registry, histories: Any) -> None:
    store, full, few = histories
    asked = (["block"], ["output"], "none", "layerwise:correlation-distance")
    found = apportion_run(registry, store, store.find_run(few), *asked)[0].result
    vectors = {
        name: store.read_representation(LayerAddress(full, name)).correlation_distances()
        for name in ("block/a", "block/b", "block/c", "output")
    }
    known = np.triu(np.ones((N, N), dtype=bool), 1) & (np.arange(N) < M)[:, None]
    design = np.stack([vectors[name][known] for name in ("block/a", "block/b", "block/c")] + [np.ones(known.sum())])
    target = vectors["output"][known]
    left = target - design.T @ np.linalg.lstsq(design.T, target, rcond=None)[0]
    assert found is not None
    assert found.explained == pytest.approx(1 - left.var() / target.var(), abs=1e-4)


def test_other_stimuli_than_landmarks_have_no_matrix(histories: Any) -> None:
    store, full, few = histories
    layer = store.open_layers([LayerAddress(few, "conv")])[0]
    whole = store.read_representation(LayerAddress(full, "conv"))
    some = take_from(layer, [3, 60, 1])
    expected = whole.take([3, 60, 1]).dissimilarity
    np.testing.assert_allclose(some.dissimilarity, expected, atol=1e-6)
    for refused in (lambda: take_from(layer, [3, M]), lambda: hold_whole(layer)):
        with pytest.raises(InputError, match="70 of them are landmarks"):
            refused()


def test_it_stores_n_times_m_pairs(registry: Registry, pixels: str, tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/history.db") as store:
        run_id = run(registry, store, pixels, landmarks=10)
        found = store.open_layers(list_addresses(store, run_id))[0]
        assert sum(panel.entries[:, : 10 - rows.start].size for rows, panel in found.upper_panels()) == 100
        assert store.verify() == []
    import sqlite3

    with sqlite3.connect(tmp_path / "history.db") as connection:
        stored = {
            count for (count,) in connection.execute("SELECT SUM(n_values) FROM tiles GROUP BY representation_id")
        }
    assert stored == {count_pairs(N, 10)}


def draw(n_units: int, seed: int) -> Any:
    """Activations like a layer's: few large directions, many small ones, rectified, and alike in what they share."""
    rng = np.random.default_rng(seed)
    common = np.random.default_rng(7).normal(size=(400, 30)) * 0.8 ** np.arange(30)
    mixed = common @ rng.normal(size=(30, n_units)) + 0.3 * rng.normal(size=(400, n_units))
    return np.maximum(mixed, 0).astype(np.float32)


def test_with_all_but_one_stimulus_as_landmarks_everything_is_as_of_all_pairs(registry: Registry) -> None:
    whole = [represent(draw(200, seed)) for seed in (1, 2)]
    few = [LandmarkPairs(layer, 399) for layer in whole]
    assert few[0].share == 1
    assert few[0].centred_sums == pytest.approx(whole[0].centred_sums, rel=0.01)  # by proportion to the trace
    assert few[0].correlation_moments == pytest.approx(whole[0].correlation_moments, rel=1e-9)
    assert few[0].blur == pytest.approx(whole[0].blur, rel=1e-6)
    for name in FROM_PAIRS + FROM_SUMS:
        assert _compare(registry, name, few) == pytest.approx(_compare(registry, name, whole), abs=1e-9), name


def _compare(registry: Registry, name: str, layers: Any) -> float:
    """By panels, whatever there is of the layers."""
    from layerwise.core.analysis.compute_panels import compute_in_panels

    places = [LayerAddress("a", str(index)) for index in range(len(layers))]
    pair = (places[0], places[1])
    measure = find_measure(registry, name)
    found = compute_in_panels(measure, dict(zip(places, layers, strict=True)), [pair], 2**30, lambda *_: None)
    value = found[pair].value
    assert value is not None
    return value


def test_estimates_are_right_on_average_and_as_near_as_documented(registry: Registry) -> None:
    """Which stimuli are landmarks is drawn anew each time; docs/many-stimuli.md has the errors on real layers."""
    whole = [represent(draw(200, seed)) for seed in (1, 2)]
    rng = np.random.default_rng(0)
    orders = [rng.permutation(400) for _ in range(12)]
    for name in FROM_PAIRS + FROM_SUMS:
        exact = _compare(registry, name, whole)
        off = np.array(
            [_compare(registry, name, [LandmarkPairs(layer.take(o), 100) for layer in whole]) - exact for o in orders]
        )
        assert abs(off.mean()) < 3 * off.std() / np.sqrt(len(off)) + 0.002, name
        assert np.abs(off).max() < 0.05, name
    line = represent(np.outer(np.arange(400.0) ** 2, np.ones(3)))
    assert LandmarkPairs(line, 100).centred_sums == pytest.approx(line.centred_sums, rel=1e-9)
    trace, squares = whole[0].centred_sums
    ratios = []
    for order in orders:
        found = LandmarkPairs(whole[0].take(order), 100).centred_sums
        assert found[0] == pytest.approx(trace, rel=1e-9)
        ratios.append(found[1] / squares)
    assert np.mean(ratios) == pytest.approx(1, abs=0.03)

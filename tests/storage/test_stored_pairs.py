"""Layers that stay where they are stored: their panels are those of the whole, and damage is told when it is met."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.history.records import LayerAddress, LayerResult
from layerwise.core.network.matrices.derived import take_from
from layerwise.core.network.matrices.landmarks import LandmarkPairs
from layerwise.core.network.matrices.panels import Panel
from layerwise.core.network.products import multiply
from layerwise.storage import OpenHistory, Store, tiles
from layerwise.storage.answers import results

N = 90


@pytest.fixture(params=[False, True], ids=["float32", "float64"])
def stored(request: pytest.FixtureRequest, store: OpenHistory, samples: Any, monkeypatch: Any) -> LayerAddress:
    """A layer in tiles of 70 or 35 values, of which a row takes more than one."""
    monkeypatch.setattr(tiles, "TILE_BYTES", 280)
    rows = np.random.default_rng(1).normal(size=(N, 200)).astype(np.float32)
    claim = store.begin_run(samples.header(stimuli=samples.stimuli(N)))
    layer = multiply(rows).represent(in_double=request.param)
    store.save_layer(claim, LayerResult("mixed", "none", layer, ()))
    return LayerAddress(claim.run_id, "mixed")


def read_all(panels: Iterator[tuple[slice, Panel]]) -> list[tuple[int, np.ndarray, np.ndarray]]:
    return [(rows.start, panel.entries, panel.squared_distances()) for rows, panel in panels]


@pytest.mark.parametrize("n_rows", [None, 1, 7, 1000])
def test_the_panels_of_a_stored_layer_are_those_of_the_whole(
    store: OpenHistory, stored: LayerAddress, n_rows: int | None
) -> None:
    (opened,), whole = store.open_layers([stored]), store.read_representation(stored)
    assert (opened.n_stimuli, opened.n_features, opened.has_zero) == (N, whole.n_features, True)
    assert (opened.resolution, opened.entry_type) == (whole.resolution, whole.entry_type)
    found, expected = read_all(opened.upper_panels(n_rows)), read_all(whole.upper_panels(n_rows))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours[0] == theirs[0]
        np.testing.assert_array_equal(ours[1], theirs[1])
        np.testing.assert_array_equal(ours[2], theirs[2])
    assert opened.blur == whole.blur
    assert opened.correlation_moments == whole.correlation_moments


def test_a_layer_that_is_not_there_cannot_be_opened(store: OpenHistory, stored: LayerAddress) -> None:
    with pytest.raises(InputError, match="no stored layer 'mixd'; did you mean mixed"):
        store.open_layers([LayerAddress(stored.run_id, "mixd")])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE tiles SET data = :data WHERE position = 3", "tile 3 fails its checksum"),
        ("UPDATE tiles SET n_values = 4 WHERE position = 3", "tile 3 has 4 values where"),
        ("DELETE FROM tiles WHERE position = 3", "tile 3 is missing"),
    ],
)
def test_damage_is_told_with_the_layer_when_it_is_met(
    store: Store, stored: LayerAddress, execute: Any, change: str, said: str
) -> None:
    execute(change, **({"data": b"nothing"} if ":data" in change else {}))
    (opened,) = store.open_layers([stored])
    panels = opened.upper_panels(1)
    next(panels)
    with pytest.raises(LayerwiseError, match=f"run {stored.run_id}, layer 'mixed' is damaged: {said}"):
        list(panels)


def test_a_layer_that_was_stored_as_correlations_is_read_whole(store: Store, samples: Any, as_before: Any) -> None:
    address = LayerAddress(samples.finished_run(store), "mixed")
    as_before()
    (opened,), whole = store.open_layers([address]), store.read_representation(address)
    for ours, theirs in zip(read_all(opened.upper_panels()), read_all(whole.upper_panels()), strict=True):
        np.testing.assert_array_equal(ours[1], theirs[1])


def test_a_layer_of_many_stimuli_is_filled_tile_by_tile_and_is_the_same(
    store: Store, stored: LayerAddress, same: Any, execute: Any, monkeypatch: Any
) -> None:
    whole = store.read_representation(stored)
    monkeypatch.setattr(results, "_FEW", N - 1)
    monkeypatch.setattr(results, "unpack_at", None)
    assert same(store.read_representation(stored), whole)
    assert store.verify() == []
    execute("UPDATE representations SET checksum = 'other'")
    with pytest.raises(LayerwiseError, match="layer 'mixed' is damaged: the checksum over all of it does not match"):
        store.read_representation(stored)


@pytest.mark.parametrize("chosen", [[5, 80, 3], list(range(0, N, 7)), list(range(N)), [], [64]])
def test_some_stimuli_of_a_stored_layer_are_those_of_the_whole(
    store: OpenHistory, stored: LayerAddress, same: Any, chosen: list[int]
) -> None:
    (opened,) = store.open_layers([stored])
    assert same(take_from(opened, chosen), store.read_representation(stored).take(chosen))


@pytest.fixture(params=[False, True], ids=["float32", "float64"])
def on_landmarks(
    request: pytest.FixtureRequest, store: OpenHistory, samples: Any, monkeypatch: Any
) -> tuple[LayerAddress, LandmarkPairs]:
    """The same with 20 landmarks."""
    monkeypatch.setattr(tiles, "TILE_BYTES", 280)
    rows = np.random.default_rng(1).normal(size=(N, 200)).astype(np.float32)
    claim = store.begin_run(samples.header(stimuli=samples.stimuli(N), n_landmarks=20))
    layer = LandmarkPairs(multiply(rows).represent(in_double=request.param), 20)
    store.save_layer(claim, LayerResult("mixed", "none", layer, ()))
    return LayerAddress(claim.run_id, "mixed"), layer


@pytest.mark.parametrize("n_rows", [None, 7])
def test_pairs_with_landmarks_come_back_bit_by_bit(
    store: OpenHistory, on_landmarks: tuple[LayerAddress, LandmarkPairs], n_rows: int | None
) -> None:
    address, layer = on_landmarks
    assert store.find_run(address.run_id).n_landmarks == 20
    (opened,) = store.open_layers([address])
    assert (opened.landmarks, opened.entry_type, opened.resolution) == (20, layer.entry_type, layer.resolution)
    for name in ("deviation", "mean", "norm"):
        np.testing.assert_array_equal(getattr(opened, name), getattr(layer, name))
    found, expected = read_all(opened.upper_panels(n_rows)), read_all(layer.upper_panels(n_rows))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours[0] == theirs[0]
        np.testing.assert_array_equal(ours[1], theirs[1])
    with pytest.raises(InputError, match=r"its first 20 stimuli alone \(--landmarks\)"):
        store.read_representation(address)


def test_damage_to_pairs_with_landmarks_is_told(
    store: Store, on_landmarks: tuple[LayerAddress, LandmarkPairs], execute: Any
) -> None:
    assert store.verify() == []
    execute("UPDATE representations SET n_landmarks = 19")
    assert "tiles do not make up 90 stimuli" in store.verify()[0]
    execute("UPDATE representations SET n_landmarks = 20")
    execute("UPDATE tiles SET data = :data WHERE position = 3", data=b"nothing")
    assert "tile 3 fails its checksum" in store.verify()[0]
    (opened,) = store.open_layers([on_landmarks[0]])
    with pytest.raises(LayerwiseError, match="layer 'mixed' is damaged: tile 3 fails its checksum"):
        list(opened.upper_panels())

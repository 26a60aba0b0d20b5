"""A baseline file holds what layers make of some stimuli, small, the same each time, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import layerwise as lw
from layerwise.core.base.errors import InputError
from layerwise.core.history.records import LayerAddress
from layerwise.core.network.layers import Layer
from layerwise.core.network.products import represent
from layerwise.interchange.baselines.baselines import open_baseline
from layerwise.interchange.baselines.files import (
    BaselineFile,
    BaselineStimulus,
    pick_evenly,
    read_baseline,
    write_baseline,
)
from layerwise.testing import make_history


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> lw.History:
    return lw.History(make_history(tmp_path_factory.mktemp("toy") / "toy.db", (1.0,), 24))


def make_file(n_layers: int, n_stimuli: int, n_units: int) -> BaselineFile:
    rng = np.random.default_rng(0)
    layers = tuple(Layer(f"layer{place}", f"node{place}", "conv", (n_units,), place) for place in range(n_layers))
    stimuli = tuple(BaselineStimulus(f"photo {i}.jpg", "cat", f"{i:064x}") for i in range(n_stimuli))
    found = tuple(represent(rng.normal(size=(n_stimuli, n_units))) for _ in layers)
    return BaselineFile("net", "net.keras", "abc", "photos", "none", layers, stimuli, found, {"numpy": "2"})


def test_64_stimuli_and_55_layers_are_less_than_a_megabyte(tmp_path: Path) -> None:
    path = tmp_path / "canaries.npz"
    write_baseline(path, make_file(55, 64, 30))
    assert path.stat().st_size < 1_000_000


def test_the_same_run_gives_the_same_bytes(history: lw.History, tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        lw.save_baseline(history["latest"], tmp_path / name, 12)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_what_is_read_back_is_what_the_run_has_of_these_stimuli(history: lw.History, tmp_path: Path) -> None:
    run = history["latest"]
    lw.save_baseline(run, tmp_path / "c.npz", 12)
    memory, record = open_baseline(tmp_path / "c.npz")
    rows = np.array(pick_evenly(24, 12))
    assert [one.name for one in memory.list_stimuli(record.id)] == [run.stimuli[row] for row in rows]
    assert [layer.name for layer in memory.list_layers(record.id)] == list(run.layers)
    assert all(stimulus.thumbnail == b"" for stimulus in memory.list_stimuli(record.id))
    for layer in run.layers:
        own = history.store.read_representation(LayerAddress(run.run_id, layer)).take(rows)
        read = memory.read_representation(LayerAddress(record.id, layer))
        apart = own.squared_distances()
        np.testing.assert_allclose(read.squared_distances(), apart, rtol=1e-6, atol=1e-6 * apart.max())
        np.testing.assert_allclose(read.correlation, own.correlation, atol=1e-6)


def test_stimuli_are_evenly_spaced_and_none_comes_twice() -> None:
    for n_stimuli, n_wanted in ((500, 64), (65, 64), (10, 64), (64, 64)):
        picked = list(pick_evenly(n_stimuli, n_wanted))
        assert len(picked) == len(set(picked)) == min(n_stimuli, n_wanted)
        assert max(picked) < n_stimuli
        assert picked[0] == 0


@pytest.mark.parametrize("damage", ["cut", "text", "other", "shapes"])
def test_a_file_that_is_no_baseline_says_so_in_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "canaries.npz"
    write_baseline(path, make_file(2, 8, 5))
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:300])
    elif damage == "text":
        path.write_text("no archive")
    elif damage == "other":
        np.savez(path, matrix=np.eye(3))
    else:
        with np.load(path) as file:
            arrays = dict(file)
        np.savez(path, **{**arrays, "mean": arrays["mean"][:1]})
    with pytest.raises(InputError, match=r"canaries\.npz: is no baseline") as error:
        read_baseline(path)
    assert "\n" not in str(error.value)


def test_a_baseline_that_cannot_be_made_leaves_no_file(history: lw.History, tmp_path: Path) -> None:
    run = history["latest"]
    for wrong, said in (({"path": tmp_path / "x.txt"}, "an .npz file"), ({"n_stimuli": 3}, "at least 4")):
        arguments = {"path": tmp_path / "x.npz", "n_stimuli": 8, **wrong}
        with pytest.raises(InputError, match=said):
            lw.save_baseline(run, **arguments)
    with pytest.raises(InputError):
        lw.save_baseline(run, tmp_path / "x.npz", transform="rank")
    assert list(tmp_path.iterdir()) == []

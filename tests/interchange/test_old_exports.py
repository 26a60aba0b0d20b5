"""What older versions exported, as correlations in float32, is still read, with the same numbers."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from layerwise.core.history.records import LayerAddress
from layerwise.core.network.matrices.correlations import STORED_CORRELATIONS
from layerwise.core.network.representation import Representation
from layerwise.interchange.gathering import arrange_layers, gather
from layerwise.storage import open_store, upgrade

ASSETS = Path(__file__).parents[1] / "assets"
EXPORTS = sorted((ASSETS / "exports").glob("0009.*"))
STIMULI = tuple(f"{index + 1:02d}.png" for index in range(12))


def read(path: Path) -> dict[str, Representation]:
    found = gather([path], "auto", (), None)
    assert found.names == STIMULI
    return {layer.name: layer.converted.representation for layer in found.layers}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> str:
    """URL of the history that was exported, upgraded."""
    path = tmp_path_factory.mktemp("old") / "history.db"
    path.write_bytes(gzip.decompress((ASSETS / "histories" / "0009.db.gz").read_bytes()))
    upgrade(f"sqlite:///{path}")
    return f"sqlite:///{path}"


def test_there_is_an_old_export_of_every_format() -> None:
    assert {path.name.removeprefix("0009") for path in EXPORTS} == {".npz", ".h5", ".parquet", ".rdms.h5"}


@pytest.mark.parametrize("path", EXPORTS, ids=lambda path: path.name)
def test_an_old_export_is_the_run_that_was_exported_to_the_last_bit(path: Path, history: str) -> None:
    run_id = json.loads((ASSETS / "histories" / "0009.json").read_text(encoding="utf-8"))["runs"]["early"]
    with open_store(history, read_only=True) as store:
        layers = tuple(store.list_layers(run_id))
        facts = [replace(layer, position=position) for position, layer in enumerate(layers)]
        assert list(arrange_layers(gather([path], "auto", (), None).layers)) == facts
        stored = store.read_representations([LayerAddress(run_id, layer.name) for layer in layers])
    for layer, expected in zip(layers, stored, strict=True):
        found = read(path)[layer.name]
        for name in ("entries", "deviation", "mean", "norm"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        assert (found.n_features, found.has_zero) == (expected.n_features, True)
        assert found.resolution == expected.resolution == STORED_CORRELATIONS


@pytest.mark.parametrize("path", EXPORTS, ids=lambda path: path.name)
def test_an_old_export_has_the_correlations_that_are_written_in_it(path: Path) -> None:
    with np.load(ASSETS / "exports" / "0009.npz") as written:
        for layer, found in read(path).items():
            np.testing.assert_allclose(found.correlation, written[f"{layer}/correlation"], atol=1e-12)
            np.testing.assert_array_equal(found.mean, written[f"{layer}/mean"])
            np.testing.assert_array_equal(found.norm, written[f"{layer}/norm"])
            assert found.n_features == written[f"{layer}/n_features"]

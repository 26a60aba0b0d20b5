"""Truth values are numbers, 0 and 1, in every format and shape: a model of categories is a matrix of them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest

from layerwise.core.network.products import represent
from layerwise.interchange.gathering import Gathered, gather

GROUPS = np.array([0, 0, 1, 1, 2, 2, 2])
APART = GROUPS[:, None] != GROUPS
UPPER = np.triu_indices(7, 1)
NAMES = [f"s{index}" for index in range(7)]
CODES = np.random.default_rng(0).random((7, 12)) < 0.5


def save(path: Path, **arrays: np.ndarray) -> Path:
    """The same arrays in the format of the suffix."""
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".npy":
        np.save(path, *arrays.values())
    else:
        with h5py.File(path, "w") as file:
            for key, values in arrays.items():
                file[key] = values
    return path


def read(path: Path, kind: str = "auto") -> Gathered:
    return gather([path], kind, (), None)


def check(found: Gathered, kind: str = "distance") -> None:
    """The layer is the one that the same numbers as float64 give."""
    (layer,) = found.layers
    assert layer.converted.kind == kind
    apart = layer.converted.representation.correlation[UPPER] < 1
    np.testing.assert_array_equal(apart, APART[UPPER])


@pytest.mark.parametrize("name", ["x.npz", "x.npy", "x.h5"])
@pytest.mark.parametrize("key", ["category", "rdm", "matrix"])
def test_a_matrix_of_booleans_is_a_matrix_of_distances(name, key, tmp_path):
    check(read(save(tmp_path / name, **{key: APART})))


@pytest.mark.parametrize("name", ["x.npz", "x.npy", "x.h5"])
def test_a_matrix_of_booleans_that_are_true_on_the_diagonal_is_one_of_similarities(name, tmp_path):
    check(read(save(tmp_path / name, category=~APART)), "similarity")


@pytest.mark.parametrize("name", ["x.npz", "x.npy", "x.h5"])
def test_condensed_booleans_and_stacks_of_them_are_read_too(name, tmp_path):
    check(read(save(tmp_path / name, category=APART[UPPER]), "distance"))
    stacked = read(save(tmp_path / name, category=np.stack([APART, APART])))
    assert [layer.converted.kind for layer in stacked.layers] == ["distance"] * 2


@pytest.mark.parametrize("name", ["x.npz", "x.npy", "x.h5"])
def test_binary_activations_may_be_booleans(name, tmp_path):
    (layer,) = read(save(tmp_path / name, activations=CODES), "activations").layers
    expected = represent(CODES.astype(np.float64))
    np.testing.assert_array_equal(layer.converted.representation.correlation, expected.correlation)


def test_a_table_of_pairs_may_hold_booleans(tmp_path):
    names, (first, second) = np.array(NAMES), UPPER
    frame = pl.DataFrame({"stimulus_i": names[first], "stimulus_j": names[second], "category": APART[UPPER]})
    frame.write_parquet(tmp_path / "x.parquet")
    found = read(tmp_path / "x.parquet", "distance")
    check(found)
    assert found.names == tuple(NAMES)


def test_units_of_a_table_may_be_booleans_all_of_them_or_some(tmp_path):
    for dtype in (np.bool_, np.float64):
        columns = {f"u{unit}": CODES[:, unit].astype(dtype if unit % 2 else np.bool_) for unit in range(12)}
        pl.DataFrame({"stimulus": NAMES, **columns}).write_parquet(tmp_path / "x.parquet")
        (layer,) = read(tmp_path / "x.parquet").layers
        expected = represent(CODES.astype(np.float64))
        assert layer.converted.representation.n_features == 12
        np.testing.assert_array_equal(layer.converted.representation.correlation, expected.correlation)


def test_rdms_of_rsatoolbox_may_be_booleans(tmp_path):
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        file["dissimilarities"] = APART[UPPER][None]
        file["rdm_descriptors/name"] = np.array([b"category"])
        file["pattern_descriptors/stimulus"] = np.array(NAMES).astype("S")
    check(read(tmp_path / "x.hdf5"))

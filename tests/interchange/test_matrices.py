"""A metric's matrices as files: the numbers that are written, and what they are taken for when they are imported."""

from __future__ import annotations

import h5py
import numpy as np
import polars as pl
import pytest

from layerwise.core.base.errors import InputError
from layerwise.core.network.layers import Layer
from layerwise.core.network.products import represent
from layerwise.interchange.files import choose_matrix_writer
from layerwise.interchange.gathering import gather
from layerwise.interchange.matrices import MatrixExport
from layerwise.plugins import metrics

FORMATS = ("x.npz", "x.parquet", "x.h5", "x.rdms.h5")
NAMES = [f"s{index}" for index in range(7)]
LAYERS = [Layer(name, "n", "conv", (9,), position) for position, name in enumerate(("a", "a/1x1", "output"))]
METRICS = {metric.name: metric for metric in metrics.register_metrics() if metric.needs_transform == "none"}
TAKEN_FOR = {
    "pearson": "similarity",
    "cosine": "similarity",
    "dot": "gram",
    "correlation-distance": "correlation-distance",
    "euclidean": "euclidean",
    "squared-euclidean": "squared-euclidean",
    "angular": "distance",
}


def make_export(name: str, *, constant: bool = False, layers=LAYERS) -> MatrixExport:
    rng = np.random.default_rng(0)
    matrices = []
    for _ in layers:
        rows = rng.normal(size=(7, 9)) + 0.3
        if constant:
            rows[2] = 0
        matrices.append(METRICS[name].compute(represent(rows)))
    return MatrixExport(name, f"layerwise:{name} 1", METRICS[name].kind, layers, matrices, NAMES, len(layers) > 1)


def write(path, export):
    choose_matrix_writer(path)(path, export)
    return path


def test_every_metric_is_tried():
    assert set(TAKEN_FOR) == set(METRICS)


@pytest.mark.parametrize("file", FORMATS)
@pytest.mark.parametrize("name", TAKEN_FOR)
def test_an_import_takes_a_metric_s_matrices_for_what_they_are(name, file, tmp_path):
    export = make_export(name)
    if file == "x.rdms.h5" and export.kind == "similarity":
        with pytest.raises(InputError, match=f"'{name}' is a similarity"):
            write(tmp_path / file, export)
        return
    found = gather([write(tmp_path / file, export)], "auto", (), None)
    assert found.names == tuple(NAMES)
    assert [layer.name for layer in found.layers] == ["a", "a/1x1", "output"]
    for layer, matrix in zip(found.layers, export.matrices, strict=True):
        assert layer.converted.kind == TAKEN_FOR[name]
        upper = np.triu_indices(7, 1)
        again = layer.converted.representation.correlation[upper]
        assert abs(np.corrcoef(again, _as_compared(name, matrix)[upper])[0, 1]) == pytest.approx(1, abs=1e-6)


def _as_compared(name, matrix):
    """What an import keeps of a matrix, up to a linear map."""
    if name == "dot":
        return matrix / np.sqrt(np.outer(np.diagonal(matrix), np.diagonal(matrix)))
    return matrix**2 if name == "euclidean" else matrix


@pytest.mark.parametrize("file", ["x.npz", "x.h5"])
def test_a_single_matrix_is_called_by_its_metric(file, tmp_path):
    export = make_export("cosine", layers=LAYERS[:1])
    path = write(tmp_path / file, export)
    stored = np.load(path)["cosine"] if file == "x.npz" else h5py.File(path)["cosine"][()]
    np.testing.assert_array_equal(stored, export.matrices[0])


@pytest.mark.parametrize(("name", "n_rows"), [("euclidean", 3 * 21), ("pearson", 3 * 21), ("dot", 3 * 28)])
def test_a_table_has_a_row_for_each_pair_and_the_diagonal_where_it_says_something(name, n_rows, tmp_path):
    export = make_export(name)
    table = pl.read_parquet(write(tmp_path / "x.parquet", export))
    assert table.columns == ["layer", "i", "j", "stimulus_i", "stimulus_j", name]
    assert table.height == n_rows
    row = table.filter(pl.col("layer") == "output", pl.col("stimulus_i") == "s1", pl.col("stimulus_j") == "s4")
    assert row[name].item() == export.matrices[2][1, 4]


@pytest.mark.parametrize("file", ["x.npz", "x.parquet", "x.h5"])
@pytest.mark.parametrize("name", ["pearson", "cosine"])
def test_stimuli_without_a_value_stay_without(name, file, tmp_path):
    (layer, *_) = gather([write(tmp_path / file, make_export(name, constant=True))], "auto", (), None).layers
    assert list(layer.converted.representation.constant) == [2]


def test_distances_are_those_that_rsatoolbox_reads(tmp_path):
    rdm = pytest.importorskip("rsatoolbox.rdm", reason="rsatoolbox is not installed")
    export = make_export("euclidean")
    loaded = rdm.load_rdm(str(write(tmp_path / "x.rdms.h5", export)))
    assert loaded.dissimilarity_measure == "euclidean"
    np.testing.assert_allclose(loaded.get_matrices(), np.stack(export.matrices))
    assert list(loaded.rdm_descriptors["name"]) == ["a", "a/1x1", "output"]


def test_the_format_s_own_words_as_layer_names_are_refused_by_hdf5(tmp_path):
    export = make_export("dot", layers=[Layer("metric", "n", "conv", (9,), 0), LAYERS[2]])
    with pytest.raises(InputError, match="layer 'metric' has a name that an HDF5 export needs"):
        write(tmp_path / "x.h5", export)

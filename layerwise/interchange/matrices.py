"""A metric's matrices as files: similarities or distances between stimuli, for tools that want just these.

Other than a representation, such a matrix does not come back complete: `layerwise import` reads it as it reads any
matrix, with what its kind leaves open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from layerwise.core.base.errors import InputError
from layerwise.core.network.layers import Layer
from layerwise.interchange.checks import Floats
from layerwise.interchange.exported import LAYERS, METRIC, STIMULI
from layerwise.interchange.formats.layer_facts import write_facts
from layerwise.interchange.formats.parquet_files import pair_columns
from layerwise.interchange.formats.rsatoolbox_files import measure_of, write_triangles


@dataclass(frozen=True, eq=False)
class MatrixExport:
    """What is written to a file.

    Attributes:
        metric: Name of the metric.
        provider: Who computed it: qualified name and version.
        kind: Whether larger means more alike, or less.
        layers: The layers, in order of computation.
        matrices: float64 (n, n), one each; NaN where undefined.
        stimuli: Names of the stimuli.
        prefixed: Whether a matrix is called `layer/metric`; without, there is one layer, and it is called `metric`.
    """

    metric: str
    provider: str
    kind: Literal["similarity", "distance"]
    layers: Sequence[Layer]
    matrices: Sequence[Floats]
    stimuli: Sequence[str]
    prefixed: bool = True

    def fields(self) -> dict[str, Any]:
        """Every array of the file under its key."""
        prefixes = [f"{layer.name}/" if self.prefixed else "" for layer in self.layers]
        named = dict(zip((f"{prefix}{self.metric}" for prefix in prefixes), self.matrices, strict=True))
        return {METRIC: self.provider, LAYERS: write_facts(self.layers), **named}


def write_matrices_npz(path: Path, export: MatrixExport) -> None:
    """Each matrix as an array."""
    arrays = {STIMULI: np.array(export.stimuli, dtype=np.str_), **export.fields()}
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **{key: np.asarray(value) for key, value in arrays.items()})


def write_matrices_hdf5(path: Path, export: MatrixExport) -> None:
    """Each matrix as a dataset.

    Raises:
        InputError: If a layer has the name of one of the file's own datasets.
    """
    import h5py

    for layer in export.layers:
        if export.prefixed and layer.name.split("/")[0] in (STIMULI, LAYERS, METRIC):
            raise InputError(f"layer '{layer.name}' has a name that an HDF5 export needs itself; use .npz")
    with h5py.File(path, "w", track_order=True) as file:
        file[STIMULI] = list(export.stimuli)
        for key, value in export.fields().items():
            file[key] = value


def write_matrices_parquet(path: Path, export: MatrixExport) -> None:
    """A row for each layer and pair of stimuli i < j; also i = j where these values differ, as of inner products."""
    import polars as pl

    diagonals = [np.diagonal(matrix)[np.isfinite(np.diagonal(matrix))] for matrix in export.matrices]
    has_diagonal = any(len(diagonal) and np.ptp(diagonal) > 0 for diagonal in diagonals)
    first, second = np.triu_indices(len(export.stimuli), 0 if has_diagonal else 1)
    pairs = pair_columns(export.stimuli, first, second)
    frames = [
        pairs.select(pl.lit(layer.name).alias("layer"), pl.all(), pl.Series(export.metric, matrix[first, second]))
        for layer, matrix in zip(export.layers, export.matrices, strict=True)
    ]
    pl.concat(frames).write_parquet(path, metadata={METRIC: export.provider})


def write_matrices_rdms(path: Path, export: MatrixExport) -> None:
    """Distances as an RDMs object that `rsatoolbox.rdm.load_rdm` reads.

    Raises:
        InputError: If the metric is a similarity.
    """
    if export.kind != "distance":
        raise InputError(
            f"an RDMs file holds distances, and '{export.metric}' is a similarity: take a distance, such as "
            "correlation-distance or angular, or another format"
        )
    upper = np.triu_indices(len(export.stimuli), 1)
    triangles = (matrix[upper] for matrix in export.matrices)
    write_triangles(
        path, triangles, [layer.name for layer in export.layers], export.stimuli, measure_of(export.metric)
    )

"""The HDF5 form of rsatoolbox's RDMs objects (`RDMs.save`, `rsatoolbox.rdm.load_rdm`), without rsatoolbox.

Its parts: `dissimilarities` (k, n (n - 1) / 2), the strict upper triangles row by row; `dissimilarity_measure`, an
attribute (an empty dataset where unknown); the groups `descriptors`, `rdm_descriptors` (a list of k values each)
and `pattern_descriptors` (n values each). What we write has one more group, `layerwise`, which rsatoolbox passes
over: the means and norms that a distance matrix lacks, so that our own files come back complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.history.checks import diagonal_of
from layerwise.interchange.checks import check_memory, check_numbers, triangle_side
from layerwise.interchange.content import (
    FileContent,
    FoundArray,
    FoundRepresentation,
    name_layer,
    name_matrices,
)
from layerwise.interchange.exported import LAYERS, VECTORS, Export, describe, rebuild
from layerwise.interchange.formats.datasets import read_dataset
from layerwise.interchange.formats.layer_facts import read_facts, write_facts
from layerwise.interchange.labels import FoundLabels, read_label_array

VALUES = "dissimilarities"
OURS = "layerwise"
MEASURES = {
    "correlation": "correlation-distance",
    "euclidean": "euclidean",
    "mahalanobis": "euclidean",
    "squared euclidean": "squared-euclidean",
    "squared mahalanobis": "squared-euclidean",
    "crossnobis": "squared-euclidean",
}
"""What rsatoolbox calls a measure, and the kind of matrix that is; every other measure is a `distance`."""


def is_rsatoolbox(file: Any) -> bool:
    """Whether an open HDF5 file holds an RDMs object."""
    import h5py

    groups = (file.get("rdm_descriptors"), file.get("pattern_descriptors"))
    return isinstance(file.get(VALUES), h5py.Dataset) and all(isinstance(group, h5py.Group) for group in groups)


def read_rdms(file: Any, path: Path) -> FileContent:
    """The RDMs of an open HDF5 file.

    Raises:
        InputError: If they are not as rsatoolbox writes them.
    """
    stored = file[VALUES]
    if stored.ndim != 2 or triangle_side(stored.shape[1]) is None:
        raise InputError(f"{VALUES} of shape {stored.shape} are no condensed matrices")
    check_memory(stored.size * stored.dtype.itemsize * 3, "the file")
    values = check_numbers(np.asarray(stored[()]))
    descriptors = tuple(
        each for each in _read_descriptors(file["rdm_descriptors"]) if len(each.values) == len(values)
    )
    labels = name_matrices(descriptors, len(values))
    names = _read_descriptors(file["pattern_descriptors"])
    if OURS in file and labels is not None:
        return FileContent(_complete(file[OURS], values, labels), names)
    kind = MEASURES.get(_measure(file), "distance")
    labels = _number_repeats(labels) if labels is not None else None
    found = FoundArray(name_layer(VALUES, path), values, kind, labels, descriptors=descriptors)
    return FileContent((found,), names)


def write_rdms(path: Path, export: Export) -> None:
    """Correlation distances as an RDMs object that `rsatoolbox.rdm.load_rdm` reads."""
    import h5py

    check_memory((len(export.layers) + 3) * len(export.stimuli) ** 2 * 8, "a file of RDMs")
    upper = np.triu_indices(len(export.stimuli), 1)
    triangles = (each.correlation_distances()[upper] for each in export.representations)
    write_triangles(path, triangles, [layer.name for layer in export.layers], export.stimuli, "correlation")
    with h5py.File(path, "a") as file:
        file[f"{OURS}/{LAYERS}"] = write_facts(export.layers)
        described = [describe(each) for each in export.representations]
        for field in VECTORS:
            file[f"{OURS}/{field}"] = np.array([each[field] for each in described])
        for index, each in enumerate(described):
            file[f"{OURS}/entries/{index}"] = each["entries"][upper]


def write_triangles(
    path: Path,
    triangles: Iterable[NDArray[np.float64]],
    layers: Sequence[str],
    stimuli: Sequence[str],
    measure: str,
) -> None:
    """An RDMs object.

    Args:
        path: The file.
        triangles: The strict upper triangle of each layer's distances, row by row.
        layers: Their names.
        stimuli: Names of the stimuli.
        measure: What rsatoolbox calls these distances.
    """
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["dissimilarity_measure"] = measure
        stored = file.create_dataset(VALUES, (len(layers), len(stimuli) * (len(stimuli) - 1) // 2), dtype=np.float64)
        for index, triangle in enumerate(triangles):
            stored[index] = triangle
        file.create_group("descriptors")
        for group, key, names in (("rdm_descriptors", "name", layers), ("pattern_descriptors", "stimulus", stimuli)):
            file[f"{group}/index"] = np.arange(len(names))
            file[f"{group}/{key}"] = _as_bytes(names)


def measure_of(metric: str) -> str:
    """What rsatoolbox calls a metric's distances; the metric's own name where it has no word for them."""
    return next((measure for measure, kind in MEASURES.items() if kind == metric), metric)


def _complete(ours: Any, distances: NDArray[np.float64], labels: Sequence[str]) -> tuple[FoundRepresentation, ...]:
    """Our own representations: what lies beside the distances."""
    fields = {field: np.asarray(ours[field][()]) for field in VECTORS if field in ours}
    side = triangle_side(distances.shape[1])
    if any(len(field) != len(distances) for field in fields.values()) or fields["norm"].shape[1:] != (side,):
        raise InputError("the means and norms do not belong to the matrices: the file was changed")
    facts = read_facts(ours[LAYERS].asstr()[()])
    found = []
    for index, name in enumerate(labels):
        own = {field: values[index] for field, values in fields.items()}
        if "entries" in ours:
            triangle = ours[f"entries/{index}"][()]
            own["entries"] = _square(triangle, np.full(len(own["norm"]), diagonal_of(triangle.dtype)))
        else:
            diagonal = np.where(own["norm"] > 0, 1, np.nan)
            with np.errstate(over="ignore"):  # of a damaged file; what overflows is no correlation, and is refused
                own["correlation"] = _square((1 - distances[index]).astype(np.float32), diagonal)
        found.append(FoundRepresentation(name, rebuild(name, own), facts.get(name)))
    return tuple(found)


def _square(triangle: NDArray[np.floating], diagonal: NDArray[np.floating]) -> NDArray[np.floating]:
    """The (n, n) matrix with this strict upper triangle."""
    matrix = np.zeros((len(diagonal), len(diagonal)), dtype=triangle.dtype)
    upper = np.triu_indices(len(diagonal), 1)
    matrix[upper] = triangle
    matrix[upper[1], upper[0]] = triangle
    np.fill_diagonal(matrix, diagonal)
    return matrix


def _measure(file: Any) -> str:
    measure = file.attrs.get("dissimilarity_measure", "")
    text = measure.decode("utf-8", "replace") if isinstance(measure, bytes) else str(measure)
    return text.strip().lower()


def _read_descriptors(group: Any) -> tuple[FoundLabels, ...]:
    """Every descriptor that is a list of texts or numbers."""
    import h5py

    items = {key if isinstance(key, str) else key.decode("utf-8", "replace"): item for key, item in group.items()}
    lists = {key: item for key, item in items.items() if isinstance(item, h5py.Dataset) and item.shape}
    values = {key: read_dataset(item) for key, item in lists.items()}
    return tuple(read_label_array(key, found) for key, found in values.items() if found is not None)


def _number_repeats(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names that are all different: one that is there several times (an area of several subjects) is numbered."""
    return tuple(
        name if names.count(name) == 1 else f"{name}-{names[: index + 1].count(name)}"
        for index, name in enumerate(names)
    )


def _as_bytes(names: Sequence[str]) -> Any:
    """Names as rsatoolbox stores them; it has no way for other letters than ASCII, which stay UTF-8."""
    if all(name.isascii() for name in names):
        return np.array([name.encode() for name in names], dtype=np.bytes_)
    return list(names)

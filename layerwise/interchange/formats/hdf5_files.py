"""HDF5: what Layerwise exports, plain datasets by their paths, and, told by its contents, rsatoolbox's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.interchange.checks import check_memory
from layerwise.interchange.content import FileContent
from layerwise.interchange.exported import LAYERS, STIMULI, Correlations, Export
from layerwise.interchange.formats.datasets import check_inside, read_dataset
from layerwise.interchange.formats.layer_facts import write_facts
from layerwise.interchange.formats.numpy_files import arrange_arrays
from layerwise.interchange.formats.rsatoolbox_files import is_rsatoolbox, read_rdms
from layerwise.interchange.labels import is_name_key

_BROKEN = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, MemoryError)


def write_hdf5(path: Path, export: Export) -> None:
    """Fields as datasets; of several layers also `layers`, what is known of them as JSON.

    Raises:
        InputError: If a layer has the name of one of the file's own datasets.
    """
    import h5py

    for layer in export.layers:
        if export.prefixed and layer.name.split("/")[0] in (STIMULI, LAYERS):
            raise InputError(f"layer '{layer.name}' has a name that an HDF5 export needs itself; use .npz")
    with h5py.File(path, "w", track_order=True) as file:
        file[STIMULI] = list(export.stimuli)
        if export.prefixed:
            file[LAYERS] = write_facts(export.layers)
        for key, value in export.fields():
            if isinstance(value, Correlations):
                dataset = file.create_dataset(key, value.shape, np.float64)
                for rows, some in value.rows():
                    dataset[rows] = some
            else:
                file[key] = value


def read_hdf5(path: Path, column: str | None = None) -> FileContent:
    """Layerwise's own export, an RDMs file, or every numeric dataset with one to three axes.

    Args:
        path: The file.
        column: The dataset that the user says has the stimuli's names.

    Raises:
        InputError: If it is no HDF5 file, is damaged, or holds no matrix.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            check_inside(file)
            if is_rsatoolbox(file):
                return read_rdms(file, path)
            arrays = _read_datasets(file)
    except _BROKEN as error:
        raise InputError(f"cannot be read as HDF5 ({error})") from error
    return arrange_arrays(arrays, path, column)


def _read_datasets(file: Any) -> dict[str, NDArray[Any]]:
    """Every dataset of numbers or texts, by its path; links that lead nowhere, or out of the file, are left out."""
    import h5py

    found: dict[str, Any] = {}

    def keep(name: str | bytes, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.shape is not None and len(item.shape) <= 3:
            found[name if isinstance(name, str) else name.decode("utf-8", "replace")] = item

    file.visititems(keep)
    check_memory(sum(item.size * item.dtype.itemsize for item in found.values()), "the file")
    arrays: dict[str, NDArray[Any]] = {}
    for name, item in found.items():
        values = read_dataset(item)
        if values is not None:
            arrays[name] = values
        elif is_name_key(name):
            arrays[name] = np.empty(item.shape, dtype="V1")  # as MATLAB's cells: known to be there, and unreadable
    return arrays

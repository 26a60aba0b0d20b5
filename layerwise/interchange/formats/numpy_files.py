"""NumPy's `.npz` and `.npy`: what Layerwise exports, and plain arrays. Never unpickled."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import shorten
from layerwise.core.network.layers import Layer
from layerwise.interchange.checks import check_memory
from layerwise.interchange.content import (
    FileContent,
    FoundArray,
    FoundRepresentation,
    hint_of,
    name_layer,
    stem_of,
)
from layerwise.interchange.exported import (
    FIELDS,
    LAYERS,
    METRIC,
    OUTPUTS,
    STIMULI,
    Correlations,
    Export,
    find_prefixes,
    rebuild,
    rebuild_outputs,
)
from layerwise.interchange.formats.array_labels import split_arrays
from layerwise.interchange.formats.layer_facts import read_facts, write_facts
from layerwise.interchange.labels import FoundLabels, read_label_array

Found = TypeVar("Found", FoundArray, FoundRepresentation)
_LONGEST = 200  # letters of what NumPy and zipfile say: they repeat headers
_BROKEN = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    MemoryError,
    SyntaxError,
    TokenError,
    OverflowError,
    TypeError,
    RecursionError,
    struct.error,
)


def write_npz(path: Path, export: Export) -> None:
    """Fields as arrays; of several layers also `layers`, what is known of them as JSON."""
    arrays: dict[str, Any] = {STIMULI: np.array(export.stimuli, dtype=np.str_)}
    if export.prefixed:
        arrays[LAYERS] = np.array(write_facts(export.layers))
    with zipfile.ZipFile(path, "w") as archive:  # as np.savez does, which wants to have all at once
        for key, value in chain(arrays.items(), export.fields()):
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                _write_array(member, value)


def _write_array(file: IO[bytes], value: Any) -> None:
    if not isinstance(value, Correlations):
        np.lib.format.write_array(file, np.asanyarray(value), allow_pickle=False)
        return
    described = {"descr": "<f8", "fortran_order": False, "shape": value.shape}
    np.lib.format.write_array_header_1_0(file, described)
    for _, rows in value.rows():
        file.write(np.ascontiguousarray(rows, dtype="<f8").data)


def read_npz(path: Path, column: str | None = None) -> FileContent:
    """Layerwise's own export, or every numeric array with one to three axes.

    Args:
        path: The file.
        column: The array that the user says has the stimuli's names.

    Raises:
        InputError: If it is no such file, is damaged, or holds pickles.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise InputError("not an .npz file but a single array; give it the suffix .npy")
            check_memory(_unpacked_size(path), "the file")
            arrays = {key: file[key] for key in file.files}
    except _BROKEN as error:
        raise InputError(_explain(error, ".npz")) from error
    return arrange_arrays(arrays, path, column)


def read_npy(path: Path, column: str | None = None) -> FileContent:  # noqa: ARG001 - a reader like the others
    """A single array, which has the file's name.

    Raises:
        InputError: If it is no such file, is damaged, or holds pickles.
    """
    try:
        array = np.load(path, allow_pickle=False, mmap_mode="r")
        if not isinstance(array, np.ndarray):
            raise InputError("not an .npy file but an archive; give it the suffix .npz")
        check_memory(array.nbytes, "the array")
        return FileContent((FoundArray(stem_of(path), np.array(array), hint_of(stem_of(path))),))
    except _BROKEN as error:
        raise InputError(_explain(error, ".npy")) from error


def arrange_arrays(arrays: dict[str, NDArray[Any]], path: Path, column: str | None = None) -> FileContent:
    """Named arrays, of an archive or of an HDF5 file, as what they are.

    Raises:
        InputError: If there is no matrix among them.
    """
    prefixes = find_prefixes(list(arrays))
    if prefixes:
        return FileContent(_exported(arrays, prefixes, path), _read_names(arrays))
    found = split_arrays(arrays, column)
    if not found.data:
        raise InputError(f"holds no matrix: its arrays are {', '.join(sorted(arrays)) or 'none'}")
    items = [
        FoundArray(name_layer(key, path), array, hint_of(key), found.layers, doubt=found.doubts.get(key, ""))
        for key, array in found.data.items()
    ]
    return FileContent(tuple(_in_order(items, _read_layers(arrays) if METRIC in arrays else {})), found.stimuli)


def _read_names(arrays: dict[str, NDArray[Any]]) -> tuple[FoundLabels, ...]:
    return (read_label_array(STIMULI, arrays[STIMULI]),) if STIMULI in arrays else ()


def _read_layers(arrays: dict[str, NDArray[Any]]) -> dict[str, Layer]:
    """What an export says of its layers, by name in order of computation; nothing in other files."""
    described = arrays.get(LAYERS)
    is_text = described is not None and described.ndim == 0 and described.dtype.kind == "U"
    return read_facts(str(described)) if is_text else {}


def _in_order(items: Sequence[Found], facts: Mapping[str, Layer]) -> list[Found]:
    """HDF5 has an order of its own, in which branches may come before their block."""
    order = {name: index for index, name in enumerate(facts)}
    return sorted(items, key=lambda item: order.get(item.name, len(order)))


def _exported(arrays: dict[str, NDArray[Any]], prefixes: list[str], path: Path) -> tuple[FoundRepresentation, ...]:
    facts = _read_layers(arrays)
    found = []
    for prefix in prefixes:
        name = prefix[:-1] or stem_of(path)
        known = (*FIELDS, *OUTPUTS)
        fields = {field: arrays[f"{prefix}{field}"] for field in known if f"{prefix}{field}" in arrays}
        representation = rebuild(name, fields)
        outputs = rebuild_outputs(name, fields, representation.n_stimuli)
        found.append(FoundRepresentation(name, representation, facts.get(name), outputs))
    return tuple(_in_order(found, facts))


def _unpacked_size(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def _explain(error: Exception, suffix: str) -> str:
    if "pickle" in str(error) or "Python objects" in str(error):
        return "holds pickled Python objects, which can run code and are not read; save plain arrays"
    said = shorten(" ".join(str(error).split()) or type(error).__name__, _LONGEST)
    return f"cannot be read as {suffix} ({said})"

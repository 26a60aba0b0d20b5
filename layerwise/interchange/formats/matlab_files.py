"""MATLAB's `.mat`: variables, fields of structs, struct arrays with names, and what the platform Meadows writes.

Up to version 7 SciPy reads them; 7.3 is HDF5, with axes in MATLAB's order, texts as numbers of characters, and cells
as references. Objects of classes are passed over: nothing of a file is run.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.interchange.checks import check_memory
from layerwise.interchange.content import FileContent, FoundArray
from layerwise.interchange.formats.datasets import check_inside
from layerwise.interchange.formats.numpy_files import arrange_arrays
from layerwise.interchange.labels import FoundLabels

Arrays = dict[str, NDArray[Any]]

_HDF5 = b"MATLAB 7.3 MAT-file"
_RATIO = 40  # as well as zlib packs numbers, in what is checked before anything is unpacked
_RDM, _STIMULI = "rdmutv_", "stimuli_"
_NAME_FIELDS = ("name", "Name", "label", "roi", "ROI")
_BROKEN = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, MemoryError, IndexError)


def read_mat(path: Path, column: str | None = None) -> FileContent:
    """Every numeric array of a file, by the path of its variable and fields.

    Args:
        path: The file.
        column: The variable or field that the user says has the stimuli's names.

    Raises:
        InputError: If it is no such file, is damaged, or holds no matrix.
    """
    try:
        with path.open("rb") as file:
            is_hdf5 = file.read(len(_HDF5)) == _HDF5
        arrays = _read_hdf5(path) if is_hdf5 else _read_old(path)
    except (*_BROKEN, NotImplementedError, zlib.error, EOFError) as error:
        raise InputError(f"cannot be read as a MATLAB file ({error})") from error
    joined, participants = _join_participants(arrays)
    content = arrange_arrays(joined, path, column)
    items = [
        replace(item, descriptors=(FoundLabels("participant", (item.name,)),))
        if isinstance(item, FoundArray) and item.name in participants
        else item
        for item in content.items
    ]
    return replace(content, items=tuple(items))


def _read_old(path: Path) -> Arrays:
    from scipy.io import loadmat, whosmat
    from scipy.io.matlab import MatReadError

    try:
        sizes = [np.prod(shape, dtype=float) for _, shape, _ in whosmat(path)]
        check_memory(int(max(sum(sizes) * 8, path.stat().st_size)), "the file")
        variables = loadmat(path, simplify_cells=True)
    except MatReadError as error:
        raise InputError(f"cannot be read as a MATLAB file ({error})") from error
    found: Arrays = {}
    for name, value in variables.items():
        if not name.startswith("__"):
            found.update(_flatten(name, value))
    return found


def _flatten(key: str, value: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """The arrays of a variable: of a struct those of its fields, of a struct array those of each."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _flatten(f"{key}/{name}", part)
        return
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    if array.dtype.kind == "O":
        members = list(array.ravel())
        if members and all(isinstance(member, Mapping) for member in members):
            yield from _flatten_structs(key, members)
        elif members and all(isinstance(member, str) for member in members):
            yield key, np.array(members, dtype=np.str_)
        return
    if array.dtype.kind == "U":
        yield key, np.char.rstrip(array)
    elif array.dtype.kind in "fiub":
        yield key, array


def _flatten_structs(key: str, members: list[Mapping[str, Any]]) -> Iterator[tuple[str, NDArray[Any]]]:
    """A struct array, each member under its own name where it has one."""
    for number, member in enumerate(members, 1):
        called = next((member[field] for field in _NAME_FIELDS if isinstance(member.get(field), str)), "")
        name = str(called).strip() or f"{key}-{number}"
        for field, part in member.items():
            if field not in _NAME_FIELDS:
                yield from _flatten(f"{name}/{field}", part)


def _read_hdf5(path: Path) -> Arrays:
    import h5py

    found: Arrays = {}
    with h5py.File(path, "r") as file:
        check_inside(file)
        total = 0

        def size(_: str, item: Any) -> None:
            nonlocal total
            if isinstance(item, h5py.Dataset):
                total += item.size * item.dtype.itemsize

        file.visititems(size)
        check_memory(total, "the file")
        for name, item in file.items():
            if not name.startswith("#"):
                found.update(_flatten(name, _read_item(item, file)))
    return found


def _read_item(item: Any, file: Any) -> Any:
    """A variable as SciPy would give it: structs as dictionaries, cells as arrays of objects."""
    import h5py

    if isinstance(item, h5py.Group):
        fields = {name: _read_item(part, file) for name, part in item.items()}
        return _split_structs(fields)
    kind = item.attrs.get("MATLAB_class", b"")
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if item.attrs.get("MATLAB_empty", 0):
        return np.empty(0)
    if item.dtype == h5py.ref_dtype:
        members = [_read_item(file[reference], file) for reference in np.asarray(item[()]).T.ravel()]
        return _as_objects(members)
    values = np.asarray(item[()]).T
    return _as_text(values) if kind == "char" else values if item.dtype.kind in "fiub" else None


def _split_structs(fields: dict[str, Any]) -> Any:
    """Fields that are all cells of one length are those of a struct array."""
    lengths = {
        len(value) if isinstance(value, np.ndarray) and value.dtype.kind == "O" else -1 for value in fields.values()
    }
    if len(lengths) != 1 or lengths <= {-1, 0}:
        return fields
    return _as_objects([{name: value[at] for name, value in fields.items()} for at in range(lengths.pop())])


def _is_cell(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "O"


def _as_objects(members: list[Any]) -> NDArray[Any]:
    found = np.empty(len(members), dtype=object)
    for at, member in enumerate(members):
        found[at] = member
    return found


def _as_text(codes: NDArray[Any]) -> Any:
    """Characters as text: a row is one, several rows are several."""
    rows = ["".join(map(chr, row)).rstrip() for row in np.atleast_2d(codes).astype(np.int64)]
    return rows[0] if len(rows) == 1 else np.array(rows, dtype=np.str_)


def _join_participants(arrays: Arrays) -> tuple[Arrays, frozenset[str]]:
    """Of Meadows, whose variables end in the participant's name: one list of stimuli, and who the participants are.

    Raises:
        InputError: If they have not all the same stimuli.
    """
    lists = {key: value for key, value in arrays.items() if key.startswith(_STIMULI)}
    matrices = {key: value for key, value in arrays.items() if key.startswith(_RDM)}
    if not lists or not matrices:
        return arrays, frozenset()
    first, known = next(iter(lists.items()))
    for key, names in lists.items():
        if not np.array_equal(names, known):
            raise InputError(f"'{key}' has other stimuli, or another order of them, than '{first}'")
    named = {key.removeprefix(_RDM).replace("_", "-"): value for key, value in matrices.items()}
    others = {key: value for key, value in arrays.items() if key not in lists and key not in matrices}
    return {"stimuli": known, **others, **named}, frozenset(named)

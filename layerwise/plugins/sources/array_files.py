"""Arrays in NumPy's files, read row by row where they lie there as they are; what is compressed is read whole."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from layerwise.core.base.errors import InputError
from layerwise.core.base.machine import available_memory
from layerwise.core.base.opening import check_regular
from layerwise.core.base.words import shorten
from layerwise.core.network.pixels import ArrayReader, FileReader, StimuliReader

_LOCAL_HEADER = struct.Struct(
    "<4s22xHH"
)  # of a file in a ZIP archive: signature, lengths of its name and of the rest
_BLOCK_BYTES = 2**20
_SIGNATURE = b"PK\x03\x04"
_LONGEST = 200  # letters of what NumPy says: it repeats headers


def read_arrays(path: Path) -> Mapping[str, StimuliReader]:
    """The arrays of a `.npy` (one, without a name) or `.npz` file. Nothing pickled is loaded.

    Raises:
        InputError: If it cannot be read.
    """
    if "\0" not in str(path) and not path.exists():
        raise InputError(f"no such file: {path}")
    try:
        check_regular(path)
        with path.open("rb") as file:
            is_archive = file.read(len(_SIGNATURE))[:2] == _SIGNATURE[:2]
        return _read_archive(path) if is_archive else {"": _read_plain(path)}
    except InputError:
        raise
    except Exception as error:  # a header is Python source, and what is none makes NumPy raise a dozen types
        reason = shorten(" ".join(str(error).split()) or type(error).__name__, _LONGEST)
        raise InputError(f"cannot read {path} as NumPy's {path.suffix.lower()}: {reason}") from error


def _read_plain(path: Path) -> StimuliReader:
    with path.open("rb") as file:
        found = _find_rows(path, file, path.stat().st_size)
    return found or ArrayReader(np.load(path, mmap_mode="r", allow_pickle=False), borrowed=True)


def _read_archive(path: Path) -> Mapping[str, StimuliReader]:
    with np.load(path, allow_pickle=False) as archive, path.open("rb") as file:
        members = {info.filename.removesuffix(".npy"): info for info in archive.zip.infolist()}
        return {
            name: _find_member(path, file, archive.zip, members[name]) or _load_member(path, archive, name)
            for name in archive.files
        }


def _load_member(path: Path, archive: Any, name: str) -> StimuliReader:
    check_room(sum(info.file_size for info in archive.zip.infolist() if info.filename == f"{name}.npy"), path, name)
    try:
        return ArrayReader(archive[name])
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise InputError(
            f"{path}: '{name}' holds Python objects, which are not loaded because they may be code: "
            f"save words as {name}.astype(str)"
        ) from error


def check_room(n_bytes: int, path: Path, name: str) -> None:
    """Check that an array fits into half of the memory that is left, from what its archive says of it.

    Raises:
        InputError: If it does not.
    """
    room = available_memory() // 2
    if n_bytes > room:
        raise InputError(
            f"{path}: '{name}' needs {n_bytes / 2**20:,.0f} MiB, more than half of the memory that is left "
            f"({room / 2**20:,.0f} MiB); an .npy file is read from where it is"
        )


def _find_member(
    path: Path, file: io.BufferedReader, archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> StimuliReader | None:
    """The rows of an array that an archive holds as it is."""
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
        return None
    file.seek(member.header_offset)
    signature, n_name, n_extra = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    if signature != _SIGNATURE:
        raise zipfile.BadZipFile(f"{member.filename} is not where it should be")
    file.seek(n_name + n_extra, io.SEEK_CUR)
    rows = _find_rows(path, file, file.tell() + member.file_size)
    if rows is not None:
        _check_sum(archive, member)
    return rows


def _check_sum(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Read all of it once: whoever reads rows later cannot tell whether they are what was written."""
    with archive.open(member) as content:
        while content.read(_BLOCK_BYTES):
            pass


def _find_rows(path: Path, file: io.BufferedReader, end: int) -> StimuliReader | None:
    """The rows of the array that begins here and ends at `end`; None where they do not lie one after the other."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    if version not in ((1, 0), (2, 0)):
        return None
    shape, fortran_order, dtype = read(file)
    if any(side < 0 for side in shape):
        raise ValueError(f"its shape {shape} has a negative side")
    rows = FileReader.at(path, file.tell(), shape, dtype)
    if dtype.kind not in "uif" or not shape or fortran_order or 0 in shape:
        return None
    if file.tell() + rows.n_bytes > end:
        raise ValueError(f"it ends after {end - file.tell()} of the {rows.n_bytes} bytes of its array")
    return rows

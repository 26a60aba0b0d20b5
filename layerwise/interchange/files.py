"""Which reader and which writer is for a file: told by its suffix, and for writing by a format's name too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from layerwise.core.base import hashing
from layerwise.core.base.errors import InputError, explaining_missing
from layerwise.core.base.words import near_names
from layerwise.interchange.content import FileContent, about
from layerwise.interchange.exported import Export
from layerwise.interchange.formats.hdf5_files import read_hdf5, write_hdf5
from layerwise.interchange.formats.json_files import read_json
from layerwise.interchange.formats.matlab_files import read_mat
from layerwise.interchange.formats.numpy_files import read_npy, read_npz, write_npz
from layerwise.interchange.formats.parquet_files import read_parquet, write_parquet
from layerwise.interchange.formats.rsatoolbox_files import write_rdms
from layerwise.interchange.formats.text_files import read_text_table
from layerwise.interchange.matrices import (
    MatrixExport,
    write_matrices_hdf5,
    write_matrices_npz,
    write_matrices_parquet,
    write_matrices_rdms,
)

Reader = Callable[[Path, str | None], FileContent]
Writer = Callable[[Path, Export], None]
MatrixWriter = Callable[[Path, MatrixExport], None]


def _refuse_pickle(path: Path, column: str | None = None) -> FileContent:  # noqa: ARG001 - a reader like the others
    raise InputError("a pickle can run code and is not read; save RDMs with rdms.save(file, file_type='hdf5')")


READERS: dict[str, Reader] = {
    ".npz": read_npz,
    ".npy": read_npy,
    ".parquet": read_parquet,
    ".h5": read_hdf5,
    ".hdf5": read_hdf5,
    ".mat": read_mat,
    ".csv": read_text_table,
    ".tsv": read_text_table,
    ".json": read_json,
    ".pkl": _refuse_pickle,
    ".pickle": _refuse_pickle,
}
WRITERS: dict[str, Writer] = {
    "npz": write_npz,
    "parquet": write_parquet,
    "hdf5": write_hdf5,
    "rsatoolbox": write_rdms,
}
"""Writers of representations, by the name of their format."""
MATRIX_WRITERS: dict[str, MatrixWriter] = {
    "npz": write_matrices_npz,
    "parquet": write_matrices_parquet,
    "hdf5": write_matrices_hdf5,
    "rsatoolbox": write_matrices_rdms,
}
"""Writers of a metric's matrices, by the name of their format."""
FORMATS = {
    ".rdms.h5": "rsatoolbox",
    ".rdms.hdf5": "rsatoolbox",
    ".npz": "npz",
    ".parquet": "parquet",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
}
"""The format that a suffix asks for; the longest that fits counts."""


def read_file(path: Path, column: str | None = None) -> FileContent:
    """Everything in a file that may be a layer, and what may name its rows.

    Args:
        path: The file.
        column: The column, array or descriptor that the user says has the stimuli's names.

    Raises:
        InputError: If there is no such file, its suffix is unknown, or it is not what its suffix says.
    """
    with about(path):
        if path.is_dir():
            raise InputError("is a folder")
        if not path.is_file():
            raise InputError("there is no such file")
        reader = READERS.get(path.suffix.lower())
        if reader is None:
            known = ", ".join(suffix for suffix, known in READERS.items() if known is not _refuse_pickle)
            raise InputError(f"cannot import this: the suffix must be one of {known}")
        with explaining_missing():
            return reader(path, column)


def choose_format(path: Path, name: str | None = None) -> str:
    """The format that is asked for by name, or by a file's suffix where none is named.

    Raises:
        InputError: If there is none.
    """
    if name is not None:
        if name not in WRITERS:
            raise InputError(f"no format '{name}'{near_names(name, list(WRITERS))}")
        return name
    for suffix, form in FORMATS.items():
        if path.name.lower().endswith(suffix):
            return form
    known = ", ".join(FORMATS)
    raise InputError(f"cannot export to {path.name}: the suffix must be one of {known}, or give --format")


def choose_writer(path: Path, name: str | None = None) -> Writer:
    """The writer of representations for a format, or for a file's suffix where none is named.

    Raises:
        InputError: If there is none.
    """
    return explaining_missing()(WRITERS[choose_format(path, name)])


def choose_matrix_writer(path: Path, name: str | None = None) -> MatrixWriter:
    """The writer of a metric's matrices for a format, or for a file's suffix where none is named.

    Raises:
        InputError: If there is none.
    """
    return explaining_missing()(MATRIX_WRITERS[choose_format(path, name)])


def hash_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with about(path):
        try:
            return hashing.hash_file(path)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}") from error

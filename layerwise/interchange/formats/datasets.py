"""Datasets of an open HDF5 file as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def read_dataset(item: Any) -> NDArray[Any] | None:
    """A dataset's texts or numbers; None if it holds something else, as references or records."""
    import h5py

    if h5py.check_string_dtype(item.dtype) is not None:  # texts that say they are ASCII are often UTF-8
        return np.array(item.asstr(encoding="utf-8", errors="replace")[()], dtype=np.str_)
    return np.asarray(item[()]) if item.dtype.kind in "fiub" else None

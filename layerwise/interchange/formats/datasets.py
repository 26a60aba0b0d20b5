"""Datasets of an open HDF5 file as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError


def check_inside(file: Any) -> None:
    """Check that an open HDF5 file holds its data itself: others that it names are anybody's, or have no end.

    Raises:
        InputError: If one of its data sets lies in another file.
    """
    import h5py

    def look(name: str | bytes, item: object) -> None:
        if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
            shown = name if isinstance(name, str) else name.decode("utf-8", "replace")
            raise InputError(f"the data of '{shown}' lie in another file, which is not read: copy them into this one")

    file.visititems(look)


def read_dataset(item: Any) -> NDArray[Any] | None:
    """A dataset's texts or numbers; None if it holds something else, as references or records."""
    import h5py

    if h5py.check_string_dtype(item.dtype) is not None:  # texts that say they are ASCII are often UTF-8
        return np.array(item.asstr(encoding="utf-8", errors="replace")[()], dtype=np.str_)
    return np.asarray(item[()]) if item.dtype.kind in "fiub" else None

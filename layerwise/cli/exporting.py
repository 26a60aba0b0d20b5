"""Writing representations to files that other tools read: NumPy, Parquet, HDF5."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from layerwise.cli.files import replacing
from layerwise.core.errors import InputError

if TYPE_CHECKING:
    from layerwise.core.representation import Representation

    Layers = Mapping[str, Representation]
    Writer = Callable[[Path, Layers, Sequence[str], bool], None]

FIELDS = ("correlation", "mean", "norm", "n_features")


def choose_writer(path: Path) -> Writer:
    """The writer for a file's suffix.

    Raises:
        InputError: If there is none.
    """
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise InputError(f"cannot export to {path.name}: the suffix must be one of {', '.join(_WRITERS)}")
    return writer


def export_layers(path: Path, layers: Layers, stimuli: Sequence[str], *, prefixed: bool) -> None:
    """Write representations, with the names of the stimuli, in the format that the suffix names.

    Args:
        path: `.npz` and `.h5` hold `correlation` (n, n), `mean` (n,), `norm` (n,), `n_features` and `stimuli`;
            `.parquet` holds a row for each layer and pair of stimuli i < j.
        layers: Representations by layer.
        stimuli: (n,); names.
        prefixed: Whether keys begin with the layer's name and a slash.

    Raises:
        InputError: If the suffix is unknown or the file cannot be written.
    """
    writer = choose_writer(path)
    with replacing(path) as target:
        writer(target, layers, stimuli, prefixed)


def _arrays(layers: Layers, stimuli: Sequence[str], prefixed: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"stimuli": np.array(stimuli, dtype=np.str_)}
    for name, representation in layers.items():
        prefix = f"{name}/" if prefixed else ""
        found |= {f"{prefix}{field}": getattr(representation, field) for field in FIELDS}
    return found


def _write_npz(path: Path, layers: Layers, stimuli: Sequence[str], prefixed: bool) -> None:
    np.savez(path, **_arrays(layers, stimuli, prefixed))


def _write_h5(path: Path, layers: Layers, stimuli: Sequence[str], prefixed: bool) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        for key, value in _arrays(layers, stimuli, prefixed).items():
            file[key] = list(stimuli) if key == "stimuli" else value


def _write_parquet(path: Path, layers: Layers, stimuli: Sequence[str], prefixed: bool) -> None:
    del prefixed  # every row names its layer
    import polars as pl

    first, second = np.triu_indices(len(stimuli), 1)
    names = pl.Series(list(stimuli), dtype=pl.String)
    pairs = pl.DataFrame(
        {
            "i": first.astype(np.uint32),
            "j": second.astype(np.uint32),
            "stimulus_i": names.gather(first),
            "stimulus_j": names.gather(second),
        }
    )
    frames = [
        pairs.select(
            pl.lit(name).alias("layer"),
            pl.all(),
            pl.Series("correlation", representation.correlation[first, second]),
        )
        for name, representation in layers.items()
    ]
    pl.concat(frames).write_parquet(path)


_WRITERS: dict[str, Writer] = {
    ".npz": _write_npz,
    ".parquet": _write_parquet,
    ".h5": _write_h5,
}

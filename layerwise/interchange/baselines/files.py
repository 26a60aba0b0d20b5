"""A baseline as a file: what layers make of a few stimuli, 64 say, without network, activations or pictures.

An `.npz` of a fixed form: pairs of stimuli above the diagonal as single precision (`core/network/matrices/compact`),
lengths and means in double, and everything in words as JSON. The same run gives the same bytes, so that version
control sees no change where there is none.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.writing import replacing
from layerwise.core.network.layers import Layer
from layerwise.core.network.matrices.compact import compact
from layerwise.core.network.representation import Representation, strict_upper
from layerwise.core.network.resolution import Resolution
from layerwise.interchange.formats.layer_facts import read_facts, write_facts

FORMAT = "layerwise-baseline 1"
_BROKEN = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError, TypeError)
_LARGEST = 1 << 30  # bytes, unpacked: no baseline is near that


@dataclass(frozen=True)
class BaselineStimulus:
    """A stimulus of a baseline: its name, label and the hash of its content."""

    name: str
    label: str | None
    content_hash: str


@dataclass(frozen=True, eq=False)
class BaselineFile:
    """What a baseline file holds.

    Attributes:
        model: The model's name.
        source: Where the model came from.
        run_id: The run that it was made of.
        stimuli_name: The name of the stimulus set.
        transform: The activation transform of the representations.
        layers: The layers, in order of computation.
        stimuli: The stimuli, in order.
        representations: One for each layer, (n, n) each.
        versions: Package name to version, of everything that computed.
    """

    model: str
    source: str
    run_id: str
    stimuli_name: str
    transform: str
    layers: tuple[Layer, ...]
    stimuli: tuple[BaselineStimulus, ...]
    representations: tuple[Representation, ...]
    versions: dict[str, str]


def write_baseline(path: Path, baseline: BaselineFile) -> None:
    """Write it, completely or not at all.

    Raises:
        InputError: If the file cannot be there, or is no `.npz`.
        LayerwiseError: If writing fails.
    """
    if path.suffix.lower() != ".npz":
        raise InputError(f"cannot write {path}: a baseline is an .npz file, such as canaries.npz")
    found = baseline.representations
    arrays = {
        "pairs": np.stack([strict_upper(_as_single(item)) for item in found]),
        "deviation": np.stack([item.deviation for item in found]),
        "mean": np.stack([item.mean for item in found]),
        "norm": np.stack([item.norm for item in found]),
        "about": np.array(_write_words(baseline)),
    }
    with replacing(path) as written:
        packed = io.BytesIO()
        np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]  # its second argument has a name of its own
        written.write_bytes(packed.getvalue())


def read_baseline(path: Path) -> BaselineFile:
    """Read it; nothing is unpickled.

    Raises:
        InputError: If it is no baseline, or is damaged.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
                    raise InputError(f"{path}: is far too large for a baseline")
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        about = json.loads(str(arrays["about"]))
        if about["format"] != FORMAT:
            raise InputError(f"{path}: is of the form '{about['format']}', and this Layerwise reads '{FORMAT}'")
        return _assemble(about, arrays)
    except _BROKEN as error:
        raise InputError(
            f"{path}: is no baseline that `layerwise baseline` has written ({type(error).__name__}: {error})"
        ) from error


def _as_single(representation: Representation) -> NDArray[np.float32]:
    """Entries as `compact` has them."""
    if representation.entries.dtype == np.float32:
        return representation.entries.astype(np.float32, copy=False)
    return compact(representation.dissimilarity)


def _write_words(baseline: BaselineFile) -> str:
    about = {
        "format": FORMAT,
        "model": baseline.model,
        "source": baseline.source,
        "run_id": baseline.run_id,
        "stimuli_name": baseline.stimuli_name,
        "transform": baseline.transform,
        "layers": json.loads(write_facts(baseline.layers)),
        "stimuli": [[item.name, item.label, item.content_hash] for item in baseline.stimuli],
        "features": [item.n_features for item in baseline.representations],
        "resolutions": [asdict(item.resolution) for item in baseline.representations],
        "has_zero": [item.has_zero for item in baseline.representations],
        "versions": baseline.versions,
    }
    return json.dumps(about, ensure_ascii=True, sort_keys=True)


def _assemble(about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> BaselineFile:
    layers = tuple(read_facts(json.dumps(about["layers"])).values())
    stimuli = tuple(BaselineStimulus(str(name), label, str(content)) for name, label, content in about["stimuli"])
    n_layers, n_stimuli = len(layers), len(stimuli)
    shapes = {name: arrays[name].shape for name in ("pairs", "deviation", "mean", "norm")}
    vectors = (n_layers, n_stimuli)
    if shapes["pairs"] != (n_layers, n_stimuli * (n_stimuli - 1) // 2) or any(
        shapes[name] != vectors for name in ("deviation", "mean", "norm")
    ):
        raise ValueError(f"arrays of {n_layers} layers and {n_stimuli} stimuli have the shapes {shapes}")
    return BaselineFile(
        str(about["model"]),
        str(about["source"]),
        str(about["run_id"]),
        str(about["stimuli_name"]),
        str(about["transform"]),
        layers,
        stimuli,
        tuple(_rebuild(about, arrays, place, n_stimuli) for place in range(n_layers)),
        {str(name): str(version) for name, version in about["versions"].items()},
    )


def _rebuild(about: dict[str, Any], arrays: dict[str, NDArray[Any]], place: int, n_stimuli: int) -> Representation:
    entries = np.full((n_stimuli, n_stimuli), np.inf, dtype=np.float32)  # infinite is a distance of 0: the diagonal
    upper = np.triu_indices(n_stimuli, 1)
    entries[upper] = arrays["pairs"][place]
    entries.T[upper] = arrays["pairs"][place]
    deviation, mean, norm = (np.asarray(arrays[name][place], np.float64) for name in ("deviation", "mean", "norm"))
    resolution = Resolution(**{name: float(value) for name, value in about["resolutions"][place].items()})
    features, has_zero = int(about["features"][place]), bool(about["has_zero"][place])
    return Representation(entries, deviation, mean, norm, features, resolution, has_zero)


def pick_evenly(n_stimuli: int, n_wanted: int) -> Sequence[int]:
    """Evenly spaced places, the first one among them: sets are often sorted by class."""
    if n_wanted >= n_stimuli:
        return range(n_stimuli)
    return [number * n_stimuli // n_wanted for number in range(n_wanted)]

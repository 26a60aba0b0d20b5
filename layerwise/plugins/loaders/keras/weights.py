"""Filling a Keras model's weights from a file, with one clear line where the file does not fit."""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import shorten
from layerwise.plugins.loaders.keras.tensorflow_checkpoints import find_prefix, list_checkpoint_files, restore
from layerwise.plugins.loaders.keras.weight_names import find_misfits, list_misfits

_BOLD = re.compile(r"\x1b\[[0-9;]*m")
_DOING = re.compile(r"Exception encountered when calling|Error when deserializing class|Arguments received by")
_CONFIG = re.compile(r"\s*(?:Full object config|Received: config=|config=)")
_LONGEST = 300


def load_weights(model: Any, path: Path) -> None:
    """Load a `.weights.h5`, `.h5` or `.keras` file, or TensorFlow's checkpoint, into a model of its architecture.

    Raises:
        InputError: If the file is missing, damaged, of another kind, or another model's; lists what does not fit.
    """
    prefix = find_prefix(path)
    if prefix is not None:
        restore(model, prefix)
        return
    if not path.is_file():
        raise InputError(f"no weights file '{path}'")
    if path.suffix.lower() not in (".h5", ".hdf5", ".keras"):
        raise InputError(
            f"{path}: weights are read from .weights.h5, .h5 and .keras files, and from TensorFlow's checkpoints"
        )
    try:
        with quiet_keras(), as_keras_knows_it(path) as named:
            misfits = find_misfits(model, named)
            if not misfits:
                model.load_weights(str(named))
    except Exception as error:  # Keras and h5py raise a dozen types for a file that does not fit
        raise InputError(f"{path} does not fit {model.name}: {first_line(error)}") from error
    if misfits:
        raise InputError(f"{path} does not fit {model.name}: {list_misfits(misfits)}")


def list_weights_files(path: Path) -> list[Path]:
    """The files that weights are read from."""
    prefix = find_prefix(path)
    return [path] if prefix is None else list_checkpoint_files(prefix)


@contextmanager
def quiet_keras() -> Iterator[None]:
    """Without Keras's warnings: what does not fit raises, the rest is about the history of its formats."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def as_keras_knows_it(path: Path) -> Iterator[Path]:
    """The same file with an ending in small letters, which is what Keras goes by."""
    if path.suffix == path.suffix.lower():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="layerwise-") as folder:
        link = Path(folder) / (path.stem + path.suffix.lower())
        link.symlink_to(path.absolute())
        yield link


def first_line(error: BaseException) -> str:
    """The reason that an error's message gives, in one line, or the error's type.

    Keras begins with what it was doing and puts the reason last, in bold, behind configurations of any length.
    """
    text = _BOLD.sub("", str(error)).rpartition("Exception encountered: ")[2]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not _DOING.match(line)]
    reason = next(iter(telling or lines), type(error).__name__)
    return shorten(_CONFIG.split(reason)[0].rstrip(" .,:"), _LONGEST)

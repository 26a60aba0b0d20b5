"""Importing TensorFlow: late, once, and without the lines it prints to standard error when it starts."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from layerwise.core.base.errors import InputError, LayerwiseError, explain_missing


def import_tensorflow() -> Any:
    """The `tensorflow` module, imported quietly the first time."""
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _no_standard_error():
        try:
            tensorflow = importlib.import_module("tensorflow")
        except ModuleNotFoundError as error:
            raise LayerwiseError(explain_missing(error.name or "tensorflow")) from error
        tensorflow.get_logger().setLevel("ERROR")
        tensorflow.zeros(())  # the first operation reports on devices, too
    return tensorflow


def check_device(word: str) -> None:
    """See that TensorFlow computes where it is asked to; `auto` is where it does by itself, a GPU if it sees one.

    Args:
        word: `auto`, `cpu`, `gpu` or `cuda`, with a number where there are several (`gpu:1`).

    Raises:
        InputError: If there is no such device, or TensorFlow has begun on another one; says what there is.
    """
    if word == "auto":
        return
    kind, _, number = word.lower().partition(":")
    kind = "gpu" if kind == "cuda" else kind
    tensorflow = import_tensorflow()
    known = tensorflow.config.list_physical_devices("GPU")
    names = ", ".join(["cpu", *(f"gpu:{place}" for place in range(len(known)))])
    place = int(number) if number.isdigit() else 0
    if kind not in {"cpu", "gpu"} or (number and not number.isdigit()) or (kind == "gpu" and place >= len(known)):
        raise InputError(f"there is no device '{word}' for TensorFlow here; it sees {names}")
    try:
        tensorflow.config.set_visible_devices(known[place : place + 1] if kind == "gpu" else [], "GPU")
    except RuntimeError as error:
        raise InputError(f"TensorFlow has begun on another device than '{word}' in this process") from error


def import_keras() -> Any:
    """The `keras` module on its TensorFlow backend, imported quietly the first time."""
    import_tensorflow()
    return importlib.import_module("keras")


def package_versions() -> dict[str, str]:
    """Versions of what computes a TensorFlow model."""
    names = ("tensorflow", "keras", "numpy")
    return {name: importlib.import_module(name).__version__ for name in names}


@contextmanager
def _no_standard_error() -> Iterator[None]:
    """Send the process's standard error to nowhere: C++ code writes there past Python's `sys.stderr`."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)

"""Networks from files: TorchScript and `torch.export` programs, told apart by what is in the archive.

Neither is unpickled. What else a file could do is looked for before it is loaded (`vetting.py`); such a file is
refused unless the caller says that it is trusted.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from layerwise.plugin import InputError

from layerwise_torch.errors import first_line
from layerwise_torch.vetting import find_code, find_script_code

FileKind = Literal["script", "export", "pickle"]


def sniff(path: Path) -> FileKind:
    """What a file holds.

    Raises:
        InputError: If it is missing, or nothing that PyTorch saves.
    """
    if not path.is_file():
        raise InputError(f"no model file '{path}'")
    names = _names(path)
    if names is None:
        with path.open("rb") as file:
            if file.read(1) == b"\x80":  # an old torch.save: a pickle without an archive around it
                return "pickle"
        raise InputError(f"{path} is not a PyTorch file, or is damaged")
    if any(name.endswith(("archive_format", "serialized_exported_program.json")) for name in names):
        return "export"
    if any("/code/" in name for name in names) and any(name.endswith("/constants.pkl") for name in names):
        return "script"
    if any(name.endswith("/data.pkl") for name in names):
        return "pickle"
    raise InputError(f"{path} is an archive, but not one that PyTorch saves")


def _names(path: Path) -> list[str] | None:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return None


def load_script(path: Path, *, trusted: bool) -> Any:
    """The TorchScript module in a file.

    Args:
        path: The file.
        trusted: Whether it may do more than compute.

    Raises:
        InputError: If it cannot be loaded, or could do more than compute and is not trusted.
    """
    problem = "" if trusted else _search(find_script_code, path)
    if problem:
        raise InputError(
            f"{path} calls {problem}, which may do more than compute: if you trust the file, add --allow-unsafe"
        )
    try:
        return torch.jit.load(str(path), map_location="cpu")
    except Exception as error:  # PyTorch raises several types for a damaged file
        raise InputError(f"cannot load {path}: {first_line(error)}") from error


def load_exported(path: Path, *, trusted: bool) -> Any:
    """The exported program in a file.

    Args:
        path: The file.
        trusted: Whether code that is stored in it may run.

    Raises:
        InputError: If it cannot be loaded, or could run code and is not trusted.
    """
    if not trusted:
        problem = _search(find_code, path)
        if problem:
            raise InputError(
                f"{path} holds {problem}, and loading it could run code that is stored in it: "
                "if you trust the file, add --allow-unsafe"
            )
    try:
        if trusted:
            return torch.export.load(str(path))
        with _weights_only():
            return torch.export.load(str(path))
    except Exception as error:  # as above
        hint = "" if trusted else "; if you trust the file, --allow-unsafe lifts restrictions"
        hint = hint if "eights only" in str(error) else ""
        raise InputError(f"cannot load {path}: {first_line(error)}{hint}") from error


def _search(find: Callable[[Path], str], path: Path) -> str:
    try:
        return find(path)
    except Exception as error:  # damaged, encrypted and half compressed archives raise a dozen types
        raise InputError(f"cannot load {path}: {first_line(error)}") from error


@contextmanager
def _weights_only() -> Iterator[None]:
    """Within it `torch.load` unpickles nothing but weights, whoever calls it."""
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before

"""Networks from files: TorchScript and `torch.export` programs, told apart by what is in the archive.

Neither is unpickled. A `torch.export` file may hold pickled things beside the program, and text that PyTorch
evaluates; such a file is refused unless the caller says that it is trusted.
"""

from __future__ import annotations

import builtins
import json
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from layerwise.plugin import InputError

from layerwise_torch.errors import first_line

FileKind = Literal["script", "export", "pickle"]
_HARMLESS = frozenset({"max", "min", "abs", "pow", "round", "divmod", "sum"})
_SYMBOL = re.compile(r"Symbol\('\w+'(, \w+=(True|False))*\)")
_PICKLED_NAMES = re.compile(r"/(custom_obj|opaque_obj)_\d+$|/constants/(?!tensor_|model_|\w*_constants_config)\w+$")


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


def load_script(path: Path) -> Any:
    """The TorchScript module in a file.

    Raises:
        InputError: If it cannot be loaded.
    """
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
        problem = find_code(path)
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


def find_code(path: Path) -> str:
    """What in an exported program's file could run code when it is loaded, in words; empty where nothing could."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if _PICKLED_NAMES.search(name):
                return "a pickled object"
            if name.endswith(".json"):
                problem = _find_code_in(_read_json(archive, name))
                if problem:
                    return problem
    return ""


def _read_json(archive: zipfile.ZipFile, name: str) -> object:
    try:
        content: object = json.loads(archive.read(name))
    except ValueError:
        return None
    return content


def _find_code_in(content: object) -> str:
    if isinstance(content, dict):
        if content.get("use_pickle"):
            return "pickled tensors"
        if not is_plain_expression(content.get("expr_str", "")):
            return "a size that is no formula"
        content = list(content.values())
    if isinstance(content, list):
        return next((problem for part in content if (problem := _find_code_in(part))), "")
    return ""


def is_plain_expression(text: object) -> bool:
    """Whether a size is a formula of names, numbers and plain functions; PyTorch evaluates it as Python code."""
    if not isinstance(text, str):
        return False
    text = _SYMBOL.sub("s", text)
    words = set(re.findall(r"[A-Za-z_]\w*", text))
    no_attributes = "__" not in text and not re.search(r"\.\s*[A-Za-z_]|[\[\]{}\"'`;:\\]", text)
    return no_attributes and not any(hasattr(builtins, word) and word not in _HARMLESS | {"True"} for word in words)


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

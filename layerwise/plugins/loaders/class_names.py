"""Names and identifiers of a model's outputs, from a text file with one class a line."""

from __future__ import annotations

import re
from pathlib import Path

from layerwise.core.base.errors import InputError
from layerwise.core.base.opening import MOST_TEXT, read_regular

_SYNSET = re.compile(r"n\d{8}$")
_BESIDE = ("synset_words.txt", "class_names.txt", "labels.txt")

Classes = tuple[tuple[str, ...], tuple[str, ...]]
"""Names and identifiers; either may be empty."""


def read_classes(path: str | Path, n_classes: int) -> Classes:
    """Names and identifiers in output order.

    A line that begins with an ImageNet synset (`n01440764 tench, Tinca tinca`) gives both, any other line a name.

    Raises:
        InputError: If the file cannot be read, or has another number of lines than the model has outputs.
    """
    try:
        text = read_regular(Path(path), MOST_TEXT).decode("utf-8")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise InputError(f"cannot read class names from {path}: {error}") from error
    if len(lines) != n_classes:
        raise InputError(f"{path} names {len(lines)} classes, but the model has {n_classes} outputs")
    words = [line.split(maxsplit=1) for line in lines]
    if all(_SYNSET.match(word[0]) for word in words):
        return tuple(word[-1].split(",")[0] for word in words), tuple(word[0] for word in words)
    return tuple(lines), ()


def list_class_files(named: str | None, weights: Path | None) -> list[Path]:
    """The files in which `find_classes` may find classes: the named one, else those that lie beside the weights."""
    if named is not None:
        return [Path(named)]
    beside = [weights.parent / name for name in _BESIDE] if weights is not None else []
    return [path for path in beside if path.is_file()]


def find_classes(named: str | None, weights: Path | None, n_classes: int) -> Classes:
    """The classes from the file that was named, else from one that lies beside the weights, else none.

    A file that was not asked for and does not fit the model is passed over.

    Raises:
        InputError: If the named file is not as it must be.
    """
    if named is not None:
        return read_classes(named, n_classes)
    for path in list_class_files(None, weights):
        try:
            return read_classes(path, n_classes)
        except InputError:
            continue
    return (), ()

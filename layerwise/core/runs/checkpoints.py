"""Several models in one call: which files a pattern means, and which step of the training each is."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from layerwise.core.base.errors import InputError

_WILD = re.compile(r"[*?\[]")
_DECIMAL = re.compile(r"\d+\.\d+")  # such as a loss in the file's name
_NUMBER = re.compile(r"\d+")
_SUFFIXES = (".weights.h5", ".keras", ".h5", ".hdf5", ".pb", ".pt", ".pth", ".ckpt", ".npz", ".index")


@dataclass(frozen=True)
class Checkpoint:
    """One of several models.

    Attributes:
        model: Its path.
        name: What it is filed under: the file's name without suffix.
        step: Its training step or epoch, read from the name; None where there is none.
    """

    model: str
    name: str
    step: int | None


def is_several(models: Sequence[str]) -> bool:
    """Whether what was typed means more than one model: several, or a pattern that is no file's own name."""
    return len(models) > 1 or (bool(_WILD.search(models[0])) and not Path(models[0]).exists())


def list_checkpoints(models: Sequence[str]) -> list[Checkpoint]:
    """The models that paths and patterns mean, in the order of their steps.

    Raises:
        InputError: If a pattern means no file, one file comes twice, or names do not say which step each is.
    """
    paths: list[str] = []
    for model in models:
        pattern = str(Path(model).expanduser())
        found = sorted(glob.glob(pattern)) if _WILD.search(model) else [model]  # noqa: PTH207 - absolute ones, too
        if not found:
            raise InputError(f"no file is called '{model}'")
        paths += found
    twice = {path for path in paths if paths.count(path) > 1}
    if twice:
        raise InputError(f"'{min(twice)}' is named twice")
    names = [_stem(path) for path in paths]
    steps = read_steps(names)
    if len(paths) > 1 and None in steps:
        shown = ", ".join(f"'{name}'" for name in names[:3])
        raise InputError(
            f"the names of {len(paths)} models do not say which step each is ({shown}): there must be one whole "
            "number that differs between them; or give one model at a time, with --step"
        )
    found_all = [Checkpoint(*each) for each in zip(paths, names, steps, strict=True)]
    return sorted(found_all, key=lambda checkpoint: (checkpoint.step is None, checkpoint.step or 0))


def read_steps(names: Sequence[str]) -> list[int | None]:
    """The step of each name: the first whole number in them that is another one in each; None where none is.

    Args:
        names: Such as `epoch-03`, `model.12-0.34` or `ckpt_1000`.
    """
    numbers = [[int(number) for number in _NUMBER.findall(_DECIMAL.sub(" ", name))] for name in names]
    n_numbers = {len(found) for found in numbers}
    if len(n_numbers) == 1:
        for column in zip(*numbers, strict=True):
            if len(set(column)) == len(names):
                return list(column)
    return [None] * len(names)


def _stem(path: str) -> str:
    name = Path(path).name
    suffix = next((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)] if suffix else name

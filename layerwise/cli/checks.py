"""Checks of arguments that can be made before anything heavy is imported."""

from __future__ import annotations

from pathlib import Path

from layerwise.core.base.errors import InputError


def check_weights_file(weights: str | None) -> None:
    """Check that `--weights` names a file where it looks like one; words are the loader's affair.

    Raises:
        InputError: If there is no such file.
    """
    if (
        weights is not None
        and looks_like_path(weights)
        and not any(Path(path).exists() for path in (weights, f"{weights}.index"))
    ):
        raise InputError(f"--weights: there is no file {weights}")


def check_file(path: str | None, option: str) -> None:
    """Check that an option names a file that is there.

    Raises:
        InputError: If there is none.
    """
    if path is not None and not Path(path).is_file():
        raise InputError(f"{option}: there is no file {path}")


def check_stimuli(location: str) -> None:
    """Check that `--stimuli` names something that is there, unless a plugin's source reads it (`name:...`).

    Raises:
        InputError: If there is nothing.
    """
    if ":" not in location and not Path(location).exists():
        raise InputError(f"--stimuli: there is no file or folder {location}")


def looks_like_path(text: str) -> bool:
    """Whether a word can only be meant as a path: it has a separator or a suffix."""
    return "/" in text or "\\" in text or bool(Path(text).suffix)

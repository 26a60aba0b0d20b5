"""Whatever a framework raises for a user's file is that file's error, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.plugins.loaders.keras.weights import first_line


@contextmanager
def refusing(path: object) -> Iterator[None]:
    """Within, what is raised and is not Layerwise's becomes an error that names the file and gives the reason.

    Raises:
        InputError: Instead of whatever else was raised.
    """
    try:
        yield
    except LayerwiseError:
        raise
    except Exception as error:  # frameworks raise dozens of types for a file that is not as they expect
        reason = first_line(error)
        kind = type(error).__name__
        raise InputError(f"cannot load {path}: {reason}{'' if reason == kind else f' ({kind})'}") from error

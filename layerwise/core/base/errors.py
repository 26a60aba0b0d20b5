"""The errors a user meets: each carries the exit code the command line ends with."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple


class LayerwiseError(Exception):
    """Base of every error that is shown as one clear line; the work failed (exit code 1).

    Attributes:
        message: The line.
        details: Lines that list what it speaks of, where that is more than one thing.
    """

    exit_code = 1

    def __init__(self, message: str, details: Sequence[str] = ()) -> None:
        super().__init__("\n  ".join([message, *details]))
        self.message = message
        self.details = tuple(details)

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors travel between processes as they are, whatever their class is made from."""
        return _make_again, (type(self), self.args, self.__dict__)


def _make_again(kind: type[LayerwiseError], arguments: tuple[Any, ...], state: dict[str, Any]) -> LayerwiseError:
    error = kind.__new__(kind)
    error.args = arguments
    error.__dict__.update(state)
    return error


class InputError(LayerwiseError):
    """What was asked for cannot be done as asked: a wrong name, file or option (exit code 2)."""

    exit_code = 2


class StimulusError(LayerwiseError):
    """One stimulus cannot be decoded; the engine collects these before the network runs."""


class PixelRangeError(StimulusError):
    """The values of one stimulus are no pixels; where several are like that, one line is enough for all.

    Attributes:
        low: Its smallest value.
        high: Its largest.
    """

    def __init__(self, low: float, high: float) -> None:
        super().__init__(f"has values from {low:g} to {high:g}, expected 0 to 255")
        self.low = low
        self.high = high


def explain_missing(module: str) -> str:
    """One line on a package that is not installed: what needs it, and the command that brings it."""
    name = module.partition(".")[0]
    extra = EXTRAS.get(name)
    what = f"'layerwise[{extra.name}]'" if extra else _DISTRIBUTIONS.get(name, name)
    needs = f"{extra.use} needs {name}, which" if extra else name
    remedy = f"`{sys.executable} -m pip install {what}`"
    return f"{needs} is not installed: {remedy}; `layerwise doctor` lists what is missing"


@contextmanager
def explaining_missing() -> Iterator[None]:
    """Within, a package that is not installed is an error of one line with the command that brings it.

    Raises:
        LayerwiseError: If an import of another package than Layerwise fails.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if not error.name or error.name.partition(".")[0] == "layerwise":
            raise
        raise LayerwiseError(explain_missing(error.name)) from error


class Extra(NamedTuple):
    """A part of Layerwise that is installed only where it is asked for: `layerwise[NAME]`, and what it is for."""

    name: str
    use: str


EXTRAS = {
    "tensorflow": Extra("tensorflow", "loading this model"),
    "keras": Extra("tensorflow", "loading this model"),
    "psycopg": Extra("postgres", "a history in PostgreSQL"),
    "starlette": Extra("browse", "`layerwise browse`"),
    "uvicorn": Extra("browse", "`layerwise browse`"),
    "h5py": Extra("formats", "reading and writing HDF5"),
    "pyarrow": Extra("formats", "reading and writing Parquet"),
    "dask": Extra("dask", "the engine `dask`"),
    "distributed": Extra("dask", "the engine `dask`"),
    "zarr": Extra("dask", "the engine `dask`"),
}
"""The extra that brings a module which is imported only where it is needed."""
_DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn", "vl_convert": "vl-convert-python"}


class PluginError(LayerwiseError):
    """A plugin raised, or returned something other than its hook promises.

    The message always names the plugin, the hook, what came and what was expected.

    Attributes:
        plugin: Name of the plugin.
        hook: The hook, or `import`.
        came: The message without these two.
    """

    def __init__(self, plugin: str, hook: str, came: str, expected: str = "") -> None:
        wanted = f", expected {expected}" if expected else ""
        super().__init__(f"plugin '{plugin}' ({hook}): {came}{wanted}")
        self.plugin = plugin
        self.hook = hook
        self.came = f"{came}{wanted}"

"""The errors a user meets: each carries the exit code the command line ends with."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any


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
    """One line on a package that is not installed: what it is for, and the command that brings it."""
    package, use = _PACKAGES.get(module, (module, ""))
    needs = f"{use} needs {package}, which" if use else f"{package}"
    remedy = f"`{sys.executable} -m pip install {package}`"
    return f"{needs} is not installed: {remedy}; `layerwise doctor` lists what is missing"


_PACKAGES = {
    "tensorflow": ("tensorflow", "loading this model"),
    "keras": ("keras", "loading this model"),
    "psycopg": ("'psycopg[binary]'", "a history in PostgreSQL"),
    "starlette": ("starlette", "browse"),
    "uvicorn": ("uvicorn", "browse"),
    "h5py": ("h5py", "reading HDF5"),
    "pyarrow": ("pyarrow", "reading and writing Parquet"),
    "PIL": ("pillow", "reading images"),
    "sklearn": ("scikit-learn", ""),
    "vl_convert": ("vl-convert-python", "drawing figures"),
    "dask": ("'dask[distributed]'", "the engine `dask`"),
}
"""Package and use of modules that are imported only where they are needed, by their names."""


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

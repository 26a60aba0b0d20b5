"""What goes wrong between PyTorch and Layerwise, in one line."""

from __future__ import annotations


class UntraceableError(Exception):
    """A network's graph cannot be found, or is not what the network computes."""


def first_line(error: BaseException) -> str:
    """The first line of an error's message that says something, or the error's type."""
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)[:300]


def describe_error(error: BaseException) -> str:
    """An error's type and the first line of its message."""
    line, kind = first_line(error), type(error).__name__
    return line if line == kind else f"{kind}: {line}"

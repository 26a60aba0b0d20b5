"""The command line: parses what was typed, wires the other rooms together, and prints what they found."""

from __future__ import annotations

import os
from collections.abc import Sequence

# Read when NumPy is first imported. Huge pages cost more than they save where memory is in pieces: see `base.pages`.
os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 the work failed, 2 the call was wrong.

    Args:
        arguments: What follows `layerwise`; by default what the process was started with.
    """
    from layerwise.cli.loading import loading

    with loading():
        from layerwise.cli.app import run_command_line

    return run_command_line(arguments)

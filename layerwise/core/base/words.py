"""Words for messages: which known names are near one that was mistyped."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def near_names(name: str, names: Sequence[str], prefix: str = "") -> str:
    """The end of an error message that suggests names close to a wrong one, each with what is written before it."""
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return f"; did you mean {' or '.join(f'{prefix}{word}' for word in near)}?"
    return f"; there are: {', '.join(f'{prefix}{word}' for word in names)}" if 0 < len(names) <= 12 else ""

"""Words for messages: which known names are near one that was mistyped, and how large something is."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def bytes_in_words(n_bytes: float) -> str:
    """A size: `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB"):
        if n_bytes < 1024:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:.1f} GiB"


def shorten(text: str, longest: int) -> str:
    """A text of at most so many letters; one that is cut ends in an ellipsis."""
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def quote(text: str) -> str:
    """What a user wrote, in a message: in quotation marks, on one line, of at most 60 letters."""
    return f"'{shorten(' '.join(text.split()), 60)}'"


_NEAR = 0.5  # closeness at which a name is worth suggesting
_BESIDE = 0.6  # and its share of the nearest one's: beside `rank`, nobody who typed `ranks` meant `mean-tokens`


def _closeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, other, one).ratio()  # in the order that get_close_matches takes


def near_names(name: str, names: Sequence[str], prefix: str = "") -> str:
    """The end of an error message that suggests names close to a wrong one, each with what is written before it."""
    near = difflib.get_close_matches(name, names, n=3, cutoff=_NEAR)
    if near:
        best = _closeness(name, near[0])
        near = [word for word in near if _closeness(name, word) >= _BESIDE * best]
        return f"; did you mean {' or '.join(f'{prefix}{word}' for word in near)}?"
    return f"; there are: {', '.join(f'{prefix}{word}' for word in names)}" if 0 < len(names) <= 12 else ""

"""Matching the names of two sides, one to one: as they are first, and then without what often differs.

What had to be left out is said: `houses/00.jpg` may well be another picture than `faces/00.png`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError

MAX_LISTED = 8
_SUFFIX = re.compile(r"(?<=[^./])\.[A-Za-z][A-Za-z0-9]{0,4}$")
"""A suffix begins with a letter: the names `1.5` and `1.7` are not the same number."""
_WHOLE = re.compile(r"(-?)0*(\d+)(?:\.0+)?")


@dataclass(frozen=True, eq=False)
class Match:
    """Which name of a file is which of a known set.

    Attributes:
        order: Where in the file each name of the set is; intp (n,).
        notes: What of the names was passed over, in words.
    """

    order: NDArray[np.intp]
    notes: tuple[str, ...] = ()

    @property
    def n_moved(self) -> int:
        """How many rows of the file are at another place in the set."""
        return int((self.order != np.arange(len(self.order))).sum())


@dataclass(frozen=True)
class _Form:
    """Names with something left out: what is left, and what is said of it."""

    said: str
    shorten: Callable[[Sequence[str]], list[str]]


def align(names: Sequence[str], known: Sequence[str], what: str) -> Match:
    """Where in the file each stimulus of a known set is.

    Names match as a whole, in any Unicode form; those that are left over then match without suffix, without folder,
    without both, or as whole numbers (`007` and 7), where no other name of either side is the same in that form.

    Args:
        names: Names of the file's rows, all different.
        known: Names of the set's stimuli.
        what: What the set is called in messages.

    Raises:
        InputError: If they do not match one to one; lists those that do not.
    """
    place, notes = _match(names, known)
    if not len(place) == len(known) == len(names):
        raise InputError(_explain(names, known, place, what))
    return Match(np.array([place[index] for index in range(len(known))], dtype=np.intp), notes)


def align_part(names: Sequence[str], known: Sequence[str], what: str) -> tuple[NDArray[np.intp], Match]:
    """The same where a file has only some of a known set's stimuli.

    Returns:
        Which stimuli of the set the file has, in the set's order; and where in the file each of these is.

    Raises:
        InputError: If the file has others; lists these.
    """
    place, notes = _match(names, known)
    if len(place) < len(names):
        raise InputError(_explain(names, known, place, what, is_part=True))
    there = np.array(sorted(place), dtype=np.intp)
    return there, Match(np.array([place[index] for index in there], dtype=np.intp), notes)


def _match(names: Sequence[str], known: Sequence[str]) -> tuple[dict[int, int], tuple[str, ...]]:
    """The row of each known stimulus that is found, by its index, and what was passed over."""
    place: dict[int, int] = {}
    notes = []
    for form in _FORMS:
        if len(place) in (len(known), len(names)):
            break
        found = _match_form(form, names, known, place)
        place |= found
        if found and form.said:
            notes.append(_describe(form, [(names[row], known[index]) for index, row in found.items()]))
    return place, tuple(notes)


def check_running(running: Sequence[str] | None, known: Sequence[str], what: str) -> None:
    """Check that a running number may be passed over: that stimuli of these names are not in another order.

    Args:
        running: The running number of a file that has no names; None if it has none.
        known: Names of the stimuli that the file's rows are taken for, in their order.
        what: What these are called in messages.

    Raises:
        InputError: If it may number the stimuli by name.
    """
    if running is None:
        return
    try:
        match = align(running, known, what)
    except InputError:
        return
    if match.n_moved:
        raise InputError(
            f"the rows have no names but a running number, and {what} has stimuli called so in another order: say "
            "--stimulus-column if these are the names, or give names with --names"
        )


def compose(name: str) -> str:
    """A name in the one Unicode form in which names are compared: composed (NFC)."""
    return unicodedata.normalize("NFC", name)


def _match_form(form: _Form, names: Sequence[str], known: Sequence[str], place: dict[int, int]) -> dict[int, int]:
    """The rows of names that match in a form, and in no other way, by the index of the known name."""
    theirs, ours = form.shorten(names), form.shorten(known)
    counts, own_counts = Counter(theirs), Counter(ours)
    taken = set(place.values())
    rows = {short: row for row, short in enumerate(theirs) if counts[short] == 1 and row not in taken}
    return {
        index: rows[short]
        for index, short in enumerate(ours)
        if index not in place and own_counts[short] == 1 and short in rows
    }


def _describe(form: _Form, pairs: Sequence[tuple[str, str]]) -> str:
    apart = [pair for pair in pairs if not _may_be_same_folder(*pair)]
    name, known = (apart or pairs)[0]
    count = "1 name matches" if len(pairs) == 1 else f"{len(pairs)} names match"
    doubt = "; make sure that they are the same stimuli" if apart else ""
    return f"{count} only {form.said}: '{name}' for '{known}'{doubt}"


def _may_be_same_folder(name: str, known: str) -> bool:
    """Whether one folder is a longer way to the other, as `img/faces` to `faces`."""
    folders = [_tidy(each).split("/")[:-1] for each in (name, known)]
    n_shared = min(len(folder) for folder in folders)
    return n_shared == 0 or folders[0][-n_shared:] == folders[1][-n_shared:]


def _explain(
    names: Sequence[str], known: Sequence[str], place: dict[int, int], what: str, *, is_part: bool = False
) -> str:
    taken = set(place.values())
    strange = [name for row, name in enumerate(names) if row not in taken]
    missing = [name for index, name in enumerate(known) if index not in place]
    alike = {name.casefold() for name in strange} & {name.casefold() for name in missing}
    gaps = "" if is_part else f"; missing are {_some(missing)}"
    return (
        f"the stimuli are not those of {what}: it does not have {_some(strange)}{gaps}"
        f"{' (capital and small letters are different)' if alike else ''}"
    )


def _written_alike(name: str) -> str:
    return compose(name).replace("\\", "/")


def _tidy(name: str) -> str:
    return _written_alike(name).strip()


def _without_suffix(name: str) -> str:
    return _SUFFIX.sub("", name)


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def _as_number(name: str) -> str:
    found = _WHOLE.fullmatch(name)
    return f"{found[1]}{found[2]}" if found else name


def _below_common_folder(names: Sequence[str]) -> list[str]:
    """Names without the folder that all of them are in."""
    paths = [name.split("/") for name in names]
    levels = zip(*(path[:-1] for path in paths), strict=False)  # as deep as the name with the fewest folders
    depth = sum(1 for _ in takewhile(lambda folders: len(set(folders)) == 1, levels))
    return ["/".join(path[depth:]) for path in paths]


def _each(*steps: Callable[[str], str]) -> Callable[[Sequence[str]], list[str]]:
    def shorten(names: Sequence[str]) -> list[str]:
        for step in steps:
            names = [step(name) for name in names]
        return list(names)

    return shorten


_FORMS = (
    _Form("", list),
    _Form("", _each(_written_alike)),
    _Form("without the blanks around them", _each(_tidy)),
    _Form("without suffix", _each(_tidy, _without_suffix)),
    _Form("without folder", lambda names: _below_common_folder(_each(_tidy)(names))),
    _Form("without folder and suffix", lambda names: _below_common_folder(_each(_tidy, _without_suffix)(names))),
    _Form("without folder", _each(_tidy, _base)),
    _Form("without folder and suffix", _each(_tidy, _base, _without_suffix)),
    _Form("as numbers, without folder and suffix", _each(_tidy, _base, _without_suffix, _as_number)),
)
"""From the names as they are to what is least of them."""


def _some(names: Sequence[str]) -> str:
    quoted = ", ".join(f"'{name}'" for name in names[:MAX_LISTED])
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return quoted + more or "none"

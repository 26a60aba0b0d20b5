"""What names the stimuli of a file: texts, and numbers that are names.

A file may have several lists with a value for each row: names, numbers of photos, categories, a running number.
Which of them are names is told by what a list is called, and by whether it tells all stimuli apart. A running
number says no more than the order of the rows, and is no name. What could be names, and cannot be told from
something else, is asked about, because rows that are taken in the wrong order give numbers that look right.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names

NAME_KEYS = (
    *("stimuli", "stimulus", "stimulus_names", "stimulus_name", "stimulus_i", "names", "name"),
    *("conditions", "condition", "conds", "cond", "images", "image", "image_names", "image_name"),
    *("photos", "photo", "pictures", "picture", "videos", "video"),
    *("stimulus_ids", "stimulus_id", "image_ids", "image_id", "stim_ids", "stim_id", "stims", "stim"),
    *("ids", "id", "items", "item", "filenames", "filename", "file_names", "file_name", "files", "file", "path"),
)
"""What a list of the stimuli's names is called in files, most telling first."""
WEAK_KEYS = ("labels", "label", "index", "__index_level_0__", "unnamed:_0", "level_0", "row", "rows", "i")
"""What may be names, or else categories or a running number."""
RUNNING_KEYS = frozenset(WEAK_KEYS[2:])
"""What a running number is called; one under another name is taken for names."""
_STRONG = frozenset(NAME_KEYS)
_KNOWN = _STRONG | frozenset(WEAK_KEYS)
LARGEST_WHOLE = 2**53
"""Up to here every whole number is a float64 of its own."""


@dataclass(frozen=True)
class FoundLabels:
    """A list with a value for each row of a file.

    Attributes:
        key: What it is called there.
        values: Its values as names; empty where they cannot be names.
        is_number: Whether they are numbers in the file.
        problem: Why they cannot be names; empty where they can.
    """

    key: str
    values: tuple[str, ...]
    is_number: bool = False
    problem: str = ""

    @property
    def tells_apart(self) -> bool:
        """Whether no value is there twice."""
        return not self.problem and len(set(self.values)) == len(self.values)

    @property
    def is_running(self) -> bool:
        """Whether it says no more than the order of the rows: 0, 1, 2, ... or 1, 2, 3, ..."""
        if not self.is_number or _normalise(self.key) not in RUNNING_KEYS:
            return False
        return any(self.values == tuple(map(str, range(start, start + len(self.values)))) for start in (0, 1))


@dataclass(frozen=True)
class ChosenNames:
    """What names the stimuli of a file.

    Attributes:
        names: Their names; None where the file has none.
        running: The running number that it has instead, as texts; None where it has none.
        source: What the list is called that has the names; empty where the user gives them.
        notes: Where the names were found, where that is not plain.
    """

    names: tuple[str, ...] | None = None
    running: tuple[str, ...] | None = None
    source: str = ""
    notes: tuple[str, ...] = ()


def is_name_key(key: str) -> bool:
    """Whether a list of this name holds names, categories or numbers of stimuli, and no measured values."""
    return _normalise(key) in _KNOWN


def is_strong_key(key: str) -> bool:
    """Whether a list of this name holds names of stimuli, and nothing else."""
    return _normalise(key) in _STRONG


def read_labels(key: str, values: Iterable[object]) -> FoundLabels:
    """A list of values as names: texts as they are, whole numbers as integers are written, dates in ISO's form."""
    names = []
    n_numbers = 0
    for value in values:
        name, problem = _as_name(value)
        if problem:
            return FoundLabels(key, (), isinstance(value, int | float), problem)
        names.append(name)
        n_numbers += isinstance(value, int | float)
    return FoundLabels(key, tuple(names), bool(names) and n_numbers == len(names))


def read_label_array(key: str, values: NDArray[Any]) -> FoundLabels:
    """The same of an array; one with several axes must be a single row or column."""
    if not is_list(values):
        return FoundLabels(key, (), values.dtype.kind in "iuf", f"have shape {values.shape}, and are no list")
    if values.dtype.kind not in "USMiufb":
        return FoundLabels(key, (), problem="are neither texts nor numbers")
    flat = values.reshape(-1)
    if flat.dtype.kind == "M":
        flat = np.datetime_as_string(flat)
    if flat.dtype.kind == "f":
        flat = flat.astype(np.float64)
    try:
        return read_labels(key, flat.tolist())
    except (ValueError, SystemError):  # code points that do not exist
        return FoundLabels(key, (), is_number=False, problem="are no text")


def is_list(values: NDArray[Any]) -> bool:
    """Whether an array has values along one axis only."""
    return values.ndim > 0 and values.size == max(values.shape)


def choose_names(labels: Sequence[FoundLabels], n_stimuli: int, column: str | None = None) -> ChosenNames:
    """What names the stimuli: what the user says, the usual names, or else the only list that tells them apart.

    Args:
        labels: What the file has.
        n_stimuli: Number of rows.
        column: What the user says has the names.

    Raises:
        InputError: If there is no such list, its values cannot be names, or it cannot be told which list has them.
    """
    if column is not None:
        return _choose(_find(labels, column))
    fitting = [found for found in labels if len(found.values) == n_stimuli and not found.is_running]
    useful = [found for found in fitting if found.tells_apart]
    for group in _rank(useful):
        if len({found.values for found in group}) > 1:
            keys = " and ".join(f"'{found.key}'" for found in group[:4])
            raise InputError(f"{keys} may both name the stimuli: say which does with --stimulus-column")
        if group:
            return _choose(group[0], _say_where(group[0]))
    for found in labels:
        if _is_meant_as_names(found, n_stimuli):
            return _choose(found)
    running = next((found.values for found in labels if found.is_running and len(found.values) == n_stimuli), None)
    return ChosenNames(None, running, notes=_say_why_not(labels, n_stimuli))


def _rank(labels: Sequence[FoundLabels]) -> list[list[FoundLabels]]:
    """Lists that may be names, in groups of those that are as likely; the most likely first.

    Under the usual words, texts come before numbers: who has both numbers the stimuli and calls them by the texts.
    """
    texts, numbers = ([found for found in labels if found.is_number == is_number] for is_number in (False, True))
    strong = [_under(key, group) for group in (texts, numbers) for key in NAME_KEYS]
    weak = [_under(key, labels) for key in WEAK_KEYS]
    others = [[found for found in group if not is_name_key(found.key)] for group in (texts, numbers)]
    return [*strong, others[0], *weak, others[1]]


def _under(key: str, labels: Sequence[FoundLabels]) -> list[FoundLabels]:
    return [found for found in labels if _normalise(found.key) == key]


def _is_meant_as_names(found: FoundLabels, n_stimuli: int) -> bool:
    """Whether a list that cannot be taken for names is meant as such; categories, which are few, are not."""
    if is_strong_key(found.key):
        return True
    return (
        not is_name_key(found.key)
        and not found.is_number
        and len(found.values) == n_stimuli < 2 * len(set(found.values))
    )


def _find(labels: Sequence[FoundLabels], column: str) -> FoundLabels:
    for same in (str, _normalise):
        for found in labels:
            if same(found.key) == same(column):
                return found
    raise InputError(
        f"--stimulus-column: no column, array or descriptor '{column}' with a value for each stimulus"
        f"{near_names(column, [found.key for found in labels])}"
    )


def _choose(found: FoundLabels, notes: tuple[str, ...] = ()) -> ChosenNames:
    if found.problem:
        raise InputError(f"the names in '{found.key}' {found.problem}; give names with --names or --stimulus-column")
    return ChosenNames(found.values, source=found.key, notes=notes)


def _say_where(found: FoundLabels) -> tuple[str, ...]:
    return () if is_strong_key(found.key) else (f"names of the stimuli are those in '{found.key}'",)


def _say_why_not(labels: Sequence[FoundLabels], n_stimuli: int) -> tuple[str, ...]:
    """Which lists a user may have meant as names, and why they are not taken."""
    meant = [found for found in labels if not found.is_running and (is_name_key(found.key) or not found.is_number)]
    alike = [found.key for found in meant if len(found.values) == n_stimuli]
    notes = [f"'{key}' does not tell all stimuli apart, and is not taken for names" for key in alike]
    return (*notes, *(f"the values in '{found.key}' {found.problem}" for found in meant if found.problem))


def _normalise(key: str) -> str:
    return key.rpartition("/")[2].strip().lower().replace("-", "_").replace(" ", "_")


def _as_name(value: object) -> tuple[str, str]:
    """A value as a name, or why it cannot be one."""
    match value:
        case bool():
            return "", "are only true or false"
        case float():
            return _as_whole(value)
        case str() | int():
            name = str(value)
        case bytes():
            name = value.decode("utf-8", "replace")
        case date() | time():
            name = value.isoformat()
        case _:
            return "", "have empty cells" if value is None else "are neither texts nor numbers"
    return name, ""


def _as_whole(value: float) -> tuple[str, str]:
    if math.isnan(value):
        return "", "have empty cells"
    if value.is_integer() and abs(value) <= LARGEST_WHOLE:
        return str(int(value)), ""
    return "", "are numbers that are not whole"

"""JSON: matrices by name, and the arrangements of the rating platform Meadows, of one participant or several."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.interchange.checks import check_memory
from layerwise.interchange.content import FileContent, FoundArray
from layerwise.interchange.formats.numpy_files import arrange_arrays
from layerwise.interchange.labels import FoundLabels

_BYTES = 10  # of memory that a byte of text takes while it is read
_ARRANGED = "multiarrange"


def read_json(path: Path, column: str | None = None) -> FileContent:
    """What is in a file that holds lists of numbers by name, or tasks of Meadows.

    Args:
        path: The file.
        column: The list that the user says has the stimuli's names.

    Raises:
        InputError: If it is no JSON, or holds no matrix.
    """
    try:
        check_memory(path.stat().st_size * _BYTES, "the file")
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot be read as JSON ({error})") from error
    tasks = list(_find_tasks(data))
    if tasks:
        return _read_tasks(tasks)
    if not isinstance(data, Mapping):
        raise InputError('an object with named lists is expected: {"stimuli": [...], "rdm": [[...]]}')
    arrays = {str(key): array for key, value in data.items() if (array := _as_array(value)) is not None}
    return arrange_arrays(arrays, path, column)


def _find_tasks(data: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Every arrangement in the file, with the participant's name and the task's."""
    if not isinstance(data, Mapping):
        return
    if isinstance(data.get("tasks"), list):
        yield from _arranged("", data["tasks"])
        return
    for name, part in data.items():
        if isinstance(part, Mapping) and isinstance(part.get("tasks"), list):
            yield from _arranged(str(name), part["tasks"])


def _arranged(participant: str, tasks: list[Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    chosen = [task for task in tasks if isinstance(task, Mapping) and "rdm" in task and _kind(task) == _ARRANGED]
    for number, task in enumerate(chosen, 1):
        yield participant, str(task.get("task", {}).get("name") or f"task-{number}"), task


def _kind(task: Mapping[str, Any]) -> str:
    return str(task.get("task", {}).get("task_type", _ARRANGED))


def _read_tasks(tasks: list[tuple[str, str, Mapping[str, Any]]]) -> FileContent:
    items = []
    known: tuple[str, ...] | None = None
    is_one_task = len({called for _, called, _ in tasks}) == 1
    for participant, called, task in tasks:
        name = participant if is_one_task and participant else "/".join(filter(None, (participant, called)))
        try:
            names = tuple(str(stimulus["name"]) for stimulus in task["stimuli"])
            values = np.array(task["rdm"], dtype=np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"task '{name}' is damaged ({type(error).__name__}: {error})") from error
        if known is not None and names != known:
            raise InputError(f"task '{name}' has other stimuli, or another order of them, than the first")
        known = names
        said = (FoundLabels("participant", (participant,)), FoundLabels("task", (called,)))
        items.append(FoundArray(name, values, "distance", descriptors=said[not participant :]))
    return FileContent(tuple(items), () if known is None else (FoundLabels("stimuli", known),))


def _as_array(value: Any) -> NDArray[Any] | None:
    """A list of numbers or of texts as an array; None of anything else."""
    if not isinstance(value, list) or not value:
        return None
    if all(isinstance(one, str) for one in value):
        return np.array(value, dtype=np.str_)
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    whole = array.ndim == 1 and all(isinstance(one, int) and not isinstance(one, bool) for one in value)
    return array.astype(np.int64) if whole else array

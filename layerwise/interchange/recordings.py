"""Recordings by whatever names them: runs of a history, or files, which are imported onto a network's stimuli."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from layerwise.core.base.errors import InputError
from layerwise.core.history.protocols import Archive
from layerwise.core.history.records import RunRecord
from layerwise.core.host.registry import Registry
from layerwise.core.runs.request import SilentObserver
from layerwise.interchange.files import READERS
from layerwise.interchange.importing import ImportRequest, execute_import, prepare_import, split_by_subject
from layerwise.interchange.structure import Structure


def find_recordings(
    given: Sequence[str], network: RunRecord, structure: Structure, registry: Registry, store: Archive, command: str
) -> tuple[list[RunRecord], tuple[str, ...]]:
    """The runs of recordings; what is a file is imported, once.

    Args:
        given: Ids of runs, or files; several files are one recording, unless they are told apart by subject.
        network: Whose stimuli the files' rows are.
        structure: Which descriptors of the matrices name subjects and areas.
        registry: Knows the statistics.
        store: Where runs are, and files are imported to.
        command: What was typed, for the record.

    Returns:
        The runs, and what was assumed of the files.

    Raises:
        InputError: If there is no such run or file, or a file cannot be imported.
    """
    files = [Path(text) for text in given if Path(text).suffix.lower() in READERS]
    runs = [store.find_run(text) for text in given if Path(text) not in files]
    if structure and not files:
        raise InputError("--subject-from and --layer-from are of files: name one as a recording")
    notes: dict[str, None] = {}
    if files:
        request = ImportRequest(tuple(files), stimuli=network.id, structure=structure, command=command)
        for prepared in [prepare_import(one) for one in split_by_subject(request)]:
            outcome = execute_import(prepared, registry, store, SilentObserver())
            runs.append(store.find_run(outcome.run_id))
            notes |= dict.fromkeys(outcome.notes)
    return runs, tuple(notes)

"""Whose rows an imported matrix has: stimuli of a run or a folder, or new ones known by name.

Two runs can be compared if their stimulus sets have the same fingerprint. A matrix that is imported onto a set takes
that set's fingerprint, and its rows take the set's order; one that is not gets a fingerprint from its names. A file
without names makes a set of its own, from its content, because nobody can say that its rows are those of another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.opening import MOST_TEXT, FileError, read_regular
from layerwise.core.history.records import RunRecord, StimulusRecord
from layerwise.core.network.pixels import ArrayReader
from layerwise.core.network.stimuli import LoadedStimuli, Stimulus
from layerwise.core.runs.decode.stimuli import fingerprint_stimuli
from layerwise.interchange.checks import check_names
from layerwise.interchange.content import about
from layerwise.interchange.matching import compose


def read_names(path: Path) -> tuple[str, ...]:
    """Stimulus names, one a line, in the order of the rows; empty lines are left out.

    Raises:
        InputError: If the file cannot be read as text.
    """
    with about(path):
        try:
            lines = read_regular(path, MOST_TEXT).decode("utf-8-sig").splitlines()
        except FileError as error:
            raise InputError(f"cannot be read: {error.reason}") from error
        except UnicodeDecodeError as error:
            raise InputError("is no text in UTF-8") from error
    return tuple(line.strip() for line in lines if line.strip())


def check_count(n_rows: int, n_stimuli: int, what: str) -> None:
    """Check that a matrix has as many rows as a set has stimuli.

    Raises:
        InputError: If it has not.
    """
    if n_rows != n_stimuli:
        raise InputError(f"{n_rows} stimuli, but {what} has {n_stimuli}")


def new_stimuli(names: Sequence[str] | None, n_stimuli: int, files: Sequence[Path], content: str) -> LoadedStimuli:
    """A stimulus set from names alone: no pictures.

    Args:
        names: Names of the stimuli; None where the file has none.
        n_stimuli: Their number.
        files: Where they come from.
        content: Hex digest of the files; the identity of stimuli without names.

    Raises:
        InputError: If the number of names is another, or a name is there twice, in whatever Unicode form.
    """
    if names is None:
        chosen = tuple(f"stimulus {index}" for index in range(1, n_stimuli + 1))
        hashes = [_hash(f"{content} {index}") for index in range(n_stimuli)]
    else:
        chosen = check_names(names, n_stimuli)
        hashes = [_hash(name) for name in check_names([compose(name) for name in chosen], n_stimuli)]
    return LoadedStimuli(
        name=files[0].name.split(".")[0],
        source=", ".join(file.name for file in files),
        stimuli=tuple(Stimulus(name) for name in chosen),
        pixels=_no_pixels(n_stimuli),
        thumbnails=(b"",) * n_stimuli,
        content_hashes=tuple(hashes),
        fingerprint=fingerprint_stimuli(hashes),
        skipped=(),
        resize="squash",
    )


def stored_stimuli(run: RunRecord, records: Sequence[StimulusRecord]) -> LoadedStimuli:
    """The stimulus set of a stored run, so that another run can be on the same one."""
    return LoadedStimuli(
        name=run.stimuli_name,
        source=run.stimuli_source,
        stimuli=tuple(Stimulus(record.name, record.label) for record in records),
        pixels=_no_pixels(len(records)),
        thumbnails=tuple(record.thumbnail for record in records),
        content_hashes=tuple(record.content_hash for record in records),
        fingerprint=run.stimuli_fingerprint,
        skipped=run.skipped,
        resize="crop" if run.resize == "crop" else "squash",
    )


def take_stimuli(stimuli: LoadedStimuli, indices: Sequence[int] | NDArray[np.intp]) -> LoadedStimuli:
    """Some of a set, in this order: a set of its own, without pixels."""
    chosen = [int(index) for index in indices]
    hashes = tuple(stimuli.content_hashes[index] for index in chosen)
    return replace(
        stimuli,
        stimuli=tuple(stimuli.stimuli[index] for index in chosen),
        pixels=_no_pixels(len(chosen)),
        thumbnails=tuple(stimuli.thumbnails[index] for index in chosen),
        content_hashes=hashes,
        fingerprint=fingerprint_stimuli(hashes),
    )


def _no_pixels(n_stimuli: int) -> ArrayReader:
    return ArrayReader(np.empty((n_stimuli, 0, 0, 3), dtype=np.uint8))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

"""Recordings by whatever names them (runs, or files, imported onto a network's stimuli), and the mean over subjects.

Subjects differ in how large their dissimilarities are (noise, number of voxels), and a plain mean would be that of
the loudest. So each subject's dissimilarities are divided by their standard deviation over pairs of stimuli; for a
correlation between matrices that is the mean of standardised matrices (Nili et al. 2014).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from layerwise.core.analysis.recordings.ceilings import LEAST_RECORDINGS, MEAN_TAG
from layerwise.core.base.errors import InputError
from layerwise.core.history.protocols import Archive
from layerwise.core.history.records import RunRecord
from layerwise.core.host.registry import Registry
from layerwise.core.network.representation import Representation, strict_upper
from layerwise.core.runs.request import SilentObserver
from layerwise.interchange.checks import CheckedMatrix
from layerwise.interchange.content import stem_of
from layerwise.interchange.conversion import Converted, find_kind
from layerwise.interchange.files import READERS
from layerwise.interchange.gathering import ImportedLayer
from layerwise.interchange.importing import (
    ImportRequest,
    PreparedImport,
    execute_import,
    prepare_import,
    split_by_subject,
)
from layerwise.interchange.structure import Structure

_KIND = "distance"


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


def prepare_mean(subjects: Sequence[PreparedImport]) -> PreparedImport:
    """The mean over subjects of each area that all of them have, ready to be stored.

    Args:
        subjects: The import of each subject.

    Raises:
        InputError: If there are fewer than two subjects, they have no area in common, or their stimuli differ.
    """
    if len(subjects) < LEAST_RECORDINGS:
        raise InputError("--mean is over subjects, and there is one: --subject-from says whose each matrix is")
    first = subjects[0]
    by_name = [{layer.name: layer for layer in one.gathered.layers} for one in subjects]
    shared = [name for name in by_name[0] if all(name in layers for layers in by_name)]
    if not shared:
        raise InputError("--mean: the subjects have no area of the same name")
    _check_stimuli(subjects)
    layers = tuple(_average(name, [layers[name] for layers in by_name]) for name in shared)
    request = first.request
    name = f"mean of {len(subjects)} subjects"
    structure = dataclasses.replace(
        request.structure, subject=name, subject_from=request.structure.subject_from or "file"
    )
    files = tuple(dict.fromkeys(file for one in subjects for file in one.request.files))
    content = tuple(dict.fromkeys(digest for one in subjects for digest in one.content))
    tags = {
        key: value
        for key, value in request.tags.items()
        if all(one.request.tags.get(key) == value for one in subjects)
    }
    return PreparedImport(
        dataclasses.replace(
            request, name=name, files=files, structure=structure, tags={**tags, MEAN_TAG: str(len(subjects))}
        ),
        dataclasses.replace(first.gathered, layers=layers),
        content,
        sum(one.seconds for one in subjects),
    )


def _check_stimuli(subjects: Sequence[PreparedImport]) -> None:
    first = subjects[0].gathered
    for one in subjects[1:]:
        there = one.gathered
        if there.n_stimuli != first.n_stimuli or there.names != first.names:
            raise InputError(
                f"--mean: '{one.request.name or stem_of(one.request.files[0])}' has other stimuli, or has them in "
                "another order, than the first subject"
            )


def _average(name: str, layers: Sequence[ImportedLayer]) -> ImportedLayer:
    """One area; a stimulus that is undefined for one subject is so in the mean."""
    total = np.mean([_standardise(layer.converted.representation) for layer in layers], axis=0)
    live = np.isfinite(total).any(axis=0)
    representation, notes = find_kind(_KIND).convert(CheckedMatrix(total, live, has_diagonal=False))
    said = f"the mean over {len(layers)} subjects of dissimilarities, each divided by its standard deviation"
    return ImportedLayer(Converted(name, _KIND, representation, (said, *notes)))


def _standardise(representation: Representation) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The dissimilarities that RSA compares, over their standard deviation; NaN on the diagonal."""
    apart = representation.correlation_distances()
    spread = float(np.nanstd(strict_upper(apart)))
    if not spread > 0:
        raise InputError("--mean: all dissimilarities of a matrix are the same, so that it has no scale")
    apart = apart / spread
    np.fill_diagonal(apart, np.nan)
    return apart

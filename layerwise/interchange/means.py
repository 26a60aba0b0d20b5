"""The mean over subjects: a representation of its own, which can be compared with layers like any other.

Subjects differ in how large their dissimilarities are (noise, number of voxels), and a plain mean would be that of
the loudest. So each subject's dissimilarities are divided by their standard deviation over pairs of stimuli; for a
correlation between matrices that is the mean of standardised matrices (Nili et al. 2014).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from layerwise.core.analysis.recordings.ceilings import LEAST_RECORDINGS, MEAN_TAG
from layerwise.core.base.errors import InputError
from layerwise.core.network.representation import Representation, strict_upper
from layerwise.interchange.checks import CheckedMatrix
from layerwise.interchange.content import stem_of
from layerwise.interchange.conversion import Converted, find_kind
from layerwise.interchange.gathering import ImportedLayer
from layerwise.interchange.importing import PreparedImport

KIND = "distance"


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
    representation, notes = find_kind(KIND).convert(CheckedMatrix(total, live, has_diagonal=False))
    said = f"the mean over {len(layers)} subjects of dissimilarities, each divided by its standard deviation"
    return ImportedLayer(Converted(name, KIND, representation, (said, *notes)))


def _standardise(representation: Representation) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The dissimilarities that RSA compares, over their standard deviation; NaN on the diagonal."""
    apart = representation.correlation_distances()
    spread = float(np.nanstd(strict_upper(apart)))
    if not spread > 0:
        raise InputError("--mean: all dissimilarities of a matrix are the same, so that it has no scale")
    apart = apart / spread
    np.fill_diagonal(apart, np.nan)
    return apart

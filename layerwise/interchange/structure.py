"""Whose matrices are whose: from what a file says of each matrix to subjects and layers.

A file of several subjects and areas has a matrix for each of both, and descriptors that say which. A subject becomes
a run, so that the mean over subjects and the noise ceiling can be asked for; an area becomes a layer of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.interchange.content import FoundArray, FoundRepresentation, about, name_matrices
from layerwise.interchange.files import read_file
from layerwise.interchange.labels import FoundLabels


@dataclass(frozen=True)
class Structure:
    """Which descriptors of matrices say what.

    Attributes:
        layer_from: Descriptors whose values, joined by `/`, name the layers; empty for the usual ones.
        subject_from: The descriptor that says whose a matrix is; empty where that is not asked.
        subject: Of whom matrices are taken; empty for all.
    """

    layer_from: tuple[str, ...] = ()
    subject_from: str = ""
    subject: str = ""

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return bool(self.layer_from or self.subject_from)


def list_subjects(files: Sequence[Path], structure: Structure, column: str | None = None) -> tuple[str, ...]:
    """Everybody whose matrices are in some files, in order of appearance.

    Raises:
        InputError: If a file has no such descriptor.
    """
    found: dict[str, None] = {}
    for file in files:
        content = read_file(file, column)
        with about(file):
            for item in content.items:
                found |= dict.fromkeys(_find(item, structure.subject_from, "--subject-from").values)
    return tuple(found)


def choose_matrices(
    item: FoundArray | FoundRepresentation, structure: Structure
) -> FoundArray | FoundRepresentation | None:
    """The part of an array that is the subject's, with its layers' names; None where nothing of it is.

    Raises:
        InputError: If the array has no such descriptor, or layers of one subject are called alike.
    """
    if not structure:
        return item
    found = _as_array(item)
    keep = np.ones(len(found.descriptors[0].values) if found.descriptors else 1, dtype=np.bool_)
    left = found.descriptors
    if structure.subject_from:
        whose = _find(found, structure.subject_from, "--subject-from")
        keep = np.array([not structure.subject or value == structure.subject for value in whose.values])
        left = tuple(labels for labels in left if labels.key != whose.key)
    if not keep.any():
        return None
    kept = tuple(_take(labels, keep) for labels in left)
    if structure.layer_from:
        parts = [_take(_find(found, key, "--layer-from"), keep).values for key in structure.layer_from]
        names: tuple[str, ...] | None = tuple("/".join(words) for words in zip(*parts, strict=True))
    else:
        names = name_matrices(kept, int(keep.sum()))
    _check_names(names, structure)
    if len(keep) == 1:
        return replace(found, name=names[0] if names else found.name, descriptors=kept)
    return replace(found, values=found.values[keep], labels=names, descriptors=kept)


def _as_array(item: FoundArray | FoundRepresentation) -> FoundArray:
    if isinstance(item, FoundRepresentation):
        raise InputError("was exported by Layerwise: leave --subject-from and --layer-from out")
    return item


def _find(item: FoundArray | FoundRepresentation, key: str, option: str) -> FoundLabels:
    descriptors = _as_array(item).descriptors
    for labels in descriptors:
        if labels.key == key and not labels.problem:
            return labels
    there = [labels.key for labels in descriptors if not labels.problem]
    known = near_names(key, there) if there else "; this file says nothing of its matrices"
    raise InputError(f"{option}: no descriptor '{key}' of the matrices{known}")


def _take(labels: FoundLabels, keep: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> FoundLabels:
    return replace(labels, values=tuple(value for value, kept in zip(labels.values, keep, strict=True) if kept))


def _check_names(names: tuple[str, ...] | None, structure: Structure) -> None:
    if names is None or len(set(names)) == len(names):
        return
    twice = next(name for name in names if names.count(name) > 1)
    whose = f" of '{structure.subject}'" if structure.subject else ""
    more = "name what tells them apart with --layer-from A,B"
    more += "" if structure.subject_from else " or --subject-from"
    raise InputError(f"several matrices{whose} are called '{twice}': {more}")

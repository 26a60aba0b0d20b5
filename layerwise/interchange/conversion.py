"""What becomes of each kind of matrix: a representation, as faithful as the matrix allows.

A matrix between stimuli knows less than activations: no means over units, often no norms. What is missing is set
to a convention, and what was assumed is said in a note that stays with the run.

Distances stay the distances that they were, in float64: squared ones d (or whatever the dissimilarities are) become
the representation's, seen from a reference that is as far from all stimuli, so that dissimilarities are d but for a
power of two. The Gram matrix centred over stimuli is then -1/2 H D H, that of classical multidimensional scaling
(Torgerson 1952; Gower 1966), which is all that CKA, CCA and Procrustes use. Similarities are not known, and stand in
for RSA as a linear function of the distances: what needs their zero is refused (`Representation.has_zero`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.core.network.products import multiply
from layerwise.core.network.representation import Representation
from layerwise.core.network.resolution import GIVEN
from layerwise.interchange.arrange import Arranged
from layerwise.interchange.checks import CheckedMatrix, Floats, check_diagonal, check_range
from layerwise.interchange.content import about

MAX_SPECTRUM = 2000
"""Up to so many stimuli the eigenvalues of an imported matrix are looked at (n^3 operations)."""
NEGLIGIBLE = 1e-5
"""Eigenvalues below this share of the largest are rounding."""


@dataclass(frozen=True)
class Converted:
    """One imported layer.

    Attributes:
        name: Its name.
        kind: What it was made of.
        representation: What is stored.
        notes: What was assumed or found, in words.
    """

    name: str
    kind: str
    representation: Representation
    notes: tuple[str, ...] = ()


Convert = Callable[[CheckedMatrix], tuple[Representation, tuple[str, ...]]]


@dataclass(frozen=True)
class MatrixKind:
    """A kind of matrix between stimuli: its name, what is assumed of it, and how it is converted."""

    name: str
    assumption: str
    convert: Convert


def convert(arranged: Arranged) -> Converted:
    """The representation of one layer.

    Raises:
        InputError: If the values are not what its kind must have.
    """
    if not isinstance(arranged.content, CheckedMatrix):
        return Converted(arranged.name, arranged.kind, multiply(arranged.content).represent())
    with about(f"'{arranged.name}'"):
        representation, notes = find_kind(arranged.kind).convert(arranged.content)
    notes += _undefined_note(arranged.content)
    return Converted(arranged.name, arranged.kind, representation, notes + _spectrum_note(representation))


def find_kind(name: str) -> MatrixKind:
    """The kind of this name.

    Raises:
        InputError: If there is none.
    """
    if name not in KINDS:
        raise InputError(f"no kind of matrix '{name}'{near_names(name, list(KINDS))}")
    return KINDS[name]


def _similarity(matrix: CheckedMatrix) -> tuple[Representation, tuple[str, ...]]:
    check_diagonal(matrix, 1, "a similarity matrix")
    check_range(matrix, -1, 1, "a correlation or cosine")
    return _assemble(2 * (1 - np.clip(matrix.values, -1, 1)), matrix.live, np.ones(len(matrix.live))), ()


def _correlation_distance(matrix: CheckedMatrix) -> tuple[Representation, tuple[str, ...]]:
    check_diagonal(matrix, 0, "a distance matrix")
    check_range(matrix, 0, 2, "a correlation distance")
    return _assemble(2 * np.clip(matrix.values, 0, 2), matrix.live, np.ones(len(matrix.live))), ()


def _gram(matrix: CheckedMatrix) -> tuple[Representation, tuple[str, ...]]:
    if not matrix.has_diagonal:
        raise InputError("a Gram matrix needs its diagonal")
    diagonal = np.diagonal(matrix.values)
    if (diagonal[matrix.live] <= 0).any():
        worst = int(np.nanargmin(diagonal))
        raise InputError(f"a Gram matrix has a positive diagonal, entry ({worst}, {worst}) is {diagonal[worst]:g}")
    norm = np.sqrt(np.where(matrix.live, diagonal, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = CheckedMatrix(matrix.values / np.outer(norm, norm), matrix.live, has_diagonal=True)
    check_range(cosine, -1, 1, "an entry divided by the roots of both its diagonal entries")
    return _assemble(np.add.outer(diagonal, diagonal) - 2 * matrix.values, matrix.live, norm), ()


def _distance(matrix: CheckedMatrix) -> tuple[Representation, tuple[str, ...]]:
    check_diagonal(matrix, 0, "a distance matrix")
    n_negative = int((matrix.pairs < 0).sum())
    notes = (f"{n_negative} distances are negative, as cross-validation gives, and kept so",) if n_negative else ()
    highest = float(np.abs(matrix.pairs).max())
    if highest <= 0:
        raise InputError("all distances are 0: nothing to compare")
    norm = np.full(len(matrix.live), np.sqrt(highest / 2))
    return _assemble(matrix.values, matrix.live, norm, has_zero=False), notes


def _euclidean(matrix: CheckedMatrix) -> tuple[Representation, tuple[str, ...]]:
    check_range(matrix, 0, float("inf"), "a Euclidean distance")
    return _distance(CheckedMatrix(matrix.values**2, matrix.live, matrix.has_diagonal))


def _assemble(
    squared_distances: Floats, live: NDArray[np.bool_], norm: NDArray[np.float64], *, has_zero: bool = True
) -> Representation:
    """A representation of vectors whose mean over units is 0; as many units as any such matrix can need."""
    largest = float(np.nanmax(np.abs(squared_distances)))
    side = 2.0 ** round(math.log2(largest) / 2) if largest > 0 else 1.0  # a power of two, so that nothing is rounded
    dissimilarity = squared_distances / (2 * side**2)
    dissimilarity[~live, :] = dissimilarity[:, ~live] = np.nan
    np.fill_diagonal(dissimilarity, 0)
    return Representation(
        dissimilarity,
        np.full(len(live), side),
        np.zeros(len(live)),
        np.where(live, norm, 0.0),
        len(live),
        GIVEN,
        has_zero,
    )


def _undefined_note(matrix: CheckedMatrix) -> tuple[str, ...]:
    n_lost = int((~matrix.live).sum())
    return (f"{n_lost} of {len(matrix.live)} stimuli are undefined",) if n_lost else ()


def _spectrum_note(representation: Representation) -> tuple[str, ...]:
    """Says so where no vectors in any space have this matrix: CKA, CCA and Procrustes are then approximate."""
    live = np.flatnonzero(representation.norm > 0)
    if len(live) > MAX_SPECTRUM:
        return (f"more than {MAX_SPECTRUM} stimuli: eigenvalues were not looked at",)
    spectrum = np.linalg.eigvalsh(representation.take(live).column_centred_gram())
    negative = spectrum[spectrum < -NEGLIGIBLE * np.abs(spectrum).max()]
    if not len(negative):
        return ()
    share = float(np.abs(negative).sum() / np.abs(spectrum).sum())
    return (
        f"not Euclidean: {len(negative)} of {len(live)} eigenvalues are negative ({share:.1%} of the whole); RSA is "
        "exact, measures on the Gram matrix are approximate",
    )


KINDS: dict[str, MatrixKind] = {
    kind.name: kind
    for kind in (
        MatrixKind("similarity", "correlations or cosines, of vectors of mean 0 and norm 1", _similarity),
        MatrixKind("correlation-distance", "1 - correlation, of vectors of mean 0 and norm 1", _correlation_distance),
        MatrixKind("gram", "inner products, of vectors of mean 0", _gram),
        MatrixKind("euclidean", "Euclidean distances, of vectors whose norms are all the same", _euclidean),
        MatrixKind(
            "squared-euclidean", "squared Euclidean distances, of vectors whose norms are all the same", _distance
        ),
        MatrixKind("distance", "dissimilarities of any measure, used as squared Euclidean distances", _distance),
    )
}
"""Every kind of matrix that can be imported, by name."""

OTHER_KINDS = {
    "activations": "computed from them, nothing is assumed",
    "representation": "as Layerwise exported it, nothing is assumed",
}
"""What can be imported and is no matrix of a kind."""


def describe_kind(kind: str) -> str:
    """What is assumed of a kind, in words."""
    return KINDS[kind].assumption if kind in KINDS else OTHER_KINDS[kind]


def merge_notes(notes: Iterable[str]) -> list[str]:
    """Notes for people: each once, and those that say the same of one matrix after the other as one."""
    once = list(dict.fromkeys(notes))
    found = {note: match for note in once if (match := _SPECTRUM.search(note))}
    if len(found) < 2:
        return once
    worst = max(found.values(), key=lambda match: float(match["share"]))
    where = worst.string[: worst.start()].removesuffix(": ")
    merged = (
        f"{len(found)} matrices are not Euclidean (negative eigenvalues are {worst['share']}% of the whole at most"
        f"{f', in {where}' if where else ''}); RSA is exact, measures on the Gram matrix are approximate"
    )
    return [note for note in once if note not in found] + [merged]


_SPECTRUM = re.compile(r"not Euclidean: .* \((?P<share>[\d.]+)% of the whole\)")

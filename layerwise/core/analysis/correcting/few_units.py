"""CKA corrected for few stimuli and few units, from halves of the units.

A layer's Gram matrix from p of its units is the mean of p noisy ones. Between two layers, whose units are others, the
noise cancels on average; of a layer with itself it does not, so the lengths that CKA divides by are too large and the
similarity too small. Between two halves of a layer's units the noise is independent again, so their product is what
the length would be with all units (Chun, Canatar, Chung and Lee 2025, arXiv 2502.15104; they sum over all pairs of
different units what is taken between two halves here, which needs activations).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.compare import ComparisonTable, compare_layers
from layerwise.core.analysis.measure import Measure
from layerwise.core.base.errors import InputError
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress
from layerwise.core.host.registry import Registry
from layerwise.core.network.representation import Representation

Values = NDArray[np.float64]
MIN_STIMULI = 4
HALVES = ("half-a", "half-b")
"""The transforms that keep one random half of a layer's channels each."""


@runtime_checkable
class FewUnits(Protocol):
    """What a comparator offers besides, whose value is the one that is corrected here.

    Attributes:
        corrects_few_units: Whether it is.
    """

    corrects_few_units: bool


def u_centred(representation: Representation) -> Values:
    """The U-centred Gram matrix of a layer, a unit's share of it: (n, n) with a diagonal of zeros.

    Its inner products over n (n - 3) are unbiased estimates of HSIC (Szekely and Rizzo 2014; Song et al. 2012).

    Raises:
        InputError: If there are fewer than four stimuli.
    """
    n_stimuli = representation.n_stimuli
    if n_stimuli < MIN_STIMULI:
        raise InputError(f"a correction for few stimuli needs {MIN_STIMULI} of them, here are {n_stimuli}")
    gram = representation.column_centred_gram() / representation.n_features
    np.fill_diagonal(gram, 0)
    sums = gram.sum(axis=0) / (n_stimuli - 2)
    gram += sums.sum() / (n_stimuli - 1) - sums[:, None] - sums[None, :]
    np.fill_diagonal(gram, 0)
    return np.asarray(gram)


def correct_for_few_units(wholes: Sequence[Values], halves: Sequence[tuple[Values, Values]]) -> tuple[Values, Values]:
    """CKA between layers corrected for few units, and for few stimuli alone.

    <K, L> / sqrt(<K_a, K_b> <L_a, L_b>) and <K, L> / (|K| |L|).

    Args:
        wholes: U-centred Gram matrices of layers, (n, n) each.
        halves: The same of both halves of each layer's units.

    Returns:
        (k, k) each; NaN where halves share nothing, or less.
    """
    flat = np.stack([whole.ravel() for whole in wholes])
    products = flat @ flat.T
    shared = np.array([float(np.sum(one * other)) for one, other in halves])
    shared = np.where(shared > 0, shared, np.nan)
    lengths = np.sqrt(np.diagonal(products))
    with np.errstate(invalid="ignore", divide="ignore"):
        corrected = products / np.sqrt(np.outer(shared, shared))
        debiased = products / np.outer(lengths, lengths)
    np.fill_diagonal(corrected, np.where(np.isnan(shared), np.nan, 1.0))
    return corrected, debiased


def compare_corrected(
    registry: Registry, history: HistoryProtocol, measure: Measure, layers: Sequence[LayerAddress]
) -> ComparisonTable:
    """CKA of layers corrected for few units, of runs with `--transform none --transform half-a --transform half-b`.

    Only the plain comparisons are kept. Values may exceed 1 by chance.

    Raises:
        InputError: If the measure is no debiased CKA, halves are not stored, there are fewer than four stimuli, or
            the runs are of different ones.
    """
    offer = measure.comparator.offer
    if not (isinstance(offer, FewUnits) and offer.corrects_few_units):
        raise InputError(f"--few-units corrects cka-debiased, and not {measure.name}")
    plain = compare_layers(registry, history, measure, layers)
    parts = [_read_parts(history, address) for address in plain.rows]
    matrix, _ = correct_for_few_units([whole for whole, _ in parts], [halves for _, halves in parts])
    matrix = np.where(np.isfinite(plain.matrix), matrix, np.nan)
    reasons = dict(plain.reasons)
    for row, column in np.argwhere(np.isnan(matrix) & np.isfinite(plain.matrix)):
        reasons[plain.rows[row], plain.columns[column]] = "the halves of a layer's units have no structure in common"
    return replace(plain, matrix=matrix, reasons=reasons)


def _read_parts(history: HistoryProtocol, address: LayerAddress) -> tuple[Values, tuple[Values, Values]]:
    """A layer and its halves, U-centred."""
    ends = [replace(address, transform=half) for half in HALVES]
    try:
        whole, one, other = (u_centred(found) for found in history.read_representations([address, *ends]))
    except InputError as error:
        raise InputError(
            f"{error}; --few-units needs a run with `--transform none --transform half-a --transform half-b`"
        ) from error
    return whole, (one, other)

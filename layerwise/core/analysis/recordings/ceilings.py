"""The noise ceiling of an area that several recordings have: how like it anything could be that knows it perfectly.

Nili et al. (2014), *A toolbox for representational similarity analysis*, PLOS Computational Biology 10: each
recording against the mean of all (an upper end, because it is in that mean), and against the mean of the others (a
lower end). Where the measure is a correlation of one number a pair of stimuli, the mean is that of the standardised
numbers z, and nothing but the correlations C of the recordings with each other is needed:

    corr(z_i, sum of z_j over j in S) = sum over j in S of C_ij / sqrt(sum over j, k in S of C_jk)

It is another thing than the split-half ceiling of one layer (`inference/ceiling.py`): this one is about what people
have in common, that one about how well a layer's units determine its matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.compare import compare_layers
from layerwise.core.analysis.inference.pairwise import PairwiseCorrelation
from layerwise.core.analysis.measure import Measure
from layerwise.core.base.errors import InputError
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress, RunFilter, RunRecord
from layerwise.core.history.views.shared import share_stimuli
from layerwise.core.host.registry import Registry

LEAST_RECORDINGS = 2
MEAN_TAG = "averaged-over"
"""The tag of a run that is the mean over recordings; says over how many."""


@dataclass(frozen=True)
class SubjectCeiling:
    """The noise ceiling of one area over recordings.

    Attributes:
        area: What the recordings call it.
        run_ids: The recordings that have it.
        low: Mean correlation of a recording with the mean of the others; None where they have no mean.
        high: Mean correlation of a recording with the mean of all.
    """

    area: str
    run_ids: tuple[str, ...]
    low: float | None
    high: float | None


def ask_subject_ceilings(
    registry: Registry, history: HistoryProtocol, measure: Measure, runs: Sequence[RunRecord]
) -> tuple[list[SubjectCeiling], str]:
    """The ceiling of each area that two recordings or more have, on the stimuli that they share.

    Args:
        registry: Knows the comparators.
        history: Where the recordings are.
        measure: A correlation of one number a pair of stimuli, such as those of RSA.
        runs: The recordings, one a subject.

    Returns:
        The ceilings, in order of areas, and which stimuli were left out, in words.

    Raises:
        InputError: If the measure is no such correlation, or no area is in two recordings.
    """
    if not allows_ceiling(measure):
        raise InputError(f"a noise ceiling needs a correlation, such as rsa-pearson; '{measure.name}' is none")
    shared, runs, remark = share_stimuli(history, list({run.id: run for run in runs}.values()))
    areas: dict[str, list[LayerAddress]] = {}
    for run in runs:
        for layer in shared.list_layers(run.id):
            areas.setdefault(layer.name, []).append(LayerAddress(run.id, layer.name))
    areas = {name: found for name, found in areas.items() if len(found) >= LEAST_RECORDINGS}
    if not areas:
        raise InputError(_explain(history, runs))
    found = []
    for name, addresses in areas.items():
        low, high = measure_ceiling(compare_layers(registry, shared, measure, addresses).matrix)
        ids = tuple(address.run_id for address in addresses)
        found.append(SubjectCeiling(name, ids, *(float(end) if np.isfinite(end) else None for end in (low, high))))
    return found, remark


def _explain(history: HistoryProtocol, runs: Sequence[RunRecord]) -> str:
    """Why there is no ceiling, and what would have one."""
    if len(runs) > 1:
        return "the recordings have no area of the same name, so that there is nothing over which to take a ceiling"
    others = [run.id for run in list_siblings(history, runs[0])]
    remedy = f": `layerwise ceiling {' '.join([runs[0].id, *others])}`" if others else ""
    return (
        f"run {runs[0].id} is one recording, and a noise ceiling is over two or more of the same areas, one a "
        f"subject; name them all{remedy}"
    )


def list_siblings(history: HistoryProtocol, run: RunRecord) -> list[RunRecord]:
    """Other recordings of the same areas and stimuli, oldest first; no mean over any."""
    areas = [layer.name for layer in history.list_layers(run.id)]
    listed = history.list_runs(RunFilter(origin="imported", fingerprint=run.stimuli_fingerprint))
    return [
        other
        for other in reversed(listed)
        if other.id != run.id
        and MEAN_TAG not in other.tags
        and [layer.name for layer in history.list_layers(other.id)] == areas
    ]


def allows_ceiling(measure: Measure) -> bool:
    """Whether the measure is a correlation of one number a pair of stimuli."""
    return isinstance(measure.comparator.offer, PairwiseCorrelation)


def measure_ceiling(correlations: NDArray[np.float64]) -> tuple[float, float]:
    """Both ends of the noise ceiling.

    Args:
        correlations: (n, n), of each recording with each, 1 on the diagonal.

    Returns:
        The lower and the upper end; NaN where recordings disagree so much that they have no mean.
    """
    n = len(correlations)
    everyone = np.ones((n, n))
    ends = []
    for chosen in (everyone - np.eye(n), everyone):
        together = (chosen * correlations).sum(axis=1)
        size = np.einsum("ij,jk,ik->i", chosen, correlations, chosen)
        with np.errstate(invalid="ignore", divide="ignore"):
            ends.append(float(np.mean(together / np.sqrt(np.where(size > 0, size, np.nan)))))
    return ends[0], ends[1]

"""Calibrated scores: 0 for what chance alone gives, 1 for perfect agreement.

Few stimuli, wide layers and many layers that are searched make a number large by themselves. Permuting the stimuli of
one layer shows how large (Groeger, Wen and Brbic 2026, arXiv 2602.14486). For the best of many pairs it is the best
of each permutation that counts, the same permutation for all pairs (Westfall and Young 1993).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.inference.permutation import permutation_p

Values = NDArray[np.float64]
Kind = Literal["similarity", "distance"]
DEFAULT_ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Numbers as they stand between chance and perfect agreement; NaN where undefined.

    Attributes:
        score: From 0 (no better than the threshold) to 1; where agreement has no end, what is beyond the threshold.
        threshold: What chance reaches in a share alpha of permutations.
        p: (1 + count of permutations that are at least as alike) / (1 + N).
    """

    score: Values
    threshold: Values
    p: Values


def calibrate(
    estimate: Values, permuted: Values, kind: Kind, best: float | None, alpha: float = DEFAULT_ALPHA
) -> Calibrated:
    """Calibrate numbers, each by its own permutations.

    score = clip((s - t) / (s_max - t), 0, 1), t the ceil((1 - alpha) (N + 1))-th smallest of the number and its N
    permutations (Groeger, Wen and Brbic 2026, algorithm 1); for distances the same upside down.

    Args:
        estimate: (...); the numbers.
        permuted: (N, ...); with the stimuli of one layer permuted.
        kind: Whether larger values mean more alike, or less.
        best: The value of perfect agreement; None where there is none.
        alpha: The share of permutations that may exceed the threshold.
    """
    sign = 1.0 if kind == "similarity" else -1.0
    together = np.sort(sign * np.concatenate([estimate[None], permuted]), axis=0)  # NaN comes last
    place = min(max(math.ceil((1 - alpha) * len(together)) - 1, 0), len(together) - 1)
    threshold = together[place]
    beyond = sign * estimate - threshold
    if best is None:
        score = np.maximum(beyond, 0.0)
    else:
        with np.errstate(invalid="ignore", divide="ignore"):
            room = sign * best - threshold
            score = np.where(room > 0, np.clip(beyond / room, 0.0, 1.0), 0.0)
    p = permutation_p(estimate, permuted, kind)
    defined = np.isfinite(p)
    return Calibrated(np.where(defined, score, np.nan), np.where(defined, sign * threshold, np.nan), p)


def calibrate_best(
    estimate: Values, permuted: Values, kind: Kind, best: float | None, alpha: float = DEFAULT_ALPHA
) -> tuple[int, Calibrated] | None:
    """The best of several numbers, calibrated by the best of each permutation; its place, None if none is defined.

    Args:
        estimate: (m,); the numbers that were searched.
        permuted: (N, m); the same permutation of the stimuli for all of them.
        kind: As in `calibrate`.
        best: As in `calibrate`.
        alpha: As in `calibrate`.
    """
    defined = np.flatnonzero(np.isfinite(estimate) & np.isfinite(permuted).all(axis=0))
    if not len(defined):
        return None
    sign = 1.0 if kind == "similarity" else -1.0
    own, chance = sign * estimate[defined], sign * permuted[:, defined]
    place = int(own.argmax())
    found = calibrate(sign * own.max(keepdims=True), sign * chance.max(axis=1, keepdims=True), kind, best, alpha)
    return int(defined[place]), found

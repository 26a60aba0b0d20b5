"""Correction of p-values for a whole family of tests; NaN where there was no test, which does not count as one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError

PValues = NDArray[np.float64]


def correct_holm(p: PValues) -> PValues:
    """Holm's step-down p-values: the chance of even one false positive in the family is kept (Holm 1979).

    With p sorted: the running maximum of (m - rank) p, rank from 0, at most 1. Needs no independence.
    """
    return _on_sorted(p, lambda ordered: np.maximum.accumulate(ordered * np.arange(len(ordered), 0, -1)))


def correct_bh(p: PValues) -> PValues:
    """Benjamini and Hochberg's step-up p-values: the share of false positives among the positives is kept (1995).

    With p sorted: the running minimum, from the largest down, of p m / rank, rank from 1, at most 1. Holds where
    tests are independent or positively dependent.
    """

    def step_up(ordered: PValues) -> PValues:
        scaled = ordered * len(ordered) / np.arange(1, len(ordered) + 1)
        return np.asarray(np.minimum.accumulate(scaled[::-1])[::-1])

    return _on_sorted(p, step_up)


CORRECTIONS: dict[str, Callable[[PValues], PValues]] = {"holm": correct_holm, "bh": correct_bh}
DEFAULT_CORRECTION = "holm"


def find_correction(name: str) -> Callable[[PValues], PValues]:
    """The correction of this name.

    Raises:
        InputError: If there is none; lists those there are.
    """
    if name not in CORRECTIONS:
        raise InputError(f"there is no correction '{name}'; known: {', '.join(CORRECTIONS)}")
    return CORRECTIONS[name]


def _on_sorted(p: PValues, adjust: Callable[[PValues], PValues]) -> PValues:
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(p))
    if len(tested):
        order = tested[np.argsort(p.flat[tested], kind="stable")]
        adjusted.flat[order] = np.minimum(adjust(p.flat[order]), 1.0)
    return adjusted

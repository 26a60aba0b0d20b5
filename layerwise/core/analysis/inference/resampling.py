"""Resampling stimuli: bootstrap draws, subsets without replacement, and permutations.

Each draw has a generator of its own, spawned from the seed by what it is for and its number, so that the tenth
resample is the same whether ten or a thousand are drawn, by one thread or by eight.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError

Draw = NDArray[np.intp]
MIN_STIMULI = 4
SUBSET_SHARE = 0.632  # the share of distinct stimuli that a resample with replacement has, 1 - 1/e
MAX_GROUPS = 100
_MULTIPLICITIES, _SUBSETS, _PERMUTATIONS, _GROUPS = range(4)


def check_n_stimuli(n_stimuli: int) -> None:
    """Make sure that there are enough stimuli to draw from.

    Raises:
        InputError: If there are fewer than four.
    """
    if n_stimuli < MIN_STIMULI:
        raise InputError(f"resampling needs at least {MIN_STIMULI} stimuli, here are {n_stimuli}")


def draw_multiplicities(n_stimuli: int, number: int, seed: int) -> NDArray[np.intp]:
    """How often each stimulus is in resample `number`, drawn with replacement; (n_stimuli,), sums to n_stimuli."""
    drawn = _generator(seed, _MULTIPLICITIES, number).integers(n_stimuli, size=n_stimuli)
    return np.bincount(drawn, minlength=n_stimuli)


def draw_subset(n_stimuli: int, number: int, seed: int) -> Draw:
    """The stimuli of subset `number`, drawn without replacement, in ascending order; (subset_size,)."""
    drawn = _generator(seed, _SUBSETS, number).permutation(n_stimuli)[: subset_size(n_stimuli)]
    return np.sort(drawn)


def subset_size(n_stimuli: int) -> int:
    """How many stimuli a subset has."""
    # Two fewer at least: leaving out one is the jackknife, from which subsets must differ to say something new.
    return min(n_stimuli - 2, round(SUBSET_SHARE * n_stimuli))


def draw_permutation(n_stimuli: int, number: int, seed: int) -> Draw:
    """Permutation `number` of the stimuli; (n_stimuli,)."""
    return _generator(seed, _PERMUTATIONS, number).permutation(n_stimuli)


def leave_out_groups(n_stimuli: int, seed: int) -> Iterator[Draw]:
    """The stimuli that remain when each group is left out in turn: one stimulus a group, at most 100 groups."""
    n_groups = min(n_stimuli, MAX_GROUPS)
    shuffled = _generator(seed, _GROUPS, 0).permutation(n_stimuli)
    for group in np.array_split(shuffled, n_groups):
        yield np.setdiff1d(np.arange(n_stimuli), group)


def _generator(seed: int, purpose: int, number: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(purpose, number)))

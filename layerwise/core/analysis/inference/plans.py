"""Whether intervals and tests can be made as they are asked for."""

from __future__ import annotations

from layerwise.core.analysis.inference.intervals import check_level, find_method
from layerwise.core.base.errors import InputError
from layerwise.core.history.intervals import IntervalPlan, PermutationPlan

MIN_RESAMPLES = 20


def check_interval_plan(plan: IntervalPlan) -> None:
    """Make sure that intervals can be made in this way.

    Raises:
        InputError: If there is no such method, or a number makes no sense.
    """
    find_method(plan.method)
    check_level(plan.level)
    if plan.n_resamples < MIN_RESAMPLES:
        raise InputError(f"--bootstrap takes at least {MIN_RESAMPLES} resamples, not {plan.n_resamples}")


def check_permutation_plan(plan: PermutationPlan) -> None:
    """Make sure that tests can be made in this way.

    Raises:
        InputError: If there are too few permutations for a p-value of 0.05.
    """
    if plan.n_permutations < MIN_RESAMPLES:
        raise InputError(f"--permutations takes at least {MIN_RESAMPLES} permutations, not {plan.n_permutations}")

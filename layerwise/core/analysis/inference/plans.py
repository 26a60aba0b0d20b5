"""Whether intervals and tests can be made as they are asked for."""

from __future__ import annotations

from layerwise.core.analysis.inference.intervals import check_level, find_method
from layerwise.core.base.errors import InputError
from layerwise.core.history.intervals import DEFAULT_LEVEL, DEFAULT_METHOD, IntervalPlan, PermutationPlan

MIN_RESAMPLES = 20
MAX_RESAMPLES = 10_000_000


def make_interval_plan(
    n_resamples: int, seed: int = 0, method: str | None = None, level: float | None = None
) -> IntervalPlan:
    """How intervals are made, with the default method and level where none is named.

    Raises:
        InputError: If there is no such method, or a number makes no sense.
    """
    level = DEFAULT_LEVEL if level is None else level
    plan = IntervalPlan(n_resamples, seed, method or DEFAULT_METHOD, level)
    check_interval_plan(plan)
    return plan


def check_interval_plan(plan: IntervalPlan) -> None:
    """Make sure that intervals can be made in this way.

    Raises:
        InputError: If there is no such method, or a number makes no sense.
    """
    find_method(plan.method)
    check_level(plan.level)
    if plan.n_resamples > MAX_RESAMPLES:
        raise InputError(f"--bootstrap takes at most {MAX_RESAMPLES} resamples, not {plan.n_resamples}")
    if plan.n_resamples < MIN_RESAMPLES:
        raise InputError(f"--bootstrap takes at least {MIN_RESAMPLES} resamples, not {plan.n_resamples}")


def check_permutation_plan(plan: PermutationPlan) -> None:
    """Make sure that tests can be made in this way.

    Raises:
        InputError: If there are too few permutations for a p-value of 0.05.
    """
    if plan.n_permutations > MAX_RESAMPLES:
        raise InputError(f"--permutations takes at most {MAX_RESAMPLES} permutations, not {plan.n_permutations}")
    if plan.n_permutations < MIN_RESAMPLES:
        raise InputError(f"--permutations takes at least {MIN_RESAMPLES} permutations, not {plan.n_permutations}")

"""At which steps of a training something is recorded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TypeAlias

from layerwise.core.base.errors import InputError

Every: TypeAlias = "int | str | Iterable[int] | Callable[[int], bool]"
"""A number of steps, a word, steps one by one, or a function of the step."""

EPOCH = "epoch"
POWERS = "powers of two"


def is_by_epoch(every: Every) -> bool:
    """Whether it is epochs that are counted."""
    return every == EPOCH


def make_schedule(every: Every) -> Callable[[int], bool]:
    """A function that says of a step, or of an epoch, whether it is recorded.

    Args:
        every: `"epoch"`, each of them; a number K, every K-th step; `"powers of two"`, steps 1, 2, 4, 8, ...; a
            collection of steps; or a function of the step.

    Raises:
        InputError: If it is none of these.
    """
    if isinstance(every, str):
        if every == EPOCH:
            return lambda _: True
        if every.replace("-", " ").replace("_", " ") == POWERS:
            return lambda step: step & (step - 1) == 0
        raise InputError(
            f"every={every!r}: expected a number of steps, 'epoch', 'powers of two', steps or a function"
        )
    if callable(every):
        return every
    if isinstance(every, bool) or (isinstance(every, int) and every < 1):
        raise InputError(f"every={every!r}: a number of steps must be at least 1")
    if isinstance(every, int):
        return lambda step: step % every == 0
    chosen: Collection[int] = frozenset(int(step) for step in every)
    return lambda step: step == 0 or step in chosen

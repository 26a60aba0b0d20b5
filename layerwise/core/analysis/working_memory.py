"""A budget of memory for comparisons and inference, and how many layers fit into it at a time.

A layer of n stimuli is n x n numbers, whatever the layer: sixty layers of 5,000 stimuli are 12 GB for most measures.
So layers are read, prepared and compared in blocks, and threads are no more than the budget allows.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from layerwise.core.base.errors import InputError
from layerwise.core.base.machine import available_memory, n_cores
from layerwise.core.base.words import bytes_in_words
from layerwise.core.network.matrices.tiles import MOST_WHOLE

SHARE = 0.5
"""The share of the available memory that is taken where nobody says how much."""

LAYERS_AT_ONCE = 16  # read and prepared together: enough that a database answers many with one query
PAIRS_AT_ONCE = 8  # compared together: enough for NumPy to let other threads work while it solves them
_TASK_BYTES = 52  # for each pair of stimuli: no built-in measure needs more than six n x n matrices of float64 to
#                   prepare a layer, besides the one of float32 that is stored
_PAIR_BYTES = 17  # likewise, to compare two prepared layers
_STATE_BYTES = 8  # likewise, of a prepared layer that is a matrix of float64
_WORK_SHARE = 4


@dataclass(frozen=True)
class WorkingMemory:
    """What may be in memory at a time, for layers of so many stimuli.

    A quarter of it is for what is being worked on: layers that are read and prepared, a pair that is compared, copies
    that a comparator makes of what it is handed. The rest is for layers that wait, prepared. At least one layer is
    worked on while two wait, however small the budget: less is no comparison.

    Attributes:
        n_bytes: The budget.
        n_stimuli: Stimuli of each layer.
    """

    n_bytes: int
    n_stimuli: int

    @property
    def task_bytes(self) -> int:
        """What it takes to read and prepare one layer."""
        return _TASK_BYTES * self.n_stimuli**2

    @property
    def pair_bytes(self) -> int:
        """What it takes to compare two layers, besides their states."""
        return _PAIR_BYTES * self.n_stimuli**2

    @property
    def work_bytes(self) -> int:
        """The part for what is being worked on."""
        return max(self.n_bytes // _WORK_SHARE, self.task_bytes)

    @property
    def block_bytes(self) -> int:
        """The budget of a block that is filled layer by layer, one in work included.

        More than the budget where one layer in work takes most of it: that cannot be helped, and blocks of two layers
        would be so many that nobody waits for them.
        """
        return max(self.n_bytes, self.n_bytes // 2 + self.task_bytes)

    @property
    def n_tasks(self) -> int:
        """How many layers can be worked on at a time."""
        return max(1, self.work_bytes // max(1, self.task_bytes))

    @property
    def n_read(self) -> int:
        """How many layers are read and prepared together."""
        return min(self.n_tasks, LAYERS_AT_ONCE)

    @property
    def n_threads(self) -> int:
        """How many threads can work: no more than there are cores, and no more than the budget allows."""
        return min(self.n_tasks, n_cores())

    @property
    def n_pairs(self) -> int:
        """How many pairs each of these threads can compare together."""
        return max(1, min(PAIRS_AT_ONCE, self.work_bytes // max(1, self.n_threads * self.pair_bytes)))

    @property
    def least_bytes(self) -> int:
        """What it takes where one layer is worked on and two of one matrix wait."""
        return self.task_bytes + 2 * _STATE_BYTES * self.n_stimuli**2

    def check(self, what: str) -> None:
        """Refuse what would take more than is allowed; of few stimuli it is so little that nobody need ask.

        Raises:
            InputError: If it would; says how much it takes.
        """
        if self.n_stimuli <= MOST_WHOLE or self.least_bytes <= self.n_bytes:
            return
        least, allowed = bytes_in_words(self.least_bytes), bytes_in_words(self.n_bytes)
        raise InputError(
            f"{what} holds whole layers: for {self.n_stimuli:,} stimuli that takes {least} of memory at least, and "
            f"{allowed} are allowed; allow more with --memory, compare fewer stimuli, or ask for a measure that "
            "reads layers a few rows at a time, such as rsa-pearson or cka"
        )

    def count_states(self, state_bytes: int) -> int:
        """How many prepared layers of this size can wait, at least two."""
        return max(2, (self.n_bytes - self.work_bytes) // max(1, state_bytes))

    def count_copies(self, state_bytes: int) -> int:
        """How many of them a comparator can be handed at once, which may copy them into one array; at least two."""
        return max(2, self.work_bytes // max(1, state_bytes))


def plan_memory(n_bytes: int | None, n_stimuli: int) -> WorkingMemory:
    """The budget asked for; a share of what is available where None is."""
    return WorkingMemory(int(SHARE * available_memory()) if n_bytes is None else n_bytes, n_stimuli)


def check_matrices(what: str, n_stimuli: int, n_matrices: int) -> None:
    """Refuse what takes so many matrices of float64 where the memory does not hold them, before it is begun.

    Raises:
        InputError: If it does not; says how much it takes. Of few stimuli nobody need ask.
    """
    needed, free = 8 * n_matrices * n_stimuli**2, available_memory()
    if n_stimuli > MOST_WHOLE and needed > free:
        takes, left = bytes_in_words(needed), bytes_in_words(free)
        raise InputError(
            f"{what} holds matrices of all pairs of stimuli: for {n_stimuli:,} that takes {takes} of memory, and "
            f"{left} are free"
        )


def size_of(state: Any) -> int:
    """Bytes that a comparator's state of a layer takes: all arrays in it, each once, and what is around them."""
    return _size_of(state, set())


def _size_of(value: Any, seen: set[int]) -> int:
    if id(value) in seen:
        return 0
    seen.add(id(value))
    if isinstance(value, np.ndarray) and value.base is not None:
        return _size_of(value.base, seen)  # a view keeps the whole of it, which other views here may share
    if isinstance(n_bytes := getattr(value, "nbytes", None), int):  # arrays of other libraries, too
        return n_bytes
    return sys.getsizeof(value) + sum(_size_of(part, seen) for part in _parts(value))


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, tuple | list | set | frozenset):
        return value
    if isinstance(value, type | ModuleType | FunctionType | MethodType):  # shared by all states
        return ()
    slots = (getattr(value, name, None) for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()))
    return [*getattr(value, "__dict__", {}).values(), *slots]

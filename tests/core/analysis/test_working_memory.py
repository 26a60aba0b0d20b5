"""The budget of comparisons: how many layers wait, how many are worked on, how large one is."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from layerwise.core.analysis import working_memory
from layerwise.core.analysis.working_memory import LAYERS_AT_ONCE, WorkingMemory, plan_memory, size_of
from layerwise.core.base.errors import InputError

MIB = 1 << 20


@pytest.mark.parametrize("n_bytes", [0, 1, 10 * MIB, 1 << 30, 1 << 40])
@pytest.mark.parametrize("n_stimuli", [2, 500, 5000])
def test_what_is_worked_on_and_what_waits_fit_into_the_budget_unless_it_is_too_small_for_any(n_bytes, n_stimuli):
    memory, state = WorkingMemory(n_bytes, n_stimuli), 8 * n_stimuli**2
    worked_on, waiting = memory.n_tasks * memory.task_bytes, memory.count_states(state) * state
    assert memory.n_tasks >= 1
    assert memory.count_states(state) >= 2
    assert memory.n_read <= LAYERS_AT_ONCE
    assert worked_on + waiting <= max(n_bytes, memory.task_bytes + 2 * state)
    assert memory.n_threads * memory.n_pairs * memory.pair_bytes <= max(memory.work_bytes, memory.pair_bytes)
    assert memory.count_copies(state) * state <= max(memory.work_bytes, 2 * state)


def test_threads_are_no_more_than_cores_and_than_the_budget_allows(monkeypatch):
    monkeypatch.setattr(working_memory, "n_cores", lambda: 8)
    one = WorkingMemory(1, 100).task_bytes
    assert [WorkingMemory(4 * one * n, 100).n_threads for n in (0, 1, 3, 8, 50)] == [1, 1, 3, 8, 8]


def test_sixty_layers_of_five_hundred_stimuli_fit_into_a_gigabyte_at_once():
    assert WorkingMemory(1 << 30, 500).count_states(2 * 8 * 500 * 499 // 2) >= 60


def test_without_a_wish_the_budget_is_a_share_of_what_is_available(monkeypatch):
    monkeypatch.setattr(working_memory, "available_memory", lambda: 1000)
    assert plan_memory(None, 10) == WorkingMemory(int(1000 * working_memory.SHARE), 10)
    assert plan_memory(7, 10) == WorkingMemory(7, 10)


@dataclass(frozen=True)
class State:
    matrix: np.ndarray
    vectors: tuple
    note: str = ""


class Slotted:
    __slots__ = ("matrix",)

    def __init__(self, matrix) -> None:
        self.matrix = matrix


def test_a_state_is_as_large_as_the_arrays_in_it():
    matrix = np.zeros(MIB // 8)
    for state in (
        matrix,
        State(matrix, ()),
        State(np.zeros(0), (matrix[: len(matrix) // 2], matrix[1:])),  # two views of the same
        {"a": [matrix]},
        Slotted(matrix),
        SimpleNamespace(nbytes=MIB),
        SimpleNamespace(inner=SimpleNamespace(matrix=matrix), function=plan_memory, kind=State),
        b"x" * MIB,
    ):
        assert MIB <= size_of(state) < 1.01 * MIB


def test_a_state_that_holds_itself_has_a_size():
    state = SimpleNamespace(matrix=np.zeros(1000))
    state.me = state
    assert 8000 <= size_of(state) < 9000


def test_a_number_is_a_small_state():
    assert 0 < size_of(3.5) < 100


def test_what_holds_matrices_says_so_before_it_begins(monkeypatch):
    monkeypatch.setattr(working_memory, "available_memory", lambda: 10**9)
    working_memory.check_matrices("ordering", 2_000, 1000)
    working_memory.check_matrices("ordering", 5_000, 5)
    with pytest.raises(InputError, match=r"ordering holds matrices .*: for 20,000 that takes 14.9 GiB of memory, an"):
        working_memory.check_matrices("ordering", 20_000, 5)

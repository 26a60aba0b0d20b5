"""BLAS on one thread: for as long as anybody wants it, and not a moment longer."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np  # noqa: F401 - loads the BLAS that is looked at
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from layerwise.core.analysis.parallel import side_by_side
from layerwise.core.base.blas import single_threaded_blas


def count_threads() -> list[int]:
    return [library["num_threads"] for library in ThreadpoolController().select(user_api="blas").info()]


def in_a_thread(change: Callable[[], object]) -> None:
    thread = threading.Thread(target=change)
    thread.start()
    thread.join(10)


@pytest.fixture(autouse=True)
def two_threads():
    """Two threads of BLAS, set by a thread that is gone: threadpoolctl lets no other set them while it lives."""
    limiters: list = []
    in_a_thread(lambda: limiters.append(threadpool_limits(2, user_api="blas")))
    assert set(count_threads()) == {2}
    yield
    assert set(count_threads()) == {2}
    in_a_thread(limiters[0].restore_original_limits)


def overlap(enter_first: Callable, enter_second: Callable) -> list[list[int]]:
    """Two users: the second enters while the first is inside and leaves after it; the threads at each moment."""
    inside, left, seen = threading.Event(), threading.Event(), []

    def second() -> None:
        with enter_second():
            seen.append(count_threads())
            inside.set()
            assert left.wait(10)
            seen.append(count_threads())

    other = threading.Thread(target=second)
    with enter_first():
        other.start()
        assert inside.wait(10)
    left.set()
    other.join(10)
    return seen


def test_two_users_that_overlap_leave_as_many_threads_as_they_found():
    assert [set(threads) for threads in overlap(single_threaded_blas, single_threaded_blas)] == [{1}, {1}]
    assert set(count_threads()) == {2}


def test_two_comparisons_that_overlap_leave_as_many_threads_as_they_found():
    overlap(lambda: side_by_side(True), lambda: side_by_side(True))
    assert set(count_threads()) == {2}


def test_nested_users_leave_with_the_outermost():
    with single_threaded_blas():
        with single_threaded_blas():
            assert set(count_threads()) == {1}
        assert set(count_threads()) == {1}
    assert set(count_threads()) == {2}


def test_an_error_inside_gives_the_threads_back():
    with pytest.raises(ZeroDivisionError), single_threaded_blas():
        raise ZeroDivisionError
    assert set(count_threads()) == {2}

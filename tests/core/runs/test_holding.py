"""What becomes of a run when the work on it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.history.records import Claim
from layerwise.core.runs.holding import holding

CLAIM = Claim("a1", token="secret")


class Store:
    """Says what happens to it."""

    def __init__(self) -> None:
        self.said: list[str] = []

    @contextmanager
    def keep_alive(self, claim: Claim) -> Iterator[None]:
        self.said.append("alive")
        try:
            yield
        finally:
            self.said.append("left")


def hold(store: Any, error: BaseException | None, also: Exception | None = None) -> None:
    def let_go(ended_by: BaseException) -> None:
        store.said.append(type(ended_by).__name__)
        if also is not None:
            raise also

    with holding(store, CLAIM, let_go):
        store.said.append("work")
        if error is not None:
            raise error


def test_a_run_is_kept_alive_while_it_is_worked_on() -> None:
    store = Store()
    hold(store, None)
    assert store.said == ["alive", "work", "left"]


@pytest.mark.parametrize("error", [ZeroDivisionError(), KeyboardInterrupt()])
def test_what_ends_the_work_lets_go_of_the_run_and_comes_out(error: BaseException) -> None:
    store = Store()
    with pytest.raises(type(error)):
        hold(store, error)
    assert store.said == ["alive", "work", type(error).__name__, "left"]


def test_an_error_is_not_replaced_by_that_of_letting_go() -> None:
    with pytest.raises(LayerwiseError, match="the disk is full") as raised:
        hold(Store(), LayerwiseError("the disk is full"), LayerwiseError("the history is out of reach"))
    assert raised.value.__notes__ == ["the history still says that run a1 is under way: the history is out of reach"]

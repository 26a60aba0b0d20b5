"""A run under way gives signs of life, whatever the work and the store are busy with."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from layerwise.core.base.errors import LayerwiseError
from layerwise.storage import Store, connect, open_store
from layerwise.storage.holding import heartbeat

LONG_AGO = "2020-01-01 00:00:00.000000"
PATIENCE = 600

pytestmark = pytest.mark.database


class Beats:
    """Counts beats, and lets a test wait for them.

    Attributes:
        fail: Called before each beat; what it raises, the beat fails with.
    """

    def __init__(self, beat: Callable[..., bool]) -> None:
        self.fail: Callable[[], None] = lambda: None
        self.answers: list[bool] = []
        self._beat = beat
        self._has_beaten = threading.Condition()

    def __call__(self, *arguments: Any) -> bool:
        self.fail()
        answer = self._beat(*arguments)
        with self._has_beaten:
            self.answers.append(answer)
            self._has_beaten.notify_all()
        return answer

    def wait_for_one(self) -> bool:
        with self._has_beaten:
            before = len(self.answers)
            assert self._has_beaten.wait_for(lambda: len(self.answers) > before, PATIENCE)
            return self.answers[-1]


@pytest.fixture
def beats(monkeypatch: pytest.MonkeyPatch) -> Beats:
    """Beats as soon as there can be one."""
    counted = Beats(heartbeat.beat)
    monkeypatch.setattr(heartbeat, "beat", counted)
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)
    return counted


@pytest.fixture
def silence(execute: Any) -> Callable[[], None]:
    """Set the last sign of life of all runs back."""
    return lambda: execute("UPDATE runs SET heartbeat_at = :then", then=LONG_AGO) and None


def is_silent(execute: Any) -> bool:
    return bool(execute("SELECT count(*) FROM runs WHERE heartbeat_at = :then", then=LONG_AGO)[0][0])


def beating() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("layerwise-heartbeat")]


def test_a_run_gives_signs_of_life_while_its_work_says_nothing(
    store: Store, samples: Any, execute: Any, silence: Any, beats: Beats
) -> None:
    with store.keep_alive(store.begin_run(samples.header())):
        silence()
        beats.wait_for_one()
        assert beats.wait_for_one()
        assert not is_silent(execute)


def test_signs_of_life_need_no_connection_of_the_store(store: Store, samples: Any, beats: Beats) -> None:
    claim = store.begin_run(samples.header())
    with ExitStack() as taken, store.keep_alive(claim):
        pool: Any = store._database.engine.pool
        for _ in range(pool.size() + pool._max_overflow):
            taken.enter_context(store._database.engine.connect())
        assert beats.wait_for_one()


def test_a_beat_that_fails_is_tried_again_and_does_not_disturb_the_work(
    store: Store, samples: Any, beats: Beats
) -> None:
    failures = iter([LayerwiseError("out of reach"), LayerwiseError("still out of reach")])

    def fail() -> None:
        for failure in failures:
            raise failure

    beats.fail = fail
    claim = store.begin_run(samples.header())
    with store.keep_alive(claim):
        assert beats.wait_for_one()
        store.save_layer(claim, samples.result("mixed"))
    assert list(failures) == []


def test_a_history_that_is_locked_for_longer_than_a_beat_waits_hears_the_next_one(
    sqlite_url: str, samples: Any, beats: Beats, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(sqlite_url) as store:
        claim = store.begin_run(samples.header())
        monkeypatch.setattr(connect, "BUSY_SECONDS", 0.01)
        other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        asked = threading.Semaphore(0)
        beats.fail = asked.release
        with store.keep_alive(claim):
            assert all(asked.acquire(timeout=PATIENCE) for _ in range(2))
            assert beats.answers == []
            other.execute("COMMIT")
            assert beats.wait_for_one()
        other.close()


def test_who_has_lost_a_run_gives_no_signs_of_life_for_it(
    store: Store, samples: Any, execute: Any, silence: Any, beats: Beats
) -> None:
    with store.keep_alive(store.begin_run(samples.header())):
        [thread] = beating()
        execute("UPDATE runs SET claim_token = 'of somebody else'")
        thread.join(PATIENCE)
        assert beats.answers[-1] is False
        silence()
    assert is_silent(execute)


def test_signs_of_life_end_with_the_work(store: Store, samples: Any) -> None:
    with store.keep_alive(store.begin_run(samples.header())):
        [thread] = beating()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_run_that_nobody_computes_any_more_can_be_gone_on_with_in_the_same_process(
    store: Store, samples: Any
) -> None:
    claim = store.begin_run(samples.header())
    with pytest.raises(ZeroDivisionError), store.keep_alive(claim):
        raise ZeroDivisionError  # and nothing can be said of it, as where the history is out of reach
    assert store.find_run(claim.run_id).status == "interrupted"
    assert store.begin_run(samples.header()).resumed

"""Calling plugins: whose failure it is, where it runs, who is told when it is silent, and what is counted."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time

import numpy as np
import pytest

from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.host import under_way
from layerwise.core.host.calling import Caller, Place, Trace, is_in_plugin
from layerwise.core.host.under_way import CallsUnderWay

HERE = Place("mine", "my-dist", "register_metrics", "toy", "toy.compute")
THERE = Place("other", "other-dist", "register_comparators", "x", "x.compare")


def test_a_call_gives_what_the_plugin_gives():
    assert Caller().call(HERE, abs, (-3,)) == 3


@pytest.mark.parametrize("error", [ValueError("oh"), SystemExit("oh"), AssertionError("oh")])
def test_what_it_raises_names_plugin_hook_and_method(error):
    def fail() -> None:
        raise error

    with pytest.raises(
        PluginError, match=r"plugin 'mine' \(register_metrics\): toy.compute raised \w+: oh"
    ) as caught:
        Caller().call(HERE, fail, ())
    assert caught.value.__cause__ is error


def test_a_user_s_mistake_passes_through():
    error = InputError("wrong")

    def fail() -> None:
        raise error

    with pytest.raises(InputError) as caught:
        Caller().call(HERE, fail, ())
    assert caught.value is error


def test_an_interrupt_passes_through_and_nothing_is_under_way_afterwards():
    caller = Caller()
    with pytest.raises(KeyboardInterrupt):
        caller.call(HERE, caller.call, (THERE, signal.raise_signal, (signal.SIGINT,)))
    assert not is_in_plugin()


def test_writing_to_what_must_not_be_changed_says_to_copy_it():
    array = np.zeros(3)
    array.flags.writeable = False
    with pytest.raises(PluginError, match="is not to be changed: copy it first"):
        Caller().call(HERE, lambda: array.sort(), ())


def on_a_thread(function):
    """The same, called on another thread; what it raises is raised here."""
    kept: list[object] = []

    def run() -> None:
        try:
            kept.append(function())
        except PluginError as error:
            kept.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(kept[0], Exception):
        raise kept[0]
    return kept[0]


WHERE = pytest.mark.parametrize("where", [lambda function: function(), on_a_thread], ids=["main", "thread"])


@WHERE
def test_a_call_stays_on_its_thread_so_that_what_belongs_to_a_thread_can_be_used(where):
    def use() -> int:
        caller, here = Caller(), threading.local()
        connection = sqlite3.connect(":memory:")  # refuses every other thread
        here.value = 7
        assert caller.call(HERE, threading.get_ident, ()) == threading.get_ident()
        assert caller.call(HERE, lambda: connection.execute("SELECT 7").fetchone()[0], ()) == 7
        return caller.call(HERE, lambda: here.value, ())

    assert where(use) == 7


def test_no_alarm_and_no_handler_is_set_for_a_call():
    def look() -> tuple[object, ...]:
        handlers = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM))
        return (*handlers, signal.getitimer(signal.ITIMER_REAL))

    assert Caller().call(HERE, look, ()) == look()


@WHERE
def test_a_silent_call_is_told_of_while_it_goes_on_and_its_answer_counts(where, monkeypatch):
    monkeypatch.setattr(under_way, "NOTICE_SECONDS", 0.0)
    monkeypatch.setattr(under_way, "LOOK_SECONDS", 0.001)
    told: list[str] = []
    is_told = threading.Event()

    def tell(text: str) -> None:
        told.append(text)
        is_told.set()

    assert where(lambda: Caller(tell).call(HERE, is_told.wait, (60,))) is True
    assert told == ["waiting for plugin 'mine' (register_metrics): toy.compute, silent for 0 s"]


@pytest.fixture
def calls(monkeypatch) -> CallsUnderWay:
    """Calls that nothing watches but the test, by a clock of its own."""
    monkeypatch.setattr(under_way, "LOOK_SECONDS", 3600.0)
    return CallsUnderWay()


def test_only_what_is_silent_is_told_of_and_once(calls):
    told: list[str] = []
    call = calls.begin(HERE, told.append)
    calls.look(call.began + 9.9)
    assert told == []
    for seconds in (10.1, 20.0):
        calls.look(call.began + seconds)
    assert len(told) == 1
    calls.end(call)
    assert not calls.look(call.began + 3600)
    assert len(told) == 1


def test_a_call_within_a_call_is_told_of_instead_of_it_and_is_a_sign_of_life(calls):
    told: list[str] = []
    outer = calls.begin(HERE, told.append)
    inner = calls.begin(THERE, told.append)
    calls.look(inner.began + 11)
    assert [text.partition(",")[0] for text in told] == [f"waiting for {THERE}"]
    calls.end(inner)
    assert outer.heard > inner.began
    calls.look(outer.heard + 9.9)
    assert len(told) == 1
    calls.look(outer.heard + 10.1)
    assert told[1:] == [f"waiting for {HERE}, silent for 10 s"]
    calls.end(outer)


def test_what_is_built_in_is_not_told_of(calls):
    told: list[str] = []
    call = calls.begin(Place("comparators", "layerwise", "register_comparators", "cka", "cka.compare"), told.append)
    assert calls.look(call.began + 3600)
    assert told == []


def test_code_knows_whether_it_is_in_a_plugin():
    assert not is_in_plugin()
    for where in (lambda function: function(), on_a_thread):
        assert where(lambda: Caller().call(HERE, is_in_plugin, ())) is True
    assert not is_in_plugin()


def test_a_trace_counts_calls_and_keeps_apart_what_others_took_within_them():
    trace = Trace()
    caller = Caller(trace=trace)

    def outer() -> None:
        for _ in range(3):
            caller.call(THERE, time.sleep, (0.02,))

    caller.call(HERE, outer, ())
    with pytest.raises(PluginError):
        caller.call(HERE, lambda: 1 / 0, ())
    first, second = trace.calls[HERE], trace.calls[THERE]
    assert (first.n_calls, first.n_failed, second.n_calls, second.n_failed) == (2, 1, 3, 0)
    assert first.seconds >= second.seconds >= 0.06
    assert first.own_seconds <= first.seconds - second.seconds + 1e-9
    assert second.longest <= second.seconds

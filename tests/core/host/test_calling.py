"""Calling plugins: whose failure it is, how long it may take, and what is counted."""

from __future__ import annotations

import signal
import threading
import time

import numpy as np
import pytest

from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.host.calling import Caller, Limits, Place, PluginTimeoutError, Trace, is_in_plugin
from layerwise.core.host.watchdog import Watch

HERE = Place("mine", "register_metrics", "toy", "toy.compute")


def give(value: object) -> object:
    return value


def test_a_call_gives_what_the_plugin_gives():
    assert Caller().call(HERE, give, (3,)) == 3
    assert Caller().call(HERE, give, (3,), 10.0) == 3


@pytest.mark.parametrize("limit", [None, 10.0])
@pytest.mark.parametrize("error", [ValueError("oh"), SystemExit("oh"), AssertionError("oh")])
def test_what_it_raises_names_plugin_hook_and_method(error, limit):
    def fail() -> None:
        raise error

    with pytest.raises(
        PluginError, match=r"plugin 'mine' \(register_metrics\): toy.compute raised \w+: oh"
    ) as caught:
        Caller().call(HERE, fail, (), limit)
    assert caught.value.__cause__ is error


def test_a_user_s_mistake_passes_through():
    error = InputError("wrong")

    def fail() -> None:
        raise error

    with pytest.raises(InputError) as caught:
        Caller().call(HERE, fail, (), 10.0)
    assert caught.value is error


def test_a_user_s_interrupt_passes_through_and_is_told_from_one_that_a_plugin_raises():
    def fail() -> None:
        raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    assert handler is signal.default_int_handler
    caller = Caller()
    with pytest.raises(KeyboardInterrupt):
        caller.call(HERE, signal.raise_signal, (signal.SIGINT,), 3600.0)
    with pytest.raises(KeyboardInterrupt):
        caller.call(HERE, caller.call, (HERE, signal.raise_signal, (signal.SIGINT,), 3600.0), 3600.0)
    for plugin in (fail, lambda: caller.call(HERE, fail, (), 3600.0)):
        with pytest.raises(PluginError, match=r"plugin 'mine' .*: toy.compute raised KeyboardInterrupt, without"):
            caller.call(HERE, plugin, (), 3600.0)
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_call_that_obeys_no_alarm_is_told_of_by_name_and_what_ended_is_not(monkeypatch):
    monkeypatch.setattr("layerwise.core.host.watchdog.GRACE_SECONDS", 0.0)
    told: list[str] = []
    watch = Watch(told.append)

    def wait() -> None:
        while not told:
            time.sleep(0.01)

    with watch.over("ended", 0.0):
        pass
    with watch.over("outer", 0.0), watch.over("inner", 3600.0):
        pass
    monkeypatch.setattr("layerwise.core.host.watchdog.GRACE_SECONDS", -3600.0)
    Caller(watch=watch).call(HERE, wait, (), 3600.0)
    assert told == ["plugin 'mine' (register_metrics): toy.compute"]


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


@pytest.mark.parametrize("where", [lambda function: function(), on_a_thread], ids=["main", "thread"])
def test_what_does_not_come_back_is_given_up_told_of_and_not_asked_again(where, monkeypatch):
    monkeypatch.setattr("layerwise.core.host.calling.NOTICE_SECONDS", 0.05)
    told: list[str] = []
    asked: list[int] = []
    caller = Caller(warn=told.append)

    def sleep() -> None:
        asked.append(1)
        time.sleep(3600)

    for _ in range(2):
        with pytest.raises(PluginTimeoutError, match=r"toy.compute did not return within 0\.2 s and was given up"):
            where(lambda: caller.call(HERE, sleep, (), 0.2))
    assert asked == [1]
    assert told == ["waiting for plugin 'mine' (register_metrics): toy.compute has not returned for 0.05 s"]
    assert where(lambda: caller.call(Place("mine", "register_metrics", "toy", "toy.other"), give, (1,), 5.0)) == 1


def test_a_slow_call_that_comes_back_in_time_is_told_of_and_counts(monkeypatch):
    monkeypatch.setattr("layerwise.core.host.calling.NOTICE_SECONDS", 0.02)
    told: list[str] = []

    def work(n_told: int) -> int:
        while len(told) < n_told:
            time.sleep(0.01)
        return 7

    for n_told, where in enumerate((lambda function: function(), on_a_thread), 1):
        assert where(lambda n_told=n_told: Caller(warn=told.append).call(HERE, work, (n_told,), 3600.0)) == 7
    assert len(told) == 2


def test_an_alarm_of_somebody_else_goes_on_after_a_call():
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 1800.0)
        assert Caller().call(HERE, give, (1,), 3600.0) == 1
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 1800.0
        signal.raise_signal(signal.SIGALRM)
        assert rung == [1]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_call_within_a_call_leaves_the_outer_one_its_limit():
    inner = Place("other", "register_metrics", "x", "x.compute")
    caller = Caller()

    def outer() -> None:
        caller.call(inner, give, (1,), 3600.0)
        time.sleep(3600)

    with pytest.raises(PluginTimeoutError, match="plugin 'mine'"):
        caller.call(HERE, outer, (), 2.0)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_code_knows_whether_it_is_in_a_plugin():
    assert not is_in_plugin()
    for where in (lambda function: function(), on_a_thread):
        assert where(lambda: Caller().call(HERE, is_in_plugin, (), 10.0)) is True
    assert Caller().call(HERE, is_in_plugin, ()) is True
    assert not is_in_plugin()


def test_a_trace_counts_calls_and_keeps_apart_what_others_took_within_them():
    trace = Trace()
    caller = Caller(trace=trace)
    inner = Place("other", "register_comparators", "x", "x.compare")

    def outer() -> None:
        for _ in range(3):
            caller.call(inner, time.sleep, (0.02,))

    caller.call(HERE, outer, ())
    with pytest.raises(PluginError):
        caller.call(HERE, lambda: 1 / 0, ())
    first, second = trace.calls[HERE], trace.calls[inner]
    assert (first.n_calls, first.n_failed, second.n_calls, second.n_failed) == (2, 1, 3, 0)
    assert first.seconds >= second.seconds >= 0.06
    assert first.own_seconds <= first.seconds - second.seconds + 1e-9
    assert second.longest <= second.seconds


def test_limits_are_there_unless_switched_off():
    assert Limits().loading is not None
    assert Limits().calling is not None

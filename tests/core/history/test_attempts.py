"""The attempts at a run in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from layerwise.core.history.attempts import describe_attempts
from layerwise.core.history.records import Attempt

FIRST = Attempt(
    number=1,
    status="interrupted",
    command="layerwise run tiny",
    versions={"numpy": "2.4", "scipy": "1.14"},
    plugins=("mine (mine 1.0)",),
    host={"hostname": "one", "cores": "2"},
    started_at=datetime(2026, 1, 1, 10, 0, tzinfo=UTC),
    n_layers=1,
)
SECOND = replace(FIRST, number=2, status="finished", n_layers=3)


def test_a_run_made_at_once_needs_no_words() -> None:
    assert list(describe_attempts([FIRST])) == []
    assert list(describe_attempts([])) == []


def test_each_attempt_says_what_it_did_and_what_was_different_from_the_one_before() -> None:
    changed = replace(
        SECOND,
        command="layerwise run tiny --memory 1GiB",
        versions={"numpy": "2.5", "scipy": "1.14", "keras": "3.1"},
        plugins=(),
        host={"hostname": "two", "cores": "2"},
    )
    assert dict(describe_attempts([replace(FIRST, error="out of memory"), changed])) == {
        "attempt 1": "interrupted, 1 layer, started 2026-01-01 10:00:00 UTC; out of memory",
        "attempt 2": "finished, 3 layers, started 2026-01-01 10:00:00 UTC; numpy 2.4 -> 2.5; keras none -> 3.1; "
        "hostname one -> two; plugins none; command `layerwise run tiny --memory 1GiB`",
    }


def test_nothing_is_made_up_of_an_attempt_that_an_older_history_did_not_record() -> None:
    bare = replace(SECOND, number=3, command="", versions={}, plugins=(), host={})
    said = dict(describe_attempts([FIRST, bare]))["attempt 3"]
    assert said.endswith("; versions, plugins, host and command were not recorded")
    assert "->" not in said

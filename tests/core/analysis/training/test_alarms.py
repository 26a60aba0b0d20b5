"""Alarms go off for what they are for, say when it was, and are silent over a healthy training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from layerwise.core.analysis.training.alarms import AlarmLimits, find_alarms
from layerwise.core.analysis.training.course import Course, Reading
from layerwise.core.base.errors import InputError
from layerwise.core.network.layers import Layer

LAYERS = tuple(
    Layer(name, name, "conv", (3,), place, role=name if name in ("input", "output") else None)
    for place, name in enumerate(("input", "conv", "output"))
)
STEPS = (0, 1, 2, 4, 8)


def course(**statistics: Mapping[str, Sequence[float]]) -> Course:
    """A course of five checkpoints with these statistics: `course(dead={"conv": [...]})`, by their short names."""
    words = {"dimension": "participation-ratio", "dead": "fraction-dead", "spread": "std-correlation"}
    readings = [
        Reading(
            {}, {words[name]: {layer: row[at] for layer, row in rows.items()} for name, rows in statistics.items()}
        )
        for at in range(len(STEPS))
    ]
    return Course(STEPS, LAYERS, tuple(readings))


HEALTHY = {
    "dimension": {"input": [9, 9, 9, 9, 9], "conv": [5, 8, 9, 7, 6], "output": [2, 4, 8, 9, 9]},
    "dead": {"input": [0.5] * 5, "conv": [0.1, 0.2, 0.3, 0.3, 0.3], "output": [0] * 5},
    "spread": {"input": [0.1] * 5, "conv": [0.1] * 5, "output": [0.03, 0.2, 0.3, 0.32, 0.33]},
}
CHANGES = np.array([[np.nan] * 3, [0, 0.3, 0.5], [0, 0.2, 0.4], [0, 0.1, 0.2], [0, 0.01, 0.1]])


def test_a_healthy_training_raises_no_alarm_and_the_input_never_does() -> None:
    assert find_alarms(course(**HEALTHY), CHANGES) == ()


def test_a_layer_that_collapses_is_told_with_the_step_at_which_it_did() -> None:
    (alarm,) = find_alarms(course(**HEALTHY | {"dimension": {"conv": [4, 10, 9, 2.4, 1.2]}}), CHANGES)
    assert (alarm.kind, alarm.layer, alarm.step, alarm.is_on) == ("collapse", "conv", 4, True)
    assert (alarm.value, alarm.limit) == (1.2, 2.5)
    assert alarm.message == "conv: its participation ratio fell to 1.2, from 10.0 (since step 4)"


def test_an_alarm_that_is_over_is_still_told_behind_those_that_are_on() -> None:
    dimension = {"conv": [4, 10, 2, 9, 9], "output": [9, 9, 9, 9, 1]}
    alarms = find_alarms(course(dimension=dimension), limits=AlarmLimits())
    assert [(alarm.layer, alarm.is_on) for alarm in alarms] == [("output", True), ("conv", False)]
    assert alarms[1].message.endswith("(since step 2, until step 2)")


def test_units_that_die_are_counted_from_the_fewest_that_were_dead() -> None:
    dead = {"conv": [0.3, 0.1, 0.55, 0.61, 0.9]}
    (alarm,) = find_alarms(course(dead=dead))
    assert (alarm.kind, alarm.step, alarm.value, alarm.limit) == ("dead", 4, 0.9, pytest.approx(0.6))
    assert "90% of its units are 0 for every stimulus, 10% were" in alarm.message
    assert find_alarms(course(dead=dead), limits=AlarmLimits(dead=0.85)) == ()


def test_a_layer_is_still_only_if_others_move_and_only_after_some_patience() -> None:
    frozen = CHANGES.copy()
    frozen[2:, 1] = 1e-9
    (alarm,) = find_alarms(course(**HEALTHY), frozen)
    assert (alarm.kind, alarm.layer, alarm.step, alarm.is_on) == ("still", "conv", 2, True)
    assert find_alarms(course(**HEALTHY), frozen, AlarmLimits(patience=4)) == ()
    ended = frozen.copy()
    ended[3:] = 0  # nothing moves any more: the training is over
    assert find_alarms(course(**HEALTHY), ended) == ()
    assert find_alarms(course(**HEALTHY)) == ()


@pytest.mark.parametrize("last", [0.05, np.nan])
def test_an_output_that_tells_stimuli_apart_no_more_is_lost(last: float) -> None:
    spread = {"conv": [0.3, 0.3, 0.3, 0.01, 0.01], "output": [0.03, 0.2, 0.3, 0.32, last]}
    (alarm,) = find_alarms(course(spread=spread))
    assert (alarm.kind, alarm.layer, alarm.step, alarm.is_on) == ("lost", "output", 8, True)
    assert "was 0.320: stimuli look alike to it" in alarm.message


def test_an_output_whose_spread_was_not_measured_is_not_lost() -> None:
    assert find_alarms(course(spread={"conv": [0.3] * 5})) == ()


@pytest.mark.parametrize("name", ["collapse", "dead", "still", "lost"])
def test_each_alarm_can_be_turned_off(name: str) -> None:
    bad = {
        "dimension": {"conv": [9, 9, 9, 9, 1]},
        "dead": {"conv": [0, 0, 0, 0, 1]},
        "spread": {"output": [0.3, 0.3, 0.3, 0.3, 0.01]},
    }
    frozen = CHANGES.copy()
    frozen[1:, 1] = 0
    kinds = {alarm.kind for alarm in find_alarms(course(**bad), frozen)}
    assert kinds == {"collapse", "dead", "still", "lost"}
    left = {alarm.kind for alarm in find_alarms(course(**bad), frozen, AlarmLimits(**{name: 0}))}
    assert left == kinds - {name}


@pytest.mark.parametrize(
    ("limits", "message"),
    [({"collapse": 1.5}, "alarm 'collapse' is between 0 and 1; here it is 1.5"), ({"patience": 0}, "not after 0")],
)
def test_a_limit_that_is_no_share_is_refused(limits, message) -> None:
    with pytest.raises(InputError, match=message):
        AlarmLimits(**limits)

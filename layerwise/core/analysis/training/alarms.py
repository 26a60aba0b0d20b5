"""Alarms: what in a training somebody should look at, told from what is stored of its checkpoints.

Four things are watched. A layer *collapses* when its participation ratio, the number of dimensions that its
representation fills, falls to a small share of its largest one so far. Units *die* when the share of units that are
0 for every stimulus rises. A layer is *still* when it hardly changes from checkpoint to checkpoint while others do.
The *output is lost* when it finds all pairs of stimuli nearly equally similar, although it did not before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.training.course import Course
from layerwise.core.base.errors import InputError

Kind = Literal["collapse", "dead", "still", "lost"]
Values = NDArray[np.float64]
DIMENSIONS, DEAD, STRUCTURE = "participation-ratio", "fraction-dead", "std-correlation"
_LEAST_CHANGE = 0.001


@dataclass(frozen=True)
class AlarmLimits:
    """From where on there is an alarm; 0 turns one off.

    Attributes:
        collapse: A layer's participation ratio is below this share of its largest one so far.
        dead: The share of a layer's dead units is above its smallest so far by more than this.
        still: A layer changes from checkpoint to checkpoint by no more than this share of what the layer that
            changes most does, `patience` times in a row; where none changes by 0.001, nothing is learned.
        lost: The spread of the output's similarities is below this share of its largest one so far.
        patience: How many checkpoints in a row a layer must be still.
    """

    collapse: float = 0.25
    dead: float = 0.5
    still: float = 0.00001
    lost: float = 0.25
    patience: int = 3

    def __post_init__(self) -> None:
        """Check the limits.

        Raises:
            InputError: If one is no share, or the patience is less than one checkpoint.
        """
        for name in ("collapse", "dead", "still", "lost"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(
                    f"the limit of alarm '{name}' is between 0 and 1; here it is {getattr(self, name):g}"
                )
        if self.patience < 1:
            raise InputError(f"a layer is still after 1 checkpoint at least, not after {self.patience}")


LIMIT_NAMES = tuple(item.name for item in fields(AlarmLimits))


@dataclass(frozen=True)
class Alarm:
    """Something that went wrong at a checkpoint.

    Attributes:
        kind: What.
        layer: Which layer.
        step: The step at which it began.
        value: What was measured at the last checkpoint at which it was so.
        limit: What that should not have passed.
        is_on: Whether it is so at the last checkpoint.
        message: The same in words.
    """

    kind: Kind
    layer: str
    step: int
    value: float
    limit: float
    is_on: bool
    message: str


def find_alarms(
    course: Course, changes: Values | None = None, limits: AlarmLimits = AlarmLimits()
) -> tuple[Alarm, ...]:
    """All alarms of a training, those that are on first, then by step.

    Args:
        course: What is stored of it.
        changes: (n_checkpoints, n_layers); how much each layer differs from one checkpoint before, as `ask_changes`
            gives it. Without it no layer is found still.
        limits: From where on there is an alarm.
    """
    found = [
        *_find_collapses(course, limits),
        *_find_dead(course, limits),
        *(_find_still(course, changes, limits) if changes is not None else ()),
        *_find_lost(course, limits),
    ]
    return tuple(sorted(found, key=lambda alarm: (not alarm.is_on, alarm.step)))


def _find_collapses(course: Course, limits: AlarmLimits) -> Iterator[Alarm]:
    dimensions = course.statistic(DIMENSIONS)
    for column in _learned(course):
        values = dimensions[:, column]
        floor = limits.collapse * _largest_so_far(values)
        for first, last in _episodes(values < floor):
            words = f"its participation ratio fell to {values[last]:.1f}, from {_largest_so_far(values)[last]:.1f}"
            yield _alarm("collapse", course, column, (first, last), (values, floor), words)


def _find_dead(course: Course, limits: AlarmLimits) -> Iterator[Alarm]:
    dead = course.statistic(DEAD)
    if not limits.dead:
        return
    for column in _learned(course):
        values = dead[:, column]
        least = np.fmin.accumulate(values)
        for first, last in _episodes(values > least + limits.dead):
            words = f"{values[last]:.0%} of its units are 0 for every stimulus, {least[last]:.0%} were"
            yield _alarm("dead", course, column, (first, last), (values, least + limits.dead), words)


def _find_still(course: Course, changes: Values, limits: AlarmLimits) -> Iterator[Alarm]:
    learned = _learned(course)
    if not limits.still or not learned:
        return
    most = np.fmax.reduce(changes[:, learned], axis=1)
    floor = limits.still * most
    for column in learned:
        values = changes[:, column]
        for first, last in _episodes((values <= floor) & (most >= _LEAST_CHANGE)):
            n_times = last - first + 1
            if n_times >= limits.patience:
                words = (
                    f"it changed by {values[last]:.2g} where another layer did by {most[last]:.2g}, {n_times} times"
                )
                yield _alarm("still", course, column, (first, last), (values, floor), f"{words} in a row")


def _find_lost(course: Course, limits: AlarmLimits) -> Iterator[Alarm]:
    spread = course.statistic(STRUCTURE)
    for column, layer in enumerate(course.layers):
        if layer.role != "output" or not limits.lost:
            continue
        values = spread[:, column]
        largest = _largest_so_far(values)
        floor = limits.lost * largest
        gone = np.isnan(values) & np.isfinite(largest) & _measured(course, layer.name)
        for first, last in _episodes((values < floor) | gone):
            now = "undefined" if np.isnan(values[last]) else f"{values[last]:.3f}"
            words = f"the spread of its similarities is {now} and was {largest[last]:.3f}: stimuli look alike to it"
            yield _alarm("lost", course, column, (first, last), (values, floor), words)


def _measured(course: Course, layer: str) -> NDArray[np.bool_]:
    """Whether the output's structure was looked at, though it may have come out undefined."""
    return np.array([layer in reading.statistics.get(STRUCTURE, {}) for reading in course.readings])


def _alarm(
    kind: Kind, course: Course, column: int, when: tuple[int, int], what: tuple[Values, Values], words: str
) -> Alarm:
    (first, last), (values, limits) = when, what
    layer, is_on = course.names[column], last == len(values) - 1
    over = "" if is_on else f", until step {course.steps[last]}"
    message = f"{layer}: {words} (since step {course.steps[first]}{over})"
    return Alarm(kind, layer, course.steps[first], float(values[last]), float(limits[last]), is_on, message)


def _learned(course: Course) -> list[int]:
    """The layers in which something is learned: all but the input."""
    return [place for place, layer in enumerate(course.layers) if layer.role != "input"]


def _largest_so_far(values: Values) -> Values:
    return np.asarray(np.fmax.accumulate(values), dtype=np.float64)


def _episodes(is_so: NDArray[np.bool_] | Sequence[bool]) -> Iterator[tuple[int, int]]:
    """First and last place of each stretch of checkpoints in which something is so."""
    edges = np.flatnonzero(
        np.diff(np.concatenate([[False], np.asarray(is_so, dtype=np.bool_), [False]]).astype(np.int8))
    )
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        yield int(first), int(end) - 1

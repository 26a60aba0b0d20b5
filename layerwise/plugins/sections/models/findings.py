"""What differs between models, in sentences: whose profile is smoother, and who turns to the output earlier."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from layerwise.core.history.intervals import Interval
from layerwise.core.history.profiles import Profile, ProfileIntervals
from layerwise.plugins.sections.shared.grouping import Runs
from layerwise.plugins.sections.shared.overlays import read_profiles
from layerwise.plugins.sections.transition.bands import interval_words, query_intervals
from layerwise.report.content import Finding, ReportContext

Known = tuple[str, float, Interval]
Told = Callable[[Known, Known], str]


def find_between_models(context: ReportContext, runs: Runs, names: Mapping[str, str]) -> list[Finding]:
    """For each two models, in what their profiles differ: where the intervals of the two do not touch."""
    profiles = read_profiles(context, runs)
    intervals = {run.id: query_intervals(context, run) for run in runs if run.id in profiles}
    found = []
    for one, other in itertools.combinations([run.id for run in runs if intervals.get(run.id) is not None], 2):
        for number, value_of, told in NUMBERS:
            pair = [_know(names[run], value_of(profiles[run]), intervals[run], number) for run in (one, other)]
            if pair[0] is None or pair[1] is None or touch(pair[0][2], pair[1][2]):
                continue
            more, less = sorted((pair[0], pair[1]), key=lambda known: -known[1])
            found.append(Finding(told(more, less), "models", 0.9))
    return found


def _crossing(profile: Profile) -> float | None:
    return profile.crossings[0].depth if profile.crossings else None


def touch(one: Interval, other: Interval) -> bool:
    """Whether two intervals have a value in common; those without ends have."""
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return True
    return one.low <= other.high and other.low <= one.high


def _know(name: str, value: float | None, intervals: ProfileIntervals | None, number: str) -> Known | None:
    if value is None or intervals is None:
        return None
    return name, value, intervals.numbers[number]


def _tell_smoothness(more: Known, less: Known) -> str:
    return f"{more[0]} changes in more even steps than {less[0]}: smoothness {_words(more)} against {_words(less)}."


def _tell_crossing(more: Known, less: Known) -> str:
    depths = f"at relative depth {_words(less)}, against {_words(more)}"
    return f"{less[0]} turns from its input to its output earlier than {more[0]}: {depths}."


def _words(known: Known) -> str:
    return f"{known[1]:.2f} ({interval_words(known[2])})"


NUMBERS: tuple[tuple[str, Callable[[Profile], float | None], Told], ...] = (
    ("smoothness", lambda profile: profile.smoothness, _tell_smoothness),
    ("crossing", _crossing, _tell_crossing),
)

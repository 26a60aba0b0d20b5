"""What a profile says in sentences: where the input's structure is lost, and which step changes most.

Nothing is claimed that its interval does not carry: a layer counts as having lost half only where the whole interval
lies below one half, and one step is called the largest only where its interval lies above those of all others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from layerwise.core.history.intervals import Interval
from layerwise.core.history.profiles import Profile, ProfileIntervals
from layerwise.plugins.sections.transition.bands import interval_words
from layerwise.report.content import Finding

HALF = 0.5


def find_in_profile(profile: Profile, intervals: ProfileIntervals | None, largest: float) -> list[Finding]:
    """All sentences that a profile gives; none without intervals.

    Args:
        profile: Of layers in order of computation.
        intervals: Of its numbers.
        largest: What the measure says of a layer and itself.
    """
    if intervals is None:
        return []
    found = [find_step(profile, intervals), find_crossing(profile, intervals)]
    if profile.kind == "similarity":
        found.insert(0, find_loss(profile, intervals, largest))
    return [finding for finding in found if finding is not None]


def find_loss(profile: Profile, intervals: ProfileIntervals, largest: float) -> Finding | None:
    """From which layer on less than half of the input's structure is left, to the end of the network."""
    bound = HALF * largest
    below = [is_below(interval, bound) for interval in intervals.curves["to_input"]]
    place = next((index for index in range(1, len(below)) if all(below[index:])), None)
    if place is None:
        return None
    value = _with_interval(profile.to_input[place], intervals.curves["to_input"][place])
    where = "from the first layer on" if place == 1 else f"from {profile.layers[place]} on"
    told = f"Less than half of the input's structure is left {where}: similarity to the input is {value} there"
    return Finding(f"{told} and stays below {bound:g}." if place < len(below) - 1 else f"{told}.", "profile", 0.8)


def find_step(profile: Profile, intervals: ProfileIntervals) -> Finding | None:
    """The step that is larger than every other, beyond what the stimuli leave open."""
    place = profile.largest
    if place is None or len(profile.layers) < 3:
        return None
    sure = intervals.curves["steps"]
    least = sure[place].low
    others = [interval.high for index, interval in enumerate(sure) if index not in (0, place)]
    if least is None or any(high is None or high >= least for high in others):
        return None
    before, after = profile.layers[place - 1], profile.layers[place]
    change = _with_interval(profile.steps[place], sure[place])
    share = f"{profile.shares[place]:.0%} of all change along the network"
    return Finding(f"The largest change is from {before} to {after}: {change}, {share}.", "steps", 0.75)


def find_crossing(profile: Profile, intervals: ProfileIntervals) -> Finding | None:
    """From where on layers are more like the output than like the input, where that happens once."""
    sure = intervals.numbers["crossing"]
    if len(profile.crossings) != 1 or sure.low is None:
        return None
    crossing = profile.crossings[0]
    depth = f"relative depth {crossing.depth:.2f}, {interval_words(sure)}"
    end = "the output" if profile.end_point == "output" else profile.end_point
    text = f"From {crossing.before} on layers are more like {end} than like the input ({depth})."
    return Finding(text, "profile", 0.4)


def is_below(interval: Interval, bound: float) -> bool:
    """Whether the whole interval lies below a bound."""
    return interval.high is not None and interval.high < bound


def _with_interval(value: float, interval: Interval) -> str:
    words = interval_words(interval)
    return f"{value:.2f} ({words})" if words and math.isfinite(value) else f"{value:.2f}"


def name_figures(findings: Sequence[Finding], run_id: str, about: str = "") -> list[Finding]:
    """The same, leading to the figures of one run, and saying which run they are about where there are several."""
    return [Finding(f"{about}{finding.text}", f"{finding.figure}-{run_id}", finding.weight) for finding in findings]

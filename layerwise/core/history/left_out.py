"""Statistics that a run leaves out, because they would cost more than the run: what is kept in their place.

Eigenvalues cost n^3: 10 s a layer for 5,000 stimuli, when the layer itself is done in one. So a run of many stimuli
keeps the reason in place of a number, and `layerwise measure` computes the number when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable

from layerwise.core.base.provider import Provider
from layerwise.core.history.records import LayerStatistic, StatisticResult

MOST_STIMULI = 2_000
"""Up to so many, a run computes what costs n^3: a second a layer."""

_BEGINNING = "not computed in a run above "


def leave_out(name: str, provider: Provider) -> StatisticResult:
    """What is kept in place of a statistic that was left out."""
    reason = f"{_BEGINNING}{MOST_STIMULI:,} stimuli; `layerwise measure` computes it"
    return StatisticResult(name, provider, None, reason, None)


def was_left_out(result: StatisticResult) -> bool:
    """Whether a statistic is missing only because a run leaves it out, whatever the limit was."""
    return result.value is None and result.reason.startswith(_BEGINNING)


def describe_left_out(statistics: Iterable[LayerStatistic]) -> str:
    """Which statistics were left out of a run, and what computes them, in one line; empty where none were."""
    names: dict[str, list[str]] = {}
    for item in statistics:
        if was_left_out(item.result):
            names.setdefault(item.result.reason, []).append(item.result.name)
    return "; ".join(f"{', '.join(dict.fromkeys(found))}: {reason}" for reason, found in names.items())

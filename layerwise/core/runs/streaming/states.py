"""Streamed statistics of a run: a state for each layer and statistic, fed from the layer or a block's branches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.host.jobs import StreamJob
from layerwise.core.host.kinds import StatisticValue, StreamedStatistic
from layerwise.core.host.plans import Target
from layerwise.core.host.registered import Registered
from layerwise.core.host.validation import check_statistic
from layerwise.core.network.model import Floats
from layerwise.core.network.representation import read_only
from layerwise.core.runs.streaming.plan import part_keys

Key = tuple[str, str]


class StreamedState:
    """One streamed statistic of one layer, fed from the layer or from the branches it consists of.

    Where its plugin fails it is not fed any more, and has a reason in place of a number; the run goes on.

    The branches of a block, and chunks of one layer under a transform of units, are digested on several threads and
    feed this one state. A lock lets one in at a time, so that a statistic may read, compare and write. (A state for
    each branch, merged at the end, would ask every author for a merge; the lock holds workers up only where a
    statistic is slower than the network.)

    Attributes:
        statistic: The statistic.
        failure: What its plugin failed with; empty where it did not.
    """

    def __init__(self, statistic: Registered[StreamedStatistic], n_stimuli: int, n_features: int) -> None:
        self.statistic = statistic
        self.failure = ""
        self._lock = threading.Lock()
        self._state: Any = self._call(statistic.offer.start, n_stimuli, n_features)

    def update(self, activations: Floats, stimuli: slice, units: slice) -> None:
        """Pass activations on, from any thread."""
        with self._lock:
            if not self.failure:
                self._call(self.statistic.offer.update, self._state, read_only(activations), stimuli, units)

    def finish(self) -> tuple[Registered[Any], StatisticValue]:
        """The validated value, or the reason why there is none; once nothing feeds it any more."""
        value = None if self.failure else self._call(self.statistic.offer.finish, self._state)
        if not self.failure:
            try:
                return self.statistic, check_statistic(self.statistic, value)
            except LayerwiseError as error:
                self.failure = str(error)
        return self.statistic, StatisticValue(None, self.failure)

    def _call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return self.statistic.call(method, *arguments)
        except LayerwiseError as error:
            self.failure = str(error)
        return None


@dataclass(frozen=True)
class Listener:
    """A state that a streamed target feeds, and at which of its units the target's begin."""

    state: StreamedState
    first_unit: int


class RunStates:
    """All streamed statistics of a run, by the target they are of and by the target that feeds them."""

    def __init__(self, job: StreamJob) -> None:
        self._of: dict[Key, list[StreamedState]] = {}
        self._fed_by: dict[Key, list[Listener]] = {}
        features = {span.target.key: span.n_features for s in job.plan.segments for p in s.passes for span in p}
        blocks = {target.key: target for target in job.plan.derived}
        for target in job.targets:
            leaves = list_leaves(target.key, blocks)
            n_features = sum(features[leaf] for leaf in leaves)
            states = [StreamedState(s, job.stimuli.n_stimuli, n_features) for s in job.statistics]
            self._of[target.key] = states
            first_unit = 0
            for leaf in leaves:
                self._fed_by.setdefault(leaf, []).extend(Listener(state, first_unit) for state in states)
                first_unit += features[leaf]

    def fed_by(self, target: Target) -> Sequence[Listener]:
        """The states that a streamed target feeds: its own, and those of the blocks it is a branch of."""
        return self._fed_by[target.key]

    def take(self, target: Target) -> list[StreamedState]:
        """The states of a target that is finished; they are not kept any longer."""
        return self._of.pop(target.key)


def list_leaves(key: Key, blocks: Mapping[Key, Target]) -> list[Key]:
    """The streamed targets that a target is made of, in the order of its units: itself, or a block's branches."""
    if key not in blocks:
        return [key]
    return [leaf for part in part_keys(blocks[key]) for leaf in list_leaves(part, blocks)]

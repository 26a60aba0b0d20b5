"""How fast a network ran on this machine before, from the history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from layerwise.core.history.costs import Rates
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import Attempt, RunFilter, RunRecord
from layerwise.core.network.model import ModelInfo

_SAME_MACHINE = ("hostname", "processor", "cores_used", "device")
_MOST_LOOKED_AT = 50


@dataclass(frozen=True)
class Circumstances:
    """What must be the same for two runs to go equally fast.

    Attributes:
        model: The network; of another with the same shape and number of weights, a checkpoint, as well.
        engine: Qualified name of who streams.
        batch_size: Stimuli per call.
        transforms: Names of transforms.
        host: The machine, as `describe_host` has it.
    """

    model: ModelInfo
    engine: str
    batch_size: int
    transforms: tuple[str, ...]
    host: Mapping[str, str]


@dataclass(frozen=True)
class Recalled:
    """How fast it went, and which run said so."""

    rates: Rates
    run_id: str


def recall(history: HistoryProtocol, now: Circumstances) -> Recalled | None:
    """The rates of the newest run under the same circumstances; of other transforms, where there is none."""
    where = RunFilter(model=now.model.name, status="finished", limit=_MOST_LOOKED_AT)
    found = list(_find(history.list_runs(where), now))
    same = (recalled for transforms, recalled in found if transforms == now.transforms)
    return next(same, found[0][1] if found else None)


def _find(runs: list[RunRecord], now: Circumstances) -> Iterator[tuple[tuple[str, ...], Recalled]]:
    for run in runs:
        network = (run.model.n_parameters, run.model.input_shape, run.engine.name, run.batch_size)
        if network != (now.model.n_parameters, now.model.input_shape, now.engine, now.batch_size):
            continue
        for attempt in reversed(run.attempts):
            if attempt.costs is not None and attempt.costs.rates is not None and _is_here(attempt, now.host):
                yield run.transforms, Recalled(attempt.costs.rates, run.id)
                break


def _is_here(attempt: Attempt, host: Mapping[str, str]) -> bool:
    return all(attempt.host.get(name) == host.get(name) for name in _SAME_MACHINE)

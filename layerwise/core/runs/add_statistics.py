"""Adding statistics to runs that were made without them, from what is stored: no network, no stimuli."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from layerwise.core.base.blas import single_threaded_blas
from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.history.left_out import MOST_STIMULI, leave_out, was_left_out
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress, LayerStatistic, RunRecord, StatisticResult
from layerwise.core.host import kinds
from layerwise.core.host.registry import Registered, Registry
from layerwise.core.host.validation import check_statistic
from layerwise.core.network.matrices.landmarks import describe_landmarks
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.core.runs.sink import measure_by_landmarks

_READ_AT_ONCE = 16
_READ_BYTES = 2**28  # of float64 matrices
Wanted = Sequence[Registered[kinds.RepresentationStatistic]]
Task = tuple[LayerAddress, Wanted]


def measure_run(
    registry: Registry,
    history: HistoryProtocol,
    run: RunRecord,
    names: Sequence[str],
    remark: Callable[[str], None],
    *,
    asked: bool = True,
) -> list[LayerStatistic]:
    """Compute the statistics of a run's representations that are not stored yet, and keep them.

    Args:
        registry: Knows the statistics.
        history: Where representations are read and results kept.
        run: The run; of one that is not finished, the layers that are stored count.
        names: Bare or qualified names of statistics; all that representations give, if empty.
        remark: Told what plugins failed on, which is not kept.
        asked: Whether somebody waits for these very statistics. Otherwise what costs n^3 is left out of many stimuli,
            as a run leaves it out.

    Returns:
        What was added, in order of computation.

    Raises:
        InputError: If the run is being computed now, there is no such statistic, or it needs more than
            representations.
    """
    if run.status == "running":
        raise InputError(f"run {run.id} is being computed now; its statistics can be added when it is done")
    statistics = choose_statistics(registry, names)
    if run.n_landmarks is not None:
        statistics = _choose_landmarked(statistics, run, names)
    missing = _find_missing(history, run, statistics, asked=asked)
    added: list[LayerStatistic] = []
    if not asked and run.n_stimuli > MOST_STIMULI:
        missing, added = _leave_out(missing)
        history.save_statistics(run.id, added)
    n_read = max(1, min(_READ_AT_ONCE, _READ_BYTES // (8 * max(run.n_stimuli, 1) ** 2)))
    for start in range(0, len(missing), n_read):
        some = missing[start : start + n_read]
        representations = _read(history, some, run)
        with _single_threaded(run.n_stimuli):
            found = [
                result
                for task, representation in zip(some, representations, strict=True)
                for result in _measure(task, representation, remark)
            ]
        history.save_statistics(run.id, found)
        added += found
    return added


def _choose_landmarked(statistics: Wanted, run: RunRecord, names: Sequence[str]) -> Wanted:
    """Those that pairs with landmarks give.

    Raises:
        InputError: If one that was named is none of them.
    """
    chosen = [one for one in statistics if one.offer.panelled and one.offer.landmarked]
    if names and len(chosen) < len(statistics):
        lacking = next(one for one in statistics if one not in chosen)
        raise InputError(describe_landmarks(run.id, run.n_landmarks or 0, f"statistic '{lacking.name}'"))
    return chosen


def _read(history: HistoryProtocol, tasks: Sequence[Task], run: RunRecord) -> Sequence[Pairs]:
    """The layers; of many stimuli whole matrices only where a statistic needs them, of landmarks none."""
    addresses = [address for address, _ in tasks]
    needs_whole = any(not statistic.offer.panelled for _, wanted in tasks for statistic in wanted)
    if run.n_landmarks is None and (run.n_stimuli <= MOST_STIMULI or needs_whole):
        return history.read_representations(addresses)
    return history.open_layers(addresses)


def _single_threaded(n_stimuli: int) -> AbstractContextManager[object]:
    """Small matrices are slower on several threads."""
    return nullcontext() if n_stimuli > MOST_STIMULI else single_threaded_blas()


def _leave_out(missing: Sequence[Task]) -> tuple[list[Task], list[LayerStatistic]]:
    """What is to be measured without what costs n^3 or needs matrices, and what is kept in place of that."""
    left: list[Task] = []
    instead: list[LayerStatistic] = []
    for address, wanted in missing:
        for statistic in wanted:
            if statistic.offer.cubic or not statistic.offer.panelled:
                result = leave_out(statistic.name, statistic.provider)
                instead.append(LayerStatistic(address.layer, address.transform, result))
        if cheap := [statistic for statistic in wanted if statistic.offer.panelled and not statistic.offer.cubic]:
            left.append((address, cheap))
    return left, instead


def _measure(task: Task, representation: Pairs, remark: Callable[[str], None]) -> list[LayerStatistic]:
    address, wanted = task
    found = []
    for statistic in wanted:
        try:
            if representation.landmarks is not None:
                result = measure_by_landmarks(statistic, remark, representation.landmarks, representation)
                found.append(LayerStatistic(address.layer, address.transform, result))
                continue
            value = check_statistic(statistic, statistic.call(statistic.offer.compute, representation))
        except LayerwiseError as error:
            remark(f"layer '{address.layer}': {error}")
            continue
        result = StatisticResult(statistic.name, statistic.provider, value.value, value.reason, value.vector)
        found.append(LayerStatistic(address.layer, address.transform, result))
    return found


def choose_statistics(registry: Registry, names: Sequence[str]) -> Wanted:
    """The statistics of these names that representations give; all of them without names.

    Raises:
        InputError: If there is none of a name, or it needs single units or weights.
    """
    offers: Sequence[Registered[Any]] = registry.all(kinds.Statistic)
    if not names:
        return [offer for offer in offers if isinstance(offer.offer, kinds.RepresentationStatistic)]
    chosen: list[Registered[Any]] = [registry.get(kinds.Statistic, name) for name in dict.fromkeys(names)]
    for statistic in chosen:
        if not isinstance(statistic.offer, kinds.RepresentationStatistic):
            need = _need(statistic)
            raise InputError(f"statistic '{statistic.name}' needs {need}: it is measured by `layerwise run`")
    return chosen


def _need(statistic: Registered[kinds.Statistic]) -> str:
    if isinstance(statistic.offer, kinds.WeightStatistic):
        return "the model's weights"
    return "activations of single units, which are not kept"


def _find_missing(history: HistoryProtocol, run: RunRecord, statistics: Wanted, *, asked: bool) -> list[Task]:
    """For each stored representation the statistics that it lacks, where there are any.

    What a run left out is there, unless it is asked for.
    """
    found = history.read_statistics(run.id)
    stored = {
        (item.layer, item.transform, item.result.provider)
        for item in found
        if not (asked and was_left_out(item.result))
    }
    begun = {
        (item.layer, item.transform) for item in found
    }  # of a run that was cut off, what has statistics is stored
    missing: list[Task] = []
    for layer in history.list_layers(run.id):
        for transform in run.transforms:
            lacking = [
                statistic for statistic in statistics if (layer.name, transform, statistic.provider) not in stored
            ]
            if lacking and (run.status == "finished" or (layer.name, transform) in begun):
                missing.append((LayerAddress(run.id, layer.name, transform), lacking))
    return missing

"""A history in memory beside what the storage suite holds it to: its arrays, its threads, its one process."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.base.provider import Provider
from layerwise.core.history.memory import MemoryHistory
from layerwise.core.history.protocols import Archive
from layerwise.core.history.records import (
    Comparison,
    LayerAddress,
    LayerResult,
    LayerStatistic,
    RunFilter,
    RunHeader,
    StatisticResult,
)
from layerwise.core.network.products import represent
from layerwise.core.network.representation import Representation

MINE = Provider("mine:one", "1")


@pytest.fixture
def header(fake: Any) -> RunHeader:
    """What is known of a run with layers `a` and `b` on four stimuli."""
    return fake.make_header("ab")


def test_it_is_what_the_engine_writes_to_and_is_answered_from() -> None:
    archive: Archive = MemoryHistory()
    assert archive.list_runs() == []


def test_what_becomes_of_an_array_after_it_was_saved_changes_nothing(header: RunHeader) -> None:
    history = MemoryHistory()
    claim = history.begin_run(header)
    rows = represent(np.random.default_rng(0).normal(size=(4, 9)))
    matrix, deviation, mean, norm = (getattr(rows, name).copy() for name in ("entries", "deviation", "mean", "norm"))
    vector = np.arange(3.0)
    own = Representation(matrix, deviation, mean, norm, 9)
    history.save_layer(claim, LayerResult("a", "none", own, (StatisticResult("v", MINE, None, "", vector),)))
    for array in (matrix, deviation, mean, norm, vector):
        array[...] = 7
    kept = history.read_representation(LayerAddress(claim.run_id, "a"))
    assert kept.entries.tobytes() == rows.entries.tobytes()
    assert (kept.mean.tolist(), kept.norm.tolist()) == (rows.mean.tolist(), rows.norm.tolist())
    (statistic,) = history.read_statistics(claim.run_id)
    assert statistic.result.vector is not None
    assert statistic.result.vector.tolist() == [0, 1, 2]
    for array in (kept.entries, kept.deviation, kept.mean, kept.norm, statistic.result.vector):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True


def in_threads(*calls: Callable[[], Any]) -> list[Any]:
    """The answers of calls that are all under way at once; an error is its own answer."""
    start = threading.Barrier(len(calls))

    def carry_out(call: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return call()
        except LayerwiseError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(carry_out, calls))


def test_of_two_threads_that_begin_the_same_analysis_one_gets_it(header: RunHeader) -> None:
    inside, other_inside, go = threading.Event(), threading.Event(), threading.Event()

    def name_run() -> str:
        """Hold the first thread in the middle of its claim until the second had every chance to get there, too."""
        (other_inside if inside.is_set() else inside).set()
        go.wait()
        return f"run{threading.get_ident()}"

    history = MemoryHistory(name_run)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(history.begin_run, header)
        inside.wait()
        second = pool.submit(history.begin_run, header)
        other_inside.wait(0.2)
        go.set()
        assert first.result().token
        with pytest.raises(InputError, match="is computing the same analysis now"):
            second.result()
    assert len(history.list_runs()) == 1


def test_threads_may_save_and_read_at_once_and_nothing_is_lost(fake: Any) -> None:
    history, names = fake.MadeHistory(), [f"layer{index}" for index in range(20)]
    fake.add_rows(history, "run1", dict.fromkeys(names, np.eye(4)))

    def save(start: int) -> None:
        for index in range(start, len(names), 4):
            ends = LayerAddress("run1", names[index]), LayerAddress("run1", names[start])
            history.save_comparisons([Comparison(MINE, *ends, 0.5)])
            history.read_comparisons(MINE, ["run1"])

    in_threads(*(lambda start=start: save(start) for start in range(4)))
    assert len(history.read_comparisons(MINE, ["run1"])) == len(names)


def test_work_that_ended_without_a_word_is_gone_on_with(header: RunHeader) -> None:
    history = MemoryHistory()
    claim = history.begin_run(header)
    history.save_layer(claim, LayerResult("a", "none", represent(np.eye(4))))
    with pytest.raises(ZeroDivisionError), history.keep_alive(claim):
        raise ZeroDivisionError
    assert history.find_run(claim.run_id).status == "interrupted"
    again = history.begin_run(header)
    assert (again.run_id, again.resumed, again.done) == (claim.run_id, True, frozenset({("a", "none")}))
    with history.keep_alive(claim):
        pass
    assert history.find_run(again.run_id).status == "running", "who has lost a run has let it go"


def test_it_belongs_to_one_process() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(MemoryHistory())


def test_runs_are_told_apart_by_when_they_began_however_fast_they_came(header: RunHeader) -> None:
    history = MemoryHistory()
    claims = [history.begin_run(header, force=True)]
    for _ in range(50):
        history.finish_run(claims[-1], {})
        claims.append(history.begin_run(header, force=True))
    assert [run.id for run in history.list_runs()] == [claim.run_id for claim in reversed(claims)]
    assert history.find_run("latest").id == claims[-2].run_id


def test_every_attempt_is_remembered_with_what_it_was_made_with_and_what_it_stored(header: RunHeader) -> None:
    history = MemoryHistory()
    claim = history.begin_run(header)
    history.save_layer(claim, LayerResult("a", "none", represent(np.eye(4))))
    history.fail_run(claim, "out of memory")
    again = history.begin_run(replace(header, command="later", versions={"numpy": "9"}))
    history.save_layer(again, LayerResult("b", "none", represent(np.eye(4))))
    first, second = history.find_run(claim.run_id).attempts
    assert (first.status, first.error, first.n_layers) == ("failed", "out of memory", 1)
    assert (second.status, second.ended_at, second.n_layers) == ("running", None, 1)
    assert (first.command, second.command, second.versions) == (header.command, "later", {"numpy": "9"})
    with history.keep_alive(again):
        pass
    assert history.find_run(claim.run_id).attempts[1].status == "interrupted"
    history.finish_run(history.begin_run(header), {})
    ended = history.find_run(claim.run_id).attempts
    assert [attempt.status for attempt in ended] == ["failed", "interrupted", "finished"]
    assert all(attempt.ended_at is not None for attempt in ended)


def test_of_several_revisions_of_a_statistic_the_newest_is_read_and_runs_are_found_by_origin(fake: Any) -> None:
    history = fake.MadeHistory()
    fake.add_rows(history, "run1", {"a": np.eye(4)}, origin="ablated")
    fake.add_rows(history, "run2", {"a": np.eye(4)})
    for revision in (3, 2):
        result = StatisticResult("mean", replace(MINE, revision=revision), float(revision))
        history.save_statistics("run1", [LayerStatistic("a", "none", result)])
    assert [item.result.value for item in history.read_statistics("run1")] == [3.0]
    assert [run.id for run in history.list_runs(RunFilter(origin="ablated"))] == ["run1"]

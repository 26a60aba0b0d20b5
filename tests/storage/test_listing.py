"""Lists of runs: every history chooses, orders and counts them as is said of runs in memory, and reads no others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, get_args

import pytest
import sqlalchemy as sa

from layerwise.core.base.errors import InputError
from layerwise.core.base.provider import Provider
from layerwise.core.history import listing
from layerwise.core.history.intervals import IntervalPlan, PermutationPlan
from layerwise.core.history.records import Accuracy, Comparison, LayerAddress, RunField, RunFilter, RunOrder
from layerwise.storage import OpenHistory, Store

RSA = Provider("layerwise:rsa-pearson", "1")
RESTRICTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"model": "tiny"},
    {"model": "no such"},
    {"stimuli": "faces"},
    {"lineage": "digits"},
    {"lineage": "digits", "model": "Large Network"},
    {"status": "finished"},
    {"status": "failed"},
    {"status": "running"},
    {"status": "interrupted"},
    {"origin": "ablated"},
    {"tags": {"seed": "1"}},
    {"tags": {"seed": "1", "kind": "50%_a/b"}},
    {"fingerprint": "f" * 64},
    {"with_layers": True},
    {"words": "LARGE net"},
    {"words": "digits step"},
    {"words": "step 12"},
    {"words": "epoch-1 seed=1"},
    {"words": "kind=50%_A/b"},
    {"words": "%"},
    {"words": "_"},
    {"words": "finished tiny"},
    {"words": "interrupted"},
    {"words": "--stimuli some/photos"},
    {"words": "grösse"},
    {"words": "nothing like it"},
)


@pytest.fixture
def filled(store: OpenHistory, samples: Any) -> OpenHistory:
    """A history of runs that differ in all that they can be listed by; some are alike in it."""
    for number in range(6):
        header = samples.header(
            f"{number:064x}",
            model=samples.model(number, name=("tiny", "Large Network", "GRÖSSE")[number % 3]),
            stimuli=samples.stimuli(6 + number // 4, name=("photos", "faces")[number % 2]),
            lineage=(None, "digits", "digits", "letters")[number % 4],
            checkpoint=(None, "epoch-1")[number % 2],
            step=(None, 12, 3)[number % 3],
            tags={"seed": str(number % 2), "kind": "50%_a/b"} if number else {},
            origin=("computed", "ablated")[number % 2],
        )
        claim = store.begin_run(header)
        for layer in header.layers[: number % 3]:
            store.save_layer(claim, samples.result(layer.name, n_stimuli=header.stimuli.n_stimuli))
        if number % 2:
            store.save_predictions(claim, [], Accuracy(number % 5 / 4, 1.0, 6))
        if number in (2, 3):
            store.fail_run(claim, "stopped", interrupted=number == 2)
        elif number < 5:
            store.finish_run(claim, {})
    store.begin_run(samples.header("9" * 64, stimuli=samples.stimuli(name="noise", fingerprint="f" * 64)))
    return store


def test_every_history_chooses_and_counts_runs_alike(filled: OpenHistory) -> None:
    everything = filled.list_runs()
    for where in (RunFilter(**restriction) for restriction in RESTRICTIONS):
        assert filled.list_runs(where) == listing.choose_runs(everything, where)
        assert filled.count_runs(where) == listing.count_runs(everything, where)
        for field in get_args(RunField):
            assert filled.count_values(field, where) == listing.count_values(everything, field, where)


@pytest.mark.parametrize("descending", [True, False])
def test_every_history_orders_runs_alike(filled: OpenHistory, descending: bool) -> None:
    everything = filled.list_runs()
    for order in get_args(RunOrder):
        where = RunFilter(order=order, descending=descending)
        whole = listing.choose_runs(everything, where)
        assert filled.list_runs(where) == whole
        assert filled.list_runs(replace(where, offset=2, limit=3)) == whole[2:5]


def test_the_filters_of_this_module_find_something_and_leave_something(filled: OpenHistory) -> None:
    counts = [filled.count_runs(RunFilter(**restriction)) for restriction in RESTRICTIONS]
    assert counts[0] == 7
    nothing = [restriction for restriction, n_runs in zip(RESTRICTIONS, counts, strict=True) if not n_runs]
    assert nothing == [{"model": "no such"}, {"words": "nothing like it"}]
    assert filled.count_runs(RunFilter(words="grösse")) == 2


def test_a_limit_does_not_change_how_many_there_are(filled: OpenHistory) -> None:
    assert filled.count_runs(RunFilter(limit=2)) == len(filled.list_runs()) == 7


def test_a_run_is_found_by_the_beginning_of_its_id_not_by_what_is_within(filled: OpenHistory) -> None:
    run = filled.list_runs()[3]
    assert filled.list_runs(RunFilter(words=run.id[:8].upper())) == [run]
    assert filled.list_runs(RunFilter(words=run.id[3:])) == []


def test_what_no_text_can_hold_is_found_nowhere(filled: OpenHistory) -> None:
    for where in (RunFilter(words="a\0"), RunFilter(model="a\0"), RunFilter(tags={"a": "\0"})):
        assert (filled.list_runs(where), filled.count_runs(where)) == ([], 0)
        assert filled.count_values("model", where) == {}


@pytest.mark.database
def test_a_search_for_a_whole_page_of_words_is_a_clear_error(filled: Store) -> None:
    with pytest.raises(InputError, match="for 50 words, and these are 51"):
        filled.list_runs(RunFilter(words=" ".join(map(str, range(51)))))


def test_a_run_whose_process_is_gone_is_listed_and_counted_as_interrupted(
    store: Store, samples: Any, execute: Any
) -> None:
    dead, alive = (store.begin_run(samples.header(key * 64)).run_id for key in "ab")
    execute("UPDATE runs SET pid_space = 'elsewhere', heartbeat_at = '2000-01-01 00:00:00' WHERE id = :id", id=dead)
    for status, run_id in (("interrupted", dead), ("running", alive)):
        for where in (RunFilter(status=status), RunFilter(words=status), RunFilter(status=status, limit=1)):
            assert [run.id for run in store.list_runs(where)] == [run_id]
            assert store.count_runs(where) == 1
    assert store.count_values("status") == {"interrupted": 1, "running": 1}
    assert [run.id for run in store.list_runs(RunFilter(order="status"))] == [alive, dead]


@contextmanager
def statements(store: Store) -> Iterator[list[tuple[str, Any]]]:
    """What the database is asked, with the values."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, values))

    sa.event.listen(store._database.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        sa.event.remove(store._database.engine, "before_cursor_execute", note)


@pytest.mark.database
def test_a_page_of_runs_takes_as_many_queries_however_long_it_is_and_however_many_runs_there_are(
    store: Store, samples: Any
) -> None:
    counts = []
    for number in range(6):
        samples.finished_run(store, f"{number:064x}", model=samples.model(number), tags={"seed": str(number)})
        for limit in (1, 3):
            with statements(store) as asked:
                store.list_runs(RunFilter(limit=limit, words="tiny"))
            counts.append(len(asked))
    assert len(set(counts)) == 1
    assert counts[0] <= 8


@pytest.mark.database
def test_only_the_runs_that_are_shown_are_read(store: Store, samples: Any) -> None:
    for number in range(5):
        samples.finished_run(store, f"{number:064x}", model=samples.model(number))
    with statements(store) as asked:
        shown = store.list_runs(RunFilter(limit=2))
    for table in ("models", "tags", "attempts"):
        (values,) = (values for statement, values in asked if statement.startswith(f"SELECT {table}."))
        assert len(values) == len(shown)


@pytest.mark.parametrize("table", ["comparisons", "intervals", "permutation_tests"])
def test_what_was_computed_of_a_run_is_found_by_its_layers_not_by_its_measure(
    sqlite_url: str, samples: Any, table: str
) -> None:
    """Every other run was compared with the same measure, too: a million rows."""
    from layerwise.storage import open_store

    with open_store(sqlite_url) as opened:
        assert isinstance(opened, Store)
        run_id = samples.finished_run(opened)
        ends = LayerAddress(run_id, "input"), LayerAddress(run_id, "output")
        opened.save_comparisons([Comparison(RSA, *ends, 0.5)])
        with statements(opened) as asked:
            assert len(opened.read_comparisons(RSA, [run_id])) == 1
            opened.read_intervals(RSA, IntervalPlan(1000), [run_id])
            opened.read_tests(RSA, PermutationPlan(999), [run_id])
        (explained,) = (one for one in asked if f"FROM {table}" in one[0])
        with opened._database.read() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {explained[0]}", explained[1]).all()
    (search,) = (row[3] for row in plan if f" {table} " in row[3])
    assert "first_id=?" in search
    assert not any(row[3].startswith("SCAN") for row in plan)

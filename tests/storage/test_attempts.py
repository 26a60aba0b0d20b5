"""A run remembers each attempt at it, with what it was made and what it computed; and where its numbers come from."""

from __future__ import annotations

from typing import Any

import pytest

from layerwise.core.history.records import Claim, Origin, RunFilter
from layerwise.storage import Store, migrate, open_store, upgrade

LATER = {
    "command": "layerwise run tiny --memory 1GiB",
    "versions": {"numpy": "2.5"},
    "plugins": ("sample 1.1",),
    "host": {"system": "Darwin"},
}


def test_a_run_made_at_once_has_one_attempt(store: Store, samples: Any) -> None:
    run = store.find_run(samples.finished_run(store))
    (attempt,) = run.attempts
    assert (attempt.number, attempt.status, attempt.n_layers) == (1, "finished", 5)
    assert (attempt.command, attempt.versions, attempt.plugins, attempt.host) == (
        run.command,
        run.versions,
        run.plugins,
        run.host,
    )
    assert attempt.ended_at is not None
    assert attempt.started_at <= attempt.ended_at


def resume_a_failed_run(store: Store, samples: Any) -> tuple[str, Claim]:
    """A run of which one layer was stored by an attempt that failed, and two by one under other versions."""
    claim = store.begin_run(samples.header())
    store.save_layer(claim, samples.result("input"))
    store.fail_run(claim, "out of memory")
    again = store.begin_run(samples.header(**LATER))
    assert again.run_id == claim.run_id
    for name in ("mixed", "output"):
        store.save_layer(again, samples.result(name))
    return claim.run_id, again


def test_a_resume_under_other_versions_leaves_those_of_both_attempts(store: Store, samples: Any) -> None:
    run_id, again = resume_a_failed_run(store, samples)
    first, second = store.find_run(run_id).attempts
    assert (first.number, first.status, first.error, first.n_layers) == (1, "failed", "out of memory", 1)
    assert (first.versions, first.plugins) == ({"numpy": "2.4"}, ("sample 1.0",))
    assert (second.number, second.status, second.ended_at, second.n_layers) == (2, "running", None, 2)
    assert {name: getattr(second, name) for name in LATER} == LATER
    store.finish_run(again, {})
    assert store.find_run(run_id).attempts[1].status == "finished"


@pytest.mark.database
def test_every_layer_says_which_attempt_computed_it(store: Store, samples: Any) -> None:
    resume_a_failed_run(store, samples)
    by_layer = store.query("SELECT layer, attempt FROM layer_list ORDER BY position").rows()
    assert by_layer == [("input", 1), ("mixed", 2), ("output", 2)]


def test_an_attempt_that_was_cut_off_ends_with_its_last_sign_of_life(
    store: Store, samples: Any, execute: Any
) -> None:
    run_id = store.begin_run(samples.header()).run_id
    execute("UPDATE runs SET heartbeat_at = '2020-01-01 00:00:00.000000', hostname = 'elsewhere'")
    for attempts in (store.find_run(run_id).attempts, store.list_runs()[0].attempts):
        assert [attempt.status for attempt in attempts] == ["interrupted"]
    store.begin_run(samples.header(**LATER))
    first, second = store.find_run(run_id).attempts
    assert (first.status, second.status) == ("interrupted", "running")
    assert first.ended_at is not None
    assert first.ended_at.year == 2020


def test_attempts_go_with_their_run(store: Store, samples: Any, execute: Any) -> None:
    store.delete_run(samples.finished_run(store))
    assert execute("SELECT count(*) FROM attempts") == [(0,)]


@pytest.mark.parametrize("n_attempts", [1, 3])
def test_of_an_old_run_the_first_attempt_and_the_end_of_the_last_are_known(
    url: str, samples: Any, execute: Any, as_before: Any, n_attempts: int
) -> None:
    with open_store(url) as store:
        run_id = samples.finished_run(store)
    as_before()
    migrate.downgrade(url, "0006")
    execute("UPDATE runs SET n_attempts = :n", n=n_attempts)
    upgrade(url)
    with open_store(url) as store:
        attempts = store.find_run(run_id).attempts
        assert [attempt.number for attempt in attempts] == ([1] if n_attempts == 1 else [1, n_attempts])
        assert (attempts[0].versions, attempts[-1].status) == ({"numpy": "2.4"}, "finished")
        assert attempts[-1].versions == ({"numpy": "2.4"} if n_attempts == 1 else {})
        known = store.query("SELECT DISTINCT attempt FROM layer_list")["attempt"].to_list()
        assert known == ([1] if n_attempts == 1 else [None])


@pytest.mark.parametrize("origin", ["computed", "snapshot", "ablated", "imported"])
def test_a_run_says_where_its_numbers_come_from_and_is_found_by_it(
    store: Store, samples: Any, origin: Origin
) -> None:
    other = samples.finished_run(store, origin="ablated" if origin == "computed" else "computed")
    run_id = samples.finished_run(store, "b" * 64, origin=origin)
    assert store.find_run(run_id).origin == origin
    assert [run.id for run in store.list_runs(RunFilter(origin=origin))] == [run_id]
    assert {run.id for run in store.list_runs()} == {run_id, other}


@pytest.mark.database
def test_the_origin_of_a_run_can_be_queried(store: Store, samples: Any) -> None:
    samples.finished_run(store, origin="snapshot")
    assert store.query("SELECT origin FROM run_list").item() == "snapshot"


def test_old_runs_are_computed_or_imported(url: str, samples: Any, execute: Any, as_before: Any) -> None:
    with open_store(url) as store:
        computed, imported = samples.finished_run(store), samples.finished_run(store, "b" * 64)
    as_before()
    migrate.downgrade(url, "0006")
    execute("UPDATE runs SET loader_name = 'layerwise:import' WHERE id = :id", id=imported)
    upgrade(url)
    with open_store(url) as store:
        assert {run.id: run.origin for run in store.list_runs()} == {computed: "computed", imported: "imported"}

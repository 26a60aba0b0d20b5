"""Whatever moment a process stops at, the history is whole, the same work goes on, and comes to the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from layerwise.core.base.provider import Provider
from layerwise.core.history.intervals import IntervalPlan, PermutationPlan
from layerwise.core.history.profiles import ProfileKey
from layerwise.core.history.records import LayerAddress
from layerwise.storage import Store, migrate, open_store, upgrade
from layerwise.storage.holding import claims
from layerwise.storage.schema import HEAD

BEFORE = "0017"  # rows had no checksums
CKA = Provider("sample:cka", "1.0", revision=1)
CHANGES = ("INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP")


class Stopped(BaseException):
    """The process is gone."""


@contextmanager
def stopping_at(number: int) -> Iterator[list[int]]:
    """Stop at the n-th write to any database, and let none through afterwards; gives how many came."""
    came = [0]

    def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.lstrip().upper().startswith(CHANGES):
            came[0] += 1
            if came[0] >= number:
                raise Stopped

    sa.event.listen(sa.Engine, "before_cursor_execute", count)
    try:
        yield came
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", count)
        claims._held_here.clear()  # a process that is gone holds nothing


def export(store: Store, run: str) -> dict[str, str]:
    """All that was computed, to the last digit."""
    layers = [LayerAddress(run, layer.name) for layer in store.list_layers(run)]
    outputs = store.read_outputs(run)
    key = ProfileKey(run, ("input", "output"), CKA)
    found = {
        "layers": [layer.layer for layer in layers],
        "representations": [one.entries.tobytes().hex() for one in store.read_representations(layers)],
        "statistics": store.read_statistics(run),
        "weights": store.read_weights(run),
        "predictions": store.read_predictions(run),
        "outputs": None if outputs is None else outputs.values.tobytes().hex(),
        "comparisons": store.read_comparisons(CKA, [run]),
        "intervals": store.read_intervals(CKA, IntervalPlan(1000), [run]),
        "tests": store.read_tests(CKA, PermutationPlan(1000), [run]),
        "orders": store.read_orderings(run),
        "profile": store.read_profile(key),
        "accuracy": store.find_run(run).accuracy,
    }
    return {name: str(value).replace(run, "RUN") for name, value in found.items()}


def stop_everywhere(url: str, samples: Any, step: int) -> int:
    """Stop a run and all that is asked of it at every `step`-th write; how often that was."""
    with open_store(url) as store:
        run = samples.fill(store)
        expected = export(store, run)
        header = samples.header("a" * 64, variant=store.find_run(run).variant)
        store.delete_run(run)
    n_stops = 0
    while True:
        store = open_store(url)
        try:
            with stopping_at(1 + step * n_stops):
                samples.fill_in(store, header)
        except Stopped:
            n_stops += 1
        else:
            return n_stops
        finally:
            store.close()
        with open_store(url) as again:
            assert again.verify() == []
            run = samples.fill_in(again, header)
            assert again.verify() == []
            assert export(again, run) == expected
            again.delete_run(run)


def test_a_run_and_its_answers_that_stop_at_any_write_go_on_to_the_same_numbers(
    sqlite_url: str, samples: Any
) -> None:
    assert stop_everywhere(sqlite_url, samples, step=4) >= 15


@pytest.mark.slow
@pytest.mark.database
def test_the_same_at_every_write_on_every_database(url: str, samples: Any) -> None:
    n_stops = stop_everywhere(url, samples, step=1)
    print(f"stops: {n_stops}, survived: {n_stops}")
    assert n_stops >= 60


def stop_upgrades(url: str, samples: Any, step: int) -> int:
    """Stop an upgrade at every `step`-th write; how often that was."""
    with open_store(url) as store:
        run = samples.fill(store)
        expected = export(store, run)
    n_stops = 0
    while True:
        if n_stops == 0 or migrate.read_revision(database_of(url)) == HEAD:
            migrate.downgrade(url, BEFORE)
        try:
            with stopping_at(1 + step * n_stops):
                upgrade(url)
        except Stopped:
            n_stops += 1
        else:
            return n_stops
        assert migrate.read_revision(database_of(url)) == BEFORE
        assert upgrade(url) == BEFORE
        with open_store(url) as store:
            assert store.verify() == []
            assert export(store, run) == expected


def database_of(url: str) -> Any:
    return migrate.Database(migrate.parse_url(url))


def test_an_upgrade_that_stops_at_any_write_leaves_the_old_history_or_the_new(sqlite_url: str, samples: Any) -> None:
    assert stop_upgrades(sqlite_url, samples, step=12) >= 4


@pytest.mark.slow
@pytest.mark.database
def test_the_same_of_upgrades_at_every_write_on_every_database(url: str, samples: Any) -> None:
    n_stops = stop_upgrades(url, samples, step=1)
    print(f"stops: {n_stops}, survived: {n_stops}")
    assert n_stops >= 40

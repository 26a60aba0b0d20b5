"""From versions to revisions and back: what the newest version stored has computed goes on being answered."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from layerwise.core.base.provider import Provider
from layerwise.core.history.records import Comparison, LayerAddress, Ordering, StatisticResult, WeightResult
from layerwise.storage import Store, connect, migrate, open_store, upgrade

BEFORE = "0006"
RSA = Provider("sample:rsa", "1.0")
HISTORIES = Path(__file__).parents[1] / "assets" / "histories"


def dump(url: str) -> dict[str, list[str]]:
    """Every row of every table, as it can be compared."""
    database = connect.Database(connect.parse_url(url))
    found = sa.MetaData()
    with database.read() as connection:
        found.reflect(connection)
        rows = {
            name: sorted(repr(sorted(row.items())) for row in connection.execute(sa.select(table)).mappings())
            for name, table in found.tables.items()
        }
    database.close()
    return rows


def columns(url: str) -> Mapping[str, Any]:
    """What a database says of every table: columns, keys, indexes; and the text of its views."""
    database = connect.Database(connect.parse_url(url))
    with database.read() as connection:
        looked = sa.inspect(connection)
        tables = {
            name: (
                {column["name"]: (str(column["type"]), column["nullable"]) for column in looked.get_columns(name)},
                looked.get_pk_constraint(name)["constrained_columns"],
                sorted(str(index) for index in looked.get_indexes(name)),
                sorted(str(index["column_names"]) for index in looked.get_unique_constraints(name)),
            )
            for name in looked.get_table_names()
        }
        views = {name: " ".join(str(looked.get_view_definition(name)).split()) for name in looked.get_view_names()}
    database.close()
    return {**tables, **views}


@pytest.fixture
def filled(url: str, samples: Any, as_before: Any) -> str:
    """A history before revisions, of one run with results of every kind that a provider has; the run's id."""
    with open_store(url) as store:
        run_id = str(samples.finished_run(store))
        here, there = LayerAddress(run_id, "input"), LayerAddress(run_id, "output")
        store.save_comparisons([Comparison(RSA, here, there, 0.1), Comparison(RSA, here, here, 1.0)])
        store.save_ordering(Ordering(Provider("sample:order", "1.0"), here, (1, 0, 2, 3, 4, 5)))
        again = store.begin_run(samples.header("b" * 64))
        weighed = StatisticResult("std", Provider("sample:std", "1.0"), 0.5)
        store.save_weights(again, [WeightResult("kernel", "conv", (2, 3), 0, (weighed,))])
        store.fail_run(again, "stopped")
    as_before()
    migrate.downgrade(url, BEFORE)
    return run_id


def read(url: str, run_id: str, provider: Provider) -> list[float | None]:
    with open_store(url) as store:
        return sorted(found.value or 0.0 for found in store.read_comparisons(provider, [run_id]))


def add(execute: Any, version: str, value: float, parameters: str = "{}") -> None:
    """Comparisons as an older Layerwise kept them."""
    execute(
        "INSERT INTO comparisons (comparator_name, comparator_version, parameters, first_id, second_id, value, "
        "reason) SELECT comparator_name, :version, :parameters, first_id, second_id, :value, '' FROM comparisons "
        "WHERE comparator_version = '1.0' AND parameters = '{}'",
        version=version,
        parameters=parameters,
        value=value,
    )


def test_what_the_newest_version_computed_is_answered_and_the_rest_kept(url: str, filled: str, execute: Any) -> None:
    for version, value in (("0.9", 0.3), ("0.10", 0.4), ("unknown", 0.5), ("1.0.dev1", 0.6)):
        add(execute, version, value)
    upgrade(url)
    assert read(url, filled, RSA) == [0.1, 1.0]
    ranks = execute("SELECT DISTINCT comparator_version, comparator_revision FROM comparisons")
    assert dict(map(tuple, ranks)) == {"1.0": 1, "1.0.dev1": 0, "0.10": -1, "0.9": -2, "unknown": -3}
    assert read(url, filled, replace(RSA, revision=-1)) == [0.4, 0.4]


def test_settings_that_only_an_older_version_was_asked_for_are_answered_too(
    url: str, filled: str, execute: Any
) -> None:
    add(execute, "0.9", 0.3, '{"k":5}')
    upgrade(url)
    assert read(url, filled, replace(RSA, parameters='{"k":5}')) == [0.3, 0.3]


def test_metrics_that_were_asked_for_are_named_with_revisions_and_their_versions_kept(
    url: str, filled: str, execute: Any
) -> None:
    for version, value in (("1", 0.3), ("2", 0.4)):  # versions that could be taken for revisions
        add(execute, "1.0", value, json.dumps({"k": 2.5, "metric": f"mine:l1 {version}"}, separators=(",", ":")))
    add(execute, "1.0", 0.5, '{"metric":"sample:own 1.0"}')
    upgrade(url)
    for metric, values in (("mine:l1 r1", [0.4, 0.4]), ("mine:l1 r0", [0.3, 0.3])):
        parameters = json.dumps({"k": 2.5, "metric": metric}, separators=(",", ":"))
        assert read(url, filled, replace(RSA, parameters=parameters)) == values
    assert read(url, filled, replace(RSA, parameters='{"metric":"sample:own r1"}')) == [0.5, 0.5]
    with open_store(url) as store:
        assert store.find_makers("metrics", "l1") == [("mine", "2")]
        assert store.find_makers("metrics", "own") == [("sample", "1.0")]
        assert store.find_makers("comparators", "rsa") == [("sample", "1.0")]


def test_going_back_to_versions_gives_back_every_row_and_every_table(url: str, filled: str, execute: Any) -> None:
    for version, value in (("0.9", 0.3), ("0.10", 0.4)):
        add(execute, version, value)
        add(execute, "1.0", value, f'{{"metric":"mine:l1 {version}"}}')
    rows, tables = dump(url), columns(url)
    upgrade(url)
    migrate.downgrade(url, BEFORE)
    assert dump(url) == rows
    assert columns(url) == tables


@pytest.mark.parametrize("schema", sorted(path.name.partition(".")[0] for path in HISTORIES.glob("*.db.gz")))
def test_an_old_history_that_is_upgraded_and_taken_back_is_what_it_was(schema: str, tmp_path: Path) -> None:
    path = tmp_path / "layerwise.db"
    path.write_bytes(gzip.decompress((HISTORIES / f"{schema}.db.gz").read_bytes()))
    url = f"sqlite:///{path}"
    rows = dump(url)
    upgrade(url)
    migrate.downgrade(url, schema)
    assert dump(url) == rows


def test_of_two_revisions_under_one_version_the_later_is_taken_back(url: str, filled: str, execute: Any) -> None:
    upgrade(url)
    with open_store(url) as store:
        here = LayerAddress(filled, "input")
        store.save_comparisons([Comparison(replace(RSA, revision=2), here, here, 0.7)])
    migrate.downgrade(url, BEFORE)
    assert execute("SELECT comparator_version, value FROM comparisons") == [("1.0", 0.7)]


def test_what_belongs_to_a_profile_is_still_there_after_its_table_was_made_anew(
    url: str, samples: Any, execute: Any, as_before: Any
) -> None:
    from layerwise.core.analysis.profile import measure_profile
    from layerwise.core.history.intervals import Interval, IntervalPlan
    from layerwise.core.history.profiles import ProfileIntervals, ProfileKey

    names = ("input", "output")
    plan = IntervalPlan(10)
    with open_store(url) as store:
        key = ProfileKey(samples.finished_run(store), names, RSA, end_point="output")
        store.save_profile(key, measure_profile(names, [[1.0, 0.2], [0.2, 1.0]], "similarity"))
        store.save_profile_intervals(key, ProfileIntervals(plan, {"total": Interval(0.1, 0.3)}, {}))
    as_before()
    migrate.downgrade(url, BEFORE)
    upgrade(url)
    with open_store(url) as store:
        profile = store.read_profile(key)
        assert profile is not None
        assert (profile.layers, profile.end_point) == (names, "output")
        assert store.read_profile_intervals(key, plan) is not None
        store.delete_run(key.run_id)  # rows still go with what they belong to
    assert execute("SELECT count(*) FROM profile_layers") == [(0,)]


def test_of_several_revisions_of_a_statistic_the_newest_is_read(store: Store, samples: Any) -> None:
    from layerwise.core.history.records import LayerStatistic

    run_id = samples.finished_run(store)
    for revision, value in ((3, 0.3), (2, 0.2)):
        result = StatisticResult("mean", samples.provider("statistics", revision=revision), value)
        store.save_statistics(run_id, [LayerStatistic("input", "none", result)])
    found = [
        item.result for item in store.read_statistics(run_id) if (item.layer, item.result.name) == ("input", "mean")
    ]
    assert [(result.value, result.provider.revision) for result in found] == [(0.3, 3)]


def test_the_release_that_computed_is_remembered_although_another_asks(store: Store, samples: Any) -> None:
    run_id = samples.finished_run(store)
    here = LayerAddress(run_id, "input")
    store.save_comparisons([Comparison(RSA, here, here, 0.1)])
    (found,) = store.read_comparisons(replace(RSA, version="2.0"), [run_id])
    assert (found.value, found.comparator.version) == (0.1, "1.0")

"""Every bit of a result that has turned over is found, by whoever reads it and by a check, and repaired."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.base.provider import Provider
from layerwise.core.history.intervals import IntervalPlan, PermutationPlan
from layerwise.core.history.profiles import ProfileKey
from layerwise.storage import Store, open_store
from layerwise.storage.checking.checks import find_damages
from layerwise.storage.schema import metadata, runs
from layerwise.storage.schema.checksums import OF_PROCESS

GIVEN_OUT = {"id"}  # by the database itself: what refers to one is found by its foreign key


def turn_bit(value: Any, bit: int) -> Any:
    """A value of a column with one bit turned over."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value ^ (1 << (bit % 30))
    if isinstance(value, float):
        number = int.from_bytes(struct.pack(">d", value), "big") ^ (1 << (bit % 52))  # of the mantissa: no NaN
        return struct.unpack(">d", number.to_bytes(8, "big"))[0]
    if isinstance(value, bytes):
        at = bit % len(value)
        return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
    letters = [at for at, letter in enumerate(value) if letter.isalnum()]
    at = letters[bit % len(letters)]
    return value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]


def cells_of(
    connection: sa.Connection, table: sa.Table, n_rows: int | None
) -> Iterator[tuple[sa.Column[Any], Any, dict[str, Any]]]:
    """Every cell of so many rows that holds something, as the database has it, and the key of its row."""
    keys = [column.name for column in table.primary_key.columns]
    chosen = sa.select(*(raw(column) for column in table.c)).limit(n_rows)
    for row in connection.execute(chosen).mappings().all():
        for column in table.c:
            is_left_out = column.name in GIVEN_OUT or (table is runs and column.name in OF_PROCESS)
            if not is_left_out and row[column.name] not in (None, "", b"", "[]", "{}"):
                yield column, row[column.name], {name: row[name] for name in keys}


def raw(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    kind = sa.Text() if isinstance(column.type, sa.JSON | sa.DateTime | sa.types.TypeDecorator) else column.type
    return sa.cast(column, kind).label(column.name) if kind is not column.type else column


def set_cell(connection: sa.Connection, column: sa.Column[Any], value: Any, key: dict[str, Any]) -> None:
    names = " AND ".join(f"{name} = :k_{name}" for name in key)
    kind = column.type.compile(connection.dialect)
    is_text = isinstance(value, str) and connection.dialect.name != "sqlite"
    given = f"CAST(:value AS {kind})" if is_text else ":value"
    change = sa.text(f"UPDATE {column.table.name} SET {column.name} = {given} WHERE {names}")
    connection.execute(change, {"value": value, **{f"k_{name}": held for name, held in key.items()}})


def try_cells(
    store: Store, look: Callable[[sa.Connection], bool], bits: int, n_rows: int | None = None
) -> tuple[int, list[str]]:
    """Turn bits of every cell of so many rows over, one at a time; how many, and what `look` did not see."""
    n_turned, unseen = 0, []
    with store._database.engine.connect() as connection, connection.begin():
        todo = [(table, cell) for table in metadata.sorted_tables for cell in cells_of(connection, table, n_rows)]
        for number, (table, (column, value, key)) in enumerate(todo):
            for bit in range(bits):
                attempt = connection.begin_nested()
                try:
                    set_cell(connection, column, turn_bit(value, 7 * number + 11 * bit), key)
                except sa.exc.DBAPIError:  # the database itself refuses it: no such text, no such reference
                    attempt.rollback()
                    continue
                n_turned += 1
                if not look(connection):
                    unseen.append(f"{table.name}.{column.name} {key}")
                attempt.rollback()
        connection.rollback()
    return n_turned, unseen


def test_a_check_finds_a_bit_that_turned_over_in_any_column(sqlite_url: str, samples: Any) -> None:
    with open_store(sqlite_url) as store:
        samples.fill(store)
        assert store.verify() == []
        n_turned, unseen = try_cells(store, lambda connection: bool(find_damages(connection)), bits=1, n_rows=1)
        print(f"bits turned over: {n_turned}, found: {n_turned - len(unseen)}")
        assert unseen == []
        assert n_turned > 150
        assert store.verify() == []


@pytest.mark.slow
def test_a_check_finds_every_bit_that_turned_over_on_every_database(store: Store, samples: Any) -> None:
    """A sibling of the one above: several bits of every cell, over PostgreSQL too."""
    samples.fill(store)
    n_turned, unseen = try_cells(store, lambda connection: bool(find_damages(connection)), bits=5)
    print(f"bits turned over: {n_turned}, found: {n_turned - len(unseen)}")
    assert unseen == []


CKA = Provider("sample:cka", "1.0", revision=1)
READ: dict[str, Callable[[Store, str], object]] = {
    "statistics": lambda store, run: store.read_statistics(run),
    "weights": lambda store, run: store.read_weights(run),
    "weight_statistics": lambda store, run: store.read_weights(run),
    "predictions": lambda store, run: store.read_predictions(run),
    "outputs": lambda store, run: store.read_outputs(run),
    "layers": lambda store, run: store.list_layers(run),
    "tags": lambda store, run: store.find_run(run),
    "variants": lambda store, run: store.find_run(run),
    "attempts": lambda store, run: store.find_run(run),
    "runs": lambda store, run: store.find_run(run),
    "comparisons": lambda store, run: store.read_comparisons(CKA, [run]),
    "intervals": lambda store, run: store.read_intervals(CKA, IntervalPlan(1000), [run]),
    "permutation_tests": lambda store, run: store.read_tests(CKA, PermutationPlan(1000), [run]),
    "orderings": lambda store, run: store.read_orderings(run),
    "profiles": lambda store, run: store.read_profile(key_of(run)),
    "profile_layers": lambda store, run: store.read_profile(key_of(run)),
    "profile_intervals": lambda store, run: store.read_profile_intervals(key_of(run), IntervalPlan(1000)),
}
RESULTS = {
    "runs": "top1 = 0.75",
    "statistics": "value = 2 * value",
    "weights": "n_values = 4",
    "weight_statistics": "value = 2 * value",
    "predictions": "probability = 0.25",
    "outputs": "scale = 'values'",
    "layers": "role = 'hidden'",
    "tags": "value = 'other'",
    "variants": "substitute = 'mean'",
    "attempts": "command = 'other'",
    "comparisons": "value = -value",
    "intervals": "low = low / 2",
    "permutation_tests": "p = 0.5",
    "orderings": "permutation = '[1, 0, 2, 3, 4, 5]'",
    "profiles": "smoothness = 0.125",
    "profile_layers": "to_input = 0.125",
    "profile_intervals": "high = 0.5",
}


def key_of(run: str) -> ProfileKey:
    return ProfileKey(run, ("input", "output"), CKA)


def test_what_was_altered_is_never_read_as_a_result_and_a_repair_keeps_the_rest(
    store: Store, samples: Any, execute: Any, subtests: pytest.Subtests
) -> None:
    run_id = samples.fill(store)
    before = {name: read(store, run_id) for name, read in READ.items()}
    header = samples.header("a" * 64, variant=store.find_run(run_id).variant)
    for name, change in RESULTS.items():
        with subtests.test(name):
            execute(f"UPDATE {name} SET {change} WHERE true")
            with pytest.raises(LayerwiseError, match="damaged") as error:
                READ[name](store, run_id)
            assert "\n" not in str(error.value)
            assert store.verify()
            repaired = store.repair()
            assert repaired.found
            assert repaired.remaining == ()
            again(store, samples, header)
            assert store.verify() == []
    after = {name: read(store, run_id) for name, read in READ.items() if name not in ("runs", "tags", "variants")}
    for name in ("statistics", "weights", "predictions", "layers", "comparisons", "orderings"):
        assert str(after[name]) == str(before[name])
    assert store.find_run(run_id).accuracy == before["runs"].accuracy  # type: ignore[attr-defined]


def again(store: Store, samples: Any, header: Any) -> None:
    """What the same command does: go on where something is missing, then ask for what is computed from it."""
    samples.fill_in(store, header)


def test_rows_that_are_gone_are_missed(store: Store, samples: Any, execute: Any, subtests: pytest.Subtests) -> None:
    samples.fill(store)
    header = samples.header("a" * 64, variant=store.find_run("latest").variant)
    for name, row in (
        ("tags", "name = 'purpose'"),
        ("predictions", "rank = 1"),
        ("statistics", "name = 'mean'"),
        ("representations", "id = (SELECT min(id) FROM representations)"),
        ("weight_statistics", "name = 'std'"),
        ("outputs", "n_classes > 0"),
        ("variants", "seed = 0"),
        ("attempts", "number = 1"),
        ("profile_layers", "position = 1"),
    ):
        with subtests.test(name):
            execute(f"DELETE FROM {name} WHERE {row}")
            assert store.verify() != []
            assert store.repair().remaining == ()
            again(store, samples, header)
            assert store.verify() == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DROP TABLE comparisons", "the table comparisons is missing"),
        ("DROP TABLE tags", "the table tags is missing"),
        ("ALTER TABLE runs RENAME COLUMN timings TO timing", "the table runs has no column timings"),
        ("DROP VIEW run_list", "the view run_list is missing"),
        ("DROP INDEX ix_runs_key", "the table runs has no index ix_runs_key"),
        ("INSERT INTO layerwise_version VALUES ('0001')", "has 2 rows where one is expected"),
    ],
)
def test_a_check_compares_the_schema_and_goes_on(
    url: str, samples: Any, execute: Any, change: str, said: str
) -> None:
    with open_store(url) as store:
        samples.fill(store)
        execute("UPDATE statistics SET value = 3 WHERE name = 'mean'")
        with_views = change.startswith("DROP TABLE") and not url.startswith("sqlite")
        execute(f"{change} CASCADE" if with_views else change)
        problems = store.verify()
    assert any(said in problem for problem in problems)
    assert any("statistic 'mean'" in problem for problem in problems)
    assert all("\n" not in problem for problem in problems)


def test_a_file_whose_last_byte_is_missing_is_said_to_be_cut_off(sqlite_url: str, samples: Any) -> None:
    with open_store(sqlite_url) as store:
        samples.fill(store)
        path = store._database.path
    path.write_bytes(path.read_bytes()[:-1])
    with open_store(sqlite_url, read_only=True) as store:
        assert any("its end is missing" in problem for problem in store.verify())


def test_a_damaged_run_hides_no_other_and_can_be_deleted(store: Store, samples: Any, execute: Any) -> None:
    damaged, sound = samples.fill(store), samples.fill(store, "b" * 64)
    execute(f"UPDATE runs SET timings = '{{\"stream\": 3}}' WHERE id = '{damaged}'")
    assert {run.id for run in store.list_runs()} == {damaged, sound}
    with pytest.raises(LayerwiseError, match=f"run {damaged}, its own row is damaged"):
        store.find_run(damaged)
    store.delete_run(damaged)
    assert [run.id for run in store.list_runs()] == [sound]
    assert store.verify() == []


def test_a_run_that_is_computed_is_left_to_its_process(store: Store, samples: Any, execute: Any) -> None:
    claim = store.begin_run(samples.header())
    store.save_layer(claim, samples.result("mixed"))
    execute("UPDATE statistics SET value = 3 WHERE name = 'mean'")
    assert store.repair().remaining == ()
    store.save_layer(claim, samples.result("output"))
    store.finish_run(claim, {})
    assert [problem for problem in store.verify() if "statistics where" in problem] != []
    assert store.list_runs()[0].status == "finished"

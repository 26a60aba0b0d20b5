"""People may ask anything in SQL, and change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

from layerwise.core.analysis.profile import measure_profile
from layerwise.core.base.errors import InputError
from layerwise.core.history.intervals import (
    ComparisonInterval,
    ComparisonTest,
    Interval,
    IntervalPlan,
    PermutationPlan,
)
from layerwise.core.history.profiles import ProfileIntervals, ProfileKey
from layerwise.core.history.records import (
    Comparison,
    LayerAddress,
    Ordering,
    Prediction,
    StatisticResult,
    WeightResult,
)
from layerwise.core.history.variants import Variant
from layerwise.storage import Store, open_store
from layerwise.storage.schema import VIEWS, metadata

DOCUMENT = Path(__file__).parents[2] / "docs" / "storage.md"

pytestmark = pytest.mark.database

HOSTILE = [
    "INSERT INTO tags VALUES ('a', 'b', 'c')",
    "UPDATE runs SET command = 'gone'",
    "DELETE FROM runs",
    "DROP TABLE runs",
    "DROP VIEW run_list",
    "CREATE TABLE mine (a int)",
    "CREATE TEMP TABLE mine AS SELECT 1",
    "ALTER TABLE runs ADD COLUMN mine int",
    "VACUUM",
    "BEGIN",
    "COMMIT",
    "ANALYZE",
    "REINDEX",
    "SELECT 1; DELETE FROM runs",
    "SELECT 1; SELECT 2",
    "SELECT 1; COMMIT; DELETE FROM runs; SELECT 1",
    "-- harmless\nDELETE FROM runs",
    "/* SELECT */ DELETE FROM runs",
    "WITH gone AS (SELECT id FROM runs) DELETE FROM runs WHERE id IN (SELECT id FROM gone)",
    "EXPLAIN ANALYZE DELETE FROM runs",
    "EXPLAIN DELETE FROM nothing",
    "/* a */ DELETE FROM runs /* b */ WHERE 1 = (SELECT 1)",
    "EXPLAIN (ANALYZE) DELETE FROM runs",
    "SELECT load_extension('/tmp/x.so')",
    "",
    "   ",
    "-- nothing but a remark",
    "(",
    "?",
]
HOSTILE_SQLITE = [
    "ATTACH DATABASE '{folder}/other.db' AS other",
    "VACUUM INTO '{folder}/other.db'",
    "PRAGMA writable_schema = 1",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA user_version = 7",
    "SELECT * FROM pragma_user_version('7')",
    "EXPLAIN ATTACH DATABASE '{folder}/other.db' AS other",
    "EXPLAIN PRAGMA writable_schema = 1",
    "WITH a AS (SELECT 1) INSERT INTO tags SELECT 'a', 'b', 'c' FROM a",
    "SELECT fts3_tokenizer('x', x'00')",
    "SELECT '\0'",
    "SELECT \ud800",
]
HOSTILE_POSTGRES = [
    "WITH gone AS (DELETE FROM runs RETURNING id) SELECT * FROM gone",
    "SELECT * INTO mine FROM runs",
    "SELECT set_config('transaction_read_only', 'off', true)",
    "SELECT lo_creat(-1)",
    "SELECT nextval('models_id_seq')",
    "SELECT setval('models_id_seq', 1)",
    "COPY runs TO '/tmp/layerwise-copy'",
    "SELECT * FROM runs FOR UPDATE",
    "SET TRANSACTION READ WRITE",
    "DO $$ BEGIN DELETE FROM runs; END $$",
    "EXPLAIN ANALYZE CREATE TABLE mine AS SELECT 1",
    "SELECT '\0'",
]


@pytest.fixture
def filled(store: Store, samples: Any) -> Store:
    """A history with two runs, which have something in every view."""
    runs = []
    for key in "ab":
        variant = Variant("a" * 64, ("mixed/1x1",), "zero")
        header = samples.header(key * 64, checkpoint=f"epoch-{key}", variant=variant)
        claim = store.begin_run(header)
        run_id = claim.run_id
        for seed, layer in enumerate(header.layers):
            store.save_layer(claim, samples.result(layer.name, seed=seed))
        rows = [Prediction(position, rank, rank, f"class {rank}", 0.5) for position in range(6) for rank in (1, 2)]
        store.save_predictions(claim, rows, None)
        store.save_outputs(claim, samples.outputs())
        spread = StatisticResult("std", samples.provider("weights"), 1.0)
        store.save_weights(claim, [WeightResult("mixed/kernel", "mixed", (3, 3), 0, (spread,))])
        store.finish_run(claim, {})
        store.remember_request(key * 64, run_id)
        runs.append(run_id)
    ends = [LayerAddress(run, name) for run in runs for name in ("input", "mixed", "output")]
    rsa = samples.provider("rsa-pearson")
    store.save_comparisons([Comparison(rsa, one, other, 0.5) for one in ends for other in ends])
    profiled = ProfileKey(runs[0], ("a", "b", "c"), rsa)
    store.save_profile(profiled, measure_profile("abc", np.eye(3), "similarity"))
    store.save_profile_intervals(profiled, ProfileIntervals(IntervalPlan(1000), {"total": Interval(0.4, 0.6)}, {}))
    store.save_intervals(IntervalPlan(1000), [ComparisonInterval(rsa, ends[0], ends[1], 0.4, 0.6)])
    store.save_tests(PermutationPlan(1000), [ComparisonTest(rsa, ends[0], ends[1], 0.01)])
    store.save_ordering(Ordering(samples.provider("linkage"), ends[2], (0, 1, 2, 3, 4, 5)))
    return store


def refuse(store: Store, sql: str) -> None:
    """See that a statement is refused in one line and changes nothing."""
    before = store.query("SELECT id, command FROM runs ORDER BY id").rows()
    with pytest.raises(InputError) as refusal:
        store.query(sql)
    assert "\n" not in str(refusal.value)
    assert before == store.query("SELECT id, command FROM runs ORDER BY id").rows()
    assert store.verify() == []


def test_statements_that_do_anything_but_read_one_thing_are_refused(filled: Store, subtests: pytest.Subtests) -> None:
    for sql in HOSTILE:
        with subtests.test(sql):
            refuse(filled, sql)


def test_the_ways_out_of_sqlite_are_closed(
    sqlite_url: str, samples: Any, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    with open_store(sqlite_url) as store:
        samples.finished_run(store)
        before = set(tmp_path.iterdir())
        for sql in HOSTILE_SQLITE:
            with subtests.test(ascii(sql)):
                refuse(store, sql.format(folder=tmp_path))
                assert set(tmp_path.iterdir()) == before


@pytest.mark.postgres
def test_the_ways_to_write_in_postgresql_are_closed(
    postgres_url: str, samples: Any, subtests: pytest.Subtests
) -> None:
    with open_store(postgres_url) as store:
        samples.finished_run(store)
        for sql in HOSTILE_POSTGRES:
            with subtests.test(ascii(sql)):
                refuse(store, sql)


@pytest.mark.postgres
def test_what_a_query_leaves_in_its_postgresql_session_ends_with_it(postgres_url: str) -> None:
    with open_store(postgres_url) as store:
        store.query("SELECT set_config('search_path', 'nowhere', false)")
        store.query("SELECT pg_advisory_lock(5)")
        assert store.query("SELECT count(*) AS n FROM runs").item() == 0
        assert store.query("SELECT pg_try_advisory_lock(5) AS free").item() is True


QUESTIONS = [
    ("SELECT 1 AS a, 'x' AS b", [(1, "x")]),
    ("  -- a remark\n /* another */ SELECT 1", [(1,)]),
    ("VALUES (1, 2.5), (3, NULL)", [(1, 2.5), (3, None)]),
    (
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT * FROM t",
        [(1,), (2,), (3,)],
    ),
    ("SELECT '100%' AS share, ':name' AS other, '{}' AS braces;", [("100%", ":name", "{}")]),
    ("select 1 as one -- and no more", [(1,)]),
    ("SELECT upper(substr('layer', 1, 3)), coalesce(NULL, 2)", [("LAY", 2)]),
]


def test_questions_are_answered(store: Store, subtests: pytest.Subtests) -> None:
    for sql, rows in QUESTIONS:
        with subtests.test(sql):
            assert store.query(sql).rows() == rows


@pytest.mark.parametrize(
    "sql", ["EXPLAIN SELECT * FROM runs", "explain /* why */ WITH a AS (SELECT 1) SELECT * FROM a"]
)
def test_a_query_can_be_explained(store: Store, sql: str) -> None:
    assert store.query(sql).height > 0


def test_columns_of_the_same_name_are_told_apart(store: Store) -> None:
    answer = store.query("SELECT 1 AS a, 2 AS a, 3 AS a_2, 4 AS a")
    assert len(set(answer.columns)) == 4
    assert answer.row(0) == (1, 2, 3, 4)
    assert answer.columns[0] == "a"


def test_no_rows_still_have_columns(store: Store) -> None:
    answer = store.query("SELECT id, started_at, top1 FROM runs")
    assert (answer.columns, answer.height) == (["id", "started_at", "top1"], 0)


def test_bytes_come_as_a_binary_column(filled: Store) -> None:
    answer = filled.query("SELECT thumbnail FROM stimuli ORDER BY position LIMIT 1")
    assert answer.dtypes == [pl.Binary]
    assert answer.item() == b"\x89PNG\x00\x00"


def test_columns_hold_what_the_database_gave(filled: Store) -> None:
    answer = filled.query(
        "SELECT avg(position) AS a, count(*) AS n, min(versions) AS v FROM (SELECT 1 AS one) x, "
        "(SELECT position, CAST(shape AS TEXT) AS versions FROM layers) y"
    )
    assert answer.rows() == [(2.0, 10, "[10]")]
    assert filled.query("SELECT shape FROM layers WHERE name = 'output' LIMIT 1").item() == "[10]"
    nothing = filled.query("SELECT value FROM statistics WHERE name = 'kurtosis'")
    assert nothing["value"].null_count() == nothing.height == 10


def test_a_column_that_sqlite_fills_with_different_kinds_is_text(sqlite_url: str) -> None:
    with open_store(sqlite_url) as store:
        assert store.query("VALUES (1), ('x'), (2.5), (NULL)").to_series().to_list() == ["1", "x", "2.5", None]
        assert store.query("VALUES (1), (2.5)").to_series().to_list() == [1.0, 2.5]


@pytest.mark.parametrize("sql", ["SELECT * FROM nothing", "SELECT nothing FROM runs", "SELEC 1", "SELECT FROM WHERE"])
def test_a_wrong_query_says_what_the_database_says_in_one_line(store: Store, sql: str) -> None:
    with pytest.raises(InputError) as error:
        store.query(sql)
    assert "\n" not in str(error.value)
    if "nothing" in sql:
        assert "nothing" in str(error.value)


def test_every_table_and_view_can_be_read_whole(filled: Store) -> None:
    names = filled.table_names()
    assert set(names) == set(VIEWS) | set(metadata.tables)
    for name in names:
        assert filled.read_table(name).height > 0
    with pytest.raises(InputError, match="no table 'layer_statistic'; did you mean layer_statistics"):
        filled.read_table("layer_statistic")
    with pytest.raises(InputError, match="no table"):
        filled.read_table('runs" WHERE 1=0; --')


def test_views_spell_out_names(filled: Store) -> None:
    statistics = filled.read_table("layer_statistics")
    assert statistics.height == 2 * 5 * 3
    assert set(statistics["model"]) == {"tiny"}
    assert set(statistics["run"]) == {run.id[:6] for run in filled.list_runs()}
    assert filled.read_table("run_list")["n_layers"].to_list() == [5, 5]
    assert filled.read_table("layer_comparisons").height == 36
    assert filled.read_table("weight_tensor_statistics").height == 2
    assert filled.read_table("stimulus_predictions").height == 24


def documented_queries() -> list[str]:
    """The example queries of the documentation."""
    return [block.split("```")[0].strip() for block in DOCUMENT.read_text(encoding="utf-8").split("```sql\n")[1:]]


def test_the_example_queries_of_the_documentation_work(filled: Store) -> None:
    queries = documented_queries()
    assert len(queries) >= 5
    for sql in queries:
        assert filled.query(sql).height > 0, sql


def test_every_table_and_column_is_documented(filled: Store) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for name in filled.table_names():
        _, found, section = text.partition(f"### `{name}`\n")
        assert found, name
        section = section.partition("\n### ")[0]
        missing = [column for column in filled.read_table(name).columns if f"`{column}`" not in section]
        assert missing == [], name


def test_an_answer_can_be_cut_off_after_so_many_rows(store: Store) -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i FROM n"
    assert store.query(numbers, max_rows=7)["i"].to_list() == list(range(1, 8))
    assert store.query(numbers).height == 100


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("bounds", "most"), [({"max_rows": 10}, 10), ({"max_bytes": 100_000}, 3000), ({"seconds": 0.0}, 1)]
)
def test_no_more_of_an_answer_leaves_postgresql_than_its_bounds_allow(
    postgres_url: str, bounds: Any, most: int
) -> None:
    noticed: list[str] = []
    with open_store(postgres_url) as store:
        listen = sa.event.listens_for(store._database.engine, "connect")
        listen(lambda driver, _: driver.add_notice_handler(lambda said: noticed.append(said.message_primary)))
        store._database.engine.dispose()
        with store._database.write() as connection:  # says so for each row that is asked of it
            connection.exec_driver_sql(
                "CREATE FUNCTION told(i int) RETURNS int AS "
                "$$ BEGIN RAISE NOTICE 'a row'; RETURN i; END $$ LANGUAGE plpgsql"
            )
        asked = "SELECT told(i) FROM generate_series(1, 100000) AS s(i)"
        if "max_rows" in bounds:
            assert store.query(asked, **bounds).height == 10
        else:
            with pytest.raises(InputError, match=r"larger than|longer than"):
                store.query(asked, **bounds)
    assert 1 <= len([said for said in noticed if said == "a row"]) <= most


def test_a_query_without_an_end_is_stopped(store: Store) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with pytest.raises(InputError, match=r"query: .*(took longer than|timeout)"):
        store.query(endless, seconds=0.2)

"""What people ask is answered in a process of its own: it cannot write, and can be ended at any moment."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from layerwise.core.base.errors import InputError
from layerwise.storage import Store, open_store
from layerwise.storage.asking import apart

pytestmark = pytest.mark.database

ONE_STEP = "SELECT instr(printf('%060000000d', 0), printf('%030000000d', 1))"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
BOUNDS: dict[str, Any] = {"max_bytes": 2**22, "seconds": 20.0}

ATTACKS_ON_SQLITE = {
    "ATTACH DATABASE '{folder}/other.db' AS other": "a query is one statement",
    "SELECT 1; ATTACH DATABASE '{folder}/other.db' AS other": "one statement",
    "PRAGMA query_only = OFF": "a query is one statement",
    "SELECT * FROM pragma_query_only(0)": "can only read",
    "WITH a AS (SELECT 1) INSERT INTO tags SELECT 'a', 'b', 'c' FROM a": "can only read",
    "WITH a AS (SELECT 1) DELETE FROM runs RETURNING id": "can only read",
    "VACUUM INTO '{folder}/other.db'": "a query is one statement",
    "SELECT load_extension('{folder}/x.so')": "can only read",
    "SELECT readfile('/etc/passwd')": "no such function",
    "SELECT writefile('{folder}/other', 'x')": "no such function",
    "SELECT fts3_tokenizer('x', x'00')": "can only read",
    "SELECT zeroblob(1000000000)": "larger than 4 MiB",
    "SELECT randomblob(900000000)": "larger than 4 MiB",
    "SELECT replace(printf('%01000000d', 0), '0', '0123456789')": "larger than 4 MiB",
    "SELECT group_concat(printf('%01000000d', 0)) FROM (VALUES (1), (2), (3), (4), (5), (6))": "larger than 4 MiB",
    ENDLESS: "larger than 4 MiB",
    "SELECT 'a' LIKE printf('%0100000d', 0)": "too complex",
}
ATTACKS_ON_POSTGRES = {
    "COPY runs TO PROGRAM 'touch {folder}/other'": "a query is one statement",
    "SELECT 1; COPY runs TO PROGRAM 'touch {folder}/other'": "multiple commands|syntax error",
    "WITH gone AS (DELETE FROM runs RETURNING id) SELECT * FROM gone": "read-only|must not contain data-modifying",
    "SELECT lo_export(1, '{folder}/other')": "does not exist|read-only|permission",
    "SELECT lo_creat(-1)": "read-only",
    "SELECT set_config('transaction_read_only', 'off', true)": "read-write mode|read-only",
    "SELECT repeat('x', 1000000) FROM generate_series(1, 2500)": "larger than 4 MiB",
    "SELECT repeat('x', 100000000)": "larger than 4 MiB|more memory",
    "SELECT generate_series(1, 1000000000)": "larger than 4 MiB",
}


def see_refused(store: Store, sql: str, why: str, folder: Path) -> None:
    before = set(folder.iterdir())
    with pytest.raises(InputError, match=rf"({why})") as refusal:
        store.ask_apart(sql.format(folder=folder), **BOUNDS)
    assert "\n" not in str(refusal.value)
    assert set(folder.iterdir()) == before


def test_the_answer_is_that_of_the_process_itself(store: Store, samples: Any) -> None:
    samples.finished_run(store)
    for sql in ("SELECT * FROM runs", "SELECT 1.5 AS a, NULL AS b, 'ä' AS c", "SELECT * FROM tags"):
        assert store.ask_apart(sql) == store.read_columns(sql)


def test_attacks_on_sqlite_are_refused(
    sqlite_url: str, samples: Any, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    with open_store(sqlite_url) as store:
        samples.finished_run(store)
        before = store.query("SELECT * FROM runs").rows()
        for sql, why in ATTACKS_ON_SQLITE.items():
            with subtests.test(sql):
                see_refused(store, sql, why, tmp_path)
        assert store.query("SELECT * FROM runs").rows() == before


@pytest.mark.postgres
def test_attacks_on_postgresql_are_refused(
    postgres_url: str, samples: Any, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    with open_store(postgres_url) as store:
        samples.finished_run(store)
        before = store.query("SELECT * FROM runs").rows()
        for sql, why in ATTACKS_ON_POSTGRES.items():
            with subtests.test(sql):
                see_refused(store, sql, why, tmp_path)
        with pytest.raises(InputError, match=r"longer than|timeout"):
            store.ask_apart("SELECT pg_sleep(1000)", max_bytes=2**22, seconds=3.0)
        assert store.query("SELECT * FROM runs").rows() == before


def test_a_call_that_never_ends_is_ended(sqlite_url: str) -> None:
    with open_store(sqlite_url) as store, pytest.raises(InputError, match="took longer than 1 s, and was stopped"):
        store.ask_apart(ONE_STEP, max_bytes=2**28, seconds=1.0)
    assert not apart._RUNNING


def test_memory_that_a_query_may_take_is_limited(sqlite_url: str) -> None:
    hoards = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) " + (
        "SELECT count(*) FROM (SELECT DISTINCT printf('%01000000d', i) FROM n)"
    )
    with open_store(sqlite_url) as store, pytest.raises(InputError, match=r"memory|longer than|full"):
        store.ask_apart(hoards, max_bytes=2**40, seconds=5.0)


def test_ctrl_c_is_heard_at_once_and_nothing_stays_behind(sqlite_url: str) -> None:
    open_store(sqlite_url).close()
    command = [sys.executable, "-m", "layerwise", "query", ONE_STEP, "--db", sqlite_url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not (asked := children.read_text().split()):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert said == "layerwise: interrupted\n"
    deadline = time.monotonic() + 60
    while any(map(is_alive, asked)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_alive, asked))


def is_alive(process: str) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False

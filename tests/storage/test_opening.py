"""Opening a history: what is there is used, what is missing is made, and whatever is wrong is said in one line."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.storage import check_place, connect, migrate, open_store, upgrade
from layerwise.storage.schema import HEAD, REVISIONS, VERSION_TABLE, metadata


def database(url: str) -> connect.Database:
    return connect.Database(connect.parse_url(url))


def in_one_line(error: pytest.ExceptionInfo[LayerwiseError], *parts: str) -> None:
    said = str(error.value)
    assert "\n" not in said
    for part in parts:
        assert part in said


def test_the_tables_are_those_that_the_migrations_make(url: str) -> None:
    open_store(url).close()
    opened = database(url)
    with opened.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    opened.close()


def test_the_known_revisions_are_those_of_the_migrations(url: str) -> None:
    opened = database(url)
    with opened.engine.connect() as connection:
        scripts = ScriptDirectory.from_config(migrate.alembic_config(connection))
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == REVISIONS
    assert scripts.get_current_head() == HEAD
    opened.close()


def test_migrations_go_down_to_nothing_and_up_again(url: str, execute: Any, samples: Any) -> None:
    open_store(url).close()
    migrate.downgrade(url, "base")
    opened = database(url)
    with opened.read() as connection:
        assert migrate.sa.inspect(connection).get_table_names() == [VERSION_TABLE]
        assert migrate.sa.inspect(connection).get_view_names() == []
    opened.close()
    with pytest.raises(InputError, match="there is no history"):
        open_store(url, create=False)
    with open_store(url) as store:
        samples.finished_run(store)
        assert store.info().revision == HEAD


def test_an_older_history_is_upgraded_when_asked_and_keeps_its_runs(url: str, samples: Any, as_before: Any) -> None:
    with open_store(url) as store:
        run_id = samples.finished_run(store)
    as_before()
    assert migrate.downgrade(url, REVISIONS[0]) == HEAD
    with pytest.raises(InputError) as error:
        open_store(url)
    in_one_line(error, "older Layerwise", "run `layerwise db upgrade --db ")
    assert upgrade(url) == REVISIONS[0]
    assert upgrade(url) == HEAD
    with open_store(url) as store:
        assert store.find_run("latest").id == run_id
        assert store.read_table("run_list").height == 1
        assert store.verify() == []


def test_layers_that_an_older_schema_cannot_hold_are_never_lost_by_going_back(url: str, samples: Any) -> None:
    with open_store(url) as store:
        run_id = samples.finished_run(store)
    for revision in ("0009", REVISIONS[0], "base"):
        with pytest.raises(InputError) as error:
            migrate.downgrade(url, revision)
        in_one_line(error, f"run {run_id}", "schema 0009 cannot hold", "`layerwise delete RUN`")
    with open_store(url) as store:
        assert store.verify() == []
        store.delete_run(run_id)
    assert migrate.downgrade(url, "0009") == HEAD
    assert upgrade(url) == "0009"


def test_a_history_of_a_newer_layerwise_is_left_alone(url: str, execute: Any) -> None:
    open_store(url).close()
    execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    for attempt in (open_store, upgrade):
        with pytest.raises(InputError) as error:
            attempt(url)
        in_one_line(error, "newer Layerwise", "9999", "upgrade Layerwise")


def test_opening_a_history_that_is_up_to_date_does_not_import_alembic(sqlite_url: str) -> None:
    open_store(sqlite_url).close()
    code = (
        "import sys; from layerwise.storage import open_store; open_store(sys.argv[1]).list_runs(); "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'alembic', 'polars', 'tensorflow', 'psutil'}))"
    )
    ran = subprocess.run([sys.executable, "-c", code, sqlite_url], capture_output=True, text=True, check=True)
    assert (ran.stdout.strip(), ran.stderr) == ("[]", "")


def test_making_a_history_says_nothing(sqlite_url: str) -> None:
    code = "import logging, sys; logging.basicConfig(level=logging.INFO)\n"
    code += "from layerwise.storage import open_store; open_store(sys.argv[1])"
    ran = subprocess.run([sys.executable, "-c", code, sqlite_url], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("", "")


@pytest.mark.parametrize(
    "text", ["", "history.db", "mysql://me@there/db", "sqlite:///", "sqlite:///:memory:", "://", "a b"]
)
def test_a_text_that_is_no_url_of_a_history_is_a_clear_error(text: str) -> None:
    with pytest.raises(InputError) as error:
        open_store(text)
    in_one_line(error, "sqlite:///FILE")


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in (
        "postgresql://me:secret@localhost:1/x",
        "postgresql:///x?host=localhost&port=1&user=me&password=secret",
        "postgresql://me:secret/x",
        "postgresql//me:secret@h/x",
        "nosuch://me:secret@localhost/x",
        "nosuch:///x?password=secret",
        "x:secret@y",
    ):
        with pytest.raises(InputError) as error:
            open_store(url)
        assert "secret" not in str(error.value)
        assert "secret" not in "".join(traceback.format_exception(error.value)).partition("The above exception")[2]


def test_a_server_that_does_not_answer_is_a_clear_error() -> None:
    with pytest.raises(InputError) as error:
        open_store("postgresql://me@localhost:1/x")
    in_one_line(error, "postgresql://me@localhost:1/x", "connection")


def test_a_missing_history_is_only_made_when_asked_for(sqlite_url: str, tmp_path: Path) -> None:
    for how in ({"create": False}, {"read_only": True}):
        with pytest.raises(InputError, match="there is no history"):
            open_store(sqlite_url, **how)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.postgres
def test_a_database_without_a_history_is_only_filled_when_asked_for(postgres_url: str) -> None:
    for how in ({"create": False}, {"read_only": True}):
        with pytest.raises(InputError, match="there is no history"):
            open_store(postgres_url, **how)


def test_places_where_there_can_be_no_history_are_clear_errors(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database, just some text that is long enough")
    (tmp_path / "half.db").write_bytes(b"SQLite format 3\0" + b"\x01" * 50)
    wrong = {
        tmp_path: "is a folder",
        tmp_path / "none" / "x.db": "there is no folder",
        tmp_path / "text.db": "no SQLite database",
        tmp_path / "text.db" / "x.db": "there is no folder",
        tmp_path / "half.db": "",
        tmp_path / ("x" * 300): "cannot be opened",
    }
    for path, said in wrong.items():
        with pytest.raises(InputError) as error:
            open_store(f"sqlite:///{path}")
        in_one_line(error, said, str(path.name))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_where_nothing_can_be_written_is_a_clear_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="unable to open"):
        open_store(f"sqlite:///{tmp_path / 'x.db'}")


def test_a_database_of_something_else_is_left_alone(url: str, execute: Any) -> None:
    execute("CREATE TABLE runs (distance integer)")
    with pytest.raises(InputError, match="in use for something else: it has a table 'runs'"):
        open_store(url)


def test_a_read_only_store_reads_and_refuses_to_write(url: str, samples: Any) -> None:
    with open_store(url) as store:
        run_id = samples.finished_run(store)
    with open_store(url, read_only=True) as store:
        assert store.find_run("latest").id == run_id
        assert store.query("SELECT count(*) AS n FROM runs").item() == 1
        with pytest.raises(InputError, match="opened for reading only"):
            store.begin_run(samples.header("b" * 64))
        with pytest.raises(InputError, match="opened for reading only"):
            store.delete_run(run_id)


def test_a_history_that_may_not_be_written_can_still_be_read(
    sqlite_url: str, samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(sqlite_url) as store:
        run_id = samples.finished_run(store)
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    before = path.read_bytes()
    monkeypatch.setattr(connect.os, "access", lambda *_: False)
    with open_store(sqlite_url) as store:
        assert store.find_run("latest").id == run_id
        with pytest.raises(InputError, match="can only be read: its file or folder is not writable"):
            store.delete_run(run_id)
    for asked in (check_place, upgrade):
        with pytest.raises(InputError, match="can only be read"):
            asked(sqlite_url)
    assert path.read_bytes() == before


def test_a_place_is_checked_without_anything_being_made(tmp_path: Path, sqlite_url: str, samples: Any) -> None:
    check_place(f"sqlite:///{tmp_path / 'new.db'}")
    assert not (tmp_path / "new.db").exists()
    with pytest.raises(InputError, match="there is no folder"):
        check_place(f"sqlite:///{tmp_path / 'missing' / 'new.db'}")
    (tmp_path / "text.db").write_text("no database")
    with pytest.raises(InputError, match="no SQLite database"):
        check_place(f"sqlite:///{tmp_path / 'text.db'}")
    with open_store(sqlite_url) as store:
        samples.finished_run(store)
    check_place(sqlite_url)


def test_a_writer_that_never_ends_is_reported_not_waited_for_without_end(
    sqlite_url: str, samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(sqlite_url).close()
    monkeypatch.setattr(connect, "BUSY_SECONDS", 0.05)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with open_store(sqlite_url) as store:
        with pytest.raises(LayerwiseError) as error:
            store.begin_run(samples.header())
        in_one_line(error, "another process has been writing", "only.db")
        assert store.list_runs() == []
    other.close()


def test_a_full_disk_is_one_clear_line_and_leaves_the_history_whole(sqlite_url: str, samples: Any) -> None:
    with open_store(sqlite_url) as store:
        claim = store.begin_run(samples.header())
        run_id = claim.run_id
        store.save_layer(claim, samples.result("mixed"))
        with store._database.engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(LayerwiseError) as error:
            store.save_layer(claim, samples.result("output", n_stimuli=400))
        in_one_line(error, "only.db: the disk is full")
        assert [layer.name for layer in store.list_layers(run_id)] == ["mixed"]
        assert store.verify() == []


def test_a_file_that_may_not_grow_is_one_clear_line(sqlite_url: str, samples: Any) -> None:
    with open_store(sqlite_url) as store:
        claim = store.begin_run(samples.header())
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        wal = Path(sqlite_url.removeprefix("sqlite:///") + "-wal")
        resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size + 4096, limits[1]))
        try:
            with pytest.raises(LayerwiseError) as error:
                store.save_layer(claim, samples.result("mixed", n_stimuli=600))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        in_one_line(error, "only.db")
        store.save_layer(claim, samples.result("mixed", n_stimuli=600))
        assert store.verify() == []


def test_a_path_with_odd_characters_is_a_path(tmp_path: Path, samples: Any) -> None:
    folder = tmp_path / "a b#c%20?d"
    folder.mkdir()
    for name in ("x y.db", "100%.db", "é📷.db", "a'b.db"):
        # A question mark would begin the options of a URL; everything else stands for itself.
        url = f"sqlite:///{folder}/{name}".replace("?", "%3F") if "?" in name else f"sqlite:///{tmp_path}/{name}"
        with open_store(url) as store:
            samples.finished_run(store)
        with open_store(url, read_only=True) as store:
            assert store.query("SELECT count(*) AS n FROM runs").item() == 1
        assert (tmp_path / name).exists()

"""SQLite's journal: one checkpoint at a time, none on a network, and copies of a history that is written to."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.storage import open_store
from layerwise.storage.sqlite import journal, places


@pytest.fixture(params=["wal", "delete"])
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both kinds of journal; the second as on a network file system."""
    if request.param == "delete":
        monkeypatch.setattr(journal, "find_network", lambda _path: "nfs4")
    return request.param


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def test_a_history_is_written_and_read_with_either_journal(mode: str, sqlite_url: str, samples: Any) -> None:
    with open_store(sqlite_url) as store, open_store(sqlite_url) as other:
        run_id = samples.fill(store)
        assert other.find_run("latest").id == run_id
        samples.fill(other, "b" * 64)
        assert store.verify() == []
        with store._database.engine.connect() as connection:
            found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "mmap_size")]
        assert found in ([mode, 0], [mode, None])  # nothing where SQLite was built without
        assert ("rollback journal" in store.info().journal) == (mode == "delete")
        assert bool(store.remarks) == (mode == "delete")
    assert [file.name for file in path_of(sqlite_url).parent.iterdir()] == [path_of(sqlite_url).name]


def test_a_log_that_has_grown_is_copied_by_a_checkpoint_under_the_writers_lock(
    sqlite_url: str, samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "LOG_BYTES", 1 << 16)
    with open_store(sqlite_url) as store:
        for key in "abc":
            samples.finished_run(store, key * 64, stimuli=samples.stimuli(120))
        log = Path(f"{path_of(sqlite_url)}-wal")
        with closing(sqlite3.connect(path_of(sqlite_url))) as connection:
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            _, n_frames, n_copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            page = connection.execute("PRAGMA page_size").fetchone()[0]
        assert n_frames == n_copied
        assert log.stat().st_size < 12 * (1 << 16) + 40 * page
        assert store.verify() == []


def test_no_checkpoint_begins_while_somebody_writes(sqlite_url: str, samples: Any) -> None:
    with open_store(sqlite_url) as store:
        samples.finished_run(store)
        with store._database.write():
            assert not journal.copy_log(path_of(sqlite_url))
        assert journal.copy_log(path_of(sqlite_url))
        with store._database.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar() == 0


@pytest.mark.parametrize(
    ("release", "faulty"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((4, 0, 0), False),
    ],
)
def test_releases_with_the_fault_are_known(release: tuple[int, ...], faulty: bool) -> None:
    assert journal.has_reset_fault(release) is faulty


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/x.db", "nfs4"),
        ("/home/local/x.db", None),
        ("/mnt/a b/x.db", "cifs"),
        ("/data/x.db", "sshfs"),
        ("/x.db", None),
        ("/homestead/x.db", None),
    ],
)
def test_a_network_file_system_is_known_by_its_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, kind: str | None
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\n/dev/sdb /home/local ext4 rw 0 0\n"
        "//server/share /mnt/a\\040b cifs rw 0 0\nme@there:/ /data fuse.sshfs rw 0 0\n"
    )
    monkeypatch.setattr(places, "_MOUNTS", mounts)
    monkeypatch.setattr(places.sys, "platform", "linux")
    assert places.find_network(Path(path)) == kind


def test_a_backup_made_while_a_run_writes_is_a_sound_history(sqlite_url: str, samples: Any, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    stop = threading.Event()

    def write() -> None:
        with open_store(sqlite_url) as store:
            claim = store.begin_run(samples.header("c" * 64))
            while not stop.is_set():
                store.save_layer(claim, samples.result("mixed"))
            store.fail_run(claim, "stopped", interrupted=True)

    with open_store(sqlite_url) as store:
        run_id = samples.fill(store)
        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(3):
                assert store.back_up(copy) == copy.stat().st_size
                with open_store(f"sqlite:///{copy}") as copied:
                    assert copied.verify() == []
                    assert str(copied.read_statistics(run_id)) == str(store.read_statistics(run_id))
        finally:
            stop.set()
            writer.join()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["copy.db", "only.db"]


def test_a_backup_replaces_nothing_by_half_and_never_the_history_itself(
    sqlite_url: str, samples: Any, tmp_path: Path
) -> None:
    with open_store(sqlite_url) as store:
        samples.finished_run(store)
        with pytest.raises(InputError, match="is the history itself"):
            store.back_up(path_of(sqlite_url))
        with pytest.raises(InputError, match="there is no folder"):
            store.back_up(tmp_path / "none" / "copy.db")
        kept = tmp_path / "kept.db"
        kept.write_bytes(b"before")
        path_of(sqlite_url).rename(tmp_path / "away.db")
        with pytest.raises(LayerwiseError, match="cannot be copied"):
            store.back_up(kept)
        (tmp_path / "away.db").rename(path_of(sqlite_url))
        assert kept.read_bytes() == b"before"

"""From a URL to a database: how it is reached, how a transaction begins, how its errors read.

SQLite is the default: a write-ahead log, so that people can look while a run writes; foreign keys on; a writer
takes the lock when it begins (`BEGIN IMMEDIATE`), so that two writers wait for each other instead of failing
half-way; readers see one state of things from their first to their last query. PostgreSQL is reached through
psycopg. Whatever a database says when something is wrong becomes one line.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from operator import methodcaller
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from layerwise.core.base.errors import InputError, LayerwiseError, explain_missing
from layerwise.core.base.urls import hide_passwords, show_database
from layerwise.storage.sqlite.journal import checkpoint, prepare_journal

BUSY_SECONDS = 30.0
HOW_TO_START = "; `layerwise demo` or `layerwise run MODEL --stimuli PATH` makes one, --db names another"
_SQLITE_MAGIC = b"SQLite format 3\0"
_READABLE = "can only be read: its file or folder is not writable; work on a copy"
_WRITER = {"layerwise_writer": True}
_LOCK = 0x6C617965727769  # the advisory lock that stands for "the shared rows of this history"


class Database:
    """A database that can be reached.

    Attributes:
        url: As SQLAlchemy takes it.
        read_only: Whether writing is refused.
        engine: SQLAlchemy's engine.
    """

    def __init__(self, url: sa.URL, *, read_only: bool = False) -> None:
        self.url = url
        self.read_only = read_only
        self.engine = _sqlite_engine(url, read_only=read_only) if _is_sqlite(url) else _postgres_engine(url)
        self._readers = (
            self.engine
            if _is_sqlite(url)
            else self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        )
        self._under_way = threading.local()

    @property
    def is_sqlite(self) -> bool:
        """Whether it is SQLite (otherwise PostgreSQL)."""
        return _is_sqlite(self.url)

    @property
    def path(self) -> Path:
        """The file, of SQLite."""
        return Path(self.url.database or "")

    @property
    def shown(self) -> str:
        """The URL without the password."""
        url = self.url.set(drivername=self.url.get_backend_name())
        return hide_passwords(url.render_as_string(hide_password=True))

    @property
    def place(self) -> str:
        """Where it is, as people name it: the file, of SQLite, otherwise the URL without the password."""
        return str(self.path) if self.is_sqlite else self.shown

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that sees one state of the history and writes nothing."""
        with one_line_errors(self.shown), self._readers.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, exclusive: bool = False) -> Iterator[sa.Connection]:
        """A transaction that writes.

        Args:
            exclusive: Wait for, and keep out, every other exclusive one: for what finds shared rows, removes
                them, or replaces answers that another process may be keeping just now. (On SQLite writers always
                wait for each other.)

        Raises:
            InputError: If the history was opened for reading only.
        """
        if self.read_only:
            why = "was opened for reading only" if can_write(self.url) else _READABLE
            raise InputError(f"{self.shown} {why}")
        outer: sa.Connection | None = getattr(self._under_way, "connection", None)
        if outer is not None:
            with one_line_errors(self.shown):
                self._keep_others_out(outer, exclusive=exclusive)
                yield outer
            return
        with (
            one_line_errors(self.shown),
            self.engine.connect() as connection,
            self._begin(connection, exclusive=exclusive) as marked,
        ):
            yield marked
        self._checkpoint()

    @contextmanager
    def write_together(self) -> Iterator[None]:
        """One transaction for all that this thread writes within: all of it is kept, or nothing."""
        with self.write() as connection:
            self._under_way.connection = connection
            try:
                yield
            finally:
                self._under_way.connection = None

    @contextmanager
    def rebuild(self) -> Iterator[sa.Connection]:
        """An exclusive transaction in which tables may be made anew.

        SQLite changes a key only by copying a table and dropping the old one, and dropping would take along the rows
        that refer to it: foreign keys are off meanwhile, and checked before the end.
        """
        if not self.is_sqlite:
            with self.write(exclusive=True) as connection:
                yield connection
            return
        with one_line_errors(self.shown), self.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA foreign_keys = OFF")  # inside a transaction this would do nothing
            try:
                with self._begin(connection, exclusive=True) as marked:
                    yield marked
                    lost = marked.exec_driver_sql("PRAGMA foreign_key_check").first()
                    if lost is not None:
                        raise LayerwiseError(f"{self.shown}: a row of {lost[0]} refers to nothing in {lost[2]}")
            finally:
                with suppress(sqlite3.ProgrammingError):  # Ctrl-C may have closed the connection
                    driver.execute("PRAGMA foreign_keys = ON")
        self._checkpoint()

    @contextmanager
    def _begin(self, connection: sa.Connection, *, exclusive: bool) -> Iterator[sa.Connection]:
        marked = connection.execution_options(**_WRITER)
        with marked.begin():
            self._keep_others_out(marked, exclusive=exclusive)
            yield marked

    def _keep_others_out(self, connection: sa.Connection, *, exclusive: bool) -> None:
        if exclusive and not self.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))

    def _checkpoint(self) -> None:
        if self.is_sqlite:
            checkpoint(self.path)

    def close(self) -> None:
        """Close every connection; what is asked for later opens another one."""
        self.engine.dispose()


def parse_url(text: str) -> sa.URL:
    """A URL as people write it to one that SQLAlchemy takes.

    Raises:
        InputError: If it is neither `sqlite:///FILE` nor `postgresql://...`.
    """
    wanted = "write sqlite:///FILE or postgresql://USER@HOST/NAME"
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):
        # The error would be shown with a traceback, and has the text, or the password where the port would be.
        raise InputError(f"'{show_database(text)}' is no database URL; {wanted}") from None
    backend = url.drivername.split("+")[0]
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise InputError(f"a history cannot be kept in '{url.drivername}'; {wanted}")
    if not url.database or url.database == ":memory:" or url.query:
        raise InputError("a history in SQLite is a file, sqlite:///FILE, or new and in memory, sqlite://")
    return url.set(drivername="sqlite", database=str(Path(url.database).expanduser()))


def check_file(database: sa.URL, *, create: bool) -> None:
    """Find out, before SQLite is asked, what is wrong with the place where the file is or shall be.

    Raises:
        InputError: If it is missing and not to be made, or is no SQLite database.
    """
    if not _is_sqlite(database):
        return
    path = Path(database.database or "")
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder; a history in SQLite is a file")
        if not has_content(database):
            if not create:
                raise InputError(f"there is no history at {path}{HOW_TO_START}")
            if not path.parent.is_dir():
                raise InputError(f"{path} cannot be made: there is no folder {path.parent}")
            if not os.access(path.parent, os.W_OK):
                raise InputError(f"{path} cannot be made: nothing can be written to the folder {path.parent}")
            return
        with path.open("rb") as file:
            if file.read(len(_SQLITE_MAGIC)) != _SQLITE_MAGIC:
                raise InputError(f"{path} is not a history: it is no SQLite database")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be opened: {getattr(error, 'strerror', None) or error}") from error


def can_write(database: sa.URL) -> bool:
    """Whether the file of a history, and what SQLite puts beside it, may be written; a server is asked when it is."""
    path = Path(database.database or "")
    return not _is_sqlite(database) or (os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK))


def check_writable(database: sa.URL) -> None:
    """Check that a history that is there may be changed.

    Raises:
        InputError: If it may not.
    """
    if not can_write(database):
        raise InputError(f"{database.database} {_READABLE}")


def has_content(database: sa.URL) -> bool:
    """Whether there is anything at all: a server always is, an SQLite file may be missing or empty."""
    path = Path(database.database or "")
    return not _is_sqlite(database) or (path.exists() and path.stat().st_size > 0)


@contextmanager
def one_line_errors(where: str, kind: type[LayerwiseError] = LayerwiseError) -> Iterator[None]:
    """Turn whatever a database raises into one line that names the history."""
    try:
        yield
    except DBAPIError as error:
        raise kind(f"{where}: {_explain(error)}") from error
    except SQLAlchemyError as error:
        raise kind(f"{where}: {first_line(error)}") from error
    except json.JSONDecodeError as error:
        raise kind(f"{where}: damaged, `layerwise db check` says where ({error})") from error
    except UnicodeEncodeError as error:
        raise InputError(f"{error.object!a} is not valid Unicode text, and cannot be stored") from error


def first_line(error: BaseException) -> str:
    """The first line of what an error says."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def sqlite_uri(path: Path) -> str:
    """A `file:` URI that opens a SQLite file for reading only.

    A file in a folder where nothing can be written cannot have the log's helper files made beside it; it is
    opened as one that does not change, unless a log is there.
    """
    mode = "mode=ro"
    if not os.access(path.absolute().parent, os.W_OK) and not Path(f"{path}-wal").exists():
        mode = "mode=ro&immutable=1"
    return f"file:{quote(str(path.absolute()))}?{mode}"


def find_cut(database: Database) -> list[str]:
    """What the size of an SQLite file says of it: it consists of whole pages, or its end is missing."""
    if not database.is_sqlite:
        return []
    with database.read() as connection:
        page_size = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    n_bytes = database.path.stat().st_size
    if n_bytes % page_size == 0:
        return []
    return [f"the database file: it has {n_bytes} bytes, which is no number of whole pages: its end is missing"]


def _is_sqlite(url: sa.URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _explain(error: DBAPIError) -> str:
    said = hide_passwords(first_line(error.orig) if error.orig else first_line(error))
    if "database is locked" in said:
        return f"another process has been writing for {BUSY_SECONDS:.0f} seconds; try again when it is done"
    if "disk is full" in said or "No space left" in said:
        return "the disk is full"
    return said


def _sqlite_engine(url: sa.URL, *, read_only: bool) -> sa.Engine:
    path = Path(url.database or "")
    target, is_uri = (sqlite_uri(path), True) if read_only else (str(path), False)

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(target, uri=is_uri, timeout=BUSY_SECONDS, check_same_thread=False)

    engine = sa.create_engine(url, creator=connect, json_deserializer=_read_json)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver shall not begin transactions by itself
        connection.text_factory = _decode
        connection.create_function("lower", 1, _lower, deterministic=True)
        connection.execute("PRAGMA foreign_keys = ON")
        if not read_only:
            prepare_journal(connection, path, BUSY_SECONDS)

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("layerwise_writer", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _lower(text: Any) -> Any:
    """A text in lower case; SQLite's own function knows no letters but the Latin ones."""
    return text.lower() if isinstance(text, str) else text


_decode = methodcaller("decode", "utf-8", "replace")
"""Text as SQLite holds it; damaged text is read too, so that its checksum can say whose it is."""

_parse_json = lru_cache(maxsize=256)(json.loads)  # runs of a history repeat each other: versions, names of classes


def _read_json(text: str | bytes) -> Any:
    """A value from its JSON, which is the reader's own."""
    value = _parse_json(text)
    return value.copy() if isinstance(value, dict | list) else value


def _postgres_engine(url: sa.URL) -> sa.Engine:
    try:
        return sa.create_engine(url, pool_pre_ping=True, json_deserializer=_read_json)
    except ModuleNotFoundError as error:
        raise InputError(explain_missing("psycopg")) from error

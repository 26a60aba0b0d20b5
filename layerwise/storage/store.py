"""The store: one object that is both what the engine writes to and the history that is read.

with open_store("sqlite:///layerwise.db") as store:
    store.find_run("latest")
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from layerwise.storage.answers.inference import InferenceStore
from layerwise.storage.answers.outputs import OutputStore
from layerwise.storage.answers.profiles import ProfileStore
from layerwise.storage.answers.requests import RequestStore
from layerwise.storage.answers.results import ResultStore
from layerwise.storage.connect import Database, can_write, check_file, check_writable, has_content, parse_url
from layerwise.storage.maintenance import Maintenance
from layerwise.storage.memory import MEMORY_URL, MemoryStore
from layerwise.storage.migrate import check_revision, ensure_schema
from layerwise.storage.providers import ProviderSearch
from layerwise.storage.reader import RunReader
from layerwise.storage.sql import Queries
from layerwise.storage.writer import RunWriter


class Store(
    RunWriter,
    RunReader,
    RequestStore,
    OutputStore,
    ResultStore,
    ProfileStore,
    InferenceStore,
    ProviderSearch,
    Queries,
    Maintenance,
):
    """A history in a database; `RunStore` and `History` of `layerwise.core.history.protocols`.

    Every call is a transaction of its own, so an instance can be shared by threads as long as each of its calls
    is complete in itself; several processes open a store each. Close it, or use it as a context manager.
    """

    def __init__(self, database: Database) -> None:
        """Take over a database whose schema is the present one; `open_store` sees to that."""
        self._database = database

    @property
    def url(self) -> str:
        """Where it is, without the password."""
        return self._database.shown

    def rest(self) -> None:
        """Close every connection until the next call, which then costs less than in a store that is opened anew."""
        self._database.close()

    def close(self) -> None:
        """Close every connection; the store can no longer be used."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


OpenHistory = Store | MemoryStore
"""What a URL opens."""


def open_store(url: str, *, create: bool = True, read_only: bool = False) -> OpenHistory:
    """Open a history.

    Args:
        url: `sqlite:///FILE` (three slashes and a relative path, or four and an absolute one),
            `postgresql://USER:PASSWORD@HOST/NAME`, or `sqlite://` for a new one in memory, which nobody else sees
            and to which the rest does not apply.
        create: Whether to make a history where there is none.
        read_only: Refuse to write, and never make a history; so it is where the file or its folder is not writable.

    Raises:
        InputError: If there is no history and none is to be made, it cannot be reached, it is something else,
            or another version of Layerwise made it.
    """
    if url == MEMORY_URL:
        return MemoryStore()
    parsed = parse_url(url)
    create = create and not read_only
    check_file(parsed, create=create)
    database = Database(parsed, read_only=read_only or (has_content(parsed) and not can_write(parsed)))
    try:
        ensure_schema(database, create=create)
    except BaseException:
        database.close()
        raise
    return Store(database)


def check_place(url: str) -> bool:
    """See that a history can be opened, or made, at `url`, before long work; nothing is made.

    Returns:
        Whether there is one already.

    Raises:
        InputError: If it cannot.
    """
    if url == MEMORY_URL:
        return False
    parsed = parse_url(url)
    check_file(parsed, create=True)
    if not has_content(parsed):
        return False
    check_writable(parsed)
    database = Database(parsed)
    try:
        check_revision(database)
    finally:
        database.close()
    return True

"""A history in memory as a URL opens it: `sqlite://`, which names no file."""

from __future__ import annotations

from types import TracebackType
from typing import NoReturn, Self

from layerwise.core.base.errors import InputError
from layerwise.core.history.memory import MemoryHistory
from layerwise.core.history.records import RunRecord

MEMORY_URL = "sqlite://"


class MemoryStore(MemoryHistory):
    """A history in memory, which can be opened and closed like one in a database.

    It begins with nothing each time, and what is in it is gone when it is closed. What only a database answers
    (SQL, checksums, who computed what is there) is refused in one line.
    """

    remarks: tuple[str, ...] = ()
    journal = "none, for it is in memory"

    @property
    def url(self) -> str:
        """Where it is."""
        return MEMORY_URL

    def find_run(self, run: str) -> RunRecord:
        """The run with this id, unique prefix of an id, or `latest` (the finished one that ended last).

        Raises:
            InputError: If there is none, or the prefix is ambiguous.
        """
        try:
            return super().find_run(run)
        except InputError as error:
            if self.list_runs():
                raise
            why = "a history in memory starts empty, and is gone when its process ends"
            raise InputError(f"{error.message}: {why}") from error

    def find_id(self, run: str) -> str:
        """The id of the run that is meant.

        Raises:
            InputError: If there is none, or the prefix is ambiguous.
        """
        return self.find_run(run).id

    def close(self) -> None:
        """Let everything go; the history is empty then."""
        with self._lock:
            for run_id in list(self._runs):
                self._remove(run_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _refuse(self, *_asked: object, **_options: object) -> NoReturn:
        """Say what to do instead.

        Raises:
            InputError: Always.
        """
        raise InputError("this needs a database, and a history in memory is none: keep it in a file, sqlite:///FILE")

    info = verify = repair = back_up = query = read_columns = ask_apart = read_table = table_names = _refuse
    column_names = find_makers = count_results = _refuse

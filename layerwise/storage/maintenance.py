"""Looking after a history: what is in it, whether all of it is intact, and taking a run out of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from layerwise.core.base.errors import InputError
from layerwise.storage import schema
from layerwise.storage.checking.checks import find_damages
from layerwise.storage.checking.damage import take_out
from layerwise.storage.connect import Database, find_cut
from layerwise.storage.copying.backup import back_up
from layerwise.storage.holding.claims import is_live
from layerwise.storage.removal import remove_run
from layerwise.storage.schema import runs
from layerwise.storage.schema.checksums import OF_PROCESS
from layerwise.storage.sqlite.journal import describe_journal, warn_of_network


@dataclass(frozen=True)
class StoreInfo:
    """What is in a history.

    Attributes:
        url: Where it is, without the password.
        dialect: `sqlite` or `postgresql`.
        revision: Of its schema.
        n_bytes: Size of the database.
        n_runs: Number of runs, also those that are not finished.
        n_models: Number of different models.
        n_stimulus_sets: Number of different stimulus sets.
        n_representations: Number of stored representations.
        n_comparisons: Number of stored comparisons.
        journal: How what is written is kept safe.
    """

    url: str
    dialect: str
    revision: str
    n_bytes: int
    n_runs: int
    n_models: int
    n_stimulus_sets: int
    n_representations: int
    n_comparisons: int
    journal: str


@dataclass(frozen=True)
class Repairs:
    """What a repair has found and done.

    Attributes:
        found: One line for each thing that was damaged.
        reopened: Ids of the runs that lack something now, and count as interrupted.
        remaining: One line for each thing that is still damaged.
    """

    found: tuple[str, ...]
    reopened: tuple[str, ...]
    remaining: tuple[str, ...]


class Maintenance:
    """Information, verification, repair and deletion."""

    _database: Database

    def info(self) -> StoreInfo:
        """What is in the history, in numbers."""
        counted = ("runs", "models", "stimulus_sets", "representations", "comparisons")
        with self._database.read() as connection:
            counts = {
                f"n_{name}": connection.scalar(sa.select(sa.func.count()).select_from(schema.metadata.tables[name]))
                or 0
                for name in counted
            }
            return StoreInfo(
                url=self._database.shown,
                dialect=self._database.url.get_backend_name(),
                revision=schema.HEAD,
                n_bytes=self._count_bytes(connection),
                journal=self.journal,
                **counts,
            )

    @property
    def journal(self) -> str:
        """How what is written is kept safe, in a line for people."""
        return describe_journal(self._database.path) if self._database.is_sqlite else "write-ahead log of the server"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What whoever opens this history should know of the place where it is."""
        said = warn_of_network(self._database.path) if self._database.is_sqlite else ""
        return (said,) if said else ()

    def back_up(self, path: Path) -> int:
        """Copy the history, as it is at this moment, to a file; see `layerwise.storage.copying.backup`."""
        return back_up(self._database, path)

    def count_bytes(self) -> int | None:
        """Bytes that the history takes up; what SQLite keeps free inside its file does not count."""
        with self._database.read() as connection:
            free = "SELECT freelist_count * page_size FROM pragma_freelist_count(), pragma_page_size()"
            spare = int(connection.scalar(sa.text(free)) or 0) if self._database.is_sqlite else 0
            return self._count_bytes(connection) - spare

    def _count_bytes(self, connection: sa.Connection) -> int:
        size = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        if not self._database.is_sqlite:
            size = "SELECT pg_database_size(current_database())"
        return int(connection.scalar(sa.text(size)) or 0)

    def verify(self) -> list[str]:
        """Read all that is stored and hold it to its checksums; compare the schema, and count rows.

        Returns:
            One line for each thing that is not as it was written; empty where all is well.
        """
        cut = find_cut(self._database)
        with self._database.read() as connection:
            return [*cut, *(damage.said for damage in find_damages(connection))]

    def repair(self) -> Repairs:
        """Take out what is damaged and keep the rest; a run that lacks something then goes on when asked for again.

        Raises:
            InputError: If the history can only be read.
        """
        said: dict[str, None] = {}
        reopened: dict[str, None] = {}
        with self._database.write(exclusive=True) as connection:
            while new := [damage for damage in find_damages(connection) if damage.said not in said]:
                said |= dict.fromkeys(damage.said for damage in new)  # what is taken out may leave something behind
                reopened |= dict.fromkeys(take_out(connection, new))
        return Repairs(tuple(said), tuple(reopened), tuple(self.verify()))

    def delete_run(self, run_id: str) -> None:
        """Take a run out of the history, with all that no other run uses.

        Raises:
            InputError: If there is no such run, or it is being computed now.
        """
        with self._database.write(exclusive=True) as connection:
            # For update: a write to it may be under way. Not all columns: one that is damaged could not be read.
            chosen = (
                sa.select(*(runs.c[name] for name in ("status", *OF_PROCESS)))
                .where(runs.c.id == run_id)
                .with_for_update()
            )
            run = connection.execute(chosen).mappings().one_or_none()
            if run is None:
                raise InputError(f"there is no run '{run_id}'")
            if is_live(run):
                raise InputError(f"run {run_id} is being computed now (process {run['pid']} on {run['hostname']})")
            remove_run(connection, run_id)

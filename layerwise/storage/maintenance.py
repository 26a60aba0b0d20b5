"""Looking after a history: what is in it, whether all of it is intact, and taking a run out of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.history.records import LayerAddress
from layerwise.storage import schema
from layerwise.storage.answers.outputs import read_outputs
from layerwise.storage.answers.results import read_packed, telling, unpack_at
from layerwise.storage.connect import Database
from layerwise.storage.holding.claims import is_live
from layerwise.storage.identity import model_checksum, stimuli_checksum
from layerwise.storage.reader import model_from_row
from layerwise.storage.removal import remove_run
from layerwise.storage.rows import as_bytes
from layerwise.storage.schema import layers, models, representations, runs, stimuli, stimulus_sets
from layerwise.storage.tiles import Packed, TileError, decode_vector, read_values


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


class Maintenance:
    """Information, verification and deletion."""

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
                **counts,
            )

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
        """Rehash all that is stored.

        Returns:
            One line for each thing that is not as it was written; empty where all is well.
        """
        problems: list[str] = []
        with self._database.read() as connection:
            for check in _CHECKS:
                problems.extend(check(connection))
        return problems

    def delete_run(self, run_id: str) -> None:
        """Take a run out of the history, with all that no other run uses.

        Raises:
            InputError: If there is no such run, or it is being computed now.
        """
        with self._database.write(exclusive=True) as connection:
            chosen = sa.select(runs).where(runs.c.id == run_id).with_for_update()  # a write to it may be under way
            run = connection.execute(chosen).mappings().one_or_none()
            if run is None:
                raise InputError(f"there is no run '{run_id}'")
            if is_live(run):
                raise InputError(f"run {run_id} is being computed now (process {run['pid']} on {run['hostname']})")
            remove_run(connection, run_id)


def _check_file(connection: sa.Connection) -> Iterator[str]:
    if connection.dialect.name != "sqlite":
        return
    for (said,) in connection.exec_driver_sql("PRAGMA integrity_check"):
        if said != "ok":
            yield f"the database file: {said}"
    for table, row, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        yield f"row {row} of {table} refers to something in {parent} that is not there"


def _check_representations(connection: sa.Connection) -> Iterator[str]:
    chosen = sa.select(representations, layers.c.run_id, layers.c.name, layers.c.n_features.label("n_units"))
    for row in connection.execute(chosen.join_from(representations, layers)).mappings().all():
        address = LayerAddress(row["run_id"], row["name"], row["transform"])
        try:
            n_stimuli = _check_layer(address, read_packed(connection, [row["id"]])[row["id"]])
        except LayerwiseError as error:
            yield str(error)
            continue
        if n_stimuli != row["n_stimuli"]:
            yield f"run {address.run_id}, layer '{address.layer}' is damaged: its number of stimuli has changed"


def _check_layer(address: LayerAddress, packed: Packed) -> int:
    """Make sure that a layer is as it was written; gives its number of stimuli."""
    if packed.n_landmarks is None:
        return unpack_at(address, packed).n_stimuli
    with telling(address):
        read_values(packed)
    return len(packed.mean) // 8


def _check_vectors(connection: sa.Connection) -> Iterator[str]:
    for table in (schema.statistics, schema.weight_statistics):
        owner = table.primary_key.columns[0]
        for number, name, vector in connection.execute(
            sa.select(owner, table.c.name, as_bytes(table.c.vector)).where(table.c.vector.is_not(None))
        ):
            try:
                decode_vector(vector)
            except TileError as error:
                yield f"{table.name}, {owner.name} {number}, '{name}': {error}"


def _check_outputs(connection: sa.Connection) -> Iterator[str]:
    for run_id in connection.scalars(sa.select(schema.outputs.c.run_id)).all():
        try:
            read_outputs(connection, run_id)
        except LayerwiseError as error:
            yield str(error)


def _check_models(connection: sa.Connection) -> Iterator[str]:
    for number, name in connection.execute(sa.select(models.c.id, models.c.name)).all():
        if not _is_model_intact(connection, number):
            yield f"model '{name}' (row {number}) is not as it was written"


def _check_stimuli(connection: sa.Connection) -> Iterator[str]:
    for number, name in connection.execute(sa.select(stimulus_sets.c.id, stimulus_sets.c.name)).all():
        if not _are_stimuli_intact(connection, number):
            yield f"stimulus set '{name}' (row {number}) is not as it was written"


def _is_model_intact(connection: sa.Connection, number: int) -> bool:
    try:
        row = connection.execute(sa.select(models).where(models.c.id == number)).mappings().one()
        return model_checksum(model_from_row(row)) == str(row["checksum"])
    except (ValueError, TypeError):  # SQLite gives whatever a damaged row holds: half a JSON text, bytes for a number
        return False


def _are_stimuli_intact(connection: sa.Connection, number: int) -> bool:
    columns = (stimuli.c.name, stimuli.c.label, stimuli.c.content_hash, stimuli.c.thumbnail)
    chosen = sa.select(*columns).where(stimuli.c.stimulus_set_id == number).order_by(stimuli.c.position)
    try:
        found = connection.execute(sa.select(stimulus_sets).where(stimulus_sets.c.id == number)).mappings().one()
        rows = [(name, label, content, image) for name, label, content, image in connection.execute(chosen)]
        described = [found[name] for name in ("name", "source", "resize", "fingerprint", "skipped")]
        return stimuli_checksum(described, rows) == str(found["checksum"])
    except (ValueError, TypeError):
        return False


_CHECKS = (_check_file, _check_representations, _check_vectors, _check_outputs, _check_models, _check_stimuli)

"""The checks of `layerwise db check`: all that is stored is read and held to its checksums, and rows are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.history.records import LayerAddress
from layerwise.storage import schema
from layerwise.storage.answers.outputs import read_outputs
from layerwise.storage.answers.results import read_packed, telling, unpack_at
from layerwise.storage.checking.damage import Affected, Damage
from layerwise.storage.checking.reading import read_all
from layerwise.storage.checking.schema_check import find_schema_faults
from layerwise.storage.checking.shared import find_models, find_stimuli
from layerwise.storage.checking.soundness import ALTERED, describe_row
from layerwise.storage.connect import first_line
from layerwise.storage.holding.sealing import count_contents
from layerwise.storage.schema import layers, metadata, profiles, representations, runs, statistics
from layerwise.storage.schema.checksums import ROW_CHECKSUM, Row, is_sound
from layerwise.storage.tiles import Packed, TileError, decode_vector, read_values

Check = Callable[[sa.Connection], Iterator[Damage]]

_ANSWERS = ("comparisons", "intervals", "permutation_tests", "orderings", "requests")
_APART = (runs, schema.attempts, representations, schema.outputs)  # what is looked at with more than a checksum
_LACKING: dict[str, Affected] = {
    "tags": "count",
    "attempts": "count",
    "predictions": "output",
    "outputs": "output",
}


def find_damages(connection: sa.Connection) -> list[Damage]:
    """Everything that is not as it was written; each check goes on where another one cannot."""
    damages: list[Damage] = []
    for what, check in _list_checks():
        try:
            with connection.begin_nested():
                damages.extend(check(connection))
        except sa.exc.SQLAlchemyError as error:
            said = first_line(getattr(error, "orig", None) or error)
            damages.append(Damage(f"{what} cannot be checked: {said}"))
    return damages


def _check_file(connection: sa.Connection) -> Iterator[Damage]:
    if connection.dialect.name != "sqlite":
        return
    for (said,) in connection.exec_driver_sql("PRAGMA integrity_check"):
        if said != "ok":
            yield Damage(f"the database file: {said}")
    for table, row, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        said = f"row {row} of {table} refers to something in {parent} that is not there"
        yield Damage(said, metadata.tables[table], {"rowid": row})


def _check_schema(connection: sa.Connection) -> Iterator[Damage]:
    yield from map(Damage, find_schema_faults(connection))


def _check_representations(connection: sa.Connection) -> Iterator[Damage]:
    for row, readable in read_all(connection, representations):
        said = _look_at_layer(connection, row) if readable else _named(connection, representations, row)
        if said:
            run_ids = _run_of_layer(connection, row["layer_id"])
            yield Damage(said, representations, {"id": row["id"]}, run_ids)


def _look_at_layer(connection: sa.Connection, row: Row) -> str:
    """What is wrong with a representation; nothing where it is sound."""
    named = sa.select(layers.c.run_id, layers.c.name).where(layers.c.id == row["layer_id"])
    layer = connection.execute(named).first()
    run_id, name = ("?", "?") if layer is None else layer
    address = LayerAddress(run_id, name, row["transform"])
    try:
        n_stimuli = _check_values(address, read_packed(connection, [row["id"]])[row["id"]])
    except LayerwiseError as error:
        return str(error)
    if n_stimuli != row["n_stimuli"]:
        return f"run {address.run_id}, layer '{address.layer}' is damaged: its number of stimuli has changed"
    if not _in_order(connection, schema.tiles.c.representation_id == row["id"], schema.tiles, row["n_tiles"]):
        return f"run {address.run_id}, layer '{address.layer}' is damaged: its tiles are not in order"
    return "" if is_sound(representations, row) else f"run {address.run_id}, layer '{address.layer}' {ALTERED}"


def _check_values(address: LayerAddress, packed: Packed) -> int:
    """Make sure that a layer is as it was written; gives its number of stimuli."""
    if packed.n_landmarks is None:
        return unpack_at(address, packed).n_stimuli
    with telling(address):
        read_values(packed)
    return len(packed.mean) // 8


def _check_outputs(connection: sa.Connection) -> Iterator[Damage]:
    for run_id in connection.scalars(sa.select(schema.outputs.c.run_id)).all():
        try:
            read_outputs(connection, run_id)
        except LayerwiseError as error:
            yield Damage(_without_remedy(error), schema.outputs, {"run_id": run_id}, [run_id], "output")
            continue
        written = connection.scalar(sa.select(schema.outputs.c.n_tiles).where(schema.outputs.c.run_id == run_id))
        table = schema.output_tiles
        if not _in_order(connection, table.c.run_id == run_id, table, written):
            said = f"run {run_id}, outputs are damaged: their tiles are not in order"
            yield Damage(said, schema.outputs, {"run_id": run_id}, [run_id], "output")


def _in_order(connection: sa.Connection, which: sa.ColumnElement[bool], table: sa.Table, n_tiles: Any) -> bool:
    positions = connection.scalars(sa.select(table.c.position).where(which).order_by(table.c.position)).all()
    return len(positions) == n_tiles and all(at == position for at, position in enumerate(positions))


def _check_rows(table: sa.Table, connection: sa.Connection) -> Iterator[Damage]:
    damaged = [row for row, readable in read_all(connection, table) if not (readable and is_sound(table, row))]
    for row in damaged:
        yield _judge(connection, table, row)


def _judge(connection: sa.Connection, table: sa.Table, row: Row) -> Damage:
    said = _named(connection, table, row)
    vector = row.get("vector")
    if vector is not None and (broken := _look_at_vector(vector)):
        said = f"{describe_row(connection, table, row)}: {broken}"
    key = {column.name: row[column.name] for column in table.primary_key.columns}
    if table.name in _ANSWERS:
        return Damage(said, table, key)
    if table is profiles or table.name.startswith("profile_"):
        owner = row["id"] if table is profiles else row["profile_id"]
        return Damage(said, profiles, {"id": owner})
    if table is statistics:
        return Damage(said, table, key, _run_of_layer(connection, row["layer_id"]), "layer")
    if "run_id" in row:
        return Damage(said, table, key, [row["run_id"]], _LACKING.get(table.name, "rest"))
    owner = row["weight_id"] if "weight_id" in row else row["id"]
    model = sa.select(schema.weights.c.model_id).where(schema.weights.c.id == owner)
    used = connection.scalars(sa.select(runs.c.id).where(runs.c.model_id.in_(model))).all()
    return Damage(said, table, key, used)


def _look_at_vector(vector: Any) -> str:
    try:
        decode_vector(vector if isinstance(vector, bytes) else str(vector).encode())
    except TileError as error:
        return str(error)
    return ""


def _check_runs(connection: sa.Connection) -> Iterator[Damage]:
    sealed = (runs.c.status == "finished") | runs.c[ROW_CHECKSUM].is_not(None)
    for row, readable in list(read_all(connection, runs, sealed)):
        if not (readable and is_sound(runs, row)):
            yield Damage(_named(connection, runs, row), run_ids=[row["id"]], again="output")
            continue
        for name, n_there in count_contents(connection, row["id"]).items():
            n_written = (row["contents"] or {}).get(name, 0)
            if n_there != n_written:
                said = f"run {row['id']} has {n_there} {name.replace('_', ' ')} where {n_written} were written"
                yield Damage(said, run_ids=[row["id"]], again=_LACKING.get(name, "rest"))


def _check_attempts(connection: sa.Connection) -> Iterator[Damage]:
    table = schema.attempts
    for row, readable in list(read_all(connection, table, table.c.ended_at.is_not(None))):
        if not (readable and is_sound(table, row)):
            key = {name: row[name] for name in ("run_id", "number")}
            yield Damage(_named(connection, table, row), table, key, [row["run_id"]], "count")


def _check_numbers_of_statistics(connection: sa.Connection) -> Iterator[Damage]:
    same = (statistics.c.layer_id == layers.c.id) & (statistics.c.transform == representations.c.transform)
    n_there = sa.select(sa.func.count()).select_from(statistics).where(same).scalar_subquery()
    columns = (layers.c.run_id, layers.c.name, representations.c.n_statistics, n_there.label("n_there"))
    keys = (representations.c.layer_id, representations.c.transform)
    chosen = sa.select(*columns, *keys).join_from(representations, layers).join(runs, runs.c.id == layers.c.run_id)
    for row in connection.execute(chosen.where(runs.c.status == "finished")).mappings().all():
        if row["n_there"] != row["n_statistics"]:
            said = f"run {row['run_id']}, layer '{row['name']}' has {row['n_there']} statistics where "
            key = {"layer_id": row["layer_id"], "transform": row["transform"]}
            yield Damage(f"{said}{row['n_statistics']} were written", None, key, [row["run_id"]], "layer")


def _check_profiles(connection: sa.Connection) -> Iterator[Damage]:
    kept = schema.profile_layers
    n_there = sa.select(sa.func.count()).select_from(kept).where(kept.c.profile_id == profiles.c.id).scalar_subquery()
    chosen = sa.select(profiles, n_there.label("n_there")).where(n_there != profiles.c.n_layers)
    for row in connection.execute(chosen).mappings().all():
        said = f"{describe_row(connection, profiles, row)} has {row['n_there']} layers where {row['n_layers']} "
        yield Damage(f"{said}were written", profiles, {"id": row["id"]})


def _check_shared(connection: sa.Connection) -> Iterator[Damage]:
    for said, column, number in (*find_models(connection), *find_stimuli(connection)):
        yield Damage(said, run_ids=connection.scalars(sa.select(runs.c.id).where(column == number)).all())


def _named(connection: sa.Connection, table: sa.Table, row: Row) -> str:
    return f"{describe_row(connection, table, row)} {ALTERED}"


def _run_of_layer(connection: sa.Connection, layer_id: Any) -> Sequence[str]:
    return connection.scalars(sa.select(layers.c.run_id).where(layers.c.id == layer_id)).all()


def _without_remedy(error: LayerwiseError) -> str:
    return str(error).partition(";")[0]


def _list_checks() -> Iterator[tuple[str, Check]]:
    yield "the database file", _check_file
    yield "the schema", _check_schema
    yield "layers", _check_representations
    for table in metadata.sorted_tables:
        if ROW_CHECKSUM in table.c and table not in _APART:
            yield table.name.replace("_", " "), partial(_check_rows, table)
    yield "outputs", _check_outputs
    yield "attempts", _check_attempts
    yield "numbers of statistics", _check_numbers_of_statistics
    yield "layers of profiles", _check_profiles
    yield "runs", _check_runs
    yield "models and stimulus sets", _check_shared

"""Bringing a database to the schema this version of Layerwise works with.

Opening a history compares the revision it carries with the one this code knows, and that is all: Alembic is
only imported when there is something to do. Migrations run in one transaction, under the lock that all
writers respect, so that two processes can start on the same new database.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from layerwise.core.base.errors import InputError
from layerwise.storage.connect import HOW_TO_START, Database, check_file, check_writable, one_line_errors, parse_url
from layerwise.storage.schema import HEAD, REVISIONS, VERSION_TABLE, metadata

if TYPE_CHECKING:
    from alembic.config import Config

_versions = sa.table(VERSION_TABLE, sa.column("version_num"))


def read_revision(database: Database) -> str | None:
    """The revision of the schema that a database carries, None where there is no history in it.

    Raises:
        InputError: If it cannot be reached, or is in use for something else.
    """
    with one_line_errors(database.shown, InputError), database.engine.connect() as connection:
        return _revision(connection, database)


def ensure_schema(database: Database, *, create: bool) -> None:
    """Make the tables where there are none, and see that they are those this code knows.

    Raises:
        InputError: If there is no history and none is to be made, or its schema is older or newer.
    """
    if check_revision(database) is None:
        if not create or database.read_only:
            raise InputError(f"there is no history at {database.place}{HOW_TO_START}")
        _migrate(database, HEAD)


def check_revision(database: Database) -> str | None:
    """The revision of the schema that a database carries, which is the one this code knows; None without a history.

    Raises:
        InputError: If the schema is older or newer, or the database is in use for something else.
    """
    revision = read_revision(database)
    if revision is None or revision == HEAD:
        return revision
    if revision in REVISIONS:
        raise InputError(
            f"{database.shown} was made by an older Layerwise (schema {revision}, now {HEAD}); "
            f"run `layerwise db upgrade --db {database.shown}`"
        )
    raise InputError(
        f"{database.shown} was made by a newer Layerwise (schema {revision}, this one knows up to {HEAD}); "
        "upgrade Layerwise"
    )


def upgrade(url: str) -> str:
    """Bring a history to the present schema, and say which revision it had before.

    Raises:
        InputError: If there is no history at `url`, or a newer Layerwise made it.
    """
    return _move(url, HEAD)


def downgrade(url: str, revision: str) -> str:
    """Take a history back to an earlier revision, or to nothing (`base`), losing what that cannot hold.

    Raises:
        InputError: If that would lose layers: those in a form that the earlier revision does not know.
    """
    return _move(url, revision)


def alembic_config(connection: sa.Connection) -> Config:
    """Alembic's configuration, for one connection with a transaction under way."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _move(url: str, target: str) -> str:
    parsed = parse_url(url)
    check_file(parsed, create=False)
    check_writable(parsed)
    database = Database(parsed)
    try:
        revision = read_revision(database)
        if revision is None:
            raise InputError(f"there is no history at {database.place}{HOW_TO_START}")
        if revision not in REVISIONS:
            raise InputError(f"{database.shown} was made by a newer Layerwise (schema {revision}); upgrade Layerwise")
        _migrate(database, target)
    finally:
        database.close()
    return revision


def _migrate(database: Database, target: str) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it already talks when it is imported
    from alembic import command
    from alembic.util import CommandError

    with database.rebuild() as connection:
        config = alembic_config(connection)
        revision = _revision(connection, database)  # again, now that nobody else can change it
        try:
            if revision in REVISIONS and (target == "base" or REVISIONS.index(target) < REVISIONS.index(revision)):
                command.downgrade(config, target)
            else:
                command.upgrade(config, target)
        except CommandError as error:
            raise InputError(f"{database.shown}: {error}") from error


def _revision(connection: sa.Connection, database: Database) -> str | None:
    names = set(sa.inspect(connection).get_table_names())
    if VERSION_TABLE in names:
        found: str | None = connection.scalar(sa.select(_versions.c.version_num))
        return found
    strange = names if database.is_sqlite else names & set(metadata.tables)
    if strange:
        raise InputError(f"{database.shown} is in use for something else: it has a table '{min(strange)}'")
    return None

"""One question of PostgreSQL, in a transaction that cannot write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from layerwise.core.base.errors import InputError
from layerwise.storage.connect import Database, first_line, one_line_errors

REMARKS = r"(?:\s|--[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/|\()*"
"""What may stand before the first word of a statement."""

_PLAN = re.compile(rf"{REMARKS}EXPLAIN\b", re.IGNORECASE)


@contextmanager
def asking_postgres(database: Database, sql: str, seconds: float) -> Iterator[Any]:
    """A cursor that holds the answer to a statement, in a transaction that cannot write.

    Raises:
        InputError: If the statement is wrong, or takes longer.
    """
    import psycopg

    with one_line_errors(database.shown), database.engine.connect() as connection:
        connection.detach()  # whatever a query leaves behind in its session ends with it
        connection.execute(sa.text("SET TRANSACTION READ ONLY"))
        connection.execute(sa.text(f"SET LOCAL statement_timeout = {round(1000 * seconds)}"))
        connection.execute(sa.text("SET LOCAL cursor_tuple_fraction = 1"))  # plan for the whole answer
        connection.execute(sa.text("SELECT 1"))  # from here on the transaction cannot be made a writing one
        driver: Any = connection.connection.dbapi_connection
        try:
            # A cursor of the server's, because one of the driver's holds the whole answer before the first row is
            # looked at. It gives no plans, but those are short; prepared, because only then does the server itself
            # refuse a second statement, as it does for its own cursors.
            if _PLAN.match(sql):
                yield driver.cursor().execute(sql, prepare=True)
            else:
                yield driver.cursor("answer").execute(sql)
        except (psycopg.Error, ValueError) as error:
            raise InputError(f"query: {first_line(error)}") from error
        finally:
            connection.rollback()

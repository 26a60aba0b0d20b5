"""Requests and the runs that answer them: how a run asked for again is found before anything is loaded."""

from __future__ import annotations

import sqlalchemy as sa

from layerwise.storage.checking.soundness import check_rows
from layerwise.storage.connect import Database
from layerwise.storage.schema import requests, runs


class RequestStore:
    """The part of a store that knows which run answers which request; see `layerwise.core.runs.lookup`."""

    _database: Database

    def find_request(self, digest: str) -> str | None:
        """The finished run that answers the request of this digest; None where none is known."""
        chosen = (
            sa.select(requests)
            .join(runs, runs.c.id == requests.c.run_id)
            .where(requests.c.digest == digest, runs.c.status == "finished")
        )
        with self._database.read() as connection:
            found = check_rows(connection, requests, connection.execute(chosen).mappings().all())
        return str(found[0]["run_id"]) if found else None

    def remember_request(self, digest: str, run_id: str) -> None:
        """Keep under the digest of a request which finished run answers it; an earlier answer is replaced."""
        with self._database.write(exclusive=True) as connection:
            connection.execute(sa.delete(requests).where(requests.c.digest == digest))
            connection.execute(sa.insert(requests).values(digest=digest, run_id=run_id))

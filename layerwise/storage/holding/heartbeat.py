"""Signs of life of a run, from a thread and a connection of their own.

Work that gives no news, a long write and a full queue cannot hold them up, and they cannot disturb the work: a beat
that fails, because the database is locked or out of reach, is tried again as the next one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import sqlalchemy as sa

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.history.records import Claim
from layerwise.storage.connect import Database
from layerwise.storage.holding.claims import held, let_go
from layerwise.storage.schema import runs

BEAT_SECONDS = 20.0
"""How often a run gives a sign of life; several must fit into `claims.SILENCE`."""

_PATIENCE = 1.0
"""Seconds to wait for a beat under way: it may be waiting for a lock, or for a server that does not answer."""


@contextmanager
def keep_alive(url: sa.URL, claim: Claim) -> Iterator[None]:
    """While within, say every `BEAT_SECONDS` that the process that holds a run is alive."""
    stop = threading.Event()
    name = f"layerwise-heartbeat-{claim.run_id}"
    thread = threading.Thread(target=_beat_until, args=(stop, url, claim), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        let_go(claim)
        thread.join(_PATIENCE)


def _beat_until(stop: threading.Event, url: sa.URL, claim: Claim) -> None:
    database = Database(url)  # not the store's: its connections may all be in use, and wait for each other
    is_held = True
    try:
        while is_held and not stop.wait(BEAT_SECONDS):
            with suppress(LayerwiseError):
                is_held = beat(database, claim)
    finally:
        database.close()


def beat(database: Database, claim: Claim) -> bool:
    """Give one sign of life; False if the claim is not held any more."""
    with database.write() as connection:
        values = {"heartbeat_at": datetime.now(UTC)}
        return bool(connection.execute(sa.update(runs).where(*held(claim)).values(values)).rowcount)

"""A visitor's query, bounded in time and rows, with its answer or what was wrong with it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from layerwise.core.base.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from layerwise.storage import OpenHistory

N_AT_ONCE = 3
_ANSWERING = threading.BoundedSemaphore(N_AT_ONCE)
_WAITING = threading.BoundedSemaphore(2 * N_AT_ONCE)  # more would hold the threads that all pages are made by

QUERY_SECONDS = 30.0
N_ROWS_SHOWN = 500
MOST_BYTES = 2**26  # of an answer on the page; of all rows as CSV four times that
EXAMPLES = (
    (
        "Newest runs",
        "SELECT run, model, stimuli, checkpoint, status, top1, started_at\nFROM run_list ORDER BY started_at DESC",
    ),
    (
        "Sparsest layers",
        "SELECT run, layer, value FROM layer_statistics\n"
        "WHERE statistic = 'sparseness-population' ORDER BY value DESC LIMIT 20",
    ),
    (
        "Kept comparisons",
        "SELECT comparator, parameters, count(*) AS n_pairs, min(value), max(value)\n"
        "FROM layer_comparisons GROUP BY comparator, parameters",
    ),
)


@dataclass(frozen=True)
class Answer:
    """What a query gave.

    Attributes:
        sql: The query; empty where nothing was asked.
        columns: Names, and whether each holds numbers; None where there is no answer.
        rows: At most `N_ROWS_SHOWN` of them.
        is_cut: Whether there are more.
        seconds: How long it took.
        problem: What was wrong; empty where nothing was.
    """

    sql: str
    columns: tuple[tuple[str, bool], ...] | None = None
    rows: tuple[tuple[Any, ...], ...] = ()
    is_cut: bool = False
    seconds: float = 0.0
    problem: str = ""


def ask(store: OpenHistory, sql: str) -> Answer:
    """The answer to a query; nothing where it is empty."""
    if not sql:
        return Answer("")
    began = time.monotonic()
    try:
        frame = read_frame(store, sql, MOST_BYTES, N_ROWS_SHOWN + 1)
    except InputError as error:
        return Answer(sql, problem=error.message)
    columns = tuple((name, kind.is_numeric()) for name, kind in frame.schema.items())
    rows = tuple(frame.head(N_ROWS_SHOWN).iter_rows())
    return Answer(sql, columns, rows, frame.height > N_ROWS_SHOWN, time.monotonic() - began)


def read_frame(store: OpenHistory, sql: str, max_bytes: int, max_rows: int | None = None) -> pl.DataFrame:
    """The answer to a query as a frame, when it is its turn: a few are answered at a time, and as many may wait.

    Raises:
        InputError: If it is wrong, takes too long, gives too much, or too many are being answered.
    """
    from layerwise.storage.sql import make_frame

    if not _WAITING.acquire(blocking=False):
        raise InputError(f"{2 * N_AT_ONCE} queries are being answered or wait; ask again when one has ended")
    try:
        with _ANSWERING:
            return make_frame(store.ask_apart(sql, max_rows=max_rows, max_bytes=max_bytes, seconds=QUERY_SECONDS))
    finally:
        _WAITING.release()

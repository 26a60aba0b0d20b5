"""A query in a process of its own, which is killed when it has taken its time.

SQLite looks at the clock only between the steps of a statement, and one call of a function is one step: nothing in
the same process can end it. So what people ask is answered by a process that can be killed from outside, whose memory
the system limits, and which takes along nothing but itself.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from layerwise.core.base.errors import InputError
from layerwise.storage.asking import inside
from layerwise.storage.connect import BUSY_SECONDS, Database, sqlite_uri

_MEMORY = {True: 2**30, False: 2**31}  # bytes of address space, by whether it is SQLite; psycopg takes some itself
_CELL_BYTES = 64  # of memory that a cell takes, whatever is in it
_VALUES = frozenset(
    {("decimal", "Decimal"), ("uuid", "UUID"), ("uuid", "SafeUUID"), ("builtins", "bytearray")}
    | {("datetime", name) for name in ("datetime", "date", "time", "timedelta", "timezone")}
    | {("zoneinfo", "ZoneInfo._unpickle")}
)
_RUNNING: set[subprocess.Popen[bytes]] = set()
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Limits:
    """How much of an answer is read, and how long is waited for it.

    Attributes:
        max_rows: Rows; None for all.
        max_bytes: About so many bytes of memory.
        seconds: Seconds.
    """

    max_rows: int | None
    max_bytes: int
    seconds: float

    def too_long(self) -> InputError:
        """The error of an answer that took too long."""
        return InputError(f"query: took longer than {self.seconds:.0f} s, and was stopped")

    def too_large(self) -> InputError:
        """The error of an answer that is too large."""
        most = f"{self.max_bytes // 2**20} MiB"
        return InputError(f"query: its answer is larger than {most}; ask for fewer rows or columns")


def ask_apart(database: Database, sql: str, limits: Limits) -> tuple[list[str], list[Sequence[Any]]]:
    """Names of the columns, and the rows, of the answer to one statement that has been looked at.

    Raises:
        InputError: If it is wrong, takes too long, too much memory, or gives too much.
    """
    command = [sys.executable, "-I", "-S", str(Path(inside.__file__))]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    with _LOCK:
        _RUNNING.add(process)
    late = threading.Event()
    timer = threading.Timer(limits.seconds, _stop, (process, late))
    timer.daemon = True
    timer.start()
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(_describe(database, sql, limits)).encode() + b"\n")
        process.stdin.flush()
        return _read_answer(process.stdout, limits, late)
    except BrokenPipeError as error:
        raise InputError("query: the process that was to answer it ended at once") from error
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        with _LOCK:
            _RUNNING.discard(process)


def stop_queries() -> None:
    """Kill all queries that are being answered; who waits for them gets an error."""
    with _LOCK:
        for process in _RUNNING:
            process.kill()


def _describe(database: Database, sql: str, limits: Limits) -> dict[str, Any]:
    where = (
        {"uri": sqlite_uri(database.path)}
        if database.is_sqlite
        else {"url": database.url.render_as_string(hide_password=False)}  # on stdin, where nobody else sees it
    )
    return {
        **where,
        "sql": sql,
        "max_rows": limits.max_rows,
        "max_bytes": limits.max_bytes,
        "seconds": limits.seconds,
        "busy": BUSY_SECONDS,
        "memory": _MEMORY[database.is_sqlite],
        "path": sys.path,
    }


def _stop(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def _read_answer(stream: IO[bytes], limits: Limits, late: threading.Event) -> tuple[list[str], list[Sequence[Any]]]:
    names: list[str] = []
    rows: list[Sequence[Any]] = []
    n_bytes = 0
    while True:
        part = _receive(stream)
        if late.is_set():
            raise limits.too_long()
        if part is None or part[0] == "memory":
            raise InputError("query: it takes more memory than a query may have, and was stopped")
        if part[0] == "end":
            return names, rows
        if part[0] == "names":
            names = part[1]
        elif part[0] == "rows":
            rows += part[1]
            n_bytes += sum(map(_count_bytes, part[1]))
            if n_bytes > limits.max_bytes:
                raise limits.too_large()
        else:
            raise _explain(part[0], part[1], limits)


def _explain(kind: str, said: str, limits: Limits) -> InputError:
    if kind == "refused":
        return InputError(said)
    if "too big" in said:
        return limits.too_large()
    refused = "not authorized" in said or "prohibited" in said
    return InputError(f"query: {said}{'; a query can only read' if refused else ''}")


def _receive(stream: IO[bytes]) -> Any:
    """The next part of an answer; None where the process ended before it had said all."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    (size,) = struct.unpack(">Q", head)
    packed = stream.read(size)
    return _Values(io.BytesIO(packed)).load() if len(packed) == size else None


class _Values(pickle.Unpickler):
    """Reads what databases give and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _VALUES:
            raise pickle.UnpicklingError(f"{module}.{name} is no value of a database")
        return super().find_class(module, name)


def _count_bytes(row: Sequence[Any]) -> int:
    return sum(_CELL_BYTES + (len(cell) if isinstance(cell, bytes | str) else 0) for cell in row)

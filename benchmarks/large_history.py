"""How soon a history of 10,000 runs and a million comparisons answers, beside one that has a single run.

    python benchmarks/large_history.py [--runs 10000] [--comparisons 1000000] [--db large.db] [--browse]

Makes both in a temporary folder: a toy network on digits is analysed and compared once, and its rows are copied,
table by table, as often as it takes. Each command then runs in a process of its own on both histories in turn, so
that whatever else the machine does strikes both. What is told: its time on the small history, which is what starting
costs; on the large one; what the size of the history adds to it; and the ratio to `python -c pass`. With `--db` the
large history is made there, or taken from there if it exists, and kept.
"""

from __future__ import annotations

import argparse
import os
import resource
import shlex
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from layerwise.core.analysis.compare import compare_layers
from layerwise.core.history.records import LayerAddress
from layerwise.plugins import load_plugins
from layerwise.storage import open_store
from layerwise.storage.connect import Database, parse_url
from layerwise.storage.holding.sealing import seal_run
from layerwise.storage.schema import metadata, runs
from layerwise.storage.schema.checksums import ROW_CHECKSUM, checksum_row
from layerwise.testing import make_history

LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
N_STIMULI = 12
CHECKPOINTS = 50
COMPARATORS = ("layerwise:rsa-pearson", "layerwise:cka", "layerwise:rsa-spearman", "layerwise:procrustes")
COMMANDS = (
    "runs",
    "runs --limit 5",
    "runs --lineage training-117",
    "runs --tag seed=3",
    "runs --model network-3",
    "runs --all",
    "runs --json",
    "show latest",
    "show {run}",
    "query 'SELECT run, top1 FROM run_list ORDER BY started_at DESC LIMIT 20'",
    "compare {run} --with cka",
    "plugins",
)
PASS = (sys.executable, "-c", "pass")
OWN = {  # what differs from run to run; all other columns are copied as they are
    "models": {
        "id": "1 + n",
        "fingerprint": "printf('%064x', n)",
        "checksum": "printf('%064x', n)",
        "name": "'network-' || (n % 5)",
    },
    "runs": {
        "id": "new_id",
        "key": "printf('%064x', n)",
        "model_id": "1 + n",
        "checkpoint": f"'epoch-' || (n % {CHECKPOINTS})",
        "step": f"n % {CHECKPOINTS}",
        "lineage": f"'training-' || (n / {CHECKPOINTS})",
        "started_at": "datetime(t.started_at, '-' || (100000 - n) || ' minutes') || '.000000'",
        "finished_at": "datetime(t.finished_at, '-' || (100000 - n) || ' minutes') || '.000000'",
    },
    "attempts": {"run_id": "new_id"},
    "layers": {"id": "t.id + n * {layers}", "run_id": "new_id"},
    "representations": {"id": "t.id + n * {representations}", "layer_id": "t.layer_id + n * {layers}"},
    "tiles": {"representation_id": "t.representation_id + n * {representations}"},
    "statistics": {"layer_id": "t.layer_id + n * {layers}"},
    "weights": {"id": "t.id + n * {weights}", "model_id": "1 + n"},
    "weight_statistics": {"weight_id": "t.weight_id + n * {weights}"},
    "run_weight_statistics": {"run_id": "new_id"},
    "predictions": {"run_id": "new_id"},
    "comparisons": {
        "first_id": "t.first_id + n * {representations}",
        "second_id": "t.second_id + n * {representations}",
    },
}


def make_small(path: Path, n_pairs: int) -> None:
    """A history of one run with at least so many comparisons."""
    url = make_history(path, n_stimuli=N_STIMULI)
    registry = load_plugins()
    with open_store(url) as store:
        run = store.find_run("latest")
        addresses = [LayerAddress(run.id, layer.name) for layer in store.list_layers(run.id)]
        n_comparators = -(-n_pairs // len(addresses) ** 2)
        if n_comparators > len(COMPARATORS):
            sys.exit(f"a run has at most {len(COMPARATORS) * len(addresses) ** 2} comparisons here")
        for name in COMPARATORS[:n_comparators]:
            compare_layers(registry, store, name, addresses)


def make_large(small: Path, path: Path, n_runs: int) -> None:
    """Copy the one run of a history as often as is asked for, each time under ids of its own."""
    connection = sqlite3.connect(path)
    with sqlite3.connect(small) as source:
        source.backup(connection)
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("CREATE TEMP TABLE copies (n INTEGER PRIMARY KEY, new_id TEXT NOT NULL)")
    connection.executemany("INSERT INTO copies VALUES (?, ?)", ((n, make_id(n)) for n in range(1, n_runs)))
    strides = {
        table: connection.execute(f"SELECT max(id) FROM {table}").fetchone()[0]
        for table in ("layers", "representations", "weights")
    }
    for table, own in OWN.items():
        values = {name: value.format(**strides) for name, value in own.items()}
        columns = [column.name for column in metadata.tables[table].columns]
        copied = ", ".join(values.get(name, f't."{name}"') for name in columns)
        names = ", ".join(f'"{name}"' for name in columns)
        connection.execute(f"CREATE TEMP TABLE template AS SELECT * FROM {table}")  # without what is being copied
        connection.execute(f"INSERT INTO {table} ({names}) SELECT {copied} FROM copies CROSS JOIN template t")
        connection.execute("DROP TABLE template")
    connection.execute("INSERT INTO tags (run_id, name, value) SELECT id, 'seed', step % 7 FROM runs")
    connection.commit()
    connection.close()
    sign(path)


def sign(path: Path) -> None:
    """Give every row the checksum that it would have had if it had been written by a run."""
    database = Database(parse_url(f"sqlite:///{path}"))
    row_id = sa.literal_column("rowid", sa.Integer()).label("row_id")
    with database.write() as connection:
        for table in metadata.sorted_tables:
            if ROW_CHECKSUM in table.c and table is not runs:
                rows = connection.execute(sa.select(table, row_id)).mappings()
                made = [{"made": checksum_row(table, row), "row": row["row_id"]} for row in rows]
                change = f"UPDATE {table.name} SET {ROW_CHECKSUM} = :made WHERE rowid = :row"
                connection.execute(sa.text(change), made or [{"made": 0, "row": -1}])
        for run_id in connection.scalars(sa.select(runs.c.id)).all():
            seal_run(connection, run_id)
    database.close()


def make_id(number: int) -> str:
    """An id as runs have them, the same for the same number, and spread over the alphabet."""
    number = number * 6364136223846793005 % 2**55
    return "r" + "".join(LETTERS[number >> 5 * place & 31] for place in range(11))


@dataclass(frozen=True)
class Cost:
    """Medians, in seconds, by the clock and of computing."""

    wall: float
    processor: float


def run_once(line: Sequence[str]) -> tuple[float, float]:
    """Seconds by the clock and of computing; as for a user, whose Python keeps what it has compiled."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"`{shlex.join(line)}` cannot be measured: {done.stderr.strip()}")
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(lines: Sequence[Sequence[str]], n_times: int) -> list[Cost]:
    """The cost of each, in turn."""
    found: list[list[tuple[float, float]]] = [[] for _ in lines]
    for number in range(n_times + 1):
        for costs, line in zip(found, lines, strict=True):
            cost = run_once(line)
            if number:  # the first time compiles
                costs.append(cost)
    return [Cost(*(statistics.median(column) for column in zip(*costs, strict=True))) for costs in found]


def line_of(command: str, database: Path) -> list[str]:
    """The command line that asks this of a history."""
    with sqlite3.connect(database) as connection:
        run = connection.execute("SELECT id FROM runs ORDER BY id LIMIT 1 OFFSET (SELECT count(*) / 2 FROM runs)")
        words = shlex.split(command.format(run=run.fetchone()[0]))
    asked = [] if command == "plugins" else ["--db", str(database)]
    return [sys.executable, "-m", "layerwise", *words, *asked]


def browse(database: Path, n_times: int) -> Iterator[tuple[str, float]]:
    """Seconds of the pages of `layerwise browse`: the first answer of a server, and one when it has been asked."""
    first: list[float] = []
    later: list[float] = []
    for _ in range(n_times):
        line = [sys.executable, "-m", "layerwise", "browse", "--no-open", "--port", "0", "--db", str(database)]
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            address = next(word for word in server.stdout.readline().split() if word.startswith("http"))
            for found, page in ((first, ""), (later, "?page=2"), (later, "?lineage=training-117")):
                started = time.perf_counter()
                with urllib.request.urlopen(address + page) as answer:
                    answer.read()
                found.append(time.perf_counter() - started)
            server.terminate()
    yield "browse: first page", statistics.median(first)
    yield "browse: other pages", statistics.median(later)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--comparisons", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--db", type=Path, help="Make the large history here, or take the one that is here.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="layerwise-") as folder:
        small, large = Path(folder) / "small.db", options.db or Path(folder) / "large.db"
        make_small(small, -(-options.comparisons // options.runs))
        if not large.exists():
            started = time.perf_counter()
            make_large(small, large, options.runs)
            print(f"{large.stat().st_size / 2**30:.2f} GiB made in {time.perf_counter() - started:.0f} s")
        report(small, large, options.times)


def report(small: Path, large: Path, n_times: int) -> None:
    with sqlite3.connect(large) as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("runs", "comparisons")
        ]
    print(f"{counts[0]:,} runs, {counts[1]:,} comparisons; seconds, medians of {n_times}")
    print(f"{'':<34}{'one run':>9}{'large':>9}{'more':>9}{'x pass':>8}{'computing':>11}")
    for command in COMMANDS:
        nothing, one, many = measure([PASS, line_of(command, small), line_of(command, large)], n_times)
        name = command.replace("{run}", "RUN")
        name = name if len(name) < 34 else f"{name[:30]}..."
        more = many.wall - one.wall
        print(f"{name:<34}{one.wall:>9.3f}{many.wall:>9.3f}{more:>+9.3f}{many.wall / nothing.wall:>8.1f}", end="")
        print(f"{many.processor:>11.3f}", flush=True)
    for (page, before), (_, after) in zip(browse(small, n_times), browse(large, n_times), strict=True):
        print(f"{page:<34}{before:>9.3f}{after:>9.3f}{after - before:>+9.3f}")


if __name__ == "__main__":
    main()

"""How long a report takes to write, how large it is, and how soon a browser shows its first chart.

    python benchmarks/report_page.py RUN... --db HISTORY [--budget]

Works on a copy of an SQLite history without what reports keep in it, and with an empty cache, so that nothing is
answered from before. The browser is headless Chromium at 1440 x 900; the time to the first chart begins when the file
is opened, and is the best of several, since a machine can be busy with something else.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KEPT = ("comparisons", "orderings", "profiles", "intervals", "permutation_tests")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
MOST_SECONDS, MOST_MEGABYTES, MOST_WAITING = 20.0, 15.0, 2.0


def read_address(text: str) -> Path:
    """The file of a history, which may be named like everywhere else: as a file, or by its address."""
    scheme, found, rest = text.partition("://")
    if found and scheme.partition("+")[0] != "sqlite":
        raise argparse.ArgumentTypeError("only an SQLite history can be copied; `layerwise db copy` makes one of any")
    path = Path(rest.removeprefix("/") if found else text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no history at {path}")
    return path


def copy_history(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    connection = sqlite3.connect(target)
    connection.execute("PRAGMA foreign_keys = ON")  # what belongs to a row goes with it
    for table in KEPT:
        connection.execute(f"DELETE FROM {table}")
    connection.commit()
    connection.close()


def write_report(runs: list[str], database: Path, path: Path) -> tuple[float, float]:
    """Seconds by the clock and of computing; the second is what other work on the machine does not change."""
    command = [sys.executable, "-m", "layerwise", "report", *runs, "--db", f"sqlite:///{database}", "-o", str(path)]
    environment = {**os.environ, "XDG_CACHE_HOME": str(path.parent / "cache")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    if code := subprocess.run(command, check=False, stdout=subprocess.DEVNULL, env=environment).returncode:
        sys.exit(code)
    seconds = time.perf_counter() - start
    if "This section could not be made" in path.read_text(encoding="utf-8"):
        sys.exit("a section could not be made, so its time would be missing; `layerwise report` says why on its page")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def open_page(path: Path) -> tuple[float, float, int]:
    """Seconds to the first chart and until all that is seen is drawn, and the number of charts."""
    from playwright.sync_api import sync_playwright

    executable = next(filter(None, map(shutil.which, CHROMIUM)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        start = time.perf_counter()
        page.goto(path.as_uri(), wait_until="commit")
        page.locator(".chart[data-state=done] svg").first.wait_for(state="attached")
        first = time.perf_counter() - start
        page.locator(".chart:visible:not([data-state])").first.wait_for(state="detached")
        everything = time.perf_counter() - start
        n_charts = page.locator(".chart").count()
        browser.close()
    return first, everything, n_charts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--db", type=read_address, required=True, help="an SQLite file, or its sqlite:/// address")
    parser.add_argument("--times", type=int, default=3, help="how often the page is opened")
    parser.add_argument("--budget", action="store_true", help="fail beyond 20 s, 15 MB, or 2 s to the first chart")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        history, path = Path(folder) / "history.db", Path(folder) / "report.html"
        copy_history(asked.db, history)
        first = write_report(asked.runs, history, path)
        again = write_report(asked.runs, history, path)
        megabytes = path.stat().st_size / 1e6
        opened = [open_page(path) for _ in range(asked.times)]
    waiting = min(shown for shown, _, _ in opened)
    for what, (seconds, computing) in (("written", first), ("again, from history", again)):
        print(f"{what}: {seconds:.1f} s ({computing:.1f} s of computing)")
    drawn = min(everything for _, everything, _ in opened)
    print(
        f"{megabytes:.1f} MB; first of {opened[0][2]} charts after {waiting:.2f} s, all of them after {drawn:.2f} s"
    )
    missed = first[0] > MOST_SECONDS or megabytes > MOST_MEGABYTES or waiting > MOST_WAITING
    return int(asked.budget and missed)


if __name__ == "__main__":
    sys.exit(main())

"""`layerwise doctor`: what there is to work with, what is missing, and the command that brings it."""

from __future__ import annotations

import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from typing import Any

import typer

from layerwise.cli.options.common import DEFAULT_DATABASE, AsJson, Database
from layerwise.cli.output import count, make_table, print_json, size, stdout_console
from layerwise.cli.session import open_history, session_of
from layerwise.core.base.errors import EXTRAS, LayerwiseError
from layerwise.core.base.urls import show_database

_OPTIONAL = {"layerwise-torch": "PyTorch's models", "torch": "PyTorch's models"}
_SHOWN = ("numpy", "tensorflow", "keras", "psycopg")
_SECONDS = 10


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: What it is.
        found: What there is.
        remedy: What to do where something is missing or wrong; empty where all is well.
        is_fault: Whether Layerwise cannot do its work without it.
    """

    what: str
    found: str
    remedy: str = ""
    is_fault: bool = False


def examine(context: typer.Context, database: Database = DEFAULT_DATABASE, as_json: AsJson = False) -> None:
    """Look at versions, packages, history, plugins, memory and devices; say what is missing and how to get it.

    Examples:
        layerwise doctor
        layerwise doctor --json
    """
    findings = [*_list_versions(), _find_database(database), *_list_plugins(context), *_list_means()]
    faults = [finding.what for finding in findings if finding.is_fault]
    if as_json:
        print_json({"well": not faults, "findings": [vars(finding) for finding in findings]})
    else:
        console = stdout_console()
        console.print(make_table(("", ""), [(one.what, one.found) for one in findings], heads=False))
        for one in findings:
            if one.remedy:
                console.print(f"{one.what}: {one.remedy}", markup=False, soft_wrap=True)
        if not any(one.remedy for one in findings):
            console.print("Nothing is missing.", markup=False)
    if faults:
        raise LayerwiseError(f"something is wrong with {', '.join(faults)}")


def is_sound_sqlite(release: tuple[int, ...]) -> bool:
    """Whether a version of SQLite is without the fault by which two writers can damage a database in WAL mode."""
    from layerwise.storage.sqlite.journal import has_reset_fault

    return not has_reset_fault(release)


def _list_versions() -> Iterator[Finding]:
    yield Finding("layerwise", version("layerwise") if _find_version("layerwise") else "not installed as a package")
    yield Finding("python", f"{platform.python_version()} ({sys.executable})")
    yield Finding(
        "sqlite", sqlite3.sqlite_version, "" if is_sound_sqlite(sqlite3.sqlite_version_info) else _OLD_SQLITE
    )
    missing = [name for name in _needed() if _find_version(name) is None]
    yield from (Finding(name, found) for name in _SHOWN if (found := _find_version(name)))
    if missing:
        remedy = f"{sys.executable} -m pip install {' '.join(missing)}"
        yield Finding("packages", f"missing: {', '.join(missing)}", remedy, is_fault=True)
    yield from _list_extras()
    for name, gives in _OPTIONAL.items():
        yield Finding(name, _find_version(name) or f"not installed; it gives {gives}")


def _list_extras() -> Iterator[Finding]:
    """What `layerwise[NAME]` brings, for each name of which something is missing."""
    for name in dict.fromkeys(extra.name for extra in EXTRAS.values()):
        modules = [module for module, extra in EXTRAS.items() if extra.name == name]
        missing = [module for module in modules if find_spec(module) is None]
        if missing:
            uses = " and ".join(dict.fromkeys(EXTRAS[module].use for module in missing))
            remedy = f"{sys.executable} -m pip install 'layerwise[{name}]'"
            yield Finding(f"layerwise[{name}]", f"not installed; it is for {uses}", remedy)


_OLD_SQLITE = (
    "this release can damage a database that two connections write and checkpoint at the same moment (mended in "
    "3.51.3, 3.50.7 and 3.44.6); Layerwise makes one checkpoint at a time and avoids it, other programs may not"
)


def _needed() -> list[str]:
    """The distributions that Layerwise declares to need, without extras."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(line) for line in requires("layerwise") or ()]
    except PackageNotFoundError:
        return []
    return [one.name for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]


def _find_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _find_database(database: str) -> Finding:
    where = show_database(database)
    try:
        with open_history(database, read_only=True) as store:
            info = store.info()
    except LayerwiseError as error:
        absent = "there is no history" in error.message
        return Finding("history", f"none at {where}" if absent else where, error.message, is_fault=not absent)
    return Finding("history", f"{info.url}: schema {info.revision}, {count(info.n_runs)} runs, {size(info.n_bytes)}")


def _list_plugins(context: typer.Context) -> Iterator[Finding]:
    from layerwise.cli.plugins.listing import find_offers
    from layerwise.core.host.discovery import HOST

    registry = session_of(context).registry
    registry.warns = False
    find_offers(registry, None)
    others = [status for status in registry.plugins if status.distribution != HOST]
    names = ", ".join(f"{status.name} {status.version}" for status in others)
    yield Finding("plugins", names or "none but the built-in ones")
    for status in registry.plugins:
        if status.failure:
            yield Finding(f"plugin {status.name}", "did not load", status.reason, is_fault=True)


def _list_means() -> Iterator[Finding]:
    from layerwise.core.base.machine import available_memory, host_cores, memory_limit, n_cores

    limit = memory_limit()
    limited = "" if limit is None else f"; the container or job has {size(limit)}"
    yield Finding("memory", f"{size(available_memory())} can be used{limited}")
    yield Finding("cores", f"{n_cores()} of {host_cores()} can be used")
    yield Finding("devices", ", ".join(_list_devices()) or "cpu")


def _list_devices() -> list[str]:
    """NVIDIA's devices by their names, without loading a framework."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    line: list[Any] = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [text.strip() for text in done.stdout.splitlines() if text.strip()]

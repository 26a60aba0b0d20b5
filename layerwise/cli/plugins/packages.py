"""Installing and removing plugins: pip, in the environment that runs `layerwise`, with its output in its place.

pip is silent unless it fails. What it did is read from the report it writes, and what came of it is asked of a new
process: this one has seen the environment as it was.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.host.discovery import HOST, installed_versions, normal_name

_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
_ARCHIVE = re.compile(r"\.(whl|zip|tar\.(gz|bz2|xz)|tgz)$")
_N_LINES = 12


@dataclass(frozen=True)
class Installation:
    """A distribution that pip has just installed.

    Attributes:
        name: Its name.
        version: Its version.
        requested: Whether it was asked for, rather than needed by another.
        before: The version that it took the place of; empty where there was none.
    """

    name: str
    version: str
    requested: bool
    before: str = ""


def check_environment() -> None:
    """See that pip can be used in the environment that runs `layerwise`.

    Raises:
        LayerwiseError: If it is managed by the system, or has no pip; says what to do.
    """
    marker = Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED"
    is_own = sys.prefix != sys.base_prefix
    if marker.exists() and not is_own and not os.environ.get("PIP_BREAK_SYSTEM_PACKAGES"):
        raise LayerwiseError(
            f"{sys.executable} belongs to the operating system, which lets no packages be installed into it "
            f"({marker}); install Layerwise in an environment of its own: "
            f"python3 -m venv ENV && ENV/bin/pip install {HOST} && ENV/bin/layerwise plugins install ..."
        )
    if importlib.util.find_spec("pip") is None:
        raise LayerwiseError(
            f"there is no pip in {sys.prefix}, the environment that runs layerwise; "
            f"`{sys.executable} -m ensurepip` adds it; where uv made it, "
            f"`uv pip install --python {sys.executable} NAME` installs without it"
        )


def check_source(source: str, *, editable: bool) -> None:
    """See that what shall be installed is there, where it is a path.

    Raises:
        InputError: If it is not, or is no project.
    """
    path = Path(source).expanduser()
    if source.startswith("-"):
        raise InputError(f"'{source}' is an option of pip's; set it in pip's own configuration or PIP_... variables")
    if not is_path(source):
        if editable:
            raise InputError(f"--editable installs a folder with a project, and '{source}' is none; write ./{source}")
        return
    if not path.exists():
        raise InputError(f"there is nothing at {source}")
    if path.is_dir() and not any((path / name).is_file() for name in _PROJECT_FILES):
        raise InputError(f"{source} is no project: there is no pyproject.toml in it")
    if path.is_file() and not _ARCHIVE.search(path.name):
        raise InputError(f"{source} is no package: there may be a folder with a pyproject.toml, a .whl or a .tar.gz")
    if path.is_file() and editable:
        raise InputError(f"--editable installs a folder with a project, and {source} is a file")


def install(sources: Sequence[str], *, upgrade: bool, editable: bool, verbose: bool) -> list[Installation]:
    """Have pip install what is named, and say what it has installed that was not there before.

    Layerwise as it is here is part of what pip is asked for: so it is not replaced by another version, and what it
    needs is not replaced by what it does not work with.

    Raises:
        LayerwiseError: If pip fails; the details are what it said.
    """
    words = ["--upgrade"] if upgrade else []
    for source in sources:
        words += ["--editable", source] if editable else [source]
    before = installed_versions()
    if HOST in before:
        words.append(f"{HOST}=={before[HOST]}")
    with tempfile.TemporaryDirectory(prefix="layerwise-") as folder:
        report = Path(folder) / "report.json"
        run_pip(["install", "--report", str(report), *words], verbose=verbose, hint=hint_of_folder(sources))
        done: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    found = [(item["metadata"]["name"], item) for item in done["install"]]
    return [
        Installation(
            name, item["metadata"]["version"], bool(item.get("requested")), before.get(normal_name(name), "")
        )
        for name, item in found
    ]


def uninstall(names: Sequence[str], *, verbose: bool) -> None:
    """Have pip remove distributions.

    Raises:
        LayerwiseError: If pip fails.
    """
    run_pip(["uninstall", "--yes", *names], verbose=verbose)


def run_pip(arguments: Sequence[str], *, verbose: bool, hint: str = "") -> None:
    """Run pip; what it says goes to stderr if `verbose`, otherwise nowhere unless it fails.

    Raises:
        LayerwiseError: If it fails; `hint` ends the message.
    """
    line = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    where = None if verbose else subprocess.PIPE
    done = subprocess.run(line, stdout=sys.__stderr__ if verbose else where, stderr=where, text=True, check=False)
    if done.returncode == 0:
        return
    said = [text for text in f"{done.stdout or ''}{done.stderr or ''}".splitlines() if text.strip()]
    why = _find_reason(said) or f"it ended with {done.returncode}"
    if any("install build dependencies" in text for text in said):
        hint += "; without a network, PIP_NO_BUILD_ISOLATION=0 lets pip build with what is installed here"
    raise LayerwiseError(f"pip cannot {arguments[0]}: {why}{hint}", said[-_N_LINES:])


def _find_reason(said: Sequence[str]) -> str:
    """The line of pip's that says most: its first error, or that of what it called, else the last line."""
    marked = [
        text.partition(mark)[2].strip() for mark in ("ERROR: ", "fatal: ", "× ") for text in said if mark in text
    ]
    plain = [text.strip() for text in said if not text.lstrip().startswith("note: ")]
    return next((text for text in marked if text and text != "Exception:"), plain[-1] if plain else "")


def list_plugins_anew() -> list[dict[str, Any]]:
    """What `layerwise plugins --json` says in a new process, whatever LAYERWISE_PLUGINS says.

    Raises:
        LayerwiseError: If Layerwise itself does not start any more.
    """
    environment = {name: value for name, value in os.environ.items() if name != "LAYERWISE_PLUGINS"}
    line = [sys.executable, "-P", "-m", "layerwise", "plugins", "list", "--json"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)
    except ValueError:
        said = done.stderr.strip().splitlines()
        why = said[-1] if said else f"it ended with {done.returncode}"
        raise LayerwiseError(f"layerwise does not start any more: {why}", said[-_N_LINES:]) from None
    return found


def named_by(source: str) -> str:
    """The distribution that a requirement or a wheel's file name names; empty where it says none."""
    if source.endswith(".whl"):
        return Path(source).name.partition("-")[0]
    found = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", source)
    return found[0] if found and not is_path(source) and "://" not in source.partition("@")[0] else ""


def same_distribution(first: str, second: str) -> bool:
    """Whether two names are of one distribution."""
    return normal_name(first) == normal_name(second)


def is_path(source: str) -> bool:
    """Whether it is written as a path, not as a name or a URL."""
    if "://" in source or re.match(r"[\w.-]+(\[[^]]*\])?\s*@", source):
        return False
    return "/" in source or os.sep in source or source in (".", "..", "~") or bool(_ARCHIVE.search(source))


def hint_of_folder(sources: Sequence[str]) -> str:
    """Where a name that pip does not find is a folder here, that is meant."""
    folders = [source for source in sources if not is_path(source) and (Path(source) / "pyproject.toml").is_file()]
    return "".join(f"; there is a project in this folder: ./{folder}" for folder in folders)

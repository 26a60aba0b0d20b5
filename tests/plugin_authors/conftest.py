"""`layerwise plugins new`, called in this process; projects made by it, as if installed; code blocks of pages."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from layerwise.cli import main


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


def _call(*arguments: object) -> Said:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Said(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def call() -> Callable[..., Said]:
    return _call


def _pretend_installed(project: Path) -> Path:
    """Write beside the project's source what pip would have written; the folder to put on the path."""
    about = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = project / "src" / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
    info.mkdir()
    needs = "".join(f"Requires-Dist: {need}\n" for need in about["dependencies"])
    head = f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n{needs}"
    (info / "METADATA").write_text(head, encoding="utf-8")
    groups = [
        "\n".join([f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()), ""])
        for group, entries in about["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")
    return info.parent


@pytest.fixture(scope="session")
def pretend_installed() -> Callable[[Path], Path]:
    return _pretend_installed


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file it belongs in if it says so, its text, the heading it is under."""

    language: str
    file: str
    text: str
    heading: str


def _read_blocks(page: Path) -> list[Block]:
    found, heading = [], ""
    text = re.sub(r"<!-- signatures:.*?<!-- end -->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for match in re.finditer(r"^(#+ [^\n]*)$|^```(\w*)(?: file=(\S+))?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if match[1]:
            heading = match[1].lstrip("# ")
        else:
            found.append(Block(match[2], match[3] or "", match[4], heading))
    return found


@pytest.fixture(scope="session")
def read_blocks() -> Callable[[Path], list[Block]]:
    return _read_blocks


def _do_not_install(command: str) -> str:
    del command
    return ""


def _follow(
    page: Path, folder: Path, environment: dict[str, str], install: Callable[[str], str] = _do_not_install
) -> None:
    """Do what a page says: write its files, run its commands, and look whether they say what it says they do.

    Args:
        page: The page.
        folder: Where to do it.
        environment: Variables for the commands.
        install: Given each command; what it answers, unless that is nothing, stands for having run it.
    """
    for block in _read_blocks(page):
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            for command, expected in re.findall(r"^\$ (.*)\n((?:[^$\n].*\n)*)", block.text, re.MULTILINE):
                said = install(command) or _run(command, folder, environment)
                for line in expected.splitlines():
                    assert line in said, f"{command} said:\n{said}"


def _run(command: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def follow() -> Callable[..., None]:
    return _follow

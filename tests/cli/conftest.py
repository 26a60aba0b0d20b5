"""A command line in this process, and one small history that the demo makes for all tests of this room."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from layerwise.cli import main

N_HELD_OUT = 40


@dataclass(frozen=True)
class Said:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def call(*arguments: object) -> Said:
    """Run one command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Said(code, out.getvalue(), err.getvalue())


Caller = Callable[..., Said]


@dataclass(frozen=True)
class Demo:
    """The demo's folder, and what it printed."""

    folder: Path
    record: dict[str, Any]

    @property
    def database(self) -> Path:
        return self.folder / "layerwise.db"

    @property
    def stimuli(self) -> Path:
        return self.folder / "digits.npz"

    def checkpoint(self, epoch: int) -> Path:
        return self.folder / "checkpoints" / f"epoch-{epoch}.keras"


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test in an empty folder, with no history named by the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LAYERWISE_DB", raising=False)


@pytest.fixture
def cli() -> Caller:
    return call


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """One epoch of the demo; tests must not change its history."""
    folder = tmp_path_factory.mktemp("demo")
    said = call("demo", "--out", folder, "--epochs", 1, "--held-out", N_HELD_OUT, "--no-open", "--json")
    assert said.code == 0, said.err
    return Demo(folder, said.json)


@pytest.fixture
def ask(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> Caller:
    """A command line whose history is the demo's."""
    monkeypatch.setitem(os.environ, "LAYERWISE_DB", f"sqlite:///{demo.database}")
    return call

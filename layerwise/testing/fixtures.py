"""Fixtures for the tests of a plugin; `pytest_plugins = ["layerwise.testing.fixtures"]` in its conftest.py has them.

They are not an entry point of pytest: people who merely have Layerwise installed find neither their time nor their
fixtures' names taken.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from layerwise.core.host.registry import Registry
from layerwise.core.network.representation import Representation
from layerwise.core.network.stimuli import LoadedStimuli
from layerwise.testing.histories import make_history
from layerwise.testing.toy import ToyModel, load_digits, make_representations

if TYPE_CHECKING:
    from layerwise.storage import OpenHistory


@dataclass(frozen=True)
class Said:
    """What a command line came to.

    Attributes:
        code: Its exit code: 0 done, 1 the work failed, 2 the call was wrong.
        out: What it wrote on stdout.
        err: What it wrote on stderr.
    """

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed as JSON."""
        return json.loads(self.out)


@pytest.fixture
def toy_model() -> ToyModel:
    """A small trained inception network in NumPy."""
    return ToyModel()


@pytest.fixture
def toy_stimuli() -> LoadedStimuli:
    """Forty handwritten digits, decoded."""
    return load_digits()


@pytest.fixture(scope="session")
def _representations() -> dict[str, Representation]:
    return make_representations()


@pytest.fixture
def small_representations(_representations: dict[str, Representation]) -> dict[str, Representation]:
    """What each layer of the toy network makes of forty digits, by name of the layer, from input to output."""
    return {name: item.take(range(item.n_stimuli)) for name, item in _representations.items()}


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """All plugins, installed ones too; what a test registers in it is gone afterwards.

    Commands that run in this process see it too, so that a plugin can be tried without being installed:
    `registry.register(my_module, "mine", "mine", "1.0")`, then `command_line("compare", ...)`.
    """
    import layerwise.plugins

    loaded = layerwise.plugins.load_plugins()

    def give(*arguments: Any, **options: Any) -> Registry:
        del arguments, options
        return loaded

    monkeypatch.setattr(layerwise.plugins, "load_plugins", give)
    return loaded


@pytest.fixture(scope="session")
def _history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("layerwise") / "history.db"
    make_history(path)
    return path


@pytest.fixture
def temporary_database(_history: Path, tmp_path: Path) -> Path:
    """An SQLite file with one finished run of the toy network; a copy of its own for each test."""
    return Path(shutil.copy(_history, tmp_path / "layerwise.db"))


@pytest.fixture
def temporary_history(temporary_database: Path) -> Iterator[OpenHistory]:
    """A history with one finished run: all layers of the toy network on forty digits."""
    from layerwise.storage import open_store

    with open_store(f"sqlite:///{temporary_database}") as store:
        yield store


@pytest.fixture
def command_line(temporary_database: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Run `layerwise` in this process, on the temporary history.

    `command_line("compare", "latest", "--with", "my-cka", "--json").json` is what it printed.
    """
    from layerwise.cli import main

    monkeypatch.setenv("LAYERWISE_DB", f"sqlite:///{temporary_database}")

    def call(*arguments: object) -> Said:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(argument) for argument in arguments])
        return Said(code, out.getvalue(), err.getvalue())

    return call

"""Plugins that misbehave, installed as distributions of their own, and a network that runs in milliseconds."""

from __future__ import annotations

import importlib
import re
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from layerwise.testing.fixtures import Said, _history, command_line, temporary_database

__all__ = ["Said", "_history", "command_line", "temporary_database"]

TOY = """
from layerwise.plugin import ModelLoader, StimulusSet, StimulusSource, Decoded, hookimpl
from layerwise.testing import ToyModel, load_digits

class Loader(ModelLoader):
    name = "toy"
    description = "a toy network"
    def accepts(self, model): return model == "toy"
    def load(self, request): return ToyModel()

class Digits(StimulusSet):
    def __init__(self):
        self.loaded = load_digits(24)
        self.name, self.source, self.stimuli = self.loaded.name, self.loaded.source, self.loaded.stimuli
    def decode(self, index, size, resize):
        loaded = self.loaded
        return Decoded(loaded.read(index, index + 1)[0], loaded.thumbnails[index], loaded.content_hashes[index])

class Source(StimulusSource):
    name = "digits"
    description = "digits"
    def accepts(self, location): return location == "digits:"
    def open(self, location): return Digits()

@hookimpl
def register_model_loaders(): return [Loader()]

@hookimpl
def register_stimulus_sources(): return [Source()]
"""


class Site:
    """A folder of installed distributions, on the path."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch

    def install(
        self,
        name: str,
        source: str,
        version: str = "1.0",
        requires: tuple[str, ...] = (),
        hooks: tuple[str, ...] | None = None,
    ) -> None:
        """Install a distribution with one module, which is a plugin; one of the same name is replaced.

        It declares the hooks that are functions of its source, unless others are named; without any it is in the
        group `layerwise`, as plugins were before there was one for each hook.
        """
        self.uninstall(name)
        (self.folder / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        info = self.folder / f"{name}-{version}.dist-info"
        info.mkdir()
        needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        declared = re.findall(r"def register_(\w+)", source) if hooks is None else hooks
        groups = [f"layerwise.{hook}" for hook in declared] or ["layerwise"]
        (info / "entry_points.txt").write_text("".join(f"[{group}]\n{name} = {name}\n" for group in groups))
        self._forget(name)

    def uninstall(self, name: str) -> None:
        """Remove a distribution, if it is there."""
        (self.folder / f"{name}.py").unlink(missing_ok=True)
        shutil.rmtree(self.folder / "__pycache__", ignore_errors=True)
        for info in self.folder.glob(f"{name}-*.dist-info"):
            shutil.rmtree(info)
        self._forget(name)

    def _forget(self, name: str) -> None:
        self._monkeypatch.delitem(sys.modules, name, raising=False)
        importlib.invalidate_caches()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Where a test installs plugins; nothing of them is left afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delenv("LAYERWISE_PLUGINS", raising=False)
    return Site(folder, monkeypatch)


@pytest.fixture
def toy(site: Site, command_line: Callable[..., Said]) -> Callable[..., Said]:
    """Run `layerwise run` on the toy network; arguments are added to the command."""
    site.install("lw_toy", TOY)

    def run(*arguments: object) -> Said:
        return command_line("run", "toy", "--stimuli", "digits:", "--layers", "all", *arguments)

    return run

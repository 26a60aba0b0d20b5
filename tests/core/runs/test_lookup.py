"""A run asked for again is found by what its files hold, before anything is loaded; in doubt it is loaded."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import InputError
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import ModelLoader
from layerwise.core.host.registry import Registry
from layerwise.core.runs import lookup
from layerwise.core.runs.lookup import digest_request, find_answer
from layerwise.core.runs.prepared import prepare_run
from layerwise.core.runs.request import RunRequest, SilentObserver
from layerwise.core.runs.run import execute_run
from layerwise.plugins import load_plugins
from layerwise.storage import OpenHistory, open_store


class FileLoader(ModelLoader):
    """A toy whose one number is in its file."""

    name = "toy-file"
    description = "a toy"
    n_loaded = 0

    def __init__(self, make: Callable[..., Any]) -> None:
        self.make = make

    def accepts(self, model: str) -> bool:
        return model.endswith(".toy")

    def load(self, request: Any) -> Any:
        self.n_loaded += 1
        return self.make(seed=int(Path(request.model).read_text()) + request.seed)

    def list_files(self, request: Any) -> list[Path]:
        return [Path(request.model)]


class Silent(FileLoader):
    """The same, which does not say which files it reads."""

    name = "toy-silent"

    def list_files(self, request: Any) -> None:
        return None


def make_registry(loader: ModelLoader, release: str = "1.0") -> Registry:
    registry = load_plugins()
    registry.register(SimpleNamespace(register_model_loaders=hookimpl(lambda: [loader])), "toys", "toys", release)
    return registry


@pytest.fixture
def loader(toy: Any) -> FileLoader:
    return FileLoader(toy.ToyModel)


@pytest.fixture
def registry(loader: FileLoader) -> Registry:
    return make_registry(loader)


@pytest.fixture
def request_(toy: Any, tmp_path: Path) -> RunRequest:
    (tmp_path / "net.toy").write_text("3")
    stimuli = toy.make_stimuli(6)
    np.savez(tmp_path / "noise.npz", images=stimuli.read(0, stimuli.n_stimuli), labels=np.array(stimuli.labels))
    return RunRequest(str(tmp_path / "net.toy"), str(tmp_path / "noise.npz"), layers=("all",))


@pytest.fixture(params=["memory", "sqlite"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[OpenHistory]:
    with open_store("sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/history.db") as store:
        yield store


def compute(request: RunRequest, registry: Registry, store: OpenHistory) -> str:
    digest = digest_request(request, registry)
    return execute_run(prepare_run(request, registry, SilentObserver(), digest), store, SilentObserver()).run_id


def look_up(request: RunRequest, registry: Registry, store: OpenHistory) -> Any:
    return find_answer(digest_request(request, registry), request, registry, store, print)


def test_what_was_computed_is_found_without_loading(request_, registry, store, loader):
    assert look_up(request_, registry, store) is None
    run_id = compute(request_, registry, store)
    assert loader.n_loaded == 1
    found = look_up(request_, registry, store)
    assert (found.run_id, found.status, found.n_stimuli) == (run_id, "stored", 6)
    assert found.layers == tuple(layer.name for layer in store.list_layers(run_id))
    assert loader.n_loaded == 1


def test_files_that_have_moved_are_known_by_what_they_hold(request_, registry, store, tmp_path):
    run_id = compute(request_, registry, store)
    (tmp_path / "elsewhere").mkdir()
    for name in ("net.toy", "noise.npz"):
        (tmp_path / name).rename(tmp_path / "elsewhere" / name)
        os.utime(tmp_path / "elsewhere" / name, (1, 1))
    moved = dataclasses.replace(
        request_, model=str(tmp_path / "elsewhere/net.toy"), stimuli=str(tmp_path / "elsewhere/noise.npz")
    )
    assert look_up(moved, registry, store).run_id == run_id


def test_one_other_byte_is_another_request_whatever_size_and_time_say(request_, registry, store, tmp_path):
    compute(request_, registry, store)
    for name, content in (("net.toy", b"4"), ("noise.npz", None)):
        path = tmp_path / name
        before, times = path.read_bytes(), path.stat()
        changed = content or before[:-1] + bytes([before[-1] ^ 1])
        assert len(changed) == len(before)
        path.write_bytes(changed)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert look_up(request_, registry, store) is None, name
        path.write_bytes(before)


@pytest.mark.parametrize(
    "change",
    [
        {"limit": 4},
        {"layers": ("main",)},
        {"transforms": ("binarize",)},
        {"batch_size": 8},
        {"seed": 1},
        {"preprocessing": "unit"},
        {"skip_bad": True},
        {"resize": "crop"},
        {"step": 2},
        {"tags": {"a": "b"}},
        {"allow_unsafe": True},
    ],
    ids=str,
)
def test_every_option_is_part_of_the_request(request_, registry, store, change):
    compute(request_, registry, store)
    assert look_up(dataclasses.replace(request_, **change), registry, store) is None


def test_force_asks_nothing(request_, registry, store):
    compute(request_, registry, store)
    assert look_up(dataclasses.replace(request_, force=True), registry, store) is None


def test_another_release_of_what_computes_is_in_doubt_and_then_the_fingerprint_decides(
    request_, registry, store, loader, monkeypatch
):
    run_id = compute(request_, registry, store)
    assert look_up(request_, make_registry(loader, "1.1"), store) is None
    monkeypatch.setattr(lookup, "distribution_version", lambda name: f"another {name}")
    assert look_up(request_, registry, store) is None
    assert compute(request_, registry, store) == run_id  # loaded, and known by its fingerprint
    assert look_up(request_, registry, store).run_id == run_id  # from now on under the new release, too


def test_a_loader_that_does_not_say_what_it_reads_is_in_doubt(request_, toy, store):
    registry = make_registry(Silent(toy.ToyModel))
    assert digest_request(request_, registry) is None
    compute(request_, registry, store)
    assert look_up(request_, registry, store) is None


def test_objects_have_no_digest(request_, registry, toy):
    assert digest_request(dataclasses.replace(request_, model=toy.ToyModel()), registry) is None
    assert digest_request(dataclasses.replace(request_, stimuli=toy.make_stimuli(6)), registry) is None


def test_a_file_that_is_missing_or_no_file_is_left_to_loading(request_, registry, tmp_path):
    (tmp_path / "net.toy").unlink()
    assert digest_request(request_, registry) is None
    os.mkfifo(tmp_path / "net.toy")
    assert digest_request(request_, registry) is None


def test_a_run_that_is_deleted_answers_nothing(request_, registry, store):
    store.delete_run(compute(request_, registry, store))
    assert look_up(request_, registry, store) is None


def test_a_name_that_nothing_answers_to_is_told_at_once(request_, registry):
    with pytest.raises(InputError, match="no transform 'nothing'"):
        digest_request(dataclasses.replace(request_, transforms=("nothing",)), registry)

"""A scheduler that is lost ends a run in one clear line, and the same command goes on from what is finished."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.history.memory import MemoryHistory
from layerwise.core.history.records import LayerAddress
from layerwise.core.host.registry import Registry
from layerwise.core.runs.prepared import prepare_run
from layerwise.core.runs.request import RunOutcome, RunRequest, SilentObserver
from layerwise.core.runs.run import execute_run
from layerwise.testing import load_digits

pytest.importorskip("distributed")


@contextmanager
def start(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of Dask's, gone at the end."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-m", *arguments], **quiet)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def start_scheduler(n_workers: int = 2) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A scheduler and its workers, each a process, and the scheduler's address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    with ExitStack() as stack:
        scheduler = ("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port))
        process = stack.enter_context(start(*scheduler, "--no-dashboard", "--dashboard-address", "127.0.0.1:0"))
        wait_for(port)
        for _ in range(n_workers):
            worker = ("distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
            stack.enter_context(start(*worker, "--death-timeout", "5"))
        yield process, address


def wait_for(port: int) -> None:
    """Until somebody listens there."""
    for _ in range(600):
        with socket.socket() as found:
            if found.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("the scheduler did not start")


class Killer(SilentObserver):
    """Kills a process once some layers are finished."""

    def __init__(self, process: subprocess.Popen[bytes], n_layers: int) -> None:
        self.process, self.n_layers = process, n_layers

    def layer_finished(self, name: str) -> None:
        self.n_layers -= 1
        if self.n_layers == 0:
            self.process.kill()


def run(registry: Registry, store: MemoryHistory, request: RunRequest, observer: Any = None) -> RunOutcome:
    observer = observer or SilentObserver()
    return execute_run(prepare_run(request, registry, observer), store, observer)


def make_request(model_file: Path, shared: Path, **changes: Any) -> RunRequest:
    stimuli = load_digits(40)
    request = RunRequest(str(model_file), stimuli, layers=("all",), batch_size=5, engine="dask")
    return replace(request, engine_settings={"shared": str(shared), **changes})


def test_a_scheduler_that_is_killed_ends_the_run_in_one_line_and_the_same_command_goes_on(
    registry: Registry, model_file: Path, cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("layerwise.plugins.engines.cluster.ANSWER_SECONDS", 2)
    monkeypatch.setattr("layerwise.core.runs.streaming.planner.chunk_width", lambda n: 64)
    store, shared = MemoryHistory(), tmp_path / "shared"
    with start_scheduler() as (process, address):
        request = make_request(model_file, shared, scheduler=address)
        with pytest.raises(LayerwiseError, match=r"the scheduler at tcp://.* was lost; the same command") as caught:
            run(registry, store, request, Killer(process, 3))
    assert "\n" not in str(caught.value)
    assert not list(shared.iterdir())
    outcome = run(registry, store, make_request(model_file, shared, scheduler=cluster.scheduler_address))
    assert outcome.resumed
    expect_same_run(registry, store, outcome, replace(request, engine="local", engine_settings={}))


def expect_same_run(registry: Registry, store: MemoryHistory, outcome: RunOutcome, request: RunRequest) -> None:
    """That a run has the representations of one by another engine, bit for bit."""
    other = MemoryHistory()
    expected = run(registry, other, request)
    assert outcome.layers == expected.layers
    for layer in expected.layers:
        one = store.read_representation(LayerAddress(outcome.run_id, layer))
        two = other.read_representation(LayerAddress(expected.run_id, layer))
        assert np.array_equal(one.entries, two.entries)
        assert np.array_equal(one.deviation, two.deviation)


def test_two_runs_on_one_scheduler_do_not_collide(
    registry: Registry, model_file: Path, cluster: Any, tmp_path: Path
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    request = make_request(model_file, tmp_path / "shared", scheduler=cluster.scheduler_address)
    other = replace(request, stimuli=load_digits(30))
    stores = MemoryHistory(), MemoryHistory()
    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(run, (registry, registry), stores, (request, other)))
    for store, outcome, asked in zip(stores, outcomes, (request, other), strict=True):
        expect_same_run(registry, store, outcome, replace(asked, engine="local", engine_settings={}))


def test_the_local_engine_has_no_scheduler(registry: Registry, model_file: Path) -> None:
    request = RunRequest(str(model_file), load_digits(20), engine_settings={"scheduler": "tcp://127.0.0.1:8786"})
    with pytest.raises(InputError, match="engine local has no parameter 'scheduler'"):
        prepare_run(request, registry, SilentObserver())

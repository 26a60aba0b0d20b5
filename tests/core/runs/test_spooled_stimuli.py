"""A run whose decoded stimuli do not fit into its memory has them on disk, and nothing else about it changes."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.blas import single_threaded_blas
from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.history.memory import MemoryHistory
from layerwise.core.history.records import LayerAddress
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import StimulusSource
from layerwise.core.host.registry import Registry
from layerwise.core.network.graph import Graph, Node
from layerwise.core.network.stimuli import Decoded, Stimulus, StimulusSet
from layerwise.core.runs.keeping import SpooledPixels
from layerwise.core.runs.prepared import PreparedRun, prepare_run
from layerwise.core.runs.request import RunRequest, SilentObserver
from layerwise.core.runs.run import execute_run
from layerwise.plugins import load_plugins
from layerwise.storage import open_store

MIB = 2**20
FACTOR = 8  # pictures are so much larger than what the toy network sees of them
LAYERS = ("main", "branches")
needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")


class MadeUp(StimulusSet):
    """Pictures that are drawn when they are asked for; the numbers in `torn` cannot be."""

    def __init__(self, n_stimuli: int, torn: tuple[int, ...] = ()) -> None:
        self.name = self.source = f"made-up:{n_stimuli}"
        self.stimuli = tuple(Stimulus(f"{index}", str(index % 10)) for index in range(n_stimuli))
        self.torn = torn

    def decode(self, index, size, resize):
        if index in self.torn:
            return SimpleNamespace()
        pixels = np.random.default_rng(index).integers(0, 256, (*size, 3), dtype=np.uint8)
        return Decoded(pixels, b"jpeg", hashlib.sha256(str(index).encode()).hexdigest())


class MadeUpSource(StimulusSource):
    name = "made-up"
    description = "made-up:N"

    def accepts(self, location):
        return location.startswith("made-up:")

    def open(self, location):
        n_stimuli, _, torn = location.removeprefix("made-up:").partition("-")
        return MadeUp(int(n_stimuli), (int(torn),) if torn else ())


@pytest.fixture
def registry() -> Registry:
    registry = load_plugins()
    plugin = SimpleNamespace(register_stimulus_sources=hookimpl(lambda: [MadeUpSource()]))
    registry.register(plugin, "made-up", "made-up", "1")
    return registry


@pytest.fixture
def model(toy: Any) -> Any:
    class LargePictures(toy.ToyModel):
        def _apply(self, node: Node, inputs: Any) -> Any:
            if node.name == "small":
                n, side = len(inputs[0]), toy.SIDE
                return inputs[0].reshape(n, side, FACTOR, side, FACTOR, 3).mean(axis=(2, 4))
            return super()._apply(node, inputs)

    model, side = LargePictures(), FACTOR * toy.SIDE
    first, conv, *others = model.graph
    large = dataclasses.replace(first, shape=(side, side, 3))
    small = Node("small", "pool", ("input",), first.shape, (FACTOR, FACTOR))
    model.graph = Graph((large, small, dataclasses.replace(conv, inputs=("small",)), *others), "output")
    model.layers = model.layers[1:]
    model.info = dataclasses.replace(model.info, input_shape=large.shape)
    return model


@pytest.fixture
def request_for(model: Any, tmp_path: Path) -> Any:
    (tmp_path / "spool").mkdir()

    def make(n_stimuli: int | str, **more: Any) -> RunRequest:
        more = {"layers": LAYERS, "spool": 2**32, "spool_folder": tmp_path / "spool", **more}
        return RunRequest(model, f"made-up:{n_stimuli}", **more)

    return make


def open_files(folder: Path) -> int:
    """Files of this process that lie in a folder, with or without a name."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(link.readlink().is_relative_to(folder) for link in links)


def least_memory(request: RunRequest, registry: Registry) -> int:
    """What a refusal says that a run needs."""
    with pytest.raises(InputError) as refused:
        prepare_run(dataclasses.replace(request, memory=MIB), registry, SilentObserver())
    return int(re.search(r"need (\d+) MiB", str(refused.value))[1]) * MIB  # type: ignore[index]


def carry_out(prepared: PreparedRun, store: Any) -> str:
    return execute_run(prepared, store, SilentObserver()).run_id


def check_same_bits(store: Any, first: str, second: str, n_layers: int) -> None:
    names = [layer.name for layer in store.list_layers(first)]
    assert len(names) == n_layers
    for name in names:
        one, other = (store.read_representation(LayerAddress(run_id, name)) for run_id in (first, second))
        assert one.entries.tobytes() == other.entries.tobytes()
        assert one.deviation.tobytes() == other.deviation.tobytes()


@pytest.mark.parametrize(
    ("n_stimuli", "layers"), [(120, LAYERS), pytest.param(3000, ("pool", "output"), marks=pytest.mark.slow)]
)
def test_stimuli_on_disk_give_the_same_bits_as_stimuli_in_memory(
    registry: Registry, request_for: Any, tmp_path: Path, n_stimuli: int, layers: tuple[str, ...]
) -> None:
    request = request_for(n_stimuli, layers=layers)
    ample = prepare_run(dataclasses.replace(request, memory=2**33), registry, SilentObserver())
    tight = prepare_run(
        dataclasses.replace(request, memory=least_memory(request, registry), force=True), registry, SilentObserver()
    )
    n_bytes = n_stimuli * (12 * FACTOR) ** 2 * 3
    assert (ample.stimuli.pixels.memory_bytes, ample.stimuli.pixels.spool_bytes) == (n_bytes, 0)
    assert (tight.stimuli.pixels.memory_bytes, tight.stimuli.pixels.spool_bytes) == (0, n_bytes)
    assert tight.plan.spool_bytes >= n_bytes > ample.plan.spool_bytes
    with open_store(f"sqlite:///{tmp_path}/history.db") as store:
        first, second = carry_out(ample, store), carry_out(tight, store)
        check_same_bits(store, first, second, len(ample.layers))


def test_stimuli_within_their_share_move_to_disk_where_there_is_no_plan_with_them(
    registry: Registry, request_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("layerwise.core.runs.keeping._SHARE", 1)
    request = request_for(120)
    budget = least_memory(request, registry)
    prepared = prepare_run(dataclasses.replace(request, memory=budget), registry, SilentObserver())
    assert isinstance(prepared.stimuli.pixels, SpooledPixels)
    assert prepared.plan.memory_bytes <= budget
    roomy = prepare_run(dataclasses.replace(request, memory=2 * budget), registry, SilentObserver())
    assert roomy.stimuli.pixels.memory_bytes > 0


def test_a_run_with_spooled_stimuli_holds_no_more_than_its_plan_predicted(
    registry: Registry, request_for: Any, tmp_path: Path
) -> None:
    request = request_for(400)
    with open_store(f"sqlite:///{tmp_path}/warm.db") as store:  # imports would count
        carry_out(prepare_run(dataclasses.replace(request, limit=12), registry, SilentObserver()), store)
    request = dataclasses.replace(request, memory=least_memory(request, registry))
    tracemalloc.start()
    try:
        prepared = prepare_run(request, registry, SilentObserver())
        assert tracemalloc.get_traced_memory()[1] < prepared.stimuli.pixels.n_bytes // 4
        tracemalloc.reset_peak()
        with open_store(f"sqlite:///{tmp_path}/history.db") as store, single_threaded_blas():
            carry_out(prepared, store)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(prepared.stimuli.pixels, SpooledPixels)
    assert peak <= prepared.plan.memory_bytes <= request.memory  # type: ignore[operator]


def test_a_disk_that_is_full_while_stimuli_are_spooled_is_one_clear_error(
    registry: Registry, request_for: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    def fill_up(file: Any, view: memoryview, offset: int) -> int:
        if offset > MIB:
            raise OSError(28, "No space left on device")
        written.append(len(view))
        return len(view)

    monkeypatch.setattr("os.pwrite", fill_up)
    with pytest.raises(LayerwiseError) as failed:
        prepare_run(request_for(120, memory=8 * MIB), registry, SilentObserver())
    assert written
    assert re.fullmatch(r"spooling to .*spool failed: No space left on device; .*", str(failed.value))
    assert not list((tmp_path / "spool").iterdir())
    if Path("/proc/self/fd").is_dir():
        assert open_files(tmp_path / "spool") == 0


class StopAt:
    """An observer that interrupts when a layer is finished."""

    def __init__(self, layer: str, error: BaseException) -> None:
        self.layer, self.error = layer, error

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None

    def layer_finished(self, name: str) -> None:
        if name == self.layer:
            raise self.error


@needs_proc
@pytest.mark.parametrize("error", [KeyboardInterrupt(), LayerwiseError("no space left"), None])
def test_the_file_is_gone_when_a_run_has_ended_however_it_ended(
    registry: Registry, request_for: Any, tmp_path: Path, error: BaseException | None
) -> None:
    folder = tmp_path / "spool"
    request = request_for(120)
    prepared = prepare_run(
        dataclasses.replace(request, memory=least_memory(request, registry)), registry, SilentObserver()
    )
    assert open_files(folder) == 1
    if error is None:
        carry_out(prepared, MemoryHistory())
    else:
        with pytest.raises(type(error)):
            execute_run(prepared, MemoryHistory(), StopAt("pool", error))  # type: ignore[arg-type]
    assert open_files(folder) == 0


@needs_proc
def test_the_file_is_gone_when_stimuli_turn_out_to_be_bad_or_no_plan_can_be_made(
    registry: Registry, request_for: Any, tmp_path: Path
) -> None:
    with pytest.raises(LayerwiseError, match="decode returned"):
        prepare_run(request_for("120-119", memory=8 * MIB), registry, SilentObserver())
    assert open_files(tmp_path / "spool") == 0
    with pytest.raises(InputError, match="need"):
        prepare_run(request_for(120, memory=2 * MIB), registry, SilentObserver())
    assert open_files(tmp_path / "spool") == 0


KILLED = """
import sys, time
from pathlib import Path
import numpy as np
from layerwise.core.runs.keeping import KeepingBudget, PixelKeeper
keeper = PixelKeeper(50, (100, 100, 3), KeepingBudget(0, 2**30, None, Path(sys.argv[1])))
for _ in range(50):
    keeper.add(np.ones((100, 100, 3), np.uint8))
print(keeper.finish().spool_bytes, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_process_that_is_killed_leaves_no_file(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1500000\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not list(tmp_path.iterdir())

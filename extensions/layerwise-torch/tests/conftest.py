"""What the extension's tests share: networks that can be loaded by import path, pixels, the real data."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from layerwise.plugin import LoadRequest, Model

pytest_plugins = ["layerwise.testing.fixtures"]

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
torch.set_num_threads(2)
NETWORKS = Path(__file__).parent / "networks"


SECONDS_MOST = 600
"""After so long a test has no end: what hangs must fail rather than be waited for."""


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    """Fail whatever does not come back, on systems that have alarms."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def fail(*_: object) -> None:
        raise TimeoutError(f"no end after {SECONDS_MOST} seconds")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(SECONDS_MOST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def in_networks(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test runs in the folder of the networks, so that `torch:small:Inception` finds them."""
    monkeypatch.chdir(NETWORKS)
    monkeypatch.syspath_prepend(NETWORKS)
    monkeypatch.delenv("LAYERWISE_TORCH_DEVICE", raising=False)
    return NETWORKS


@pytest.fixture
def load() -> Callable[..., Model]:
    """Load a model as the command line would: `load("torch:small:Inception", weights=...)`."""
    from layerwise_torch import register_model_loaders

    def load_model(model: str, **options: Any) -> Model:
        loader = next(loader for loader in register_model_loaders() if loader.accepts(model))
        return loader.load(LoadRequest(model, **options))

    return load_model


@pytest.fixture
def pixels() -> Any:
    """Six pictures of noise, (6, 32, 32, 3)."""
    return np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def values(pixels: Any) -> Callable[..., dict[str, Any]]:
    """What a model's layers make of those pictures, by name: (6, *shape) float32."""

    def compute(model: Model, *names: str) -> dict[str, Any]:
        nodes = {layer.name: layer.node for layer in model.layers if not names or layer.name in names}
        tensors = model.compile(model.graph.input, list(nodes.values()))(model.preprocess(pixels))
        return dict(zip(nodes, tensors, strict=True))

    return compute


@pytest.fixture
def small_state() -> dict[str, Any]:
    """Weights for `small.Inception`, the same in every test."""
    import small

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        return dict(small.Inception().state_dict())


@pytest.fixture
def network(small_state: dict[str, Any]) -> Any:
    """The `small.Inception` with those weights, in evaluation mode, as its own code gives it."""
    import small

    made = small.Inception()
    made.load_state_dict(small_state)
    return made.eval()


@pytest.fixture
def state_file(small_state: dict[str, Any], tmp_path: Path) -> Path:
    """Those weights in a file."""
    path = tmp_path / "small.pth"
    torch.save(small_state, path)
    return path


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the real weights and photos; tests that need it are skipped, saying so, without it."""
    named = os.environ.get("LAYERWISE_DATA")
    folder = Path(named) if named else Path(__file__).parents[4] / "shared" / "data"
    if not (folder / "imagenet500").is_dir():
        pytest.skip("needs the real weights and photos: set LAYERWISE_DATA or check out beside shared/data")
    return folder

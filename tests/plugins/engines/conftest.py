"""A plugin whose models other processes can load, and clusters of such processes on this machine."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.core.host import kinds
from layerwise.core.host.jobs import ModelRecipe, StreamJob
from layerwise.core.host.plans import Budget, Target
from layerwise.core.host.registry import Registry
from layerwise.core.network.model import LoadRequest
from layerwise.core.runs.loading import load_model
from layerwise.core.runs.streaming.planner import plan_stream
from layerwise.plugins import load_plugins
from layerwise.testing import load_digits

ROOMY = Budget(memory=2**28, spool=2**28)

PLUGIN = '''
"""The toy network from a file whose bytes are its fingerprint; slow, so that something can happen meanwhile."""

import hashlib
import time
from dataclasses import replace
from pathlib import Path

from layerwise.plugin import ModelLoader, hookimpl
from layerwise.testing import ToyModel


class SlowToy(ToyModel):
    def preprocess(self, pixels):
        time.sleep(0.02)
        return super().preprocess(pixels)


class ToyLoader(ModelLoader):
    name = "filed-toy"
    description = "toy networks in files"

    def accepts(self, model):
        return model.endswith(".toy")

    def load(self, request):
        model = SlowToy()
        content = hashlib.sha256(Path(request.model).read_bytes()).hexdigest()
        model.info = replace(model.info, fingerprint=content)
        return model


@hookimpl
def register_model_loaders():
    return [ToyLoader()]

'''


@pytest.fixture(scope="module")
def plugin_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with an installed plugin that offers the toy network."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "layerwise_filed_toy.py").write_text(textwrap.dedent(PLUGIN), encoding="utf-8")
    record = folder / "layerwise_filed_toy-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: layerwise-filed-toy\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("[layerwise]\nfiled_toy = layerwise_filed_toy\n")
    before, path = os.environ.get("PYTHONPATH"), list(sys.path)
    root = str(Path(__file__).parents[3])
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), root, *([before] if before else [])])
    sys.path.insert(0, str(folder))
    yield folder
    sys.path[:] = path
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="module")
def registry(plugin_folder: Path) -> Registry:
    """What is installed, with that plugin."""
    return load_plugins()


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """A file that the plugin loads."""
    path = tmp_path / "network.toy"
    path.write_bytes(b"first")
    return path


JobMaker = Callable[..., StreamJob]


@pytest.fixture
def make_file_job(registry: Registry, model_file: Path) -> JobMaker:
    """Makes jobs of the toy network in a file."""

    def make(n_stimuli: int = 60, batch_size: int = 5, budget: Budget = ROOMY) -> StreamJob:
        request = LoadRequest(str(model_file))
        loader, model = load_model(registry, request)
        transforms = [None, *(registry.get(kinds.Transform, name) for name in ("zscore-units", "spatial-mean"))]
        targets = tuple(Target(layer, transform) for layer in model.layers for transform in transforms)
        features = {target.key: count_features(target) for target in targets}
        stimuli = load_digits(n_stimuli)
        plan = plan_stream(model.graph, targets, features, n_stimuli, batch_size, budget)
        recipe = ModelRecipe(loader.qualified_name, request, model.info.fingerprint)
        return StreamJob(model, stimuli, targets, plan, keep=frozenset({"output"}), recipe=recipe)

    return make


def count_features(target: Target) -> int:
    """Features of a target, which a transform may change."""
    if target.transform is None:
        return target.layer.n_features
    probe = np.zeros((2, *target.layer.shape), dtype=np.float32)
    return int(target.transform.offer.apply(probe).reshape(2, -1).shape[1])


@pytest.fixture(scope="module")
def cluster(plugin_folder: Path) -> Iterator[Any]:
    """Two workers of one thread each, processes of this machine; one that dies is started again."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", memory_limit=0, silence_logs=50
    ) as found:
        yield found

"""Networks whose tensors stay with TensorFlow, as on a GPU: the same layers as with NumPy, whatever is held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.core.history.memory import MemoryHistory
from layerwise.core.history.records import LayerAddress
from layerwise.core.network.graph import Graph, Node
from layerwise.core.runs.prepared import prepare_run
from layerwise.core.runs.request import RunRequest, SilentObserver
from layerwise.core.runs.run import execute_run
from layerwise.plugins import load_plugins
from layerwise.plugins.loaders.tensorflow import placement
from layerwise.plugins.loaders.tensorflow.arrays import TensorFlowArrays
from layerwise.plugins.loaders.tensorflow.placement import Placement
from layerwise.testing import check_arrays

HELD = 2**26


@pytest.mark.parametrize("seed", [0, 1])
def test_sums_of_tensorflow_are_those_of_numpy(seed: int) -> None:
    check_arrays(TensorFlowArrays("/CPU:0", "cpu"), seed=seed)


def test_a_buffer_gives_what_was_written_last() -> None:
    import tensorflow as tf

    arrays = TensorFlowArrays("/CPU:0", "cpu")
    buffer, expected = arrays.empty(60), np.zeros(60, np.float32)
    rng = np.random.default_rng(0)
    for _ in range(200):
        start, stop = np.sort(rng.integers(0, 61, 2))
        values = rng.normal(size=stop - start).astype(np.float32)
        if len(values):
            arrays.write(buffer[start:stop], arrays.send(values))
            expected[start:stop] = values
        first, last = np.sort(rng.integers(0, 61, 2))
        np.testing.assert_array_equal(arrays.fetch(buffer[first:last]), expected[first:last])
    np.testing.assert_array_equal(arrays.fetch(buffer.reshape(6, -1)[2:4]), expected.reshape(6, 10)[2:4])
    half = type(arrays.send(expected))(tf.cast(expected, tf.bfloat16))
    assert arrays.fetch(half).dtype == np.float32


def test_sums_are_in_full_precision_and_the_users_choice_stays() -> None:
    import tensorflow as tf

    settings = tf.config.experimental
    settings.enable_tensor_float_32_execution(True)
    with TensorFlowArrays("/CPU:0", "cpu").on_device():
        assert not settings.tensor_float_32_execution_enabled()
    assert settings.tensor_float_32_execution_enabled()


@pytest.fixture
def on_device(monkeypatch: pytest.MonkeyPatch) -> Any:
    """From when it is called on, TensorFlow's networks keep their tensors."""

    def begin() -> None:
        found = Placement(TensorFlowArrays("/CPU:0", "a device", HELD))
        monkeypatch.setattr(placement, "find_placement", lambda: found)

    return begin


def analyse(model: Any, pixels: Path, **settings: Any) -> tuple[Any, dict[str, Any]]:
    request = RunRequest(str(model), str(pixels), layers=("all",), batch_size=8, **settings)
    store = MemoryHistory()
    outcome = execute_run(prepare_run(request, load_plugins(), SilentObserver()), store, SilentObserver())
    found = {name: store.read_representation(LayerAddress(outcome.run_id, name)) for name in outcome.layers}
    return store.find_run(outcome.run_id), found


@pytest.mark.parametrize("kind", ["frozen_graph", "saved_model", "keras_file"])
@pytest.mark.parametrize("settings", [{}, {"memory": 2**21}, {"transforms": ("rank", "zscore-units")}])
def test_a_run_that_keeps_its_tensors_gives_the_same_layers(
    kind: str, settings: dict[str, Any], request: Any, tmp_path: Path, on_device: Any, load: Any
) -> None:
    model = request.getfixturevalue(kind)
    shape = load(model).info.input_shape[:2]
    path = tmp_path / "noise.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (20, *shape, 3), dtype=np.uint8))
    plain = {name: value for name, value in settings.items() if name != "memory"}
    record, expected = analyse(model, path, **plain)
    assert record.host["device"] == "cpu"
    on_device()
    record, found = analyse(model, path, **settings)
    assert record.host["device"] == "a device"
    assert found.keys() == expected.keys()
    for name, layer in found.items():
        np.testing.assert_allclose(layer.correlation, expected[name].correlation, atol=1e-6, err_msg=name)
    costs = record.attempts[-1].costs
    assert costs is not None
    assert costs.happened.memory_bytes is None  # which would be the host's


def test_what_is_ablated_there_is_what_is_ablated_here(
    keras_file: Path, frozen_graph: Path, tmp_path: Path, on_device: Any, load: Any
) -> None:
    for number, (model, layer) in enumerate(((keras_file, None), (frozen_graph, "mixed3a/5x5"))):
        loaded = load(model)
        path = tmp_path / f"{number}.npy"
        shape = (20, *loaded.info.input_shape[:2], 3)
        np.save(path, np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
        ablated = (layer or next(one.name for one in loaded.layers if one.branch),)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(placement, "find_placement", Placement)
            _, expected = analyse(model, path, ablate=ablated, ablate_with="mean")
        on_device()
        _, found = analyse(model, path, ablate=ablated, ablate_with="mean")
        for name, one in found.items():
            np.testing.assert_allclose(one.correlation, expected[name].correlation, atol=1e-6, err_msg=name)


def test_the_processor_is_left_to_numpy() -> None:
    assert placement.find_placement().arrays is None


@pytest.mark.parametrize(("memory", "expected"), [(None, None), (2**30, 32), (2**38, 256), (2**20, 16)])
def test_batches_fill_a_device(memory: int | None, expected: int | None) -> None:
    graph = Graph((Node("input", "input", (), (128, 128, 8)),), "input")
    assert Placement(memory=memory).choose_batch(graph) == expected

"""What a user may rely on when loading frozen graphs and SavedModel folders."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import InputError


def named(model: Any, *names: str) -> list[Any]:
    by_name = {layer.name: layer for layer in model.layers}
    return [by_name[name] for name in names]


def test_a_frozen_graph_tells_its_main_layers_by_their_own_names(load: Any, frozen_graph: Path) -> None:
    model = load(frozen_graph)
    main = [layer.name for layer in model.layers if layer.is_main]
    assert main == [
        "input",
        "conv2d0",
        "maxpool0",
        "mixed3a",
        "maxpool4",
        "avgpool0",
        "softmax2_pre_activation",
        "softmax2",
    ]


def test_a_frozen_graph_has_its_branches_and_logits(load: Any, frozen_graph: Path) -> None:
    model = load(frozen_graph)
    (block,) = named(model, "mixed3a")
    assert block.parts == ("mixed3a/1x1", "mixed3a/3x3", "mixed3a/5x5", "mixed3a/pool")
    assert sum(part.n_features for part in named(model, *block.parts)) == block.n_features
    assert [part.node for part in named(model, *block.parts)][-1] == "mixed3a_pool_reduce"
    assert [layer.name for layer in model.layers if layer.role == "logits"] == ["softmax2_pre_activation"]


def test_a_frozen_graph_leaves_auxiliary_heads_out(load: Any, frozen_graph: Path) -> None:
    model = load(frozen_graph)
    assert "softmax0" not in model.graph
    assert "head0_w" not in {tensor.name for tensor in model.weights()}


def test_a_frozen_graph_computes_what_tensorflow_computes(load: Any, frozen_graph: Path) -> None:
    import tensorflow as tf

    model = load(frozen_graph)
    images = np.random.default_rng(0).normal(size=(3, 8, 8, 3)).astype(np.float32)
    names = ["conv2d0", "mixed3a_5x5", "softmax2"]
    graph = tf.compat.v1.GraphDef.FromString(frozen_graph.read_bytes())
    with tf.compat.v1.Graph().as_default():
        tf.import_graph_def(graph, name="")
        with tf.compat.v1.Session() as session:
            expected = session.run([f"{name}:0" for name in names], {"input:0": images})
    for ours, theirs in zip(model.compile("input", names)(images), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["frozen_graph", "saved_model", "keras_file"])
def test_segments_laid_end_to_end_give_what_the_whole_gives(load: Any, kind: str, request: Any) -> None:
    model = load(request.getfixturevalue(kind))
    images = np.random.default_rng(1).normal(size=(2, *model.info.input_shape)).astype(np.float32)
    (expected,) = model.compile(model.graph.input, [model.graph.output])(images)
    tensor = images
    cuts = model.graph.cut_points()
    for start, end in itertools.pairwise(cuts):
        before, tensor = model.compile(start, [start, end])(tensor)
        assert before.shape[1:] == model.graph[start].shape
        assert tensor.dtype == np.float32
        assert tensor.shape[1:] == model.graph[end].shape
    np.testing.assert_allclose(tensor, expected, rtol=1e-5, atol=1e-6)


def test_weights_of_a_frozen_graph_are_its_constants(load: Any, frozen_graph: Path) -> None:
    weights = {tensor.name: tensor for tensor in load(frozen_graph).weights()}
    assert weights["mixed3a_5x5_w"].values.shape == (5, 5, 2, 2)
    assert list(weights)[:2] == ["conv2d0_w", "conv2d0_b"]
    assert "mixed3a/concat_dim" not in weights


def test_a_saved_model_gives_what_the_keras_model_gives(
    load: Any, saved_model: Path, small_network: Any, pixels: np.ndarray
) -> None:
    model = load(saved_model)
    (output,) = model.compile(model.graph.input, [model.graph.output])(model.preprocess(pixels))
    np.testing.assert_allclose(output, small_network.predict(pixels.astype(np.float32), verbose=0), atol=1e-6)


def test_a_saved_model_has_its_block_and_logits(load: Any, saved_model: Path) -> None:
    model = load(saved_model)
    (block,) = [layer for layer in model.layers if layer.parts]
    assert [part.rpartition("/")[2] for part in block.parts] == ["1x1", "3x3", "pool"]
    assert block.shape == (12, 12, 12)
    assert not any("StatefulPartitionedCall" in layer.name for layer in model.layers)
    assert model.info.has_probabilities
    assert [layer.shape for layer in model.layers if layer.role == "logits"] == [(5,)]


def test_a_file_that_is_no_graph_is_one_clear_line(load: Any, tmp_path: Path, frozen_graph: Path) -> None:
    wrong = {
        "text.pb": b"this is not a graph",
        "empty.pb": b"",
        "cut.pb": frozen_graph.read_bytes()[:1500],
    }
    for name, content in wrong.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name) as caught:
            load(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_graph_with_variables_is_refused_as_not_frozen(load: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 4, 4, 3], name="input")
        v1.multiply(x, v1.get_variable("scale", [3], use_resource=False), name="output")
    path = tmp_path / "open.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(InputError, match="not frozen: 'scale"):
        load(path)


def test_an_input_of_unknown_size_is_taken_as_a_photo_of_224(load: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, name="input")
        kernel = v1.constant(np.ones((1, 1, 3, 2), np.float32))
        v1.nn.relu(v1.nn.conv2d(x, kernel, strides=[1, 2, 2, 1], padding="SAME"), name="last")
    path = tmp_path / "open.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    model = load(path)
    assert model.info.input_shape == (224, 224, 3)
    assert model.layers[-1].shape == (112, 112, 2)


def test_inception_5h_is_known_by_its_layers_and_loses_its_mean(load: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 4, 4, 3], name="input")
        for name in ("conv2d0", "mixed3a", "mixed4c", "mixed5b"):
            x = v1.nn.relu(x, name=name)
        v1.nn.softmax(v1.reduce_mean(x, [1, 2], name="avgpool0"), name="softmax2")
    path = tmp_path / "inception.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    model = load(path)
    assert model.info.preprocessing == "RGB minus 117"
    assert model.preprocess(np.full((1, 4, 4, 3), 120, np.uint8)).max() == 3
    assert load(path, preprocessing="unit").info.preprocessing == "pixels / 255"


def test_a_folder_with_a_damaged_saved_model_is_one_clear_line(load: Any, tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"\x00\x01 nonsense")
    with pytest.raises(InputError, match="cannot load the SavedModel") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)

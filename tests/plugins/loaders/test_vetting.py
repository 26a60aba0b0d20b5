"""TensorFlow graphs and SavedModels that do more than compute are refused before anything of them has run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import InputError
from layerwise.plugins.loaders.vetting.computing_ops import COMPUTING_OPS

KERNEL = np.random.default_rng(2).normal(size=(192, 4)).astype(np.float32)
ACTING = {
    "WriteFile": lambda tf, mark: tf.raw_ops.WriteFile(filename=mark, contents="written"),
    "PrintV2": lambda tf, mark: tf.raw_ops.PrintV2(input="written", output_stream=f"file://{mark}"),
    "SaveV2": lambda tf, mark: tf.raw_ops.SaveV2(
        prefix=mark, tensor_names=["a"], shape_and_slices=[""], tensors=[1.0]
    ),
    "ReadFile": lambda tf, mark: tf.raw_ops.ReadFile(filename=mark),
    "MatchingFiles": lambda tf, mark: tf.raw_ops.MatchingFiles(pattern=mark),
    "PyFunc": lambda tf, mark: tf.raw_ops.PyFunc(input=[1.0], token="pyfunc_0", Tout=[tf.float32]),
    "TextLineDataset": lambda tf, mark: tf.raw_ops.TextLineDataset(
        filenames=mark, compression_type="", buffer_size=1
    ),
    "RestoreV2": lambda tf, mark: tf.raw_ops.RestoreV2(
        prefix=mark, tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32]
    ),
    "ImmutableConst": lambda tf, mark: tf.raw_ops.ImmutableConst(
        dtype=tf.float32, shape=[1], memory_region_name=mark
    ),
}


def compute(tf: Any, image: Any, name: str | None = None) -> Any:
    return tf.matmul(tf.reshape(image, [-1, 192]), KERNEL, name=name)


def freeze(path: Path, act: Callable[[Any], Any], inside: str) -> Path:
    """A frozen graph of an image that acts beside it, or inside a function that it calls."""
    import tensorflow as tf

    def body(image: Any) -> Any:
        act(tf)
        return compute(tf, image)

    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], name="image")
        if inside == "function":
            tf.identity(tf.function(body)(image), name="out")
        else:
            done = act(tf)
            done = done if hasattr(done, "op") or isinstance(done, tf.Operation) else done[0]
            with tf.control_dependencies([done]):
                compute(tf, image, "out")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


@pytest.mark.parametrize("operation", ACTING)
@pytest.mark.parametrize("inside", ["graph", "function"])
def test_a_frozen_graph_that_acts_is_refused_by_name(load: Any, tmp_path: Path, operation: str, inside: str) -> None:
    mark = tmp_path / "mark"
    path = freeze(tmp_path / "evil.pb", lambda tf: ACTING[operation](tf, str(mark)), inside)
    with pytest.raises(InputError, match=rf"{operation} '.*--allow-unsafe"):
        load(path)
    assert not list(tmp_path.glob("mark*"))


def test_a_graph_that_is_trusted_does_what_it_does(load: Any, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    path = freeze(tmp_path / "evil.pb", lambda tf: ACTING["WriteFile"](tf, str(mark)), "graph")
    model = load(path, allow_unsafe=True)
    model.compile(model.graph.input, [model.graph.output])(np.zeros((1, 8, 8, 3), np.float32))
    assert mark.read_text() == "written"


def save(folder: Path, act: Callable[[Any], Any], when: str) -> Path:
    """A SavedModel of an image that acts when it is run, or when it is loaded."""
    import tensorflow as tf
    from tensorflow.python.trackable.resource import CapturableResource

    class Resource(CapturableResource):
        def _create_resource(self) -> Any:
            return tf.raw_ops.MutableHashTableV2(key_dtype=tf.string, value_dtype=tf.float32)

        def _initialize(self) -> Any:
            act(tf)
            return tf.constant(1.0)

    class Network(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            if when == "load":
                self.resource = Resource()

        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
        def serve(self, image: Any) -> Any:
            if when == "run":
                act(tf)
            return compute(tf, image)

    network = Network()
    tf.saved_model.save(network, str(folder), signatures=network.serve)
    return folder


@pytest.mark.parametrize("when", ["run", "load"])
def test_a_saved_model_that_acts_is_refused_before_it_is_loaded(load: Any, tmp_path: Path, when: str) -> None:
    mark = tmp_path / "mark"
    folder = save(tmp_path / "saved", lambda tf: ACTING["WriteFile"](tf, str(mark)), when)
    mark.unlink(missing_ok=True)  # saving traces, and initializes once
    with pytest.raises(InputError, match=r"WriteFile '.*--allow-unsafe"):
        load(folder)
    assert not mark.exists()
    if when == "load":
        load(folder, allow_unsafe=True)
        assert mark.exists()


def save_of_tensorflow_1(folder: Path, act: Callable[[Any], Any] | None) -> Path:
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.float32, [None, 8, 8, 3], name="image")
        weights = v1.get_variable("w", initializer=KERNEL, use_resource=True)
        out = tf.matmul(tf.reshape(image, [-1, 192]), weights, name="out")
        session.run(v1.global_variables_initializer())
        signature = v1.saved_model.predict_signature_def({"image": image}, {"out": out})
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, main_op=act and act(tf)
        )
        builder.save()
    return folder


def test_a_saved_model_of_tensorflow_1_is_refused_before_its_initializer_runs(load: Any, tmp_path: Path) -> None:
    load(save_of_tensorflow_1(tmp_path / "good", None))
    mark = tmp_path / "mark"
    evil = save_of_tensorflow_1(tmp_path / "evil", lambda tf: ACTING["WriteFile"](tf, str(mark)))
    with pytest.raises(InputError, match=r"WriteFile '.*--allow-unsafe"):
        load(evil)
    assert not mark.exists()


def with_a_table(folder: Path) -> Path:
    """A SavedModel of an image with a table beside it, whose words are an asset."""
    import tensorflow as tf

    vocabulary = folder.parent / "words.txt"
    vocabulary.write_text("a\nb\n")

    class Network(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            place = tf.lookup.TextFileIndex
            words = tf.lookup.TextFileInitializer(
                str(vocabulary), tf.string, place.WHOLE_LINE, tf.int64, place.LINE_NUMBER
            )
            self.table = tf.lookup.StaticHashTable(words, -1)

        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
        def serve(self, image: Any) -> Any:
            return compute(tf, image)

    network = Network()
    tf.saved_model.save(network, str(folder), signatures=network.serve)
    return folder


def test_vocabularies_that_are_assets_are_read_and_no_other_files(load: Any, tmp_path: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    folder = with_a_table(tmp_path / "saved")
    load(folder)
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    saved.meta_graphs[0].asset_file_def[0].filename = "../../words.txt"
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    with pytest.raises(InputError, match=r"words.txt\): if you trust it, add --allow-unsafe"):
        load(folder)


def test_a_table_that_reads_any_other_file_is_refused(load: Any, tmp_path: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    folder = with_a_table(tmp_path / "saved")
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    for node in saved.meta_graphs[0].object_graph_def.nodes:
        if node.WhichOneof("kind") == "asset":
            node.constant.operation = "Const"  # a string that the graph holds, in place of an asset
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    with pytest.raises(InputError, match=r"InitializeTableFromTextFileV2 '"):
        load(folder)


def test_what_is_said_to_compute_is_tensorflows_and_reads_or_writes_nothing() -> None:
    from tensorflow.python.framework import op_def_registry

    assert not [name for name in COMPUTING_OPS if op_def_registry.get(name) is None]
    doubtful = ("File", "Print", "PyFunc", "Dataset", "Reader", "Save", "Restore", "Summary", "Rpc", "Debug", "Queue")
    assert not [name for name in COMPUTING_OPS if any(word in name for word in doubtful)]
    takes_a_name = [
        name
        for name in sorted(COMPUTING_OPS)
        for attribute in op_def_registry.get(name).attr
        if attribute.type == "string"
        and any(word in attribute.name for word in ("file", "path", "url", "memory_reg"))
    ]
    assert not takes_a_name

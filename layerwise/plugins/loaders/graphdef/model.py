"""A frozen TensorFlow graph as a `Model`, whether it came from a `.pb` file or a SavedModel folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.network.layer_naming import derive_layers
from layerwise.core.network.model import Compiled, Floats, Model, WeightTensor
from layerwise.plugins.loaders.description import ModelDescription, describe_model
from layerwise.plugins.loaders.graphdef.graph import translate_graph
from layerwise.plugins.loaders.graphdef.program import digest_graph
from layerwise.plugins.loaders.preprocessing import fit_channels
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow, package_versions

DEFAULT_SIZE = 224
"""Height and width of the input where a graph takes any."""


class GraphDefModel(Model):
    """A frozen graph of which parts can be pruned out as functions."""

    def __init__(self, graph_def: Any, source: str, output: str, description: ModelDescription) -> None:
        """Import a graph.

        Args:
            graph_def: A `GraphDef` without variables.
            source: Name of the placeholder that takes the images.
            output: Name of the operation whose first tensor is the output.
            description: What else is known of it.

        Raises:
            InputError: If TensorFlow cannot import it, its input is no image, or a shape cannot be told.
        """
        path = description.source
        self._function, feed = _import_graph(graph_def, source, path)
        translation = translate_graph(feed, self._function.graph.get_tensor_by_name(f"{output}:0"), path)
        self._tensors, self._constants, self._scope = translation.tensors, translation.constants, translation.scope
        self.graph = translation.graph
        self.layers = derive_layers(self.graph)
        self._preprocessing = description.preprocessing
        self._compiled: dict[tuple[str, tuple[str, ...]], Compiled] = {}
        self._weights = self._read_weights()
        self.info = describe_model(
            self.graph,
            replace(description, versions=package_versions()),
            digest_graph(graph_def, [source], [output]),
            (),  # a frozen graph holds no numbers but its constants
            n_parameters=sum(tensor.values.size for tensor in self._weights),
        )

    def _read_weights(self) -> tuple[WeightTensor, ...]:
        """The constants with more than one number that activations meet, by the name of their operation."""
        layer_of = {layer.node: layer.name for layer in self.layers}
        found = {
            tensor.name: (tensor, layer_of.get(node.name, node.name))
            for node in reversed(self.graph.nodes)
            for tensor in self._constants[node.name]
            if tensor.dtype.is_floating and tensor.shape.num_elements() != 1
        }
        if not found:
            return ()
        values = self._function.prune([], [tensor for tensor, _ in found.values()])()
        tensors = [
            WeightTensor(tensor.op.name.removeprefix(self._scope), layer, _to_array(value))
            for (tensor, layer), value in zip(found.values(), values, strict=True)
        ]
        return tuple(reversed(tensors))

    def preprocess(self, pixels: NDArray[np.generic]) -> Floats:
        """Pixels of shape (batch, height, width, 3) in 0..255 to the input tensor."""
        return self._preprocessing.apply(fit_channels(pixels, self.info.input_shape[2]))

    def compile(self, start: str, outputs: Sequence[str]) -> Compiled:
        """A function from the tensor of node `start` to those of the nodes `outputs`; the same one every time."""
        key = (start, tuple(outputs))
        if key not in self._compiled:
            self._compiled[key] = self._prune(start, tuple(outputs), {})
        return self._compiled[key]

    def compile_replaced(self, start: str, outputs: Sequence[str], values: Mapping[str, Floats]) -> Compiled:
        """The same with nodes whose tensors are fed, as the start is."""
        return self._prune(start, tuple(outputs), values)

    def _prune(self, start: str, outputs: tuple[str, ...], replaced: Mapping[str, Floats]) -> Compiled:
        tf = import_tensorflow()
        known = [start, *(name for name in replaced if name != start)]
        feeds = [self._tensors[name] for name in known]
        computed = [name for name in outputs if name not in known]
        function = self._function.prune(feeds, [self._tensors[name] for name in computed]) if computed else None

        def run(batch: Floats) -> Sequence[Floats]:
            given = {name: np.broadcast_to(value, (len(batch), *value.shape)) for name, value in replaced.items()}
            arrays = {start: batch, **{name: np.ascontiguousarray(rows) for name, rows in given.items()}}
            if function is not None:
                fed = [
                    tf.convert_to_tensor(arrays[name], feed.dtype) for name, feed in zip(known, feeds, strict=True)
                ]
                for name, tensor in zip(computed, function(*fed), strict=True):
                    arrays[name] = _to_array(tensor).astype(np.float32, copy=False)
            return [arrays[name] for name in outputs]

        return run

    def name_classes(self, names: tuple[str, ...], ids: tuple[str, ...]) -> None:
        """Record what the outputs are called, once their number is known."""
        self.info = replace(self.info, class_names=names, class_ids=ids)

    def weights(self) -> Iterator[WeightTensor]:
        """The weight tensors, in order of computation."""
        yield from self._weights


def _to_array(tensor: Any) -> NDArray[np.floating]:
    """A tensor's values where they lie; bfloat16, whose memory NumPy cannot read, as float32."""
    tf = import_tensorflow()
    return np.asarray(memoryview(tf.cast(tensor, tf.float32) if tensor.dtype == tf.bfloat16 else tensor))


def _import_graph(graph_def: Any, source: str, path: str) -> tuple[Any, Any]:
    """The graph as a function, and the tensor to feed: a new placeholder whose shape is known."""
    tf = import_tensorflow()
    placeholder = next(node for node in graph_def.node if node.name == source)
    shape, dtype = _image_shape(placeholder, path), tf.as_dtype(placeholder.attr["dtype"].type)
    if not dtype.is_floating:
        raise InputError(f"{path}: input '{source}' takes {dtype.name}; only floating-point images will do")
    rest = tf.compat.v1.GraphDef()
    rest.CopyFrom(graph_def)
    for node in rest.node:
        if node.name == source:  # the new placeholder takes over its name
            node.name = f"{source}_before"
        node.input[:] = [f"{source}_before" if _plain(name) == source else name for name in node.input]

    def build() -> None:
        feed = tf.compat.v1.placeholder(dtype, [None, *shape], name=source)
        tf.import_graph_def(rest, input_map={f"{source}_before:0": feed}, name="")

    try:
        function = tf.compat.v1.wrap_function(build, [])
    except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
        raise InputError(f"{path}: TensorFlow cannot import the graph: {str(error).splitlines()[0]}") from error
    return function, function.graph.get_tensor_by_name(f"{source}:0")


def _plain(name: str) -> str:
    return name.removesuffix(":0")


def _image_shape(placeholder: Any, path: str) -> tuple[int, int, int]:
    """Height, width and channels that a placeholder takes; what it leaves open is 224 x 224 x 3."""
    shape = placeholder.attr["shape"].shape
    if shape.unknown_rank or not shape.dim:
        return DEFAULT_SIZE, DEFAULT_SIZE, 3
    sizes = [dim.size for dim in shape.dim]
    if len(sizes) != 4 or sizes[3] not in (-1, 1, 3):
        raise InputError(
            f"{path}: input '{placeholder.name}' has shape {sizes}, but images have (batch, height, width, 1 or 3)"
        )
    height, width, channels = (
        size if size > 0 else default for size, default in zip(sizes[1:], (224, 224, 3), strict=True)
    )
    return height, width, channels

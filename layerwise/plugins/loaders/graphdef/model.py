"""A frozen TensorFlow graph as a `Model`, whether it came from a `.pb` file or a SavedModel folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.network.layer_naming import derive_layers
from layerwise.core.network.model import Compiled, CompiledReplaced, Model, WeightTensor
from layerwise.plugins.loaders.batches import in_batches, without_replaced
from layerwise.plugins.loaders.description import ModelDescription, describe_model
from layerwise.plugins.loaders.graphdef.graph import translate_graph
from layerwise.plugins.loaders.graphdef.program import digest_graph
from layerwise.plugins.loaders.graphdef.shapes import BatchShapes
from layerwise.plugins.loaders.keras.weights import first_line
from layerwise.plugins.loaders.preprocessing import fit_channels
from layerwise.plugins.loaders.tensorflow.placement import PROCESSOR, Placement
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow, package_versions

DEFAULT_SIZE = 224
"""Height and width of the input where a graph takes any."""


class GraphDefModel(Model):
    """A frozen graph of which parts can be pruned out as functions."""

    def __init__(
        self,
        graph_def: Any,
        source: str,
        output: str,
        description: ModelDescription,
        size: tuple[int, int] | None = None,
        placement: Placement = PROCESSOR,
    ) -> None:
        """Import a graph.

        Args:
            graph_def: A `GraphDef` without variables.
            source: Name of the placeholder that takes the images.
            output: Name of the tensor that is the output; `:0` may be left out.
            description: What else is known of it.
            size: Height and width of an input that takes any.
            placement: Where it runs.

        Raises:
            InputError: If TensorFlow cannot import it, its input is no image, or a shape cannot be told.
        """
        path = description.source
        rest = _set_input_free(graph_def, source)
        self._batch, sides, dtype = _read_input(graph_def, source, path)
        self.takes_any_size = None in sides
        default = (*(size or (DEFAULT_SIZE, DEFAULT_SIZE)), 3)
        shape = [side or given for side, given in zip(sides, default, strict=True)]
        self._function, feed = _import_graph(rest, source, [self._batch, *shape], dtype, path)
        try:
            shapes = BatchShapes(rest, source, feed, self._batch)
            target = self._function.graph.get_tensor_by_name(output if ":" in output else f"{output}:0")
            translation = translate_graph(feed, target, path, shapes, self._function)
        except (ValueError, TypeError, import_tensorflow().errors.OpError) as error:
            raise InputError(
                f"{path}: the graph cannot be run on a batch of any size: {first_line(error)}"
            ) from error
        self._tensors, self._constants, self._scope = translation.tensors, translation.constants, translation.scope
        self.graph = translation.graph
        self.layers = derive_layers(self.graph)
        self.arrays = placement.arrays
        self.batch_size = placement.choose_batch(self.graph)
        self._placement = placement
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

    def preprocess(self, pixels: NDArray[np.generic]) -> Any:
        """Pixels of shape (batch, height, width, 3) in 0..255 to the input tensor."""
        values = self._preprocessing.apply(fit_channels(pixels, self.info.input_shape[2]))
        return values if self.arrays is None else self.arrays.send(values)

    def compile(self, start: str, outputs: Sequence[str]) -> Compiled:
        """A function from the tensor of node `start` to those of the nodes `outputs`; the same one every time."""
        key = (start, tuple(outputs))
        if key not in self._compiled:
            self._compiled[key] = without_replaced(self._prune(start, tuple(outputs), ()))
        return self._compiled[key]

    def compile_replaced(self, start: str, outputs: Sequence[str], replaced: Sequence[str]) -> CompiledReplaced:
        """The same with nodes whose tensors are fed, as the start is."""
        return self._prune(start, tuple(outputs), tuple(replaced))

    def _prune(self, start: str, outputs: tuple[str, ...], replaced: tuple[str, ...]) -> CompiledReplaced:
        tf = import_tensorflow()
        known = (start, *replaced)
        feeds = [self._tensors[name] for name in known]
        computed = [name for name in outputs if name not in known]
        function = self._function.prune(feeds, [self._tensors[name] for name in computed]) if computed else None

        place = self._placement

        def run(batch: Any, given: Sequence[Any]) -> Sequence[Any]:
            arrays = dict(zip(known, (batch, *map(place.send, given)), strict=True))
            if function is not None:
                with place.on_device():
                    given_there = (place.take_in(arrays[name]) for name in known)
                    fed = [_feed(tensor, feed.dtype) for tensor, feed in zip(given_there, feeds, strict=True)]
                    for name, tensor in zip(computed, function(*fed), strict=True):
                        arrays[name] = place.hand_out(tf.cast(tensor, tf.float32))
            return [arrays[name] for name in outputs]

        return run if self._batch is None else place.wrap(in_batches(run, self._batch))

    def name_classes(self, names: tuple[str, ...], ids: tuple[str, ...]) -> None:
        """Record what the outputs are called, once their number is known."""
        self.info = replace(self.info, class_names=names, class_ids=ids)

    def weights(self) -> Iterator[WeightTensor]:
        """The weight tensors, in order of computation."""
        yield from self._weights


def _feed(values: Any, dtype: Any) -> Any:
    """Numbers as the placeholder takes them; whole ones are rounded to the nearest."""
    tf = import_tensorflow()
    return tf.cast(tf.round(values) if dtype.is_integer else values, dtype)


def _to_array(tensor: Any) -> NDArray[np.floating]:
    """A tensor's values where they lie; bfloat16, whose memory NumPy cannot read, as float32."""
    tf = import_tensorflow()
    return np.asarray(memoryview(tf.cast(tensor, tf.float32) if tensor.dtype == tf.bfloat16 else tensor))


def _set_input_free(graph_def: Any, source: str) -> Any:
    """The graph with its input called `{source}_before`, so that a new placeholder can take over its name."""
    rest = import_tensorflow().compat.v1.GraphDef()
    rest.CopyFrom(graph_def)
    for node in rest.node:
        if "_class" in node.attr:  # beside which operation it is to run, perhaps the input
            del node.attr["_class"]
        if node.name == source:
            node.name = f"{source}_before"
        node.input[:] = [f"{source}_before" if _plain(name) == source else name for name in node.input]
    return rest


def _read_input(graph_def: Any, source: str, path: str) -> tuple[int | None, tuple[int | None, ...], Any]:
    """The batch size of an input that takes only one, the shape of an image, and the type."""
    placeholder = next(node for node in graph_def.node if node.name == source)
    dtype = import_tensorflow().as_dtype(placeholder.attr["dtype"].type)
    if not (dtype.is_floating or dtype.is_integer):
        raise InputError(f"{path}: input '{source}' takes {dtype.name}; only images of numbers will do")
    shape = placeholder.attr["shape"].shape
    batch = shape.dim[0].size if not shape.unknown_rank and shape.dim else -1
    return (batch if batch > 0 else None), _image_shape(placeholder, path), dtype


def _import_graph(rest: Any, source: str, shape: Sequence[int | None], dtype: Any, path: str) -> tuple[Any, Any]:
    """The graph as a function, and the tensor to feed: a new placeholder whose shape is known."""
    tf = import_tensorflow()

    def build() -> None:
        feed = tf.compat.v1.placeholder(dtype, shape, name=source)
        tf.import_graph_def(rest, input_map={f"{source}_before:0": feed}, name="")

    try:
        function = tf.compat.v1.wrap_function(build, [])
    except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
        raise InputError(f"{path}: TensorFlow cannot import the graph: {first_line(error)}") from error
    return function, function.graph.get_tensor_by_name(f"{source}:0")


def _plain(name: str) -> str:
    return name.removesuffix(":0")


def _image_shape(placeholder: Any, path: str) -> tuple[int | None, ...]:
    """Height, width and channels that a placeholder takes; None for what it leaves open."""
    shape = placeholder.attr["shape"].shape
    if shape.unknown_rank or not shape.dim:
        return None, None, None
    sizes = [dim.size for dim in shape.dim]
    if len(sizes) != 4 or sizes[3] not in (-1, 1, 3):
        raise InputError(
            f"{path}: input '{placeholder.name}' has shape {sizes}, but images have (batch, height, width, 1 or 3)"
        )
    return tuple(size if size > 0 else None for size in sizes[1:])

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
from layerwise.plugins.loaders.description import ModelDescription, describe_choice, describe_model, take_as_given
from layerwise.plugins.loaders.graphdef.graph import Translation, translate_graph
from layerwise.plugins.loaders.graphdef.inputs import GraphInputs
from layerwise.plugins.loaders.graphdef.program import digest_graph
from layerwise.plugins.loaders.graphdef.saved_models import Frozen
from layerwise.plugins.loaders.graphdef.shapes import BatchShapes
from layerwise.plugins.loaders.keras.weights import first_line
from layerwise.plugins.loaders.preprocessing import fit_channels
from layerwise.plugins.loaders.tensorflow.placement import PROCESSOR, Placement
from layerwise.plugins.loaders.tensorflow.tables import read_tables
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow, package_versions


class GraphDefModel(Model):
    """A frozen graph of which parts can be pruned out as functions."""

    def __init__(
        self,
        frozen: Frozen,
        inputs: GraphInputs,
        description: ModelDescription,
        placement: Placement = PROCESSOR,
        *,
        has_chosen: bool = False,
    ) -> None:
        """Import a graph.

        Args:
            frozen: The graph, without variables, and its outputs.
            inputs: What goes into it.
            description: What else is known of it.
            placement: Where it runs; of a graph that takes no pictures, tensors come back from there.
            has_chosen: Whether the output that counts was chosen here, where there are several.

        Raises:
            InputError: If TensorFlow cannot import it, or a shape cannot be told.
        """
        path, self._owner, self._batch = description.source, frozen.owner, inputs.batch
        self._take_in(inputs, description, placement)
        rest = inputs.set_free(frozen.graph_def)
        self._function, feed = _import_graph(rest, inputs, path)
        translation = self._translate(rest, feed, frozen, inputs, path)
        self._tensors, self._constants, self._scope = translation.tensors, translation.constants, translation.scope
        self.graph = translation.graph
        self.layers = derive_layers(self.graph)
        self.notes = _describe_outputs(frozen, translation) if has_chosen else ()
        self.batch_size = self._placement.choose_batch(self.graph)
        self._compiled: dict[tuple[str, tuple[str, ...]], Compiled] = {}
        self._weights = self._read_weights()
        self.info = describe_model(
            self.graph,
            replace(self._description, versions=package_versions()),
            digest_graph(frozen.graph_def, [*inputs.nodes, *inputs.held], list(frozen.outputs.values())),
            read_tables(self._function, inputs.held),  # a frozen graph holds no other numbers but its constants
            n_parameters=sum(tensor.values.size for tensor in self._weights),
        )

    def _take_in(self, inputs: GraphInputs, description: ModelDescription, placement: Placement) -> None:
        """What goes in, what is done to it, and where it runs."""
        self.inputs, self.takes_any_size = inputs.specs, inputs.is_open
        self._placement = PROCESSOR if inputs.specs else placement
        self.arrays = self._placement.arrays
        self._description = (
            take_as_given(description, description.source, inputs.specs) if inputs.specs else description
        )

    def _translate(self, rest: Any, feed: Any, frozen: Frozen, inputs: GraphInputs, path: str) -> Translation:
        try:
            shapes = BatchShapes(rest, inputs, feed)
            tensors = map(_tensor_name, frozen.outputs.values())
            targets = [self._function.graph.get_tensor_by_name(name) for name in tensors]
            return translate_graph(feed, targets, path, shapes, self._function, inputs)
        except (ValueError, TypeError, import_tensorflow().errors.OpError) as error:
            raise InputError(
                f"{path}: the graph cannot be run on a batch of any size: {first_line(error)}"
            ) from error

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
        if self.inputs:
            return np.ascontiguousarray(pixels, np.float32)
        preprocessing = self._description.preprocessing
        values = preprocessing.apply(fit_channels(pixels, self.info.input_shape[2]))
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


def _import_graph(rest: Any, inputs: GraphInputs, path: str) -> tuple[Any, Any]:
    """The graph as a function, and the tensor to feed: a new placeholder whose shape is known."""
    tf = import_tensorflow()
    feeds: list[Any] = []

    def build() -> None:
        feeds.append(inputs.import_graph(rest, inputs.batch))

    try:
        function = tf.compat.v1.wrap_function(build, [])
    except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
        raise InputError(f"{path}: TensorFlow cannot import the graph: {first_line(error)}") from error
    return function, feeds[0]


def _tensor_name(output: str) -> str:
    return output if ":" in output else f"{output}:0"


def _describe_outputs(frozen: Frozen, translation: Translation) -> tuple[str, ...]:
    """Which output counts, and what became of the others."""
    found = {word: translation.find_end(_tensor_name(output)) for word, output in frozen.outputs.items()}
    counts, *others = found
    known = dict.fromkeys(found[word] for word in others if found[word] not in (None, found[counts]))
    left_out = [word for word in others if found[word] is None]
    if not known and not left_out:
        return ()
    others = [", ".join(f"'{name}'" for name in known) + " are layers"] if known else []
    others += [f"{', '.join(left_out)} without a row of numbers for each stimulus"] if left_out else []
    return (describe_choice(1 + len(known) + len(left_out), counts, "; ".join(others)),)

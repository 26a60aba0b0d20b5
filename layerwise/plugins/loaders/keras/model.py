"""Any Keras functional or sequential model as a `Model`: its graph, its layers, and functions compiled from it.

Each function that is asked for replays the calls between its start and its outputs inside one `tf.function`,
traced once for any batch size, in inference mode. What it returns lies in TensorFlow's memory and is read there
without a copy.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.graph import Graph
from layerwise.core.network.inputs import TEXT, InputSpec, packed_shape
from layerwise.core.network.layer_naming import derive_layers
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import Compiled, CompiledReplaced, Model, ModelInfo, WeightTensor
from layerwise.plugins.loaders.batches import in_batches, without_replaced
from layerwise.plugins.loaders.description import ModelDescription, describe_choice, describe_model, take_as_given
from layerwise.plugins.loaders.keras.graph import Laid, begin, replay, translate
from layerwise.plugins.loaders.keras.inputs import is_image, read_inputs
from layerwise.plugins.loaders.keras.layout import check_is_graph, lay_out, renumber, trace_strings
from layerwise.plugins.loaders.keras.program import DEFAULT_SIZE, Program
from layerwise.plugins.loaders.preprocessing import fit_channels
from layerwise.plugins.loaders.tensorflow.inputs import fit_shapes
from layerwise.plugins.loaders.tensorflow.placement import PROCESSOR, Placement
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow, package_versions


class KerasModel(Model):
    """A Keras model whose calls are laid out as a graph."""

    def __init__(
        self,
        model: Any,
        description: ModelDescription,
        main: Collection[str] | None = None,
        *,
        has_own_names: bool = False,
        size: tuple[int, int] | None = None,
        shapes: Sequence[tuple[int, ...]] | None = None,
        output: str | None = None,
        placement: Placement = PROCESSOR,
    ) -> None:
        """Lay out a model.

        Args:
            model: A functional or sequential Keras model; it is not changed.
            description: What else is known of it.
            main: Names of the main layers, where its authors have chosen them.
            has_own_names: Whether the layers' names are the same in every process (they were read from a file).
            size: Height and width of a picture where the model takes any.
            shapes: Of the stimuli, where the model takes something else than one picture and leaves axes open.
            output: Which output counts; None for the one with the longest way to it.
            placement: Where it runs; of a model that takes no pictures, tensors come back from there.

        Raises:
            InputError: If it has no such output, or cannot be traced.
        """
        check_is_graph(model)
        given, shape = _find_inputs(model, size, shapes)
        laid = lay_out(model, given, output)
        if not has_own_names:
            laid = renumber(laid)
        self._batch: int | None = model.inputs[0].shape[0]
        self._calls = {call.name: call for call in laid.calls}
        self._program = Program(laid, model.name, self._batch, shape)
        self.graph = translate(laid, self._program.shapes, trace_strings(laid.calls))
        self.layers = self._list_layers(main)
        self.notes = _describe_outputs(laid, output)
        self._placement = PROCESSOR if given else placement
        self.arrays = self._placement.arrays
        self.batch_size = self._placement.choose_batch(self.graph)
        self._description = replace(description, versions=package_versions())
        if given:
            self._describe_inputs(model, given, laid.inputs)
        else:
            self.takes_any_size = None in model.inputs[0].shape[1:]
        self._compiled: dict[tuple[str, tuple[str, ...]], Compiled] = {}
        self._last_replaced: tuple[object, CompiledReplaced] | None = None
        self.info = self._describe()

    def _list_layers(self, main: Collection[str] | None) -> tuple[Layer, ...]:
        """The layers, but those whose values are no numbers."""
        found = derive_layers(self.graph, main)
        first = self.graph.input
        return tuple(one for one in found if one.node == first or self._calls[one.node].dtype not in (TEXT, "bool"))

    def _describe_inputs(self, model: Any, given: Sequence[InputSpec], names: Sequence[str]) -> None:
        """What goes in where that is not one picture: values as they are."""
        self.inputs = tuple(replace(spec, name=name) for spec, name in zip(given, names, strict=True))
        self.takes_any_size = any(spec.is_open for spec in given)
        owner = f"Keras model '{model.name}'"
        self._description = take_as_given(self._description, owner, self.inputs)

    def _describe(self) -> ModelInfo:
        operations = {id(call.operation): call.operation for call in self._calls.values()}
        weights = {id(weight): weight for one in operations.values() for weight in getattr(one, "weights", ())}
        n_parameters = sum(math.prod(weight.shape) for weight in weights.values())
        return describe_model(
            self.graph, self._description, self._program.digest, self._program.state(), n_parameters
        )

    def name_classes(self, names: tuple[str, ...], ids: tuple[str, ...]) -> None:
        """Record what the outputs are called, once it is known which ones count."""
        self._description = replace(self._description, class_names=names, class_ids=ids)
        self.info = replace(self.info, class_names=names, class_ids=ids)

    def refresh(self) -> None:
        """Take in the weights that the Keras model has by now: they are read anew for the fingerprint alone.

        The compiled functions hold the model's own variables, and are not traced again.
        """
        self.info = self._describe()

    def preprocess(self, pixels: NDArray[np.generic]) -> Any:
        """Pixels of shape (batch, height, width, 3) in 0..255 to the input tensor."""
        if self.inputs:
            return np.ascontiguousarray(pixels, np.float32)
        values = self._description.preprocessing.apply(fit_channels(pixels, self.info.input_shape[2]))
        return values if self.arrays is None else self.arrays.send(values)

    def compile(self, start: str, outputs: Sequence[str]) -> Compiled:
        """A function from the tensor of node `start` to those of the nodes `outputs`; the same one every time."""
        key = (start, tuple(outputs))
        if key not in self._compiled:
            self._compiled[key] = without_replaced(self._trace(start, tuple(outputs), ()))
        return self._compiled[key]

    def compile_replaced(self, start: str, outputs: Sequence[str], replaced: Sequence[str]) -> CompiledReplaced:
        """The same with nodes whose tensors are given; the last one is kept, or many would be."""
        key = (start, tuple(outputs), tuple(replaced))
        if self._last_replaced is None or self._last_replaced[0] != key:
            self._last_replaced = key, self._trace(*key)
        return self._last_replaced[1]

    def _trace(self, start: str, outputs: tuple[str, ...], replaced: tuple[str, ...]) -> CompiledReplaced:
        tf = import_tensorflow()
        needed = [self._calls[name] for name in _calls_between(self.graph, (start, *replaced), outputs)]

        def run_all(*tensors: Any) -> list[Any]:
            known: dict[str, Any] = {}
            for name, tensor in zip((start, *replaced), tensors, strict=True):
                known |= begin(self._calls[name], tensor)
            values = replay(needed, known) | {start: tensors[0]}
            return [tf.cast(values[name], tf.float32) for name in outputs]

        shapes = [self.graph[name].shape for name in (start, *replaced)]
        signature = [tf.TensorSpec([self._batch, *shape], tf.float32) for shape in shapes]
        function = tf.function(run_all, input_signature=signature, autograph=False).get_concrete_function()

        place = self._placement

        def run(batch: Any, given: Sequence[Any]) -> Sequence[Any]:
            with place.on_device():
                return [place.hand_out(tensor) for tensor in function(*map(place.take_in, (batch, *given)))]

        return run if self._batch is None else place.wrap(in_batches(run, self._batch))

    def weights(self) -> Iterator[WeightTensor]:
        """The weight tensors, in order of computation; one that several calls share comes once."""
        layer_of = {layer.node: layer.name for layer in self.layers}
        seen: set[int] = set()
        for name, call in self._calls.items():
            for variable in getattr(call.operation, "weights", ()):
                # Of bfloat16 and float8, which NumPy has not, "kind" says nothing; Keras's name of the type does.
                if id(variable) not in seen and "float" in variable.dtype:
                    seen.add(id(variable))
                    layer, values = layer_of.get(name, name), np.asarray(variable.value)
                    plain = values if values.dtype.kind == "f" else values.astype(np.float32)
                    yield WeightTensor(f"{layer}/{_path_below(variable, call.operation)}", layer, plain)


def _find_inputs(
    model: Any, size: tuple[int, int] | None, shapes: Sequence[tuple[int, ...]] | None
) -> tuple[tuple[InputSpec, ...], tuple[int, ...]]:
    """What goes into a model where that is not one picture, none of it open; and the shape of the tensor."""
    if is_image(model):
        sides = model.inputs[0].shape[1:]
        given = (*(size or (DEFAULT_SIZE, DEFAULT_SIZE)), 3)
        return (), tuple(int(side or other) for side, other in zip(sides, given, strict=True))
    specs = fit_shapes(read_inputs(model, [str(tensor.name) for tensor in model.inputs]), shapes)
    return specs, packed_shape(specs)


def _describe_outputs(laid: Laid, wanted: str | None) -> tuple[str, ...]:
    if not laid.others or wanted is not None:
        return ()
    others = ", ".join(f"'{name}'" for name in laid.others)
    return (describe_choice(len(laid.others) + 1, laid.output, f"{others} are layers"),)


def _path_below(variable: Any, operation: Any) -> str:
    """A variable's name within its layer, with the names of layers inside that one where there are any."""
    inside = str(variable.path).split(f"{operation.name}/")
    return inside[-1] if len(inside) > 1 else str(variable.name)


def _calls_between(graph: Graph, known: Collection[str], outputs: Sequence[str]) -> tuple[str, ...]:
    """The nodes to compute, in order, so as to get from tensors that are known to others."""
    needed = graph.between(known, outputs)
    if graph.input in needed:
        start = " and ".join(repr(one) for one in known)
        raise ValueError(f"{', '.join(outputs)} cannot be computed from {start} alone")
    return needed

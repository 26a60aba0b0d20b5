"""Any Keras functional or sequential model as a `Model`: its graph, its layers, and functions compiled from it.

Each function that is asked for replays the calls between its start and its outputs inside one `tf.function`,
traced once for any batch size, in inference mode. What it returns lies in TensorFlow's memory and is read there
without a copy.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.network.graph import Graph
from layerwise.core.network.layer_naming import derive_layers
from layerwise.core.network.model import Compiled, Floats, Model, ModelInfo, WeightTensor
from layerwise.core.network.stimuli import Resize
from layerwise.plugins.loaders.fingerprint import fingerprint_model
from layerwise.plugins.loaders.keras.graph import Call, lay_out, renumber, translate
from layerwise.plugins.loaders.preprocessing import Preprocessing, fit_channels
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow, package_versions

DEFAULT_SIZE = 224
"""Height and width of the input of models that take any."""


@dataclass(frozen=True)
class Description:
    """What a loader knows of a Keras model besides the model.

    Attributes:
        name: What it is called in lists and reports.
        source: Where architecture and weights came from, in words.
        preprocessing: What is done to pixels.
        resize: The resize policy its authors used.
        class_names: Names of the outputs, if known.
        class_ids: Identifiers of the outputs, if known.
        main: Names of the main layers, where its authors have chosen them.
        has_own_names: Whether the layers' names are the same in every process (they were read from a file).
    """

    name: str
    source: str
    preprocessing: Preprocessing
    resize: Resize = "squash"
    class_names: tuple[str, ...] = ()
    class_ids: tuple[str, ...] = ()
    main: Collection[str] | None = None
    has_own_names: bool = False


class KerasModel(Model):
    """A Keras model whose calls are laid out as a graph."""

    def __init__(self, model: Any, description: Description) -> None:
        """Lay out a model.

        Args:
            model: A functional or sequential Keras model with one image as its input; it is not changed.
            description: What else is known of it.

        Raises:
            InputError: If the model has several inputs or outputs, or its input is no image.
        """
        calls = lay_out(model)
        self._calls = {call.name: call for call in (calls if description.has_own_names else renumber(calls))}
        self.graph = translate(tuple(self._calls.values()), _find_shapes(tuple(self._calls.values()), model.name))
        self.layers = derive_layers(self.graph, description.main)
        self._preprocessing = description.preprocessing
        self._compiled: dict[tuple[str, tuple[str, ...]], Compiled] = {}
        self.info = self._describe(description)

    def _describe(self, description: Description) -> ModelInfo:
        weights = list(self.weights())
        output = self.graph[self.graph.output]
        words = description.preprocessing.words
        height, width, channels = self.graph[self.graph.input].shape
        return ModelInfo(
            name=description.name,
            source=description.source,
            fingerprint=fingerprint_model(self.graph, self._settings(), weights, words),
            input_shape=(height, width, channels),
            preprocessing=words,
            resize=description.resize,
            n_parameters=sum(tensor.values.size for tensor in weights),
            class_names=description.class_names,
            class_ids=description.class_ids,
            has_probabilities=output.op == "softmax" and len(output.shape) == 1,
            versions=package_versions(),
        )

    def _settings(self) -> dict[str, object]:
        return {name: _read_settings(call) for name, call in self._calls.items()}

    def preprocess(self, pixels: NDArray[np.generic]) -> Floats:
        """Pixels of shape (batch, height, width, 3) in 0..255 to the input tensor."""
        return self._preprocessing.apply(fit_channels(pixels, self.info.input_shape[2]))

    def compile(self, start: str, outputs: Sequence[str]) -> Compiled:
        """A function from the tensor of node `start` to those of the nodes `outputs`; the same one every time."""
        key = (start, tuple(outputs))
        if key not in self._compiled:
            self._compiled[key] = self._trace(start, tuple(outputs))
        return self._compiled[key]

    def _trace(self, start: str, outputs: tuple[str, ...]) -> Compiled:
        tf = import_tensorflow()
        needed = _calls_between(self.graph, start, outputs)

        def replay(tensor: Any) -> list[Any]:
            values = {start: tensor}
            for name in needed:
                values[name] = self._calls[name].run(values)
            return [tf.cast(values[name], tf.float32) for name in outputs]

        signature = [tf.TensorSpec([None, *self.graph[start].shape], tf.float32)]
        function = tf.function(replay, input_signature=signature, autograph=False).get_concrete_function()

        def run(batch: Floats) -> Sequence[Floats]:
            # `Tensor.numpy()` copies; a memory view does not, and the array keeps the tensor alive.
            return [np.asarray(memoryview(tensor)) for tensor in function(tf.convert_to_tensor(batch, tf.float32))]

        return run

    def weights(self) -> Iterator[WeightTensor]:
        """The weight tensors, in order of computation; one that several calls share comes once."""
        layer_of = {layer.node: layer.name for layer in self.layers}
        seen: set[int] = set()
        for name, call in self._calls.items():
            for variable in getattr(call.operation, "weights", ()):
                values = np.asarray(variable.value)
                if id(variable) not in seen and values.dtype.kind == "f":
                    seen.add(id(variable))
                    layer = layer_of.get(name, name)
                    yield WeightTensor(f"{layer}/{_path_below(variable, call.operation)}", layer, values)


def _path_below(variable: Any, operation: Any) -> str:
    """A variable's name within its layer, with the names of layers inside that one where there are any."""
    inside = str(variable.path).split(f"{operation.name}/")
    return inside[-1] if len(inside) > 1 else str(variable.name)


def _calls_between(graph: Graph, start: str, outputs: Sequence[str]) -> list[str]:
    """The nodes to compute, in order, so as to get from one tensor to others."""
    needed: set[str] = set()
    waiting = list(outputs)
    while waiting:
        name = waiting.pop()
        if name == start or name in needed:
            continue
        if name == graph.input:
            raise ValueError(f"{', '.join(outputs)} cannot be computed from '{start}' alone")
        needed.add(name)
        waiting.extend(graph[name].inputs)
    return [node.name for node in graph if node.name in needed]


def _find_shapes(calls: tuple[Call, ...], model: str) -> dict[str, tuple[int, ...]]:
    """The shape of each call's tensor; where Keras leaves an axis open, found by tracing one image."""
    shape = calls[0].shape
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise InputError(
            f"Keras model '{model}' takes an input of shape {shape}; only images (height, width, 1 or 3) will do"
        )
    if all(axis is not None for call in calls for axis in call.shape):
        return {call.name: tuple(int(axis or 0) for axis in call.shape) for call in calls}
    tf = import_tensorflow()
    shapes: dict[str, tuple[int, ...]] = {}

    def replay(tensor: Any) -> Any:
        values = {calls[0].name: tensor}
        for call in calls[1:]:
            values[call.name] = call.run(values)
        shapes.update({name: tuple(value.shape[1:]) for name, value in values.items()})
        return values[calls[-1].name]

    image = [1, *(axis or DEFAULT_SIZE for axis in shape)]
    tf.function(replay, autograph=False).get_concrete_function(tf.TensorSpec(image, tf.float32))
    for name, found in shapes.items():
        if any(axis is None for axis in found):
            raise InputError(f"Keras model '{model}': the shape of '{name}' depends on more than its input's shape")
    return shapes


def _read_settings(call: Call) -> object:
    """What decides a call's computation besides its weights and its inputs, in plain values."""
    operation = call.operation
    if operation is None or call.keras_node is None:
        return getattr(operation, "__name__", None)
    import keras

    if isinstance(operation, keras.Layer):
        settings: object = operation.get_config()
        if getattr(operation, "activation", None) is keras.activations.linear:
            settings = {**operation.get_config(), "activation": "linear"}
    else:
        plain = (bool, int, float, str, tuple, list, type(None))
        settings = {
            key: value for key, value in vars(operation).items() if isinstance(value, plain) and key[0] != "_"
        }
    arguments = keras.tree.flatten((call.keras_node.arguments.args, call.keras_node.arguments.kwargs))
    constants = [np.asarray(a).tolist() for a in arguments if not isinstance(a, keras.KerasTensor) and a is not None]
    return [settings, constants, call.output, math.prod(axis or 1 for axis in call.shape)]

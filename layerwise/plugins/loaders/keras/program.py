"""All that a Keras model computes, as TensorFlow sees it when the model is called for inference.

A layer's configuration is what its author thought worth saving, and a call has arguments beside it (slices,
constants, arrays); the traced operations leave nothing out, also where a layer's own Python code holds the number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.network.inputs import TEXT
from layerwise.plugins.loaders.graphdef.program import digest_graph
from layerwise.plugins.loaders.keras.graph import Call, Laid, begin, replay
from layerwise.plugins.loaders.keras.rows import check_rows
from layerwise.plugins.loaders.keras.weights import first_line
from layerwise.plugins.loaders.tensorflow.tables import read_table
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow

DEFAULT_SIZE = 224
"""Height and width of the input of models that take any."""


class Program:
    """A Keras model's calls, traced once from the input to the output.

    Attributes:
        shapes: Shape of each call's tensor by its name, without the batch axis.
        digest: Hex digest of the operations, their attributes, arguments and constants.
    """

    def __init__(self, laid: Laid, model: str, batch: int | None, shape: tuple[int, ...]) -> None:
        """Trace.

        What only training reads (rates of dropout, initialisers, regularisers, seeds) is in no operation, and so not
        in the digest: two models that differ in that alone give the same numbers.

        Args:
            laid: The calls.
            model: What the model is called, for messages.
            batch: The only size of batches that it takes; None for any.
            shape: Of the tensor that goes in, for one stimulus.

        Raises:
            InputError: If TensorFlow cannot trace it, a shape cannot be told from the input's, or what it makes of a
                stimulus depends on others.
        """
        self._function, traced = _trace(laid, model, batch, shape)
        if self._function.inputs[0].shape[0] is None:
            check_rows(self._function, shape, laid.calls[0].dtype, model)
        known = zip(laid.calls, traced, strict=True)
        self.shapes = {call.name: _read_shape(call, found, model) for call, found in known}
        self.shapes[laid.calls[0].name] = shape
        arguments = [tensor.op.name for tensor in self._function.inputs]
        results = [tensor.name for tensor in self._function.outputs]
        self.digest = digest_graph(self._function.graph.as_graph_def(), arguments, results)

    def state(self) -> Iterator[NDArray[np.generic]]:
        """The present value of each tensor that the operations read: variables of any type, constants, tables."""
        variables = {id(variable.handle): variable for variable in self._function.variables}
        held = self._function.captured_inputs
        for tensor, inside in zip(held, self._function.inputs[len(self._function.inputs) - len(held) :], strict=True):
            if id(tensor) in variables:
                yield variables[id(tensor)].numpy()
            elif tensor.dtype == import_tensorflow().resource:
                yield from read_table(tensor, inside)
            else:
                yield tensor.numpy()


def _trace(
    laid: Laid, model: str, batch: int | None, shape: tuple[int, ...]
) -> tuple[Any, list[tuple[int | None, ...]]]:
    tf = import_tensorflow()
    calls = laid.calls
    shapes: list[tuple[int | None, ...]] = []

    def run(tensor: Any) -> Any:
        values = replay(calls[1:], begin(calls[0], tensor))
        shapes[:] = [tuple(values[call.name].shape[1:]) for call in calls]
        results = [values[name] for name in (laid.output, *laid.others)]
        return results[0] if len(results) == 1 else results

    is_open = any(axis is None for call in calls for axis in call.shape) or calls[0].dtype == TEXT
    # With one stimulus, TensorFlow can tell shapes that it cannot tell for any number of them.
    spec = tf.TensorSpec([batch or (1 if is_open else None), *shape], tf.float32)
    try:
        function = tf.function(run, autograph=False).get_concrete_function(spec)
    except Exception as error:  # whatever a layer raises that cannot be called like this
        raise InputError(f"Keras model '{model}' cannot be traced: {first_line(error)}") from error
    return function, shapes


def _read_shape(call: Call, traced: tuple[int | None, ...], model: str) -> tuple[int, ...]:
    """The shape that Keras says, or where it leaves an axis open, the one that was traced."""
    shape = traced if None in call.shape else call.shape
    if None in shape:
        raise InputError(
            f"Keras model '{model}': the shape of '{call.name}' depends on more than its input's shape "
            "(a TextVectorization needs output_sequence_length)"
        )
    return tuple(int(axis or 0) for axis in shape)

"""Translating a Keras model into a graph of nodes, and running parts of it.

A Keras functional model is a record of calls; models called inside it are records of their own. Here all of them
are laid out in one list of calls, in order, each producing one tensor. Keras numbers layers without a name of
their own per process (`conv2d_17`); they are numbered anew per model, so that names come out the same every time.
A softmax that hides in its layer's activation becomes a call of its own, so that the logits can be had.

Keras has no public way to read that record. What is private to it and relied upon, here and nowhere else:
`tensor._keras_history` (who made a tensor, by which of its calls), `operation._inbound_nodes` (those calls; of each
`operation`, `arguments.keras_tensors`, `arguments.fill_in` and `outputs`), and the class that
`keras.Model(inputs, outputs)` makes; and the stack of open name scopes.
tests/plugins/loaders/test_keras_record.py holds Keras to it; tried with 3.15.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from layerwise.core.network.graph import Graph, Node
from layerwise.plugins.loaders.keras.ops import describe_op
from layerwise.plugins.loaders.tensorflow.inputs import convert
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow


@dataclass(frozen=True)
class Call:
    """One call of a Keras operation that gives one tensor.

    Attributes:
        name: Name of the node.
        operation: What is called; None for the input.
        keras_node: Keras's record of the call, with its arguments; None for calls with one tensor and nothing else.
        output: Which of the operation's outputs it is.
        sources: Name of the node that holds each Keras tensor among the arguments, by the tensor's id.
        shape: Shape of the tensor, without the batch axis; None for axes of unknown length.
        dtype: Type of the tensor, in Keras's words.
    """

    name: str
    operation: Any
    keras_node: Any
    output: int
    sources: Mapping[int, str]
    shape: tuple[int | None, ...]
    dtype: str = "float32"

    def run(self, values: Mapping[str, Any]) -> Any:
        """Call the operation on tensors that are held by node name, in inference mode."""
        if self.keras_node is None:
            args, kwargs = (values[next(iter(self.sources.values()))],), {}
        else:
            held = {key: values[name] for key, name in self.sources.items()}
            args, kwargs = self.keras_node.arguments.fill_in(held)
        if _takes_training(self.operation):
            kwargs = {**kwargs, "training": False}
        import keras

        return keras.tree.flatten(self.operation(*args, **kwargs))[self.output]


@dataclass(frozen=True)
class Laid:
    """A model's calls, and which of them give its outputs.

    Attributes:
        calls: All calls in order, the input first.
        output: Name of the one that counts as the output.
        others: Names of the other outputs.
        inputs: Names of the inputs, in the model's order.
    """

    calls: tuple[Call, ...]
    output: str
    others: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


def replay(calls: Iterable[Call], values: dict[str, Any]) -> dict[str, Any]:
    """Make these calls one after the other, each on the tensors held by node name so far; all that are held then."""
    # Keras opens a scope named after each layer; at the root, TensorFlow refuses names such as `_conv`.
    with import_tensorflow().name_scope("replay"), _closing_scopes():
        for call in calls:
            values[call.name] = call.run(values)
    return values


@contextmanager
def _closing_scopes() -> Iterator[None]:
    """Leave Keras's name scopes as they were, whatever fails within.

    A layer whose name TensorFlow refuses leaves its scope open, and what Keras names from then on in this process
    (the optimizer of somebody's training) is named below it, or refused, too. Keras has no public way to the scopes.
    """
    try:
        from keras.src.backend.common.global_state import get_global_attribute
    except ImportError:
        yield
        return
    open_before = len(get_global_attribute("name_scope_stack") or ())
    try:
        yield
    finally:
        del (get_global_attribute("name_scope_stack") or [])[open_before:]


def begin(call: Call, tensor: Any) -> dict[str, Any]:
    """What `replay` starts from: the tensor of a call, float32 as it comes, in the type that Keras has it in."""
    return {call.name: convert(tensor, call.dtype, call.shape)}


def translate(
    laid: Laid, shapes: Mapping[str, tuple[int, ...]], beside: Mapping[str, Sequence[str]] | None = None
) -> Graph:
    """The graph of a model's calls.

    Args:
        laid: The calls.
        shapes: Shapes of their tensors, by name.
        beside: For a tensor that no boundary can hold, the nodes that it is made of: who reads it reads these, too.
    """
    nodes = []
    for call in laid.calls:
        op, kernel = describe_op(call.operation, len(call.shape))
        direct = inputs_of(call)
        unseen = [name for source in direct for name in (beside or {}).get(source, ()) if name not in direct]
        nodes.append(Node(call.name, op, (*direct, *dict.fromkeys(unseen)), shapes[call.name], kernel))
    return Graph(tuple(nodes), laid.output)


def inputs_of(call: Call) -> tuple[str, ...]:
    """Names of the nodes whose tensors a call reads."""
    if call.keras_node is None:
        return tuple(call.sources.values())
    return tuple(call.sources[id(tensor)] for tensor in call.keras_node.arguments.keras_tensors)


def asks_to_train(keras_node: Any) -> bool:
    """Whether a call says that its layer is to do what it does in training.

    Keras fills in a layer's own default: where that is True (layers that resize, crop and augment), True in its
    record says nothing, and the layer is called for inference, as Keras's `predict` calls it.
    """
    arguments, method = keras_node.arguments, getattr(keras_node.operation, "call", None)
    if method is None or not _takes_training(keras_node.operation):
        return False
    signature = inspect.signature(method)
    given = signature.bind_partial(*arguments.args, **arguments.kwargs).arguments.get("training")
    return bool(given) and signature.parameters["training"].default is not True


def _takes_training(operation: Any) -> bool:
    method = getattr(operation, "call", None)
    return method is not None and "training" in inspect.signature(method).parameters

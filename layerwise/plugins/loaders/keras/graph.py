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
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.core.network.graph import Graph, Node
from layerwise.plugins.loaders.keras.nested import match_inputs
from layerwise.plugins.loaders.keras.ops import describe_op, has_fused_softmax
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
    return {call.name: import_tensorflow().cast(tensor, call.dtype)}


@dataclass
class _Layout:
    """The list of calls while it grows, and the node that holds each tensor met so far."""

    calls: list[Call] = field(default_factory=list)
    used: Counter[str] = field(default_factory=Counter)

    def add(
        self, name: str, operation: Any, keras_node: Any, output: int, sources: dict[int, str], tensor: Any
    ) -> str:
        taken = {call.name for call in self.calls}
        self.used[name] += 1
        unique = name if self.used[name] == 1 else f"{name}:{self.used[name] - 1}"
        while unique in taken:  # a layer may be called so itself
            self.used[name] += 1
            unique = f"{name}:{self.used[name] - 1}"
        self.calls.append(Call(unique, operation, keras_node, output, sources, tuple(tensor.shape[1:]), tensor.dtype))
        return unique


def lay_out(model: Any) -> tuple[Call, ...]:
    """All calls of a functional or sequential model, of the models inside it too, in order; the input first.

    Raises:
        InputError: If it is no such model, or has several inputs or outputs.
    """
    _check_is_graph(model)
    layout = _Layout()
    source = model.inputs[0]
    name = layout.add(source._keras_history[0].name, None, None, 0, {}, source)
    (output,) = _lay_out_model(model, [name], "", layout)
    _refuse_state(layout.calls)
    place = next(index for index, call in enumerate(layout.calls) if call.name == output)
    return tuple(_split_softmax(layout.calls[: place + 1]))


def _check_is_graph(model: Any) -> None:
    import keras

    if isinstance(model, keras.Sequential) and not model.built:
        raise InputError(
            f"Keras model '{model.name}' was never built, so that nobody knows the shape of its input: give it a "
            "keras.Input, or call it once, before it is saved"
        )
    if not _is_graph(model):
        raise InputError(
            f"Keras model '{model.name}' is not a functional or sequential model with a known input shape, "
            "so its layers cannot be told apart"
        )
    for what, tensors in (("inputs", model.inputs), ("outputs", model.outputs)):
        if len(tensors) != 1:
            raise InputError(
                f"Keras model '{model.name}' has {len(tensors)} {what}; only models with one can be analysed"
            )


def _refuse_state(calls: Iterable[Call]) -> None:
    for call in calls:
        if getattr(call.operation, "stateful", False):
            raise InputError(
                f"layer '{call.name}' is stateful: what it makes of a stimulus depends on those before it; build the "
                "model with stateful=False"
            )


def _is_graph(operation: Any) -> bool:
    """Whether an operation is itself a record of calls, and calling it does no more than replay them."""
    import keras

    if not isinstance(operation, keras.Model) or not getattr(operation, "inputs", None):
        return False
    return type(operation).call in (_functional_class().call, keras.Sequential.call)


@cache
def _functional_class() -> Any:
    """The class that Keras makes of `keras.Model(inputs, outputs)`; it has no public name."""
    import keras

    source = keras.Input((1,))
    return type(keras.Model(source, source))


def _lay_out_model(model: Any, inputs: list[str], prefix: str, layout: _Layout) -> list[str]:
    held = {id(tensor): name for tensor, name in zip(model.inputs, inputs, strict=True)}
    for keras_node in _calls_in_order(model):
        operation = keras_node.operation
        sources = {id(tensor): held[id(tensor)] for tensor in keras_node.arguments.keras_tensors}
        given = match_inputs(operation, keras_node) if _is_graph(operation) else None
        if getattr(operation, "adds_only_loss", False):
            names = [sources[id(keras_node.arguments.keras_tensors[-1])]]
        elif given is not None:
            wanted = [sources[id(tensor)] for tensor in given]
            names = _lay_out_model(operation, wanted, f"{prefix}{operation.name}/", layout)
        else:
            names = [
                layout.add(f"{prefix}{operation.name}", operation, keras_node, index, sources, tensor)
                for index, tensor in enumerate(keras_node.outputs)
            ]
        held.update({id(tensor): name for tensor, name in zip(keras_node.outputs, names, strict=True)})
    return [held[id(tensor)] for tensor in model.outputs]


def list_tensors(model: Any) -> dict[int, Any]:
    """The tensors of a functional or sequential model, by their ids; not those within models that it calls."""
    found = {id(tensor): tensor for tensor in model.inputs}
    for keras_node in _calls_in_order(model):
        found |= {id(tensor): tensor for tensor in keras_node.outputs}
    return found


def _calls_in_order(model: Any) -> Iterator[Any]:
    """Keras's records of the calls that lead to the model's outputs, each after those it needs."""
    done = {id(tensor) for tensor in model.inputs}
    waiting = list(reversed(model.outputs))
    while waiting:
        tensor = waiting[-1]
        if id(tensor) in done:
            waiting.pop()
            continue
        operation, index, _ = tensor._keras_history
        keras_node = operation._inbound_nodes[index]
        missing = [source for source in keras_node.arguments.keras_tensors if id(source) not in done]
        if missing:
            waiting.extend(reversed(missing))
            continue
        done.update(id(output) for output in keras_node.outputs)
        waiting.pop()
        yield keras_node


def _split_softmax(calls: list[Call]) -> list[Call]:
    """The calls with a softmax that is the last layer's activation as a call of its own."""
    import keras

    last = calls[-1]
    if not has_fused_softmax(last.operation):
        return calls
    # Not copy.copy: Keras pickles a layer to copy it, and the copy has weights of its own, which nobody trains.
    bare = object.__new__(type(last.operation))
    vars(bare).update(vars(last.operation), activation=keras.activations.linear)
    logits = "logits" if all(call.name != "logits" for call in calls) else f"{last.name}_logits"
    softmax = replace(last, operation=last.operation.activation, keras_node=None, sources={0: logits})
    return [*calls[:-1], replace(last, name=logits, operation=bare), softmax]


def renumber(calls: tuple[Call, ...]) -> tuple[Call, ...]:
    """The calls with layers that Keras has named numbered from nothing on, in the order it named them."""
    numbered: dict[str, dict[int, str]] = {}
    for call in calls:
        match = _auto_name(call)
        if match:
            numbered.setdefault(match[0], {})[match[1]] = call.name
    new: dict[str, str] = {}
    for base, names in numbered.items():
        for place, number in enumerate(sorted(names)):
            new[names[number]] = base if place == 0 else f"{base}_{place}"
    taken = {call.name for call in calls} - set(new)
    new = {old: name for old, name in new.items() if name not in taken}
    return tuple(
        replace(call, name=new.get(call.name, call.name), sources={k: new.get(v, v) for k, v in call.sources.items()})
        for call in calls
    )


def _auto_name(call: Call) -> tuple[str, int] | None:
    """Base and number of a name that Keras made up from the class's name, otherwise None."""
    kind = "InputLayer" if call.operation is None else type(call.operation).__name__
    base = re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", re.sub(r"\W+", "", kind)))
    match = re.fullmatch(rf"(.*/)?({base.lower()})(?:_(\d+))?", call.name)
    return (f"{match[1] or ''}{match[2]}", int(match[3] or 0)) if match else None


def translate(calls: tuple[Call, ...], shapes: Mapping[str, tuple[int, ...]]) -> Graph:
    """The graph of these calls, whose tensors have these shapes."""
    nodes = []
    for call in calls:
        op, kernel = describe_op(call.operation, len(call.shape))
        nodes.append(Node(call.name, op, _inputs(call), shapes[call.name], kernel))
    return Graph(tuple(nodes), calls[-1].name)


def _inputs(call: Call) -> tuple[str, ...]:
    if call.keras_node is None:
        return tuple(call.sources.values())
    return tuple(call.sources[id(tensor)] for tensor in call.keras_node.arguments.keras_tensors)


def _takes_training(operation: Any) -> bool:
    method = getattr(operation, "call", None)
    return method is not None and "training" in inspect.signature(method).parameters

"""Laying out a Keras model, and the models inside it, as one list of calls."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.core.network.inputs import TEXT, InputSpec
from layerwise.plugins.loaders.keras.graph import Call, Laid, asks_to_train, inputs_of
from layerwise.plugins.loaders.keras.inputs import InputSlice
from layerwise.plugins.loaders.keras.nested import match_inputs
from layerwise.plugins.loaders.keras.ops import has_fused_softmax
from layerwise.plugins.loaders.tensorflow.inputs import PACKED


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


def lay_out(model: Any, inputs: Sequence[InputSpec] = (), wanted: str | None = None) -> Laid:
    """All calls of a functional or sequential model, of the models inside it too, in order; the input first.

    Args:
        model: The model.
        inputs: What goes into it, where that is not one picture.
        wanted: The output that counts, by the name of its layer or what the model calls it; None for the only one,
            or the one with the longest way to it.

    Raises:
        InputError: If it is no such model, or has no such output.
    """
    check_is_graph(model)
    layout = _Layout()
    names = _add_inputs(model, inputs, layout)
    found = _lay_out_model(model, names, "", layout)
    _refuse_state(layout.calls)
    output = _choose_output(model, found, layout.calls, wanted)
    others = tuple(name for name in dict.fromkeys(found) if name != output)
    ordered = _put_last(layout.calls, [*others, output]) if others else layout.calls
    return Laid(tuple(_split_softmax(ordered, output)), output, others, tuple(names))


def _put_last(calls: Sequence[Call], goals: Sequence[str]) -> list[Call]:
    """The calls in an order in which those that lead to earlier goals come first, each after those it needs."""
    by_name = {call.name: call for call in calls}
    place = {call.name: index for index, call in enumerate(calls)}
    ordered: dict[str, Call] = {}
    for goal in goals:
        needed: set[str] = set()
        waiting = [goal]
        while waiting:
            name = waiting.pop()
            if name not in needed and name not in ordered:
                needed.add(name)
                waiting.extend(inputs_of(by_name[name]))
        ordered |= {name: by_name[name] for name in sorted(needed, key=place.__getitem__)}
    return [call for call in calls if call.name not in ordered and call.operation is None] + list(ordered.values())


def _add_inputs(model: Any, inputs: Sequence[InputSpec], layout: _Layout) -> list[str]:
    """Calls for the inputs; several are cut out of one tensor."""
    own = [tensor._keras_history[0].name for tensor in model.inputs]
    if len(model.inputs) == 1:
        return [layout.add(own[0], None, None, 0, {}, model.inputs[0])]
    total = sum(math.prod(spec.shape) for spec in inputs)
    layout.calls.append(Call(PACKED, None, None, 0, {}, (total,)))
    layout.used[PACKED] += 1
    names, first = [], 0
    for tensor, name, spec in zip(model.inputs, own, inputs, strict=True):
        piece = InputSlice(spec, first, tuple(tensor.shape[1:]))
        names.append(layout.add(name, piece, None, 0, {0: PACKED}, tensor))
        first += math.prod(spec.shape)
    return names


def _choose_output(model: Any, found: Sequence[str], calls: Sequence[Call], wanted: str | None) -> str:
    """The name of the call whose tensor counts as the output."""
    if wanted is not None:
        keys = list(model.output) if isinstance(model.output, dict) else []
        called: dict[str, str] = dict(zip(sorted(keys), found, strict=False)) | {
            call.name: call.name for call in calls
        }
        if wanted not in called:
            near = near_names(wanted, [*keys, *(call.name for call in calls)])
            raise InputError(f"Keras model '{model.name}' has no output '{wanted}'{near}")
        return called[wanted]
    reads = {call.name: inputs_of(call) for call in calls}

    def count(name: str) -> int:
        before: set[str] = set()
        waiting = [name]
        while waiting:
            one = waiting.pop()
            if one not in before:
                before.add(one)
                waiting.extend(reads[one])
        return len(before)

    return max(dict.fromkeys(found), key=count)


def check_is_graph(model: Any) -> None:
    """See that a model is a record of calls.

    Raises:
        InputError: If it is not; says why.
    """
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


def _refuse_state(calls: Iterable[Call]) -> None:
    for call in calls:
        if getattr(call.operation, "stateful", False):
            raise InputError(
                f"layer '{call.name}' is stateful: what it makes of a stimulus depends on those before it; build the "
                "model with stateful=False"
            )
        if call.keras_node is not None and asks_to_train(call.keras_node):
            raise InputError(
                f"layer '{call.name}' is called with training=True: what it makes of a stimulus depends on chance or "
                "on the others in its batch; build the model without that"
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


def _split_softmax(calls: list[Call], output: str) -> list[Call]:
    """The calls with a softmax that is the output's activation as a call of its own."""
    import keras

    place = next(index for index, call in enumerate(calls) if call.name == output)
    last = calls[place]
    if not has_fused_softmax(last.operation):
        return calls
    # Not copy.copy: Keras pickles a layer to copy it, and the copy has weights of its own, which nobody trains.
    bare = object.__new__(type(last.operation))
    vars(bare).update(vars(last.operation), activation=keras.activations.linear)
    logits = "logits" if all(call.name != "logits" for call in calls) else f"{last.name}_logits"
    softmax = replace(last, operation=last.operation.activation, keras_node=None, sources={0: logits})
    return [*calls[:place], replace(last, name=logits, operation=bare), softmax, *calls[place + 1 :]]


def renumber(laid: Laid) -> Laid:
    """The calls with layers that Keras has named numbered from nothing on, in the order it named them."""
    calls = laid.calls
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

    def rename(name: str) -> str:
        return new.get(name, name)

    return Laid(
        tuple(
            replace(call, name=rename(call.name), sources={key: rename(name) for key, name in call.sources.items()})
            for call in calls
        ),
        rename(laid.output),
        tuple(map(rename, laid.others)),
        tuple(map(rename, laid.inputs)),
    )


def _auto_name(call: Call) -> tuple[str, int] | None:
    """Base and number of a name that Keras made up from the class's name, otherwise None."""
    is_input = call.operation is None or isinstance(call.operation, InputSlice)
    kind = "InputLayer" if is_input else type(call.operation).__name__
    base = re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", re.sub(r"\W+", "", kind)))
    match = re.fullmatch(rf"(.*/)?({base.lower()})(?:_(\d+))?", call.name)
    return (f"{match[1] or ''}{match[2]}", int(match[3] or 0)) if match else None


def trace_strings(calls: Sequence[Call]) -> dict[str, tuple[str, ...]]:
    """For each call that gives strings, the calls with numbers that these are made of; the first call has numbers.

    No boundary between segments can hold strings. Whoever reads such a tensor is said to read what it is made of as
    well: then the network is not cut there. Keras's masks need nothing of the kind: its record of a call has them
    among the arguments, as tensors of their own.
    """
    found: dict[str, tuple[str, ...]] = {}
    for call in calls[1:]:
        if call.dtype == TEXT:
            sources = [origin for read in inputs_of(call) for origin in found.get(read, (read,))]
            found[call.name] = tuple(dict.fromkeys(sources))
    return found

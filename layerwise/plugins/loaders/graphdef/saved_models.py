"""SavedModels as graphs whose variables are constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.plugins.loaders.keras.weights import first_line
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow

_CHOICES = frozenset({"ArgMax", "ArgMin", "TopK", "TopKV2"})
_SHAPES = frozenset({"Identity", "Cast", "Squeeze", "ExpandDims", "Reshape"})


@dataclass(frozen=True)
class Frozen:
    """A signature whose variables are constants.

    Attributes:
        graph_def: Its graph.
        places: The placeholders that stimuli go into, by the names of the signature's inputs.
        outputs: The outputs' tensors, by the signature's names for them; first the one that counts.
        held: Handles of the tables that it looks things up in, by the placeholder that stands for each.
        owner: What the tables belong to, which keeps them alive.
    """

    graph_def: Any
    places: dict[str, str]
    outputs: dict[str, str]
    held: dict[str, Any]
    owner: Any


def freeze(folder: Path, wanted: str | None = None) -> Frozen:
    """The serving signature with constants for variables.

    Args:
        folder: The SavedModel.
        wanted: Name of the output that counts, as the signature calls it, or of any node of its graph; None for the
            one with the longest way to it.

    Raises:
        InputError: If it cannot be loaded, has no such output, or gives something else every time.
    """
    tf = import_tensorflow()
    try:
        loaded = tf.saved_model.load(str(folder))  # held on to, because it owns the variables
    except Exception as error:  # a damaged folder makes TensorFlow raise a dozen types
        raise InputError(f"cannot load the SavedModel {folder}: {first_line(error)}") from error
    signatures = loaded.signatures
    if not signatures:
        raise InputError(f"the SavedModel {folder} has no signature to call")
    name = "serving_default" if "serving_default" in signatures else next(iter(signatures))
    function = signatures[name]
    places = _name_inputs(function)
    if not places:
        raise InputError(f"signature '{name}' of the SavedModel {folder} has no inputs")
    try:
        graph_def = _replace_variables(function)
    except Exception as error:  # whatever TensorFlow raises for a resource that is no variable
        raise InputError(f"cannot freeze the SavedModel {folder}: {first_line(error)}") from error
    outputs = _choose_outputs(graph_def, _name_outputs(function), wanted, folder)
    for output in outputs.values():
        _take_out_assignments(graph_def, _plain(output), folder)
    return Frozen(graph_def, places, outputs, _find_tables(function, graph_def), loaded)


def _name_inputs(function: Any) -> dict[str, str]:
    """The placeholders of a signature's own inputs, by what it calls them."""
    nodes = [tensor.op.name for tensor in function.inputs[: len(function.inputs) - len(function.captured_inputs)]]
    words = sorted(function.structured_input_signature[1])
    return dict(zip(words if len(words) == len(nodes) else nodes, nodes, strict=True))


def _choose_outputs(graph_def: Any, outputs: Mapping[str, str], wanted: str | None, folder: Path) -> dict[str, str]:
    """The outputs with different values, first the one that counts; for a choice of a class what is chosen from."""
    nodes = {node.name: node for node in graph_def.node}
    if wanted is not None:
        output = outputs.get(wanted, wanted.removesuffix(":0"))
        if _plain(output) not in nodes:
            raise InputError(f"the SavedModel {folder} has no output '{wanted}'{near_names(wanted, list(outputs))}")
        first = {wanted: output}
    else:
        ends = {word: before_choice(graph_def, output) for word, output in outputs.items()}
        lengths = {word: len(_ancestors(nodes, _plain(end))) for word, end in ends.items()}
        longest = max(ends, key=lambda word: (lengths[word], ends[word] == outputs[word]))
        first = {longest: ends[longest]}
    rest = {word: before_choice(graph_def, output) for word, output in outputs.items() if word not in first}
    distinct = {output: word for word, output in reversed(rest.items()) if output not in first.values()}
    return first | {word: output for output, word in reversed(distinct.items())}


def _find_tables(function: Any, graph_def: Any) -> dict[str, Any]:
    """Handles of resources that stay in the graph, by their placeholders."""
    placeholders = {node.name for node in graph_def.node if node.op == "Placeholder"}
    captured = function.captured_inputs
    inside = function.inputs[len(function.inputs) - len(captured) :]
    return {
        tensor.op.name: handle
        for tensor, handle in zip(inside, captured, strict=True)
        if tensor.op.name in placeholders
    }


def _name_outputs(function: Any) -> dict[str, str]:
    """The names of the tensors that a signature gives, by what it calls them."""
    structured = function.structured_outputs
    names = sorted(structured) if isinstance(structured, dict) else []
    if len(names) != len(function.outputs):
        names = [tensor.op.name for tensor in function.outputs]
    return {word: tensor.name.removesuffix(":0") for word, tensor in zip(names, function.outputs, strict=True)}


def _replace_variables(function: Any) -> Any:
    """The graph of a signature, called functions inlined, loops and conditions as the calls that they are.

    What TensorFlow offers for it (`convert_variables_to_constants_v2`) does this and then makes a function of the
    graph, which fails where a variable is assigned to; and it has no option to leave that out.
    """
    from tensorflow.python.framework import convert_to_constants

    data = convert_to_constants._FunctionConverterDataInEager(
        func=function, lower_control_flow=False, aggressive_inlining=False
    )
    return convert_to_constants._replace_variables_by_constants(converter_data=data)[0]


def _take_out_assignments(graph_def: Any, output: str, folder: Path) -> None:
    """Remove what is assigned to variables, where nothing that is computed depends on it.

    Raises:
        InputError: If the output depends on a variable that every call changes.
    """
    nodes = {node.name: node for node in graph_def.node}
    assignments = {name for name, node in nodes.items() if node.op.startswith("Assign")}
    if not assignments:
        return
    needed = _ancestors(nodes, output)
    for name in sorted(assignments):
        if needed & _ancestors(nodes, _plain(nodes[name].input[0])):
            by_chance = any("Random" in nodes[one].op for one in needed if one in nodes)
            why = "depends on chance (augmentation that was exported in training mode, for instance)"
            why = why if by_chance else "depends on what was computed before it (it keeps a state)"
            raise InputError(f"the output of the SavedModel {folder} {why}: see '{name}'; export it without that")
    kept = [node for node in graph_def.node if node.name not in assignments]
    for node in kept:
        node.input[:] = [one for one in node.input if one.removeprefix("^") not in assignments]
    del graph_def.node[:]
    graph_def.node.extend(kept)


def before_choice(graph_def: Any, output: str) -> str:
    """The operation whose values a graph chooses from at its end (`ArgMax`), otherwise the output itself."""
    nodes = {node.name: node for node in graph_def.node}
    name = output
    while name in nodes and nodes[name].op in _SHAPES | _CHOICES and nodes[name].input:
        operation, name = nodes[name].op, _plain(nodes[name].input[0])
        if operation in _CHOICES:
            return name
    return output


def _ancestors(nodes: Mapping[str, Any], name: str) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_plain(one) for one in nodes[name].input if not one.startswith("^"))
    return found


def _plain(name: str) -> str:
    return name.removeprefix("^").partition(":")[0]

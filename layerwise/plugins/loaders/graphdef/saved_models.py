"""SavedModels as graphs whose variables are constants."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.plugins.loaders.keras.weights import first_line
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow

_CHOICES = frozenset({"ArgMax", "ArgMin", "TopK", "TopKV2"})
_SHAPES = frozenset({"Identity", "Cast", "Squeeze", "ExpandDims", "Reshape"})


def freeze(folder: Path, wanted: str | None = None) -> tuple[Any, str, str]:
    """The serving signature with constants for variables: graph, placeholder, and tensor of the output.

    Args:
        folder: The SavedModel.
        wanted: Name of the output, as the signature calls it, or of any node of its graph; None for the only one.

    Raises:
        InputError: If it cannot be loaded, has not one input, has several outputs of which none is named, or gives
            something else every time.
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
    inputs = function.inputs[: len(function.inputs) - len(function.captured_inputs)]
    if len(inputs) != 1:
        raise InputError(f"signature '{name}' of the SavedModel {folder} has {len(inputs)} inputs; only one will do")
    outputs = _name_outputs(function)
    if wanted is None and len(outputs) != 1:
        listed = ", ".join(outputs)
        raise InputError(
            f"signature '{name}' of the SavedModel {folder} has {len(outputs)} outputs: --output says "
            f"which one counts ({listed})"
        )
    try:
        graph_def = _replace_variables(function)
    except Exception as error:  # whatever TensorFlow raises for a resource that is no variable
        raise InputError(f"cannot freeze the SavedModel {folder}: {first_line(error)}") from error
    output = next(iter(outputs.values())) if wanted is None else outputs.get(wanted, wanted.removesuffix(":0"))
    if _plain(output) not in {node.name for node in graph_def.node}:
        raise InputError(f"the SavedModel {folder} has no output '{wanted}'{near_names(wanted or '', list(outputs))}")
    _take_out_assignments(graph_def, _plain(output), folder)
    return graph_def, inputs[0].op.name, before_choice(graph_def, output) if wanted is None else output


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

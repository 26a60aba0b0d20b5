"""Where stimuli go into a TensorFlow graph, what comes out, and values for placeholders that are settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.plugins.loaders.graphdef.inputs import read_source
from layerwise.plugins.loaders.graphdef.saved_models import before_choice
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow

_PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderWithDefault"})
_N_LISTED = 6


def find_ends(graph_def: Any, path: Path, wanted: str | None) -> tuple[tuple[str, ...], str]:
    """Names of the placeholders for stimuli and of the tensor that counts as the output.

    Args:
        graph_def: A `GraphDef` without variables.
        path: Where it came from, for messages.
        wanted: The output's name; None for the end of the longest way from a placeholder, or where that is a choice
            of a class, what is chosen from.

    Raises:
        InputError: If there is no such output, no placeholder before it, or one that is a setting without a value.
    """
    inputs_of = {node.name: [_operation(name) for name in node.input if name[0] != "^"] for node in graph_def.node}
    sources = {node.name: node for node in graph_def.node if node.op == "Placeholder"}
    if not sources:
        raise InputError(f"{path} has no placeholder to feed stimuli to")
    if wanted is not None:
        output = _find_named(wanted, inputs_of, path)
    else:
        output = before_choice(graph_def, _find_longest(inputs_of, list(sources)))
    behind = _ancestors(inputs_of, _operation(output))
    reached = [source for source in sources if source in behind]
    if not reached:
        raise InputError(f"{path} has 0 placeholders before '{output}': --output NODE names another output")
    settings = [name for name in reached if len(reached) > 1 and _is_setting(sources[name])]
    if settings:
        raise InputError(
            f"{path} has {len(reached)} placeholders before '{output}' ({', '.join(reached[:_N_LISTED])}), of which "
            f"{', '.join(settings[:_N_LISTED])} {'takes' if len(settings) == 1 else 'take'} no batch of stimuli: "
            "--feed NAME=NUMBER gives a setting its value"
        )
    return tuple(reached), output


def _is_setting(placeholder: Any) -> bool:
    """Whether a placeholder beside others has no batch: it takes one number, or does not say what it takes."""
    return read_source(placeholder, placeholder.name).sides is None


def set_values(graph_def: Any, path: Path, values: Sequence[tuple[str, float]]) -> None:
    """Make constants of placeholders.

    Args:
        graph_def: A `GraphDef`, which is changed.
        path: Where it came from, for messages.
        values: Name and value of each.

    Raises:
        InputError: If there is no such placeholder, or it does not take a number.
    """
    nodes = {node.name: node for node in graph_def.node if node.op in _PLACEHOLDERS}
    for name, value in values:
        node = nodes.get(name.removesuffix(":0"))
        if node is None:
            raise InputError(f"{path} has no placeholder '{name}'{near_names(name, sorted(nodes))}")
        node.CopyFrom(_make_constant(node, value, path))


def _make_constant(placeholder: Any, value: float, path: Path) -> Any:
    tf = import_tensorflow()
    dtype = tf.as_dtype(placeholder.attr["dtype"].type)
    shape = placeholder.attr["shape"].shape
    sides = [] if shape.unknown_rank else [max(dim.size, 1) for dim in shape.dim]
    if not (dtype.is_floating or dtype.is_integer or dtype.is_bool):
        raise InputError(f"{path}: placeholder '{placeholder.name}' takes {dtype.name}, not a number")
    if (dtype.is_integer and value != int(value)) or (dtype.is_bool and value not in (0, 1)):
        raise InputError(f"{path}: placeholder '{placeholder.name}' takes {dtype.name}, not {value:g}")
    with tf.Graph().as_default() as graph:
        tf.constant(dtype.as_numpy_dtype(value), dtype, sides, name="value")
        constant = graph.as_graph_def().node[0]
    constant.name = placeholder.name
    return constant


def _find_named(wanted: str, inputs_of: Mapping[str, Sequence[str]], path: Path) -> str:
    name = wanted.removesuffix(":0")
    if _operation(name) not in inputs_of:
        raise InputError(f"{path} has no node '{wanted}'{near_names(wanted, list(inputs_of))}")
    return name


def _find_longest(inputs_of: Mapping[str, Sequence[str]], sources: Sequence[str]) -> str:
    """The operation that ends the longest way from a placeholder."""
    read = {name for names in inputs_of.values() for name in names}
    behind = {end: _ancestors(inputs_of, end) for end in inputs_of if end not in read}
    if not behind:
        raise InputError("the graph has no end: every operation is read by another one; --output NODE names one")
    return max(behind, key=lambda end: (bool(behind[end] & set(sources)), len(behind[end])))


def _ancestors(inputs_of: Mapping[str, Sequence[str]], name: str) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(inputs_of.get(name, ()))
    return found


def _operation(name: str) -> str:
    return name.partition(":")[0]

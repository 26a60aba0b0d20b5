"""The identity of a TensorFlow graph: every operation that its output depends on, with all attributes and constants.

Operations are known by the order in which they are met on the way back from the output, so that neither names nor
the order in a file count. That holds for graphs with loops, too, and for the functions that a graph calls.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from layerwise.plugins.loaders.fingerprint import digest_value, feed
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow


def digest_graph(graph_def: Any, inputs: Sequence[str], outputs: Sequence[str]) -> str:
    """Hex SHA-256 of what a graph computes.

    Args:
        graph_def: A `GraphDef`.
        inputs: Names of the operations whose values come from outside, in order; what they are in the graph does not
            count.
        outputs: Names of the tensors that are wanted.
    """
    library = {function.signature.name: function for function in graph_def.library.function}
    return _Digester(library).digest(graph_def.node, inputs, outputs)


@dataclass
class _Digester:
    """Digests graphs that share a library of functions, each function once."""

    library: Mapping[str, Any]
    known: dict[str, str] = field(default_factory=dict)

    def digest(self, nodes: Iterable[Any], inputs: Sequence[str], outputs: Sequence[str]) -> str:
        by_name = {node.name: node for node in nodes}
        order = [*inputs]
        places = {name: place for place, name in enumerate(order)}

        def read(tensor: str) -> list[object]:
            name, _, port = tensor.removeprefix("^").partition(":")
            if name not in places:
                places[name] = len(order)
                order.append(name)
            return [places[name], port or "0", tensor.startswith("^")]

        digest = hashlib.sha256()
        feed(digest, [len(inputs), [read(tensor) for tensor in outputs]])
        for name in itertools.islice(order, len(inputs), None):  # grows meanwhile, by what each operation reads
            node = by_name[name]
            attributes = {key: self._plain(value) for key, value in node.attr.items() if _decides(key)}
            feed(digest, [self._name(node.op), attributes, [read(tensor) for tensor in node.input]])
        return digest.hexdigest()

    def _plain(self, value: Any) -> object:
        """An attribute's value; the name of a function is as good as what it does."""
        kind = value.WhichOneof("value")
        if kind == "tensor":
            return _read_tensor(value.tensor)
        if kind == "func":
            return self._call(value.func)
        if kind == "list" and (value.list.func or value.list.tensor):
            return [*map(self._call, value.list.func), *map(_read_tensor, value.list.tensor)]
        return [kind, value.SerializeToString(deterministic=True)]

    def _call(self, function: Any) -> list[object]:
        given = {key: self._plain(value) for key, value in function.attr.items() if _decides(key)}
        return [self._name(function.name), given]

    def _name(self, operation: str) -> str:
        """What stands for an operation: its own name, or for a function of the library the digest of its body."""
        if operation not in self.library:
            return operation
        if operation not in self.known:
            self.known[operation] = "itself"  # until it is known, in case it calls itself
            function = self.library[operation]
            arguments = [argument.name for argument in function.signature.input_arg]
            results = [function.ret[result.name] for result in function.signature.output_arg]
            effects = [f"^{name}" for _, name in sorted(function.control_ret.items())]
            self.known[operation] = self.digest(function.node_def, arguments, [*results, *effects])
        return self.known[operation]


def _decides(attribute: str) -> bool:
    """Whether an attribute says what an operation computes.

    Those that begin with an underscore are TensorFlow's notes about it (names for people, colocation, gradients, some
    of them numbered per process), and calls of functions say how this machine is to run them.
    """
    return not attribute.startswith("_") and attribute not in ("config", "config_proto", "executor_type")


def _read_tensor(tensor: Any) -> object:
    """A constant; the same numbers are the same however they are packed. What NumPy has not stays packed."""
    try:
        return import_tensorflow().make_ndarray(tensor)
    except TypeError:
        return digest_value(tensor.SerializeToString(deterministic=True))

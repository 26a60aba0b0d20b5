"""A model's identity: a hash over everything that decides what it computes.

The history answers for a model whose fingerprint it knows, so two models with different numbers must never have the
same one. Nothing is picked out here by name or type, therefore: whatever is handed over counts, and what
cannot be hashed is an error rather than passed over. Names count for nothing: Keras numbers layers per process
(`dense`, `dense_1`), so a node is known by its place in the graph.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.graph import Graph
from layerwise.core.network.model import WeightTensor

if TYPE_CHECKING:
    from hashlib import _Hash

Tensors: TypeAlias = "Iterable[WeightTensor | NDArray[np.generic]]"


def fingerprint_model(graph: Graph, settings: Mapping[str, object], weights: Tensors, preprocessing: str) -> str:
    """Hex SHA-256 of a model.

    Args:
        graph: Its nodes; their order counts, their names don't.
        settings: What else decides the computation: of a node (strides, padding, epsilon) under the node's name, of
            the whole model under any other key. Plain values, arrays, and collections of them.
        weights: Every tensor that decides the computation, of whatever type and size, in order.
        preprocessing: What is done to pixels.

    Raises:
        TypeError: If a setting is an object that says nothing of what is in it.
    """
    places = {node.name: place for place, node in enumerate(graph)}
    digest = hashlib.sha256()
    for node in graph:
        reads = [places[name] for name in node.inputs]
        feed(digest, [node.op, reads, node.shape, node.kernel, settings.get(node.name)])
    feed(digest, {key: value for key, value in settings.items() if key not in places})
    feed(digest, [places[graph.output], preprocessing])
    for tensor in weights:
        feed(digest, tensor.values if isinstance(tensor, WeightTensor) else tensor)
    return digest.hexdigest()


def feed(digest: _Hash, value: object) -> None:
    """Hash a value so that no other value hashes alike: with its type and length, in an order that is its own.

    Raises:
        TypeError: If it is neither plain nor an array nor a collection of such.
    """
    if isinstance(value, np.ndarray | np.generic):
        _feed_array(digest, np.asarray(value))
    elif isinstance(value, Mapping):
        _feed_all(digest, "mapping", [part for key in sorted(value, key=str) for part in (key, value[key])])
    elif isinstance(value, list | tuple):
        _feed_all(digest, "list", value)
    elif isinstance(value, set | frozenset):
        _feed_all(digest, "set", sorted(map(digest_value, value)))
    elif isinstance(value, slice):
        _feed_all(digest, "slice", (value.start, value.stop, value.step))
    elif value is None or isinstance(value, bool | int | float | complex | str | bytes):
        content = value if isinstance(value, bytes) else repr(value).encode()
        digest.update(f"{type(value).__name__} {len(content)};".encode() + content)
    else:
        raise TypeError(f"a {type(value).__name__} cannot be part of a fingerprint; give plain values or arrays")


def digest_value(value: object) -> str:
    """Hex SHA-256 of one value; as `feed`."""
    digest = hashlib.sha256()
    feed(digest, value)
    return digest.hexdigest()


def _feed_all(digest: _Hash, kind: str, values: Sequence[object]) -> None:
    digest.update(f"{kind} {len(values)};".encode())
    for value in values:
        feed(digest, value)


def _feed_array(digest: _Hash, values: NDArray[np.generic]) -> None:
    """An array's type, shape and bytes; bfloat16 and the like, which NumPy has no letter for, by their names."""
    if values.dtype.hasobject:
        _feed_all(digest, f"objects {values.shape}", values.reshape(-1).tolist())
        return
    plain = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    digest.update(f"array {values.dtype.newbyteorder('=')} {values.shape};".encode())
    digest.update(plain.reshape(-1).view(np.uint8).data)

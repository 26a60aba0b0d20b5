"""A model's identity: a hash over its architecture, its weights and its preprocessing.

Nothing in it depends on the process: the same file loaded twice, in one process or in two, gives the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

import numpy as np

from layerwise.core.network.graph import Graph
from layerwise.core.network.model import WeightTensor

_NO_PART_OF_THE_FUNCTION = ("name", "trainable", "build_config", "registered_name", "seed", "module")
_ENDINGS = ("_initializer", "_regularizer", "_constraint")


def fingerprint_model(
    graph: Graph, settings: Mapping[str, object], weights: Iterable[WeightTensor], preprocessing: str
) -> str:
    """Hex SHA-256 of a model.

    Args:
        graph: Its nodes, with names that come out the same every time.
        settings: What else decides a node's computation (strides, padding, epsilon), by node.
        weights: Its weight tensors, in order.
        preprocessing: What is done to pixels.
    """
    digest = hashlib.sha256()
    for node in graph:
        setting = json.dumps(
            _reduce(settings.get(node.name)), sort_keys=True, default=lambda value: type(value).__name__
        )
        digest.update(f"{node.name}|{node.op}|{node.inputs}|{node.shape}|{node.kernel}|{setting}\n".encode())
    digest.update(f"{graph.output}|{preprocessing}\n".encode())
    for tensor in weights:
        values = np.ascontiguousarray(tensor.values)
        digest.update(f"{tensor.name}|{values.dtype.str}|{values.shape}\n".encode())
        digest.update(values.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _reduce(setting: object) -> object:
    """A layer's configuration without what does not change what it computes, at any depth."""
    if isinstance(setting, Mapping):
        return {
            str(key): _reduce(value)
            for key, value in setting.items()
            if key not in _NO_PART_OF_THE_FUNCTION and not str(key).endswith(_ENDINGS)
        }
    if isinstance(setting, list | tuple):
        return [_reduce(value) for value in setting]
    return setting

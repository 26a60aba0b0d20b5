"""What is in the tables that a model looks things up in: words and their numbers, for instance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow

_PASSING = frozenset({"Identity"})


def read_tables(function: Any, held: Mapping[str, Any]) -> Iterator[NDArray[np.generic]]:
    """Keys and values of all tables of a function.

    Args:
        function: One that was traced.
        held: Their handles, by any name.

    Raises:
        InputError: As `read_table`.
    """
    captured, inputs = function.captured_inputs, function.inputs
    inside = dict(zip(map(id, captured), inputs[len(inputs) - len(captured) :], strict=True))
    for handle in held.values():
        yield from read_table(handle, inside[id(handle)])


def read_table(table: Any, inside: Any) -> Iterator[NDArray[np.generic]]:
    """Keys and values of a lookup table, in the order of the keys.

    Args:
        table: Its handle.
        inside: The handle as the traced operations have it; they know the types. Asked with other types, TensorFlow
            ends the process.

    Raises:
        InputError: If it is another kind of resource, or is not read.
    """
    find = next((op for op in _list_consumers(inside) if op.type == "LookupTableFindV2"), None)
    if find is None:
        raise InputError(
            "a layer holds a resource whose contents cannot be read, so that models cannot be told apart"
        )
    types = {"Tkeys": find.get_attr("Tin"), "Tvalues": find.get_attr("Tout")}
    entries = import_tensorflow().raw_ops.LookupTableExportV2(table_handle=table, **types)
    order = np.argsort(entries.keys.numpy())
    yield entries.keys.numpy()[order]
    yield entries.values.numpy()[order]


def _list_consumers(tensor: Any) -> Iterator[Any]:
    """What reads a tensor, or what hands it on."""
    for op in tensor.consumers():
        if op.type in _PASSING:
            yield from _list_consumers(op.outputs[0])
        else:
            yield op

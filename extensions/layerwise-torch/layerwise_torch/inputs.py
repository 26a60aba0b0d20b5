"""Networks that take something else than one batch of pictures: tokens, vectors, series, several of these at once.

Layerwise hands over one tensor of float32, in which several inputs lie one after the other. `Whole` is the network
called with that tensor: it cuts it into what the network takes, and gives all tensors that the network returns, in
order, whatever tuples, dictionaries and dataclasses they come in.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from layerwise.plugin import InputError, InputSpec
from torch import fx

from layerwise_torch.ops import function_name

NETWORK = "network"
"""Where `Whole` keeps the network; paths of modules begin with it."""
_TOKENS = ("input_ids", "attention_mask")
"""What networks in the manner of HuggingFace's call their tokens, and the mask of those that are no filling."""
_DEFAULT_LENGTH = 16  # of an axis that is open, until stimuli say how long it is
_KINDS = ("float", "int", "uint", "bool", "bfloat")


class Whole(torch.nn.Module):  # type: ignore[misc]
    """A network called with one tensor, which gives all tensors that it returns."""

    def __init__(self, network: Any, inputs: Sequence[InputSpec], dtype: Any) -> None:
        """Wrap.

        Args:
            network: The network.
            inputs: What it takes, by position or by the names of its parameters; none for a batch of pictures.
            dtype: Type of its weights, which it takes floating-point numbers in.
        """
        super().__init__()
        self.network = network
        self._inputs = tuple(inputs)
        self._dtypes = [_find_dtype(spec, dtype) for spec in inputs]
        known = _parameters_of(network)
        self._by_name = all(spec.name in known for spec in inputs)

    def forward(self, packed: Any) -> Any:
        """All tensors that the network returns, flat."""
        return tuple(name_outputs(self.call_network(packed)).values())

    def call_network(self, packed: Any) -> Any:
        """What the network itself returns."""
        if not self._inputs:
            return self.network(packed)
        values = cut(packed, self._inputs)
        typed = [
            value if dtype is None else value.to(dtype) for value, dtype in zip(values, self._dtypes, strict=True)
        ]
        if self._by_name:
            return self.network(**{spec.name: value for spec, value in zip(self._inputs, typed, strict=True)})
        return self.network(*typed)


def cut(packed: Any, inputs: Sequence[InputSpec]) -> list[Any]:
    """The inputs that lie one after the other in a tensor of (stimuli, all of them), still as float32."""
    if len(inputs) == 1:
        return [packed]
    found, first = [], 0
    for spec in inputs:
        length = math.prod(spec.shape)
        value = packed.narrow(1, first, length)
        found.append(value if len(spec.shape) == 1 else value.reshape(-1, *spec.shape))
        first += length
    return found


def find_pieces(placeholder: fx.Node, inputs: Sequence[InputSpec]) -> tuple[dict[fx.Node, str], set[fx.Node]]:
    """What `cut` has become in a traced program.

    Args:
        placeholder: The tensor that is cut.
        inputs: The inputs.

    Returns:
        The names of the inputs by the operations that give them, the placeholder first; and the operations between.
    """
    if len(inputs) < 2:
        return dict.fromkeys([placeholder][: len(inputs)], inputs[0].name if inputs else ""), set()
    starts, first = {}, 0
    for spec in inputs:
        starts[first] = spec
        first += math.prod(spec.shape)
    named: dict[fx.Node, str] = {placeholder: "inputs"}
    between: set[fx.Node] = set()
    for node in placeholder.users:
        if function_name(node.target) not in ("narrow", "slice"):  # its size, which `reshape` asks for
            continue
        spec = starts[int(node.args[2])]
        if len(spec.shape) == 1:
            named[node] = spec.name
        else:
            between.add(node)
            named |= dict.fromkeys(node.users, spec.name)
    return named, between


def name_outputs(value: Any, name: str = "") -> dict[str, Any]:
    """All tensors in what a network returns, in order, by their keys, fields or places (`hidden_states.0`)."""
    if isinstance(value, torch.Tensor | fx.Proxy):
        return {name or "output": value}
    parts: Mapping[Any, Any] = {}
    if isinstance(value, Mapping):
        parts = value
    elif isinstance(value, tuple | list):
        parts = dict(zip(getattr(value, "_fields", range(len(value))), value, strict=True))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    found: dict[str, Any] = {}
    for key, part in parts.items():
        found |= name_outputs(part, f"{name}.{key}" if name else str(key))
    return found


def find_inputs(
    network: Any,
    said: Sequence[InputSpec] | None,
    shapes: Sequence[tuple[int, ...]] | None,
    owner: str,
) -> tuple[InputSpec, ...]:
    """What a network takes where that is no batch of pictures; empty where it is one, for all that is known.

    Args:
        network: The network.
        said: Its inputs, where they are said.
        shapes: Those of the stimuli, where they are known.
        owner: What the network is called, for messages.

    Raises:
        InputError: If there are several inputs, and a name is no parameter of the network where others are.
    """
    known = _parameters_of(network)
    inputs = tuple(said or ())
    if not inputs and known[:1] == list(_TOKENS[:1]):
        length = limit_length(network, _DEFAULT_LENGTH)
        inputs = tuple(InputSpec(name, (length,), "int64", (None,)) for name in _TOKENS if name in known)
    unknown = [spec.name for spec in inputs if spec.name not in known]
    if unknown and len(unknown) < len(inputs):
        raise InputError(f"{owner} has no parameter '{unknown[0]}'; it takes {', '.join(known)}")
    return fit(inputs, shapes)


def limit_length(network: Any, wanted: int) -> int:
    """A number of tokens, or as many as the network has places for, by its configuration."""
    longest = getattr(getattr(network, "config", None), "max_position_embeddings", None)
    return min(wanted, int(longest)) if isinstance(longest, int) and longest > 0 else wanted


def fit(inputs: Sequence[InputSpec], shapes: Sequence[tuple[int, ...]] | None) -> tuple[InputSpec, ...]:
    """The inputs in the shapes of the stimuli, where these are known."""
    if shapes is None:
        return tuple(inputs)
    return tuple(dataclasses.replace(spec, shape=shape) for spec, shape in zip(inputs, shapes, strict=True))


def make_spec(name: str, dtype: str, declared: Sequence[int | None]) -> InputSpec:
    """An input; axes that are open are of a length that stimuli have yet to say.

    Raises:
        ValueError: If there is no such type.
    """
    if not dtype.startswith(_KINDS) or not isinstance(getattr(torch, dtype, None), torch.dtype):
        raise ValueError(dtype)
    return InputSpec(name, tuple(side or _DEFAULT_LENGTH for side in declared), dtype, tuple(declared))


def make_values(inputs: Sequence[InputSpec], n_stimuli: int, device: Any) -> Any:
    """Values that any network with these inputs takes: whole numbers are 0 and 1, and begin with 1."""
    generator = torch.Generator().manual_seed(0)
    parts = []
    for spec in inputs:
        size = (n_stimuli, math.prod(spec.shape))
        if spec.dtype.startswith(("float", "bfloat")):
            parts.append(torch.randn(size, generator=generator))
            continue
        values = torch.randint(0, 2, size, generator=generator).float()
        values[:, :1] = 1  # a mask that covers all of a stimulus leaves nothing to attend to
        parts.append(values)
    noise = torch.cat(parts, 1)
    return (noise.reshape(n_stimuli, *inputs[0].shape) if len(inputs) == 1 else noise).to(device)


def join_placeholders(program: fx.GraphModule, inputs: Sequence[InputSpec]) -> None:
    """Give a traced program that takes several tensors one placeholder, which it cuts as `cut` does."""
    aten = torch.ops.aten
    graph = program.graph
    old = [node for node in graph.nodes if node.op == "placeholder"]
    with graph.inserting_before(old[0]):
        packed = graph.placeholder("packed")
        first = 0
        for node, spec in zip(old, inputs, strict=True):
            length = math.prod(spec.shape)
            value: fx.Node = packed
            if len(inputs) > 1:
                value = graph.call_function(aten.slice.Tensor, (packed, 1, first, first + length))
                if len(spec.shape) != 1:
                    value = graph.call_function(aten.reshape.default, (value, [-1, *spec.shape]))
            dtype = _find_dtype(spec, torch.float32)
            typed = value if dtype is None else graph.call_function(aten.to.dtype, (value, dtype))
            node.replace_all_uses_with(typed)
            first += length
    for node in old:
        graph.erase_node(node)


def _find_dtype(spec: InputSpec, own: Any) -> Any:
    """The type that an input has to be cast to; None where it comes in it."""
    dtype = own if spec.dtype == "float32" else getattr(torch, spec.dtype)
    return None if dtype == torch.float32 else dtype


def _parameters_of(network: Any) -> list[str]:
    try:
        found = inspect.signature(network.forward).parameters.values()
    except (TypeError, ValueError):  # a scripted module's own method tells nothing
        return []
    return [one.name for one in found if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]

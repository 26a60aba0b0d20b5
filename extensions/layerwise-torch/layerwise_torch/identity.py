"""All that a PyTorch network computes with, in plain values and tensors, for its fingerprint.

Nothing is picked out by name: every attribute of a module counts, not those that its `repr` shows (attention does
not show its number of heads), and every tensor, whether it is a weight, a buffer or a constant of any type and size.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx

_PLAIN = (type(None), bool, int, float, complex, str, bytes, np.ndarray, np.generic)
_NAMED = (
    *(torch.dtype, torch.device, torch.layout, torch.memory_format),
    *(torch._ops.OpOverload, torch._ops.OpOverloadPacket),
)
_BY_VALUE = (Mapping, list, tuple, set, frozenset, slice, enum.Enum)
"""Where it makes no difference whether two are the same object or equal."""
_BARE = frozenset(vars(torch.nn.Module()))
"""What every module has: its tensors and modules, which are read by themselves, hooks, and PyTorch's own notes."""


@dataclass
class Reader:
    """Turns Python values into plain ones that are the same in every process, and collects tensors on the way.

    Attributes:
        tensors: Those met so far, each once.
    """

    tensors: list[Any] = field(default_factory=list)
    _places: dict[int, int] = field(default_factory=dict)
    _met: list[object] = field(default_factory=list)  # held on to, so that no other object gets the same id

    def state(self) -> Iterator[NDArray[np.generic]]:
        """The bytes of each tensor, one after the other, so that no second copy of all of them is made."""
        for tensor in self.tensors:
            yield from map(_read_bytes, _parts(tensor))

    def read(self, value: Any) -> object:
        """A value as plain ones; an object that has been met before by its place among those."""
        if isinstance(value, _PLAIN):
            return value
        if isinstance(value, _NAMED):
            return str(value)
        if not isinstance(value, _BY_VALUE):
            if id(value) in self._places:
                return ["again", self._places[id(value)]]
            self._places[id(value)] = len(self._met)
            self._met.append(value)
        return self._take_apart(value)

    def read_graph(self, program: fx.GraphModule) -> object:
        """Every operation of a traced program with its arguments; operations that they read by their place."""
        places = {node: place for place, node in enumerate(program.graph.nodes)}

        def read(value: Any) -> object:
            given = fx.node.map_arg(value, lambda node: f"node {places[node]}")
            return self.read(given)

        return [
            [node.op, self._read_target(node, program), read(node.args), read(node.kwargs)]
            for node in program.graph.nodes
        ]

    def _read_target(self, node: fx.Node, program: fx.GraphModule) -> object:
        if node.op in ("placeholder", "output"):
            return None
        if node.op in ("call_module", "get_attr"):
            return self.read(functools.reduce(getattr, str(node.target).split("."), program))
        return self.read(node.target)

    @functools.singledispatchmethod
    def _take_apart(self, value: Any) -> object:
        if _is_foreign(type(value)):  # a logger or a lock, say: what it refers to has nothing to do with the network
            text = repr(value)
            return [_name(type(value)), "" if " at 0x" in text else text]
        slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        held = {name: getattr(value, name) for name in slots if hasattr(value, name)}
        return [_name(type(value)), self.read({**held, **getattr(value, "__dict__", {})})]

    @_take_apart.register(Mapping)
    def _(self, value: Mapping[Any, Any]) -> object:
        return {str(key): self.read(item) for key, item in value.items()}

    @_take_apart.register(list)
    @_take_apart.register(tuple)
    def _(self, value: Any) -> object:
        return [self.read(item) for item in value]

    @_take_apart.register(set)
    @_take_apart.register(frozenset)
    def _(self, value: Any) -> object:
        return sorted(repr(self.read(item)) for item in value)

    @_take_apart.register
    def _(self, value: slice) -> object:
        return ["slice", *map(self.read, (value.start, value.stop, value.step))]

    @_take_apart.register
    def _(self, value: enum.Enum) -> object:
        return [_name(type(value)), value.name]

    @_take_apart.register
    def _(self, value: torch.Tensor) -> object:
        self.tensors.append(value)
        return ["tensor", str(value.dtype), list(value.shape)]

    @_take_apart.register
    def _(self, value: fx.GraphModule) -> object:
        return ["program", self.read_graph(value)]

    @_take_apart.register
    def _(self, value: torch.nn.Module) -> object:
        """A module's class, with its code where that is the network's own, and all that it holds."""
        own = {name: part for name, part in vars(value).items() if name not in _BARE}
        hooks = [*value._forward_pre_hooks.values(), *value._forward_hooks.values()]
        classes = [kind for kind in type(value).__mro__ if not _is_foreign(kind)]
        parts = (value._parameters, value._buffers, value._modules)
        return [_name(type(value)), *map(self.read, (own, hooks, classes, *parts))]

    @_take_apart.register
    def _(self, value: functools.partial) -> object:  # type: ignore[type-arg]
        return ["partial", *map(self.read, (value.func, value.args, value.keywords))]

    @_take_apart.register
    def _(self, value: types.MethodType) -> object:
        return ["method", *map(self.read, (value.__func__, value.__self__))]

    @_take_apart.register
    def _(self, value: property) -> object:
        return ["property", self.read(value.fget)]

    @_take_apart.register
    def _(self, value: types.ModuleType) -> object:
        return value.__name__

    @_take_apart.register
    def _(self, value: types.CodeType) -> object:
        return [value.co_code, list(value.co_names), self.read(value.co_consts)]

    @_take_apart.register(types.BuiltinFunctionType)
    @_take_apart.register(types.WrapperDescriptorType)
    @_take_apart.register(types.MethodDescriptorType)
    def _(self, value: Any) -> object:
        return _name(value)

    @_take_apart.register
    def _(self, value: types.FunctionType) -> object:
        if _is_foreign(value):
            return _name(value)
        parts = (value.__code__, value.__defaults__, value.__kwdefaults__, _enclosed(value), _used_globals(value))
        return [_name(value), *map(self.read, parts)]

    @_take_apart.register
    def _(self, value: type) -> object:
        if _is_foreign(value):
            return _name(value)
        parts = {name: part for name, part in vars(value).items() if callable(part) or not name.startswith("__")}
        return [_name(value), {name: self.read(getattr(part, "__func__", part)) for name, part in parts.items()}]


def _name(value: Any) -> str:
    return f"{getattr(value, '__module__', None)}.{getattr(value, '__qualname__', type(value).__name__)}"


def _is_foreign(value: Any) -> bool:
    """Whether a function or class is Python's or PyTorch's, and known by its name."""
    package = str(getattr(value, "__module__", None) or "builtins").partition(".")[0]
    return package == "torch" or package in sys.stdlib_module_names


def _enclosed(function: Any) -> list[object]:
    """What a function has of those around it; nothing for a name that has no value yet."""
    found: list[object] = []
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):
            found.append(cell.cell_contents)
    return found


def _used_globals(function: Any) -> dict[str, object]:
    """What a function's code, and the functions inside it, may look up in its module."""
    names: set[str] = set()
    codes = [function.__code__]
    for code in codes:
        names.update(code.co_names)
        codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return {name: function.__globals__[name] for name in sorted(names & function.__globals__.keys())}


def _parts(tensor: Any) -> list[Any]:
    """A tensor as plain ones that are all there is to it."""
    tensor = tensor.detach()
    if tensor.is_quantized:
        return [tensor.int_repr(), tensor.dequantize()]
    return [tensor if tensor.layout == torch.strided else tensor.to_dense()]


def _read_bytes(tensor: Any) -> NDArray[np.generic]:
    """A tensor's numbers in their own type, as bytes: NumPy has not all of PyTorch's types."""
    array: NDArray[np.generic] = tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return array

"""A model's computation as a plain graph of named nodes, the same for every framework.

Loaders translate their framework's graph into this one; where branches run, where the network can be
cut, and which layers can be selected are then questions about it that need no framework.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of a model and the tensor it produces.

    Attributes:
        name: Unique within the graph; what the model's `compile` takes.
        op: Kind of operation: one of `input conv dense pool concat add activation softmax log_softmax norm
            dropout flatten reshape pad` or the framework's own word in lower case. `softmax` and `log_softmax` are
            those along the last axis.
        inputs: Names of the nodes whose tensors it reads.
        shape: Shape of its output for one stimulus, without the batch axis.
        kernel: Height and width of a convolution's or pool's window, otherwise None.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    kernel: tuple[int, int] | None = None

    @property
    def n_features(self) -> int:
        """Number of units: the product of `shape`."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which each comes after its inputs; one input, one output.

    Raises:
        ValueError: If a node reads one that does not come before it, or a name occurs twice.
    """

    nodes: tuple[Node, ...]
    output: str
    _by_name: Mapping[str, Node] = field(init=False, repr=False, compare=False)
    _consumers: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name: dict[str, Node] = {}
        consumers: dict[str, list[str]] = {}
        for node in self.nodes:
            if node.name in by_name:
                raise ValueError(f"node {node.name!r} occurs twice")
            for source in node.inputs:
                if source not in by_name:
                    raise ValueError(f"node {node.name!r} reads {source!r}, which does not come before it")
                consumers[source].append(node.name)
            by_name[node.name] = node
            consumers[node.name] = []
        object.__setattr__(self, "_by_name", MappingProxyType(by_name))
        frozen = {name: tuple(dict.fromkeys(names)) for name, names in consumers.items()}
        object.__setattr__(self, "_consumers", MappingProxyType(frozen))

    def __getitem__(self, name: str) -> Node:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    @property
    def input(self) -> str:
        """Name of the first node, which is the input."""
        return self.nodes[0].name

    def consumers(self, name: str) -> tuple[str, ...]:
        """Names of the nodes that read this node's tensor."""
        return self._consumers[name]

    def ancestors(self, names: Iterable[str]) -> frozenset[str]:
        """These nodes and all that they depend on."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(self._by_name[name].inputs)
        return frozenset(found)

    def between(self, known: Iterable[str], goals: Iterable[str]) -> tuple[str, ...]:
        """Nodes that must be computed, in order, to have some tensors where others are known already."""
        reached, needed = set(known), set[str]()
        waiting = list(goals)
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                needed.add(name)
                waiting.extend(self._by_name[name].inputs)
        return tuple(node.name for node in self.nodes if node.name in needed)

    def cut_points(self, wanted: Iterable[str] = ()) -> tuple[str, ...]:
        """Nodes whose single tensor is all that the rest of the network needs, in order.

        The input is the first of them and the last node the last. Between two of them lies a segment. Nodes
        that lead neither to the output nor to one of `wanted` are left out of account.
        """
        useful = self.ancestors([self.output, *wanted])
        order = [node.name for node in self.nodes if node.name in useful]
        position = {name: index for index, name in enumerate(order)}
        cuts: list[str] = []
        reach = 0  # the furthest position at which a tensor produced before this node is read
        for index, name in enumerate(order):
            is_end = index == len(order) - 1
            readers = [position[reader] for reader in self._consumers[name] if reader in position]
            if reach <= index and (readers or is_end):
                cuts.append(name)
            reach = max([reach, *readers])
        return tuple(cuts)

"""Where a network branches: the blocks of a graph and their branches, found by walking back from concatenations.

Nothing here knows an architecture. A node that concatenates along its last axis is a block; each tensor that
it joins is a branch, traced back to where the branches part. What the branch computes gives its label: the largest
convolution on it, `pool` where pooling is all that sets it apart, `skip` where it computes nothing. A
concatenation that feeds nothing but another one is dissolved into it, so that a block's branches are always
its finest parts and their features add up to the block's.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from layerwise.core.network.graph import Graph, Node

PASS_THROUGH = frozenset({"dropout", "flatten", "reshape", "identity", "pad", "cast", "squeeze", "transpose"})
"""Kinds of node that move values about without computing any."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One of the tensors that a block concatenates.

    Attributes:
        node: The node that feeds the concatenation.
        label: `1x1 3x3 5x5 7x7 3x3dbl pool dense skip`, numbered from the second alike on (`3x3_2`).
        is_skip: Whether it passes on a tensor that the block starts from, and so has a place of its own
            in the network.
    """

    node: str
    label: str
    is_skip: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A concatenation along the last axis.

    Attributes:
        node: The concatenating node.
        branches: Its branches, in the order in which they are laid side by side.
        nested: Concatenations that are dissolved into this one, each with the positions of its branches.
    """

    node: str
    branches: tuple[Branch, ...]
    nested: tuple[tuple[str, tuple[int, ...]], ...] = ()


def find_blocks(graph: Graph) -> tuple[Block, ...]:
    """The blocks of a graph in order of computation; dissolved concatenations are in the outer block only."""
    joins = [node for node in graph if _joins_channels(graph, node)]
    names = {node.name for node in joins}
    inner = {name for name in names if _feeds_once(graph, name, names)}
    masks = _ancestor_masks(graph)
    return tuple(_block(graph, node.name, inner, masks) for node in joins if node.name not in inner)


def _joins_channels(graph: Graph, node: Node) -> bool:
    """Whether a node concatenates along the last axis, which the shapes tell."""
    if node.op != "concat" or len(node.inputs) < 2 or not node.shape:
        return False
    shapes = [graph[source].shape for source in node.inputs]
    if any(shape[:-1] != node.shape[:-1] or not shape for shape in shapes):
        return False
    return sum(shape[-1] for shape in shapes) == node.shape[-1]


def _feeds_once(graph: Graph, name: str, joins: set[str]) -> bool:
    """Whether a concatenation is read by nothing but one other, and there once."""
    readers = graph.consumers(name)
    return len(readers) == 1 and readers[0] in joins and graph[readers[0]].inputs.count(name) == 1


def _ancestor_masks(graph: Graph) -> dict[str, int]:
    """Each node's ancestors and itself as the bits of one integer, so that sets cost next to nothing."""
    masks: dict[str, int] = {}
    for index, node in enumerate(graph):
        mask = 1 << index
        for source in node.inputs:
            mask |= masks[source]
        masks[node.name] = mask
    return masks


def _block(graph: Graph, name: str, inner: set[str], masks: Mapping[str, int]) -> Block:
    ends: list[str] = []
    nested: list[tuple[str, tuple[int, ...]]] = []

    def expand(join: str) -> None:
        for source in graph[join].inputs:
            if source in inner:
                start = len(ends)
                expand(source)
                nested.append((source, tuple(range(start, len(ends)))))
            else:
                ends.append(source)

    expand(name)
    shared = ~0
    for end in ends:
        shared &= masks[end]
    labels = _number([_label([*_branch_nodes(graph, masks[end] & ~shared)]) for end in ends])
    branches = [Branch(end, label, masks[end] & ~shared == 0) for end, label in zip(ends, labels, strict=True)]
    return Block(name, tuple(branches), tuple(nested))


def _branch_nodes(graph: Graph, mask: int) -> Iterator[Node]:
    while mask:
        lowest = mask & -mask
        yield graph.nodes[lowest.bit_length() - 1]
        mask ^= lowest


def _label(nodes: Sequence[Node]) -> str:
    """What a branch is called, after the largest window of its convolutions.

    Of convolutions with one long side (1x7, 7x1), two make one square one; two 3x3 in a row are `3x3dbl`.
    """
    windows = [node.kernel for node in nodes if node.op == "conv" and node.kernel is not None]
    largest = max((max(window) for window in windows), default=0)
    if largest > 1:
        widest = [window for window in windows if max(window) == largest]
        n_squares = math.ceil(sum(1.0 if min(window) > 1 else 0.5 for window in widest))
        return f"{largest}x{largest}{'dbl' if largest == 3 and n_squares > 1 else ''}"
    kinds = {node.op for node in nodes}
    if "pool" in kinds:
        return "pool"
    if largest == 1:
        return "1x1"
    return "dense" if "dense" in kinds else "skip"


def _number(labels: Sequence[str]) -> list[str]:
    seen: Counter[str] = Counter()
    numbered = []
    for label in labels:
        seen[label] += 1
        numbered.append(label if seen[label] == 1 else f"{label}_{seen[label]}")
    return numbered

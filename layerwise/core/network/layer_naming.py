"""Which outputs of a graph people can select, what they are called, and which of them tell the main story.

Every node that computes something is a layer. It has its own name, except that the node at the end of a
block's branch is called `block/label`. The main layers are the input, the output, the logits where a softmax makes
the output of them, the blocks, and the places where a single tensor is all that the rest of the network needs; there
a chain of convolution, normalisation and activation counts once, by its last member.
"""

from __future__ import annotations

from collections.abc import Collection

from layerwise.core.network.blocks import PASS_THROUGH, Block, find_blocks
from layerwise.core.network.graph import Graph, Node
from layerwise.core.network.layers import Layer, Role

SOFTMAX, LOG_SOFTMAX = "softmax", "log_softmax"
"""Kinds of the nodes that normalise along the last axis, and give probabilities or their logarithms."""
_FOLLOWS = frozenset({"norm", "activation", "bias", "scale"})
_NEVER_MAIN = PASS_THROUGH | {"lrn", "rescaling"}


def derive_layers(graph: Graph, main: Collection[str] | None = None) -> tuple[Layer, ...]:
    """The layers of a graph, in order of computation.

    Args:
        graph: Any graph.
        main: Names of the nodes that belong to `main`, where a model's authors have chosen them; otherwise
            they are found. The logits of an output that belongs to it do so too.
    """
    blocks = find_blocks(graph)
    logits = find_logits(graph)
    chosen = set(_find_main(graph, blocks) if main is None else main)
    if logits is not None and graph.output in chosen:
        chosen.add(logits)
    names, places, parts = _name_branches(graph, blocks)
    layers: list[Layer] = []
    for node in graph:
        if not _is_layer(graph, node, names):
            continue
        block, branch = places.get(node.name, (None, None))
        layers.append(
            Layer(
                name=names.get(node.name, node.name),
                node=node.name,
                op=node.op,
                shape=node.shape,
                position=len(layers),
                role=_role(graph, node, logits),
                is_main=node.name in chosen,
                block=block,
                branch=branch,
                parts=tuple(names.get(part, part) for part in parts.get(node.name, ())),
            )
        )
    return tuple(layers)


def find_logits(graph: Graph) -> str | None:
    """The node whose values become the output by a softmax or its logarithm, or None where neither ends the model."""
    end = _skip_back(graph, graph.output)
    if graph[end].op not in (SOFTMAX, LOG_SOFTMAX):
        return None
    return _skip_back(graph, graph[end].inputs[0])


def gives_probabilities(graph: Graph) -> bool:
    """Whether the output is a vector that adds up to one: what one softmax gives, in another shape at most.

    Not so for logarithms of probabilities, for a softmax at each position, or for one that is only on the way to
    the output.
    """
    end = graph[_skip_back(graph, graph.output)]
    return end.op == SOFTMAX and end.shape[-1:] == (end.n_features,) and len(graph[graph.output].shape) == 1


def _skip_back(graph: Graph, name: str) -> str:
    while graph[name].op in PASS_THROUGH - {"pad"} and len(graph[name].inputs) == 1:
        name = graph[name].inputs[0]
    return name


def _role(graph: Graph, node: Node, logits: str | None) -> Role:
    if node.name == graph.input:
        return "input"
    if node.name == graph.output:
        return "output"
    return "logits" if node.name == logits else "hidden"


def _is_layer(graph: Graph, node: Node, branches: Collection[str]) -> bool:
    ends = (graph.input, graph.output)
    return node.name in branches or node.name in ends or node.op not in PASS_THROUGH


def _name_branches(
    graph: Graph, blocks: tuple[Block, ...]
) -> tuple[dict[str, str], dict[str, tuple[str | None, str | None]], dict[str, tuple[str, ...]]]:
    """Names of the nodes at the end of branches, (block, branch) of nodes, and the parts of concatenations."""
    names: dict[str, str] = {}
    places: dict[str, tuple[str | None, str | None]] = {block.node: (block.node, None) for block in blocks}
    parts: dict[str, tuple[str, ...]] = {}
    for block in blocks:
        branches = [branch.node for branch in block.branches]
        parts[block.node] = tuple(branches)
        for inner, indices in block.nested:
            places[inner] = (block.node, None)
            parts[inner] = tuple(branches[index] for index in indices)
        for branch in block.branches:
            wanted = f"{block.node}/{branch.label}"
            if branch.is_skip or branch.node in places:
                names.setdefault(branch.node, branch.node)
                continue
            places[branch.node] = (block.node, branch.label)
            names[branch.node] = branch.node if wanted in graph else wanted
    return names, places, parts


def _find_main(graph: Graph, blocks: tuple[Block, ...]) -> set[str]:
    """The input, the output, the blocks, and the last members of the chains of cut points."""
    closed = {graph.input, graph.output, *(block.node for block in blocks)}
    main: list[str] = []
    for name in graph.cut_points():
        node = graph[name]
        if name not in closed and node.op in _NEVER_MAIN:
            continue
        if name not in closed and node.op in _FOLLOWS and main:
            if main[-1] not in closed:
                main[-1] = name
            continue
        main.append(name)
    return {*main, *closed}

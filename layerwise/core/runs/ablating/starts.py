"""Where a variant begins: at the latest tensor of the intact network from which all of it can be made.

A branch is a stretch of the tensor that its block lays side by side. So a variant without it begins at the block's
own tensor, with that stretch replaced, and nothing of the block is computed twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from layerwise.core.network.ablating.ablation import Ablation
from layerwise.core.network.graph import Graph
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import Model
from layerwise.core.runs.streaming.plan import node_cost


@dataclass(frozen=True)
class Start:
    """Where one variant begins.

    Attributes:
        node: A cut point: the intact network is computed up to there.
        spliced: Stretches of its last axis that are replaced.
        rest: Nodes after it that are replaced.
    """

    node: str
    spliced: tuple[slice, ...]
    rest: tuple[str, ...]


class Starts:
    """Where the variants of a model begin, and what they cost.

    Args:
        model: The intact model.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.graph = model.graph
        self.cost = {node.name: node_cost(model.graph, node) for node in model.graph}
        self.position = {node.name: index for index, node in enumerate(model.graph)}
        self.whole = sum(self.cost[name] for name in self.graph.ancestors([self.graph.output]))
        self.cuts = self.graph.cut_points()

    def find(self, ablation: Ablation) -> Start:
        """Where a variant begins.

        Raises:
            InputError: If the model has no such layer, or it cannot be silenced.
        """
        layers = sorted(ablation.find(self.model), key=lambda layer: self.position[layer.node])
        return self._splice(layers) or self._before(layers)

    def _before(self, layers: Sequence[Layer]) -> Start:
        """The last cut point before the first layer."""
        first = self.position[layers[0].node]
        before = [cut for cut in self.cuts if self.position[cut] < first]
        return Start(before[-1], (), tuple(layer.node for layer in layers))

    def _splice(self, layers: Sequence[Layer]) -> Start | None:
        """The tensor that holds the first layer, if the others lie in it too or come after it."""
        stretches = self._find_stretches(layers[0])
        if stretches is None:
            return None
        node, places = stretches
        rest = [layer.node for layer in layers if layer.name not in places]
        if any(self.position[other] <= self.position[node] for other in rest):
            return None
        return Start(node, tuple(places[layer.name] for layer in layers if layer.name in places), tuple(rest))

    def _find_stretches(self, layer: Layer) -> tuple[str, dict[str, slice]] | None:
        """The cut point whose tensor holds a layer, and where in it each layer lies that can be replaced there."""
        if layer.node in self.cuts:
            return layer.node, {layer.name: slice(0, layer.shape[-1])} if layer.shape else {}
        block = next((other for other in self.model.layers if layer.name in other.parts), None)
        if block is None or block.node not in self.cuts:
            return None
        by_name = {other.name: other for other in self.model.layers}
        places: dict[str, slice] = {}
        at = 0
        for name in block.parts:
            part = by_name[name]
            if self.graph.consumers(part.node) == (block.node,):
                places[name] = slice(at, at + part.shape[-1])
            at += part.shape[-1]
        return (block.node, places) if layer.name in places and at == block.shape[-1] else None

    def order(self, ablations: Sequence[Ablation]) -> Iterator[tuple[int, Start]]:
        """Place and start of each, in the order in which they begin."""
        starts = [self.find(ablation) for ablation in ablations]
        for place in sorted(range(len(starts)), key=lambda one: self.position[starts[one].node]):
            yield place, starts[place]

    def affected(self, ablation: Ablation, start: Start) -> frozenset[str]:
        """Nodes from the start on whose tensors depend on what is silenced, and are not themselves replaced."""
        silenced = {layer.node for layer in ablation.find(self.model)}
        reached = set(silenced)
        for node in self.graph:
            if any(source in reached for source in node.inputs):
                reached.add(node.name)
        first = self.position[start.node]
        return frozenset(name for name in reached - silenced if self.position[name] >= first)

    def n_passes(self, ablations: Sequence[Ablation]) -> float:
        """Passes over the whole network that variants cost together, the intact one included."""
        starts = [self.find(ablation) for ablation in ablations]
        measured = [0 if ablation.substitute == "zero" else 1 for ablation in ablations]
        output = self.graph.output
        shares = (
            self.share_between([start.node, *start.rest], [output])
            + more * self.share_between([start.node], start.rest)
            for start, more in zip(starts, measured, strict=True)
        )
        return 1 + sum(shares)

    def share_between(self, known: Sequence[str], goals: Sequence[str]) -> float:
        """Share of a pass that it takes from some tensors to others."""
        return sum(self.cost[name] for name in self.graph.between(known, goals)) / self.whole

    def share_saved(self, ablation: Ablation) -> float:
        """Share of the multiply-adds of a pass that nobody needs any more."""
        known = {layer.node for layer in ablation.find(self.model)}
        left = self.graph.between(known, [self.graph.output])
        return 1 - sum(self.cost[name] for name in left) / self.whole

    def nodes_saved(self, ablation: Ablation) -> frozenset[str]:
        """Nodes that nobody needs any more, the silenced ones among them."""
        known = {layer.node for layer in ablation.find(self.model)}
        left = set(self.graph.between(known, [self.graph.output]))
        return self.graph.ancestors([self.graph.output]) - left


def cut_graph(graph: Graph, start: str, goals: Sequence[str]) -> Graph:
    """The part of a graph from a cut point on, of which that is the input."""
    needed = graph.between([start], [*goals, graph.output])
    first = replace(graph[start], inputs=())
    return Graph((first, *(graph[name] for name in needed)), graph.output)

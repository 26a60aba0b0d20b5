"""The plan of one streaming: where the network is cut, what each segment computes, and where it is kept.

The network is cut at tensors through which every path runs. All stimuli go through one segment, whose layers
lie side by side in one buffer until they become products, before the next segment starts; so every layer
is computed once, and only the widest segment must be held. What does not fit into memory is spooled to disk;
what does not fit there either is computed in several passes over that segment alone.

The numbers do not depend on the budget: products are summed over chunks of columns whose width follows
from the number of stimuli only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from layerwise.core.host.plans import Target
from layerwise.core.network.graph import Graph, Node

FLOAT_BYTES = 4
_CHUNK_FLOATS = 2**23
_LEAST_WIDTH = 1024  # narrower products take longer to be added up than to be multiplied


def chunk_width(n_stimuli: int) -> int:
    """Columns per product: about 32 MiB of float32, a function of the number of stimuli alone.

    Of that alone: float32 products of other chunks have other last digits. Were the width to follow from memory or
    cores, the same run would give other numbers on another machine, and what is stored could not be trusted to be it.
    """
    return max(_LEAST_WIDTH, min(65536, _CHUNK_FLOATS // n_stimuli // 256 * 256))


def split_targets(targets: Sequence[Target]) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    """Those that must be streamed, and those that are sums of others: blocks whose branches are all wanted."""
    wanted = {target.key for target in targets}
    streamed: list[Target] = []
    derived: list[Target] = []
    for target in targets:
        additive = target.transform is None or target.transform.offer.additive
        parts = part_keys(target)
        is_sum = additive and parts and all(part in wanted for part in parts)
        (derived if is_sum else streamed).append(target)
    return tuple(streamed), tuple(derived)


def part_keys(target: Target) -> list[tuple[str, str]]:
    """Keys of the targets whose concatenation a block is."""
    return [(part, target.transform_name) for part in target.layer.parts]


def node_cost(graph: Graph, node: Node) -> float:
    """Roughly the multiply-adds of one node for one stimulus."""
    if node.op not in {"conv", "dense"} or not node.inputs:
        return float(node.n_features)
    source = graph[node.inputs[0]]
    window = math.prod(node.kernel) if node.kernel else 1
    fan_in = source.n_features if node.op == "dense" else (source.shape[-1] if source.shape else 1)
    return float(node.n_features) * window * fan_in

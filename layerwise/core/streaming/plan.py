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
from dataclasses import dataclass

from layerwise.core.graph import Graph, Node
from layerwise.core.streaming.job import Target

FLOAT_BYTES = 4
_CHUNK_FLOATS = 2**23


@dataclass(frozen=True)
class Budget:
    """Bytes that may be used: of memory for what is streamed, and of disk for what does not fit there."""

    memory: int
    spool: int


@dataclass(frozen=True)
class Span:
    """Chunks `first` to `last` (exclusive) of one target's columns."""

    target: Target
    n_features: int
    first: int
    last: int


@dataclass(frozen=True)
class SegmentPlan:
    """One segment of the network.

    Attributes:
        start: Node whose tensor goes in.
        end: Node whose tensor is kept for the next segment, None for the last one.
        passes: What each pass over the segment stores; one pass unless neither memory nor spool hold it all.
        memory_bytes: Bytes of layers held in memory.
        spool_bytes: Bytes of layers held on disk at once.
        end_spooled: Whether the tensor kept for the next segment lies on disk.
        cost: Estimated multiply-adds of one pass, for one stimulus.
    """

    start: str
    end: str | None
    passes: tuple[tuple[Span, ...], ...]
    memory_bytes: int
    spool_bytes: int
    end_spooled: bool
    cost: float


@dataclass(frozen=True)
class StreamPlan:
    """The plan of one streaming.

    Attributes:
        segments: In order; segments after the last wanted layer are left out.
        streamed: Targets that are computed from activations.
        derived: Targets that are the sum of others, and free.
        n_stimuli: Number of stimuli.
        n_features: Features per stimulus that are streamed.
        batch_size: Stimuli per call of the network.
        chunk_width: Columns per product.
        forward_passes: Estimated cost of the network's part, as a multiple of one forward pass.
        memory_bytes: Estimated bytes held at once for layers, boundaries and one batch.
        spool_bytes: Most bytes on disk at once.
    """

    segments: tuple[SegmentPlan, ...]
    streamed: tuple[Target, ...]
    derived: tuple[Target, ...]
    n_stimuli: int
    n_features: int
    batch_size: int
    chunk_width: int
    forward_passes: float
    memory_bytes: int
    spool_bytes: int

    @property
    def n_stimulus_passes(self) -> int:
        """Stimuli times passes over all segments: what the progress bar counts."""
        return self.n_stimuli * sum(len(segment.passes) for segment in self.segments)


def chunk_width(n_stimuli: int) -> int:
    """Columns per product: about 32 MiB of float32, a function of the number of stimuli alone."""
    return max(256, min(65536, _CHUNK_FLOATS // n_stimuli // 256 * 256))


def split_targets(targets: Sequence[Target]) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    """Those that must be streamed, and those that are sums of others: blocks whose branches are all wanted."""
    wanted = {target.key for target in targets}
    streamed: list[Target] = []
    derived: list[Target] = []
    for target in targets:
        additive = target.transform is None or target.transform.offer.additive
        parts = [(part, target.transform_name) for part in target.layer.parts]
        is_sum = additive and parts and all(part in wanted for part in parts)
        (derived if is_sum else streamed).append(target)
    return tuple(streamed), tuple(derived)


def node_cost(graph: Graph, node: Node) -> float:
    """Roughly the multiply-adds of one node for one stimulus."""
    if node.op not in {"conv", "dense"} or not node.inputs:
        return float(node.n_features)
    source = graph[node.inputs[0]]
    window = math.prod(node.kernel) if node.kernel else 1
    fan_in = source.n_features if node.op == "dense" else (source.shape[-1] if source.shape else 1)
    return float(node.n_features) * window * fan_in

"""Making a plan: where to cut, and how each segment fits into the budget.

Cuts are chosen by dynamic programming over the cut points of the graph: a cut costs writing and reading its
tensor, a segment wider than the buffer costs the disk.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from layerwise.core.base.errors import InputError
from layerwise.core.host.plans import Budget, SegmentPlan, Span, StreamPlan, Target
from layerwise.core.network.graph import Graph
from layerwise.core.runs.streaming.plan import FLOAT_BYTES, chunk_width, node_cost, split_targets

_SEGMENT_OVERHEAD = 16 * 2**20  # what starting another segment costs, in bytes that could be copied meanwhile
_SPOOL_PENALTY = 4  # a byte on disk is written and read, each at half the speed of memory or less


def plan_stream(
    graph: Graph,
    targets: Sequence[Target],
    features: Mapping[tuple[str, str], int],
    n_stimuli: int,
    batch_size: int,
    budget: Budget,
) -> StreamPlan:
    """Cut the network, and fit each segment into the budget.

    Args:
        graph: The network.
        targets: What is wanted.
        features: Number of features of each target, by its key (a transform may change it).
        n_stimuli: Number of stimuli.
        batch_size: Stimuli per call of the network.
        budget: What may be used.

    Raises:
        InputError: If not even one chunk of columns fits into the memory.
    """
    streamed, derived = split_targets(targets)
    planner = _Planner(graph, streamed, features, n_stimuli, batch_size, budget)
    segments = planner.plan()
    whole = sum(node_cost(graph, node) for node in graph)
    return StreamPlan(
        segments=segments,
        streamed=streamed,
        derived=derived,
        n_stimuli=n_stimuli,
        n_features=sum(features[target.key] for target in streamed),
        batch_size=batch_size,
        chunk_width=planner.width,
        forward_passes=sum(segment.cost * len(segment.passes) for segment in segments) / whole,
        memory_bytes=planner.peak_memory(segments) + planner.batch,
        spool_bytes=planner.peak_spool(segments),
    )


class _Planner:
    """Holds what planning one streaming needs; `plan` is all that is called from outside."""

    def __init__(
        self,
        graph: Graph,
        streamed: Sequence[Target],
        features: Mapping[tuple[str, str], int],
        n_stimuli: int,
        batch_size: int,
        budget: Budget,
    ) -> None:
        self.graph = graph
        self.features = features
        self.n_stimuli = n_stimuli
        self.width = chunk_width(n_stimuli)
        self.batch = (
            4 * max(node.n_features for node in graph) * batch_size * FLOAT_BYTES
        )  # the widest node, and three more
        streaming = budget.memory - self.batch
        self.boundary_memory = streaming // 4
        self.arena = streaming // 2
        self.spool = budget.spool // 2  # half for layers, a quarter for each of the two boundaries in use
        self.boundary_spool = budget.spool // 4
        smallest = self.batch + 2 * self.width * n_stimuli * FLOAT_BYTES
        if budget.memory < smallest:
            least = -(-smallest // 2**20)
            raise InputError(
                f"--memory is too small: {n_stimuli} stimuli in batches of {batch_size} need {least} MiB"
            )
        self.cuts = graph.cut_points([target.layer.node for target in streamed])
        self.position = {node.name: index for index, node in enumerate(graph)}
        self.by_step = self._assign(streamed)

    def _assign(self, streamed: Sequence[Target]) -> list[list[Target]]:
        """The targets of each step between neighbouring cut points; the input belongs to the first."""
        ends = [self.position[cut] for cut in self.cuts[1:]]
        steps: list[list[Target]] = [[] for _ in ends] or [[]]
        for target in streamed:
            place = self.position[target.layer.node]
            steps[next((index for index, end in enumerate(ends) if place <= end), 0)].append(target)
        while len(steps) > 1 and not steps[-1]:
            steps.pop()
        return steps

    def plan(self) -> tuple[SegmentPlan, ...]:
        """The cheapest way to cut, then each segment fitted into the budget."""
        bounds = self._choose_cuts()
        segments = []
        for first, last in pairwise(bounds):
            is_last = last == len(self.by_step)
            end = None if is_last else self.cuts[last]
            segments.append(self._fit(first, last, end))
        return tuple(segments)

    def _bytes(self, first: int, last: int) -> int:
        return sum(self._target_bytes(t) for step in self.by_step[first:last] for t in step)

    def _target_bytes(self, target: Target) -> int:
        return self.features[target.key] * self.n_stimuli * FLOAT_BYTES

    def _boundary_bytes(self, cut: int) -> int:
        return self.graph[self.cuts[cut]].n_features * self.n_stimuli * FLOAT_BYTES

    def _choose_cuts(self) -> list[int]:
        """Steps at which a segment begins, and the end, by dynamic programming over the cut points.

        A cut costs its tensor, written and read once; what exceeds the buffer costs the disk. The buffer is
        at most 1.5 times what the widest step needs: a larger one would only mean more fresh pages.
        """
        n_steps = len(self.by_step)
        widest = max(self._bytes(step, step + 1) for step in range(n_steps))
        limit = min(self.arena, widest + widest // 2)
        best: list[tuple[float, int]] = [(0.0, 0)] + [(math.inf, 0)] * n_steps
        for last in range(1, n_steps + 1):
            kept = 0 if last == n_steps else self._boundary_bytes(last)
            if kept > max(self.boundary_memory, self.boundary_spool):
                continue
            on_disk = _SPOOL_PENALTY * kept if kept > self.boundary_memory else 2 * kept
            for first in range(last):
                excess = max(0, self._bytes(first, last) - limit)
                cost = best[first][0] + on_disk + _SPOOL_PENALTY * excess + _SEGMENT_OVERHEAD
                if cost < best[last][0]:
                    best[last] = (cost, first)
        bounds = [n_steps]
        while bounds[-1]:
            bounds.append(best[bounds[-1]][1])
        return bounds[::-1]

    def _fit(self, first: int, last: int, end: str | None) -> SegmentPlan:
        targets = [target for step in self.by_step[first:last] for target in step]
        passes = self._split_passes(targets)
        held = max((self._span_bytes(spans) for spans in passes), default=0)
        memory = min(held, self.arena)
        boundary = 0 if end is None else self._boundary_bytes(last)
        start = self.cuts[first]
        goals = [target.layer.node for target in targets] + ([end] if end else [])
        inside = self.graph.ancestors(goals or [start]) - self.graph.ancestors([start])
        return SegmentPlan(
            start=start,
            end=end,
            passes=passes,
            memory_bytes=memory,
            spool_bytes=held - memory,
            end_spooled=boundary > self.boundary_memory,
            cost=sum(node_cost(self.graph, self.graph[name]) for name in inside),
        )

    def _split_passes(self, targets: Sequence[Target]) -> tuple[tuple[Span, ...], ...]:
        """Fill passes with whole chunks up to what memory and spool hold together."""
        column = self.n_stimuli * FLOAT_BYTES
        capacity = self.arena + self.spool
        passes: list[list[Span]] = [[]]
        room = capacity
        for target in targets:
            n_features = self.features[target.key]
            n_chunks = -(-n_features // self.width)
            chunk = 0
            while chunk < n_chunks:
                size = min(self.width, n_features - chunk * self.width) * column
                if size > room:
                    passes.append([])
                    room = capacity
                stop = chunk
                while stop < n_chunks:
                    size = min(self.width, n_features - stop * self.width) * column
                    if size > room:
                        break
                    room -= size
                    stop += 1
                passes[-1].append(Span(target, n_features, chunk, stop))
                chunk = stop
        return tuple(tuple(spans) for spans in passes)

    def _span_bytes(self, spans: Sequence[Span]) -> int:
        columns = sum(min(s.last * self.width, s.n_features) - s.first * self.width for s in spans)
        return columns * self.n_stimuli * FLOAT_BYTES

    def peak_memory(self, segments: Sequence[SegmentPlan]) -> int:
        """Most bytes of layers and boundaries in memory at once."""
        arena = max((segment.memory_bytes for segment in segments), default=0)
        kept = [0] + [self._kept(segment, spooled=False) for segment in segments]
        return arena + max(before + after for before, after in pairwise(kept))

    def peak_spool(self, segments: Sequence[SegmentPlan]) -> int:
        """Most bytes of layers and boundaries on disk at once."""
        kept = [0] + [self._kept(segment, spooled=True) for segment in segments]
        return max(
            segment.spool_bytes + before + after
            for segment, before, after in zip(segments, kept[:-1], kept[1:], strict=True)
        )

    def _kept(self, segment: SegmentPlan, *, spooled: bool) -> int:
        if segment.end is None or segment.end_spooled is not spooled:
            return 0
        return self.graph[segment.end].n_features * self.n_stimuli * FLOAT_BYTES

"""Making a plan: where to cut, how each segment fits into the budget, and what a budget must at least be.

What is held whatever the plan comes first (`memory`); the rest is shared out between layers and boundaries, the
network is cut for these shares (`cuts`), and what does not fit is spooled or left for another pass over its segment.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from layerwise.core.base import machine
from layerwise.core.base.errors import InputError
from layerwise.core.base.words import bytes_in_words
from layerwise.core.host.plans import Budget, Concurrency, SegmentPlan, Span, StreamPlan, Target
from layerwise.core.network.graph import Graph
from layerwise.core.network.matrices.tiles import MOST_WHOLE
from layerwise.core.runs.streaming.cuts import Shares, choose_cuts
from layerwise.core.runs.streaming.memory import transit_bytes, weigh, weigh_tiles
from layerwise.core.runs.streaming.plan import FLOAT_BYTES, chunk_width, node_cost, split_targets

_MIB = 2**20
_N_ATTEMPTS = 8


def plan_stream(  # noqa: PLR0913 - each is one thing that a plan depends on
    graph: Graph,
    targets: Sequence[Target],
    features: Mapping[tuple[str, str], int],
    n_stimuli: int,
    batch_size: int,
    budget: Budget,
    pixel_bytes: int = 0,
    *,
    n_cores: int | None = None,
    n_landmarks: int | None = None,
) -> StreamPlan:
    """Cut the network, and fit each segment into the budget.

    Args:
        graph: The network.
        targets: What is wanted.
        features: Number of features of each target, by its key (a transform may change it).
        n_stimuli: Number of stimuli.
        batch_size: Stimuli per call of the network.
        budget: What may be used.
        pixel_bytes: Bytes of the decoded stimuli, which are part of what is used.
        n_cores: Threads at most; by default the cores that this process may use.
        n_landmarks: With how many stimuli pairs are wanted; None for all.

    Raises:
        InputError: If one layer at a time does not fit into the memory either; says how much is needed.
    """
    planner = _Planner(graph, targets, features, n_stimuli, batch_size, pixel_bytes)
    planner.n_landmarks = n_landmarks
    if (n_stimuli > MOST_WHOLE or n_landmarks is not None) and budget.in_tiles:
        planner.use_tiles(budget)
    if budget.on_device:  # which one thread asks for everything
        planner.holdings, n_cores = planner.holdings.on_device(), 1
    return planner.plan(budget, n_cores or machine.n_cores())


class _Planner:
    """Holds what planning one streaming needs; `plan` is all that is called from outside."""

    def __init__(
        self,
        graph: Graph,
        targets: Sequence[Target],
        features: Mapping[tuple[str, str], int],
        n_stimuli: int,
        batch_size: int,
        pixel_bytes: int,
    ) -> None:
        self.graph = graph
        self.features = features
        self.n_stimuli = n_stimuli
        self.batch_size = batch_size
        self.n_landmarks: int | None = None
        self.width = chunk_width(n_stimuli)
        self.column = n_stimuli * FLOAT_BYTES
        self.streamed, self.derived = split_targets(targets)
        self.cuts = graph.cut_points([target.layer.node for target in self.streamed])
        self.by_step = self._assign()
        ordered = [target for step in self.by_step for target in step]
        self.holdings = weigh(graph, ordered, self.derived, features, n_stimuli, batch_size, self.width, pixel_bytes)
        self.ordered = ordered

    def use_tiles(self, budget: Budget) -> None:
        """Sum products in tiles; they lie in memory where they leave half of it to the rest, else on disk.

        Raises:
            InputError: If neither has room for them.
        """
        whole, n_stimuli = self.holdings, self.n_stimuli
        extent = n_stimuli, self.n_landmarks
        self.holdings = weigh_tiles(whole, self.ordered, self.derived, *extent, on_disk=False)
        on_disk = weigh_tiles(whole, self.ordered, self.derived, *extent, on_disk=True)
        if self.holdings.minimum <= budget.memory // 2:
            return
        if on_disk.disk <= budget.spool:
            self.holdings = on_disk
        elif on_disk.minimum <= budget.memory < self.holdings.minimum:
            raise InputError(
                f"products and pairs of {n_stimuli:,} stimuli need {bytes_in_words(on_disk.disk)} of disk, and "
                f"{bytes_in_words(budget.spool)} may be used: allow more (--spool), or take fewer stimuli (--limit)"
            )

    def _assign(self) -> list[list[Target]]:
        """The targets of each step between neighbouring cut points; the input belongs to the first."""
        position = {node.name: index for index, node in enumerate(self.graph)}
        ends = [position[cut] for cut in self.cuts[1:]]
        steps: list[list[Target]] = [[] for _ in ends] or [[]]
        for target in self.streamed:
            steps[bisect_left(ends, position[target.layer.node])].append(target)
        while len(steps) > 1 and not steps[-1]:
            steps.pop()
        return steps

    def plan(self, budget: Budget, n_cores: int) -> StreamPlan:
        """The fastest plan that is predicted to stay within the budget.

        What a segment hands over batch by batch is known only once the network is cut. Where that is more than the
        widest step's, less is shared out and the network cut anew; with nothing spare there is no smaller plan.
        """
        spare = budget.memory - self.holdings.minimum - self._widest_transit()
        for attempt in range(_N_ATTEMPTS if spare > 0 else 0):
            plan = self._cut(spare, budget, n_cores)
            excess = plan.memory_bytes - budget.memory
            if excess <= 0:
                return plan
            spare = max(0, spare - excess) if attempt < _N_ATTEMPTS - 2 else 0
        smallest = self._cut(0, budget, 1)
        if smallest.memory_bytes > budget.memory:
            raise InputError(self._refusal(smallest.memory_bytes, budget.memory))
        return smallest

    def _refusal(self, needed: int, allowed: int) -> str:
        by_batch = self.holdings.working + self.holdings.scratch + self._widest_transit()
        remedy = "smaller batches (--batch-size)" if by_batch > needed // 2 else "fewer stimuli (--limit)"
        return (
            f"{self.n_stimuli} stimuli in batches of {self.batch_size} need {-(-needed // _MIB)} MiB of memory, "
            f"and {allowed // _MIB} MiB may be used: allow more (--memory), or take {remedy}"
        )

    def _cut(self, spare: int, budget: Budget, n_cores: int) -> StreamPlan:
        concurrency, shares = self.holdings.share_out(spare, budget.spool - self.holdings.disk, n_cores)
        steps = [sum(self._bytes(target) for target in step) for step in self.by_step]
        boundaries = [self._boundary_bytes(cut) for cut in self.cuts[1:]]
        bounds = choose_cuts(steps, boundaries, shares, [self._transit(step) for step in self.by_step])
        path = (self._fit(first, last, shares) for first, last in pairwise(bounds))
        segments = tuple(replace(segment, parent=index - 1 if index else None) for index, segment in enumerate(path))
        segments = fill_memory(segments, budget.memory - self._peak_memory(segments, concurrency))
        whole = sum(node_cost(self.graph, node) for node in self.graph)
        return StreamPlan(
            segments=segments,
            streamed=self.streamed,
            derived=self.derived,
            n_stimuli=self.n_stimuli,
            n_features=sum(self.features[target.key] for target in self.streamed),
            batch_size=self.batch_size,
            chunk_width=self.width,
            forward_passes=sum(segment.cost * len(segment.passes) for segment in segments) / whole,
            memory_bytes=self._peak_memory(segments, concurrency),
            spool_bytes=self._peak_spool(segments) + self.holdings.disk,
            concurrency=concurrency,
            products_spooled=self.holdings.products_spooled,
            n_landmarks=self.n_landmarks,
        )

    def _bytes(self, target: Target) -> int:
        return self.features[target.key] * self.column

    def _boundary_bytes(self, node: str) -> int:
        return self.graph[node].n_features * self.column

    def _transit(self, targets: Sequence[Target]) -> int:
        return transit_bytes(self.graph, targets, self.features, self.batch_size)

    def _widest_transit(self) -> int:
        return max(self._transit(step) for step in self.by_step)

    def _fit(self, first: int, last: int, shares: Shares) -> SegmentPlan:
        targets = [target for step in self.by_step[first:last] for target in step]
        end = None if last == len(self.by_step) else self.cuts[last]
        passes = self._split_passes(targets, shares.arena + shares.spool)
        held = max(self._span_bytes(spans) for spans in passes)
        memory = min(held, shares.arena)
        start = self.cuts[first]
        goals = [target.layer.node for target in targets] + ([end] if end else [])
        return SegmentPlan(
            parent=None,
            start=start,
            end=end,
            passes=passes,
            memory_bytes=memory,
            spool_bytes=held - memory,
            end_spooled=end is not None and self._boundary_bytes(end) > shares.boundary_memory,
            cost=sum(node_cost(self.graph, self.graph[name]) for name in self.graph.between([start], goals)),
        )

    def _split_passes(self, targets: Sequence[Target], capacity: int) -> tuple[tuple[Span, ...], ...]:
        """Fill passes with whole chunks up to what memory and spool hold together.

        In order, so that at most one target is split between a pass and the next, and one matrix of sums waits.
        """
        passes: list[list[Span]] = [[]]
        room = capacity
        for target in targets:
            n_features = self.features[target.key]
            n_chunks = -(-n_features // self.width)
            chunk = 0
            while chunk < n_chunks:
                stop = chunk
                while stop < n_chunks:
                    size = min(self.width, n_features - stop * self.width) * self.column
                    if size > room:
                        break
                    room -= size
                    stop += 1
                if stop > chunk:
                    passes[-1].append(Span(target, n_features, chunk, stop))
                if stop < n_chunks:
                    passes.append([])
                    room = capacity
                chunk = stop
        return tuple(tuple(spans) for spans in passes)

    def _span_bytes(self, spans: Sequence[Span]) -> int:
        return sum(min(s.last * self.width, s.n_features) - s.first * self.width for s in spans) * self.column

    def _peak_memory(self, segments: Sequence[SegmentPlan], concurrency: Concurrency) -> int:
        """What is predicted to be held at once; the buffer is allocated once, for the widest segment."""
        arena = max(segment.memory_bytes for segment in segments)
        spools = any(segment.spool_bytes for segment in segments)
        kept = [0] + [self._kept(segment, spooled=False) for segment in segments]
        moving = max(
            before + after + self._moved(segment)
            for segment, before, after in zip(segments, kept[:-1], kept[1:], strict=True)
        )
        return self.holdings.held(concurrency, spools=spools) + arena + moving

    def _moved(self, segment: SegmentPlan) -> int:
        """What the network hands over batch by batch in the widest pass; a boundary in memory counts as that."""
        ends = self._kept(segment, spooled=True) * 2 * self.batch_size // self.n_stimuli
        return ends + max(self._transit([span.target for span in spans]) for spans in segment.passes)

    def _peak_spool(self, segments: Sequence[SegmentPlan]) -> int:
        """Most bytes of layers and boundaries on disk at once."""
        kept = [0] + [self._kept(segment, spooled=True) for segment in segments]
        return max(
            segment.spool_bytes + before + after
            for segment, before, after in zip(segments, kept[:-1], kept[1:], strict=True)
        )

    def _kept(self, segment: SegmentPlan, *, spooled: bool) -> int:
        if segment.end is None or segment.end_spooled is not spooled:
            return 0
        return self._boundary_bytes(segment.end)


def fill_memory(segments: Sequence[SegmentPlan], left_over: int) -> tuple[SegmentPlan, ...]:
    """What boundaries turned out not to need, as buffer in place of disk; nothing else about the segments changes."""
    arena = max(segment.memory_bytes for segment in segments) + max(0, left_over)
    held = [segment.memory_bytes + segment.spool_bytes for segment in segments]
    return tuple(
        replace(segment, memory_bytes=min(size, arena), spool_bytes=size - min(size, arena))
        for segment, size in zip(segments, held, strict=True)
    )

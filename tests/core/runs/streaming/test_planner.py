"""A plan is the cheapest way to cut, found with little work, whatever the network looks like."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from layerwise.core.host.plans import Budget, StreamPlan, Target
from layerwise.core.network.graph import Graph, Node
from layerwise.core.network.layers import Layer
from layerwise.core.runs.streaming import planner
from layerwise.core.runs.streaming.cuts import Shares, choose_cuts
from layerwise.core.runs.streaming.planner import plan_stream

AMPLE = Budget(memory=2**40, spool=0)
OVERHEAD = 16 * 2**20
N = 64


class Counted(Mapping[tuple[str, str], int]):
    """A mapping that counts how often it is asked."""

    def __init__(self, values: dict[tuple[str, str], int]) -> None:
        self.values_ = values
        self.n_asked = 0

    def __getitem__(self, key: tuple[str, str]) -> int:
        self.n_asked += 1
        return self.values_[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


def make_chain(sizes: list[int], wanted: list[bool]) -> tuple[Graph, tuple[Target, ...]]:
    """A network without branches, of layers with so many features, some of them wanted."""
    names = ["input", *(f"layer{index}" for index in range(1, len(sizes)))]
    before: list[tuple[str, ...]] = [(), *((name,) for name in names)]
    nodes = tuple(
        Node(name, "norm", inputs, (size,)) for name, inputs, size in zip(names, before, sizes, strict=False)
    )
    layers = (
        Layer(name, name, "norm", (size,), place) for place, (name, size) in enumerate(zip(names, sizes, strict=True))
    )
    targets = (Target(layer) for layer, is_wanted in zip(layers, wanted, strict=True) if is_wanted)
    return Graph(nodes, names[-1]), tuple(targets)


def plan_chain(sizes: list[int], wanted: list[bool], budget: Budget = AMPLE) -> StreamPlan:
    graph, targets = make_chain(sizes, wanted)
    return plan_stream(graph, targets, {t.key: t.layer.n_features for t in targets}, N, 4, budget)


def cut_places(plan: StreamPlan) -> tuple[int, ...]:
    """Where the plan cuts, as places of the chain."""
    return tuple(int(segment.end.removeprefix("layer")) for segment in plan.segments if segment.end is not None)


def cost_of(cuts: tuple[int, ...], sizes: list[int], wanted: list[bool]) -> float:
    """What these cuts cost with ample memory: each tensor written and read, wide segments the disk, each a start."""
    held = [size * N * 4 if is_wanted else 0 for size, is_wanted in zip(sizes, wanted, strict=True)]
    steps = [held[0] + held[1], *held[2:]]  # the input belongs to the first step
    limit = max(steps) + max(steps) // 2
    last = max(place for place, is_wanted in enumerate(wanted) if is_wanted)
    bounds = [0, *cuts, max(last, 1)]
    cost = 0.0
    for first, end in itertools.pairwise(bounds):
        cost += 4 * max(0, sum(steps[first:end]) - limit) + OVERHEAD
        cost += 0 if end == bounds[-1] else 2 * sizes[end] * N * 4
    return cost


@pytest.mark.parametrize("seed", range(20))
def test_no_other_way_to_cut_is_cheaper(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_layers = int(rng.integers(2, 10))
    sizes = [int(size) for size in rng.choice([2, 2_000, 50_000, 200_000, 900_000], size=n_layers)]
    wanted = [bool(flag) for flag in rng.random(n_layers) < 0.7]
    wanted[int(rng.integers(n_layers))] = True
    last = max(1, max(place for place, is_wanted in enumerate(wanted) if is_wanted))
    places = range(1, last)
    ways = [cuts for count in range(len(places) + 1) for cuts in itertools.combinations(places, count)]
    cheapest = min(cost_of(cuts, sizes, wanted) for cuts in ways)
    plan = plan_chain(sizes, wanted)
    assert cost_of(cut_places(plan), sizes, wanted) == pytest.approx(cheapest)
    assert {span.target.layer.name for s in plan.segments for spans in s.passes for span in spans} == {
        "input" if place == 0 else f"layer{place}" for place, is_wanted in enumerate(wanted) if is_wanted
    }


def test_what_a_segment_hands_over_in_batches_fits_beside_its_layers() -> None:
    """All layers in one segment would hand over most of a small budget, and leave one worker and all on disk."""
    mib = 2**20
    steps, boundaries, transits = [300 * mib] + [40 * mib] * 10, [mib] * 11, [20 * mib] * 11
    shares = Shares(arena=400 * mib, boundary_memory=100 * mib, spool=2**40, boundary_spool=2**40)
    bounds = choose_cuts(steps, boundaries, shares, transits)
    for first, last in itertools.pairwise(bounds):
        assert sum(steps[first:last]) + sum(transits[first:last]) - max(transits) <= shares.arena
    assert len(choose_cuts(steps, boundaries, shares, [0] * 11)) < len(bounds)


def test_planning_a_deep_network_takes_work_in_proportion_to_its_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    n_layers = 400
    graph, targets = make_chain([50_000] * n_layers, [True] * n_layers)
    features = Counted({target.key: target.layer.n_features for target in targets})
    weighed: list[str] = []
    cost = planner.node_cost

    def count(graph: Graph, node: Node) -> float:
        weighed.append(node.name)
        return cost(graph, node)

    monkeypatch.setattr(planner, "node_cost", count)
    plan = plan_stream(graph, targets, features, N, 4, AMPLE)
    assert len(plan.segments) > n_layers // 10
    assert plan.forward_passes == pytest.approx(1, abs=0.01)
    assert features.n_asked <= 20 * n_layers
    assert len(weighed) <= 2 * n_layers


def walk(graph: Any, start: str, goals: list[str]) -> float:
    inside = graph.ancestors(goals) - graph.ancestors([start])
    return sum(planner.node_cost(graph, graph[name]) for name in inside)


def test_branches_between_two_cuts_are_all_counted(toy: Any) -> None:
    model = toy.ToyModel()
    targets = tuple(Target(layer) for layer in model.layers)
    plan = plan_stream(model.graph, targets, {t.key: t.layer.n_features for t in targets}, N, 4, AMPLE)
    for segment in plan.segments:
        goals = [span.target.layer.node for spans in segment.passes for span in spans]
        assert segment.cost == walk(model.graph, segment.start, goals + ([segment.end] if segment.end else []))

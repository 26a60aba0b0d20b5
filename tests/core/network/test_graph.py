"""What the graph of a model promises."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.network.graph import Graph, Node


def make_graph(edges: dict[str, str], output: str | None = None) -> Graph:
    """A graph from `{"node": "its inputs"}`, every tensor with one unit."""
    nodes = tuple(
        Node(name, "input" if not inputs else "op", tuple(inputs.split()), (1,)) for name, inputs in edges.items()
    )
    return Graph(nodes, output or nodes[-1].name)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any graph of up to twelve nodes, with dead ends."""
    n_nodes = draw(st.integers(1, 12))
    nodes = [Node("0", "input", (), (1,))]
    for index in range(1, n_nodes):
        sources = draw(st.lists(st.integers(0, index - 1), min_size=1, max_size=3, unique=True))
        nodes.append(Node(str(index), "op", tuple(map(str, sources)), (1,)))
    return Graph(tuple(nodes), nodes[-1].name)


def is_reachable_without(graph: Graph, removed: str) -> bool:
    """Whether the output depends on the input by some way that avoids a node."""
    reached = {graph.input} - {removed}
    for node in graph:
        if node.name != removed and any(source in reached for source in node.inputs):
            reached.add(node.name)
    return graph.output in reached


@given(graphs())
def test_a_cut_point_is_a_node_that_every_way_to_the_output_runs_through(graph: Graph) -> None:
    useful = graph.ancestors([graph.output])
    expected = [node.name for node in graph if node.name in useful and not is_reachable_without(graph, node.name)]
    assert list(graph.cut_points()) == expected


@given(graphs())
def test_each_segment_can_be_computed_from_the_cut_point_before_it(graph: Graph) -> None:
    for start, end in itertools.pairwise(graph.cut_points()):
        waiting, met = [end], set()
        while waiting:
            name = waiting.pop()
            if name != start and name not in met:
                assert name != graph.input
                met.add(name)
                waiting.extend(graph[name].inputs)


def test_residual_connections_leave_no_cut_point_inside() -> None:
    graph = make_graph({"in": "", "a": "in", "b": "a", "sum": "b in", "end": "sum"})
    assert graph.cut_points() == ("in", "sum", "end")


def test_dead_ends_are_left_out_of_account() -> None:
    graph = make_graph({"in": "", "a": "in", "head": "in", "end": "a"})
    assert graph.cut_points() == ("in", "a", "end")


def test_a_model_of_one_node_is_cut_once() -> None:
    assert make_graph({"in": ""}).cut_points() == ("in",)


def test_ancestors_are_the_nodes_and_all_they_depend_on() -> None:
    graph = make_graph({"in": "", "a": "in", "b": "in", "c": "a", "end": "b c"})
    assert graph.ancestors(["c"]) == {"c", "a", "in"}
    assert graph.consumers("in") == ("a", "b")


def test_a_node_that_reads_a_later_one_is_refused() -> None:
    with pytest.raises(ValueError, match="'a' reads 'b', which does not come before it"):
        make_graph({"in": "", "a": "b", "b": "in"})


def test_a_name_that_occurs_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="'in' occurs twice"):
        Graph((Node("in", "input", (), (1,)), Node("in", "op", ("in",), (1,))), "in")

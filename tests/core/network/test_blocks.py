"""Blocks, branches and layers, found in graphs that stand for the architectures people use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.network.blocks import find_blocks
from layerwise.core.network.graph import Graph, Node
from layerwise.core.network.layer_naming import derive_layers, find_logits, gives_probabilities


class Sketch:
    """A graph drawn line by line; spatial size is always 4 x 4."""

    def __init__(self) -> None:
        self.nodes = [Node("in", "input", (), (4, 4, 3))]

    def add(
        self, name: str, op: str, inputs: str, channels: int | None = None, kernel: tuple[int, int] | None = None
    ) -> str:
        by_name = {node.name: node for node in self.nodes}
        sources = inputs.split()
        if channels is None:
            depths = [by_name[source].shape[-1] for source in sources]
            channels = sum(depths) if op == "concat" else depths[0]
        self.nodes.append(Node(name, op, tuple(sources), (4, 4, channels), kernel))
        return name

    def conv(self, name: str, source: str, height: int, width: int | None = None, channels: int = 2) -> str:
        return self.add(name, "conv", source, channels, (height, width or height))

    def pool(self, name: str, source: str) -> str:
        return self.add(name, "pool", source, None, (3, 3))

    def graph(self) -> Graph:
        return Graph(tuple(self.nodes), self.nodes[-1].name)


def labels(graph: Graph) -> dict[str, list[str]]:
    return {block.node: [branch.label for branch in block.branches] for block in find_blocks(graph)}


def test_an_inception_block_has_the_four_branches_it_is_known_for() -> None:
    draw = Sketch()
    draw.conv("a", "in", 1)
    draw.conv("b", draw.conv("b0", "in", 1), 3)
    draw.conv("c", draw.conv("c0", "in", 1), 5)
    draw.conv("d", draw.pool("d0", "in"), 1)
    draw.add("block", "concat", "a b c d")
    assert labels(draw.graph()) == {"block": ["1x1", "3x3", "5x5", "pool"]}


def test_factored_and_stacked_convolutions_count_as_what_they_stand_for() -> None:
    draw = Sketch()
    draw.conv("seven", draw.conv("s0", "in", 1, 7), 7, 1)
    draw.conv("again", draw.conv("t1", draw.conv("t0", "in", 7, 1), 1, 7), 7, 1)
    draw.conv("double", draw.conv("d0", "in", 3), 3)
    draw.conv("three", draw.conv("u0", "in", 1, 3), 3, 1)
    draw.conv("single", "in", 3)
    draw.pool("through", "in")
    draw.add("block", "concat", "seven again double three single through")
    assert labels(draw.graph()) == {"block": ["7x7", "7x7_2", "3x3dbl", "3x3", "3x3_2", "pool"]}


def draw_mixed9() -> Sketch:
    """InceptionV3's last kind of block: concatenations inside the concatenation."""
    draw = Sketch()
    draw.conv("one", "in", 1)
    stem = draw.conv("stem", "in", 1)
    draw.conv("left", stem, 1, 3)
    draw.conv("right", stem, 3, 1)
    draw.add("inner", "concat", "left right")
    deep = draw.conv("deep", draw.conv("deep0", "in", 1), 3)
    draw.conv("deep_left", deep, 1, 3)
    draw.conv("deep_right", deep, 3, 1)
    draw.add("inner_2", "concat", "deep_left deep_right")
    draw.conv("pooled", draw.pool("pool", "in"), 1)
    draw.add("mixed", "concat", "one inner inner_2 pooled")
    return draw


def test_concatenations_inside_a_concatenation_are_dissolved_into_it() -> None:
    assert labels(draw_mixed9().graph()) == {"mixed": ["1x1", "3x3", "3x3_2", "3x3dbl", "3x3dbl_2", "pool"]}


def test_a_dissolved_concatenation_is_a_layer_with_parts_of_its_own() -> None:
    layers = {layer.name: layer for layer in derive_layers(draw_mixed9().graph())}
    assert layers["inner"].parts == ("mixed/3x3", "mixed/3x3_2")
    assert layers["inner_2"].parts == ("mixed/3x3dbl", "mixed/3x3dbl_2")
    assert layers["inner"].block == "mixed"
    assert not layers["inner"].is_main
    assert layers["mixed"].is_main
    assert layers["mixed/3x3_2"].node == "right"
    assert (layers["mixed/3x3_2"].block, layers["mixed/3x3_2"].branch) == ("mixed", "3x3_2")


def draw_dense_block(n_steps: int) -> Sketch:
    draw = Sketch()
    before = draw.conv("stem", "in", 3)
    for step in range(n_steps):
        draw.add(f"norm{step}", "norm", before)
        new = draw.conv(f"new{step}", f"norm{step}", 3)
        before = draw.add(f"join{step}", "concat", f"{before} {new}")
    draw.conv("end", before, 1)
    return draw


def test_densely_connected_blocks_pass_the_block_before_on_as_a_part() -> None:
    layers = {layer.name: layer for layer in derive_layers(draw_dense_block(3).graph())}
    assert layers["join0"].parts == ("stem", "join0/3x3")
    assert layers["join2"].parts == ("join1", "join2/3x3")
    assert layers["join1"].block == "join1"


def test_densely_connected_blocks_stay_linear_in_their_number() -> None:
    blocks = find_blocks(draw_dense_block(400).graph())
    assert len(blocks) == 400
    assert all([branch.label for branch in block.branches] == ["skip", "3x3"] for block in blocks)


def test_a_tensor_joined_with_itself_counts_twice() -> None:
    draw = Sketch()
    draw.conv("a", "in", 3)
    draw.add("block", "concat", "a a")
    layers = {layer.name: layer for layer in derive_layers(draw.graph())}
    assert layers["block"].parts == ("a", "a")
    assert layers["block"].n_features == 2 * layers["a"].n_features


def test_joining_along_another_axis_is_no_block() -> None:
    nodes = (
        Node("in", "input", (), (4, 4, 3)),
        Node("a", "conv", ("in",), (4, 4, 2), (1, 1)),
        Node("b", "conv", ("in",), (4, 4, 2), (3, 3)),
        Node("tall", "concat", ("a", "b"), (8, 4, 2)),
    )
    graph = Graph(nodes, "tall")
    assert find_blocks(graph) == ()
    assert derive_layers(graph)[-1].parts == ()


def test_a_chain_counts_once_by_its_last_member() -> None:
    draw = Sketch()
    draw.add("pad", "pad", "in")
    draw.conv("conv", "pad", 3)
    draw.add("norm", "norm", "conv")
    draw.add("relu", "activation", "norm")
    draw.add("drop", "dropout", "relu")
    draw.pool("pool", "drop")
    draw.conv("skip_a", "pool", 3)
    draw.add("sum", "add", "skip_a pool")
    draw.add("sum_relu", "activation", "sum")
    draw.add("flat", "flatten", "sum_relu")
    draw.add("logits", "dense", "flat", 5)
    draw.add("out", "softmax", "logits")
    layers = derive_layers(draw.graph())
    assert [layer.name for layer in layers if layer.is_main] == ["in", "relu", "pool", "sum_relu", "logits", "out"]
    assert not {"pad", "drop", "flat"} & {layer.name for layer in layers}
    assert {layer.role: layer.name for layer in layers if layer.role != "hidden"} == {
        "input": "in", "logits": "logits", "output": "out",
    }  # fmt: skip


def test_logits_are_found_behind_a_reshape_and_only_before_a_softmax() -> None:
    draw = Sketch()
    draw.conv("scores", "in", 1)
    draw.add("shaped", "reshape", "scores")
    draw.add("soft", "softmax", "shaped")
    draw.add("flat", "reshape", "soft")
    assert find_logits(draw.graph()) == "scores"
    assert find_logits(draw_mixed9().graph()) is None


def end(op: str, *after: Node, shape: tuple[int, ...] = (5,)) -> Graph:
    """A graph whose scores go through `op`, and then through what comes after."""
    nodes = (Node("in", "input", (), (4, 4, 3)), Node("scores", "dense", ("in",), shape))
    nodes += (Node("end", op, ("scores",), shape), *after)
    return Graph(nodes, nodes[-1].name)


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (end("softmax"), True),
        (end("softmax", Node("flat", "flatten", ("end",), (5,)), shape=(1, 1, 5)), True),
        (end("log_softmax"), False),
        (end("axis_softmax"), False),
        (end("activation", shape=(1,)), False),
        (end("softmax", shape=(2, 5)), False),
        (end("softmax", Node("flat", "flatten", ("end",), (10,)), shape=(2, 5)), False),
        (end("softmax", Node("scaled", "rescaling", ("end",), (5,))), False),
        (end("softmax", Node("mixed", "dense", ("end", "scores"), (5,))), False),
    ],
)
def test_only_what_one_softmax_gives_as_a_vector_is_probabilities(graph: Graph, expected: bool) -> None:
    assert gives_probabilities(graph) is expected


def test_a_log_softmax_has_logits_before_it_too() -> None:
    assert find_logits(end("log_softmax")) == "scores"
    assert find_logits(end("axis_softmax")) is None


def test_a_branch_that_two_blocks_share_keeps_one_name() -> None:
    draw = Sketch()
    draw.conv("a", "in", 1)
    draw.conv("b", "in", 3)
    draw.add("first", "concat", "a b")
    draw.add("second", "concat", "b a")
    draw.add("end", "add", "first second")
    layers = {layer.name: layer for layer in derive_layers(draw.graph())}
    assert layers["first"].parts == ("first/1x1", "first/3x3")
    assert layers["second"].parts == ("first/3x3", "first/1x1")


@given(st.data())
def test_the_features_of_a_blocks_parts_add_up_to_its_own(data: st.DataObject) -> None:
    draw = Sketch()
    for index in range(data.draw(st.integers(1, 14))):
        names = [node.name for node in draw.nodes]
        if data.draw(st.booleans()):
            draw.conv(f"n{index}", data.draw(st.sampled_from(names)), data.draw(st.sampled_from([1, 3, 5])))
        else:
            draw.add(
                f"n{index}", "concat", " ".join(data.draw(st.lists(st.sampled_from(names), min_size=2, max_size=4)))
            )
    layers = derive_layers(draw.graph())
    by_name = {layer.name: layer for layer in layers}
    assert len(by_name) == len(layers)
    for layer in layers:
        if layer.op == "concat":
            assert sum(by_name[part].n_features for part in layer.parts) == layer.n_features


@pytest.mark.parametrize("role", ["input", "output"])
def test_there_is_always_exactly_one_layer_in_the_role(role: str) -> None:
    layers = derive_layers(draw_dense_block(2).graph())
    assert [layer.role for layer in layers].count(role) == 1

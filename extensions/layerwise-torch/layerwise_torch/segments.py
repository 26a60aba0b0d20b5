"""Parts of a traced network as functions: from one tensor to others, each operation in between run once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import fx

from layerwise_torch.observing import Seen, evaluate_count
from layerwise_torch.tracing import Traced


class Segment:
    """The operations between some tensors and others.

    Sizes that are computed along the way are not computed again: they follow from the number of images.
    """

    def __init__(
        self, traced: Traced, seen: Mapping[fx.Node, Seen], known: Sequence[fx.Node], outputs: Sequence[fx.Node]
    ) -> None:
        """Find them.

        Raises:
            ValueError: If the outputs cannot be computed from the `known` ones alone.
        """
        needed = _between(seen, known, outputs)
        self._known, self._outputs, self._seen = tuple(known), tuple(outputs), seen
        self._steps = [node for node in traced.program.graph.nodes if node in needed]
        self._calls = {node: _bind(node, traced.program) for node in self._steps}
        self._free = self._find_last_uses()

    def __call__(self, *tensors: Any) -> list[Any]:
        """Run them on a batch of each known tensor."""
        values: dict[fx.Node, Any] = dict(zip(self._known, tensors, strict=True))
        n_images = len(tensors[0])

        def load(node: fx.Node) -> Any:
            return values[node] if node in values else evaluate_count(self._seen[node].count, n_images)

        with torch.inference_mode():
            for node in self._steps:
                args = fx.node.map_arg(node.args, load)
                kwargs = fx.node.map_arg(node.kwargs, load)
                values[node] = self._calls[node](*args, **kwargs)
                for spent in self._free.get(node, ()):
                    values.pop(spent, None)
        return [values[node] for node in self._outputs]

    def _find_last_uses(self) -> dict[fx.Node, list[fx.Node]]:
        """After which operation each value is needed no more; those that are asked for are kept."""
        last: dict[fx.Node, fx.Node] = {}
        for node in self._steps:
            last.update(dict.fromkeys(node.all_input_nodes, node))
        free: dict[fx.Node, list[fx.Node]] = {}
        for value, node in last.items():
            if value not in self._outputs:
                free.setdefault(node, []).append(value)
        return free


def _between(seen: Mapping[fx.Node, Seen], known: Sequence[fx.Node], outputs: Sequence[fx.Node]) -> set[fx.Node]:
    needed: set[fx.Node] = set()
    waiting = list(outputs)
    while waiting:
        node = waiting.pop()
        if node in known or node in needed or seen[node].count is not None:
            continue
        if node.op == "placeholder":
            raise ValueError(f"{', '.join(map(str, outputs))} cannot be computed from '{known[0]}' alone")
        needed.add(node)
        waiting.extend(node.all_input_nodes)
    return needed


def _bind(node: fx.Node, program: fx.GraphModule) -> Callable[..., Any]:
    """What a node calls, as a function of its arguments."""
    if node.op == "call_module":
        module: Callable[..., Any] = program.get_submodule(str(node.target))
        return module
    if node.op == "call_method":
        name = str(node.target)
        return lambda value, *args, **kwargs: getattr(value, name)(*args, **kwargs)
    if node.op == "get_attr":
        constant: Any = program
        for part in str(node.target).split("."):
            constant = getattr(constant, part)
        return lambda: constant
    function: Any = node.target
    return function  # type: ignore[no-any-return]

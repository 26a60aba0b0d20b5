"""What each operation of a network gives, seen by running it on two batches of different sizes.

What varies with the number of images and what does not tells tensors of activations (the first axis is the batch,
nothing else changes) from constants, and from sizes that are computed along the way. Sizes are written down
as functions of the batch size, so that no part of the network has to be run for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from layerwise_torch.errors import UntraceableError
from layerwise_torch.tracing import Traced

_CONSTANTS = (bool, int, float, str, torch.dtype, torch.device)


@dataclass(frozen=True)
class Linear:
    """A whole number that depends on the number of images n: `slope * n + offset`."""

    slope: int
    offset: int


@dataclass(frozen=True)
class Seen:
    """What is known of one operation's value.

    Attributes:
        shape: Shape without the batch axis, for tensors of activations; otherwise None.
        dtype: Their type.
        is_channels_last: Whether they lie in memory with the channels innermost.
        count: Numbers (possibly nested in tuples), with `Linear` where they depend on the batch size; None for
            other values.
    """

    shape: tuple[int, ...] | None = None
    dtype: Any = None
    is_channels_last: bool = False
    count: Any = None


class _Recorder(fx.Interpreter):  # type: ignore[misc]
    """Runs a graph, keeps every value, and remembers how often each had been written to when it was made."""

    def __init__(self, program: fx.GraphModule) -> None:
        super().__init__(program, garbage_collect_values=False)
        self.versions: dict[fx.Node, int] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Run one operation."""
        value = super().run_node(n)
        if isinstance(value, torch.Tensor):
            self.versions[n] = value._version
        return value

    def check_unwritten(self) -> None:
        """Check that no value was written to after it was made."""
        for node, version in self.versions.items():
            if self.env[node]._version != version:
                raise UntraceableError(f"'{node.name}' is written over in place")


def observe(traced: Traced, batches: Sequence[Any]) -> tuple[dict[fx.Node, Seen], list[Any]]:
    """Run a graph on batches of different sizes: what is known of each value, and the outputs of each run.

    Args:
        traced: The graph.
        batches: One batch for a graph that holds for one batch size, otherwise two.

    Raises:
        UntraceableError: If an operation writes over a value that another has made.
    """
    runs, outputs = [], []
    for batch in batches:
        recorder = _Recorder(traced.program)
        with torch.no_grad():
            found = recorder.run(batch.clone(memory_format=torch.preserve_format))
            outputs.append(found if isinstance(found, tuple) else (found,))
        recorder.check_unwritten()
        runs.append(recorder.env)
    seen = _see_all(traced.program.graph, runs, [len(batch) for batch in batches])
    return seen | dict.fromkeys(traced.between, Seen()), outputs


def _see_all(graph: fx.Graph, runs: Sequence[Mapping[fx.Node, Any]], sizes: Sequence[int]) -> dict[fx.Node, Seen]:
    """What is known of each value, given those of every run; what depends on sizes alone is no activation."""
    seen: dict[fx.Node, Seen] = {}
    depends: set[fx.Node] = set()
    for node in graph.nodes:
        if node.op == "placeholder" or any(source in depends for source in node.all_input_nodes):
            depends.add(node)
        values = [env.get(node) for env in runs]
        seen[node] = _see_tensor(values, sizes) if node in depends else Seen()
        if not all(isinstance(value, torch.Tensor) for value in values):
            seen[node] = Seen(count=_count(values, sizes))
        if seen[node].count is not None:
            depends.discard(node)
    return seen


def _see_tensor(values: Sequence[Any], sizes: Sequence[int]) -> Seen:
    """Whether a value is a row of numbers for each image, of a shape that depends on nothing else."""
    if not all(isinstance(value, torch.Tensor) for value in values):
        return Seen()
    shapes = [tuple(value.shape) for value in values]
    first = values[0]
    is_batch = (
        first.is_floating_point()
        and all(len(shape) > 1 and shape[0] == size for shape, size in zip(shapes, sizes, strict=True))
        and len({shape[1:] for shape in shapes}) == 1
        and first.numel() > 0
    )
    if not is_batch:
        return Seen()
    last = first.ndim == 4 and not first.is_contiguous() and first.is_contiguous(memory_format=torch.channels_last)
    return Seen(shapes[0][1:], first.dtype, last)


def _count(values: Sequence[Any], sizes: Sequence[int]) -> Any:
    """The same value for any batch size, or what it depends on the batch size by; None where that is not known."""
    first = values[0]
    if isinstance(first, tuple | list):
        if len({len(value) for value in values}) > 1:
            return None
        parts = [_count(parts, sizes) for parts in zip(*values, strict=True)]
        return None if any(part is None for part in parts) else tuple(parts)
    if not isinstance(first, _CONSTANTS) or any(type(value) is not type(first) for value in values):
        return None
    if all(value == first for value in values):
        return first
    if isinstance(first, int):
        slope, rest = divmod(values[1] - first, sizes[1] - sizes[0])
        return Linear(slope, first - slope * sizes[0]) if rest == 0 else None
    return None


def evaluate_count(count: Any, n_images: int) -> Any:
    """The numbers for a batch of `n_images`."""
    if isinstance(count, tuple):
        return tuple(evaluate_count(part, n_images) for part in count)
    return count.slope * n_images + count.offset if isinstance(count, Linear) else count

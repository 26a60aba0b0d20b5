"""Which tensors of a graph have a row for each stimulus, and the shapes of these rows.

An open first axis may be anything: `reshape(x, [-1, 48])` of sixteen rows a stimulus has sixteen times as many. So
the graph is looked at with batches of two sizes: an axis that is as long as the batch both times is the batch. What
TensorFlow cannot tell by looking is run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from layerwise.plugins.loaders.graphdef.inputs import GraphInputs
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow

Shape: TypeAlias = "tuple[int, ...] | None"

_SIZES = (2, 3)


class BatchShapes:
    """Shapes of the tensors of a graph for batches of some sizes.

    Attributes:
        sizes: The sizes.
    """

    def __init__(self, graph_def: Any, inputs: GraphInputs, feed: Any) -> None:
        """Look at a graph.

        Args:
            graph_def: A `GraphDef` whose inputs are set free.
            inputs: What goes into it.
            feed: The tensor to feed, with the shape of a stimulus.
        """
        self.sizes = _SIZES if inputs.batch is None else (inputs.batch,)
        self._feed = feed
        self._found = [_infer(graph_def, inputs, size) for size in self.sizes]

    def run_unknown(self, function: Any, tensors: Sequence[Any]) -> None:
        """Run the graph on zeros for those of these tensors whose shapes are not known.

        Args:
            function: The graph as a wrapped function.
            tensors: Tensors of it that depend on the input.
        """
        unknown = [one for one in tensors if any(found.get(one.name) is None for found in self._found)]
        if not unknown:
            return
        tf = import_tensorflow()
        pruned = function.prune([self._feed], unknown)
        for size, found in zip(self.sizes, self._found, strict=True):
            values = pruned(tf.zeros([size, *self._feed.shape[1:]], self._feed.dtype))
            found.update({one.name: tuple(value.shape) for one, value in zip(unknown, values, strict=True)})

    def row_of(self, tensor: Any) -> Shape:
        """The shape that a tensor has for each stimulus; None where it has not a row for each."""
        shapes = [found.get(tensor.name) for found in self._found]
        known = [shape for shape in shapes if shape]
        if len(known) < len(shapes) or any(shape[0] != size for shape, size in zip(known, self.sizes, strict=True)):
            return None
        return known[0][1:] if all(shape[1:] == known[0][1:] for shape in known) else None


def _infer(graph_def: Any, inputs: GraphInputs, size: int) -> dict[str, Shape]:
    tf = import_tensorflow()
    found: dict[str, Shape] = {}
    with tf.Graph().as_default() as graph:
        inputs.import_graph(graph_def, size)
        for operation in graph.get_operations():
            for tensor in operation.outputs:
                whole = tensor.shape.is_fully_defined()
                found[tensor.name] = tuple(tensor.shape.as_list()) if whole else None
    return found

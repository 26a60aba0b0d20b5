"""Where stimuli go into a TensorFlow graph: one placeholder, or a tensor that becomes all that it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.core.network.inputs import TEXT, InputSpec, Shape, packed_shape
from layerwise.plugins.loaders.tensorflow.inputs import PACKED, convert, count_values, fit_shapes, make_spec
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow

DEFAULT_SIZE = 224
"""Height and width of the input where a graph takes pictures of any size."""
_PICTURE_AXES = 4
_CHANNELS = (None, 1, 3)
_CUT = "_cut_out_of_all"


@dataclass(frozen=True)
class Source:
    """A placeholder that stimuli go into.

    Attributes:
        word: What people call it.
        node: Its name in the graph.
        dtype: TensorFlow's type.
        sides: Its axes behind the batch, None for open ones; None where even their number is not known.
        batch: The only size of batches that it takes; None for any.
    """

    word: str
    node: str
    dtype: Any
    sides: tuple[int | None, ...] | None
    batch: int | None

    @property
    def is_picture(self) -> bool:
        """Whether (height, width, 1 or 3) goes in, or anything, for all that is known."""
        if not (self.dtype.is_floating or self.dtype.is_integer):
            return False
        return self.sides is None or (len(self.sides) == _PICTURE_AXES - 1 and self.sides[2] in _CHANNELS)


@dataclass(frozen=True)
class GraphInputs:
    """What goes into a graph, as one tensor.

    Attributes:
        sources: The placeholders.
        name: Name of the node whose tensor the engine hands over.
        batch: The only size of batches that the graph takes; None for any.
        shape: Shape of that tensor for one stimulus.
        dtype: Its type.
        is_open: Whether axes are open, and were chosen.
        specs: What goes in where that is not one picture; empty where it is one.
        held: Handles of the tables that the graph looks things up in, by the placeholder that stands for each.
    """

    sources: tuple[Source, ...]
    name: str
    batch: int | None
    shape: Shape
    dtype: Any
    is_open: bool
    specs: tuple[InputSpec, ...] = ()
    held: Mapping[str, Any] = field(default_factory=dict)

    def set_free(self, graph_def: Any) -> Any:
        """The graph with its placeholders called `{name}_before`, so that others can take over their names."""
        rest = import_tensorflow().compat.v1.GraphDef()
        rest.CopyFrom(graph_def)
        taken = {source.node for source in self.sources} | set(self.held)
        for node in rest.node:
            if "_class" in node.attr:  # beside which operation it is to run, perhaps an input
                del node.attr["_class"]
            if node.name in taken:
                node.name = f"{node.name}_before"
            node.input[:] = [_before(name) if _operation(name) in taken else name for name in node.input]
        return rest

    def import_graph(self, rest: Any, batch: int | None) -> Any:
        """Import what `set_free` gave into the present graph; the tensor that takes a batch of stimuli.

        Args:
            rest: The graph.
            batch: Stimuli in a batch; None for any number.
        """
        tf = import_tensorflow()
        present = tf.compat.v1.get_default_graph()
        feed = tf.compat.v1.placeholder(self.dtype, [batch, *self.shape], name=self.name)
        given = {f"{source.node}_before:0": tensor for source, tensor in self._take_apart(feed)}
        if hasattr(present, "capture"):  # shapes are told without tables
            given |= {f"{node}_before:0": present.capture(handle) for node, handle in self.held.items()}
        tf.import_graph_def(rest, input_map=given, name="")
        return feed

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the placeholders."""
        return tuple(source.node for source in self.sources)

    @property
    def pieces(self) -> frozenset[str]:
        """Names of the tensors that inputs are cut out as; none where there is one input."""
        return frozenset(f"{source.node}:0" for source in self.sources if len(self.specs) > 1)

    @property
    def cuts(self) -> frozenset[str]:
        """Names of the tensors between what is handed over and its pieces."""
        return frozenset(f"{source.node}{_CUT}:0" for source in self.sources if len(self.specs) > 1)

    def _take_apart(self, feed: Any) -> list[tuple[Source, Any]]:
        if not self.specs:
            return [(self.sources[0], feed)]
        tf = import_tensorflow()
        found, first = [], 0
        for source, spec in zip(self.sources, self.specs, strict=True):
            values = feed
            if len(self.specs) > 1:
                cut = tf.slice(feed, [0, first], [-1, count_values(spec)], name=f"{source.node}{_CUT}")
                values = tf.reshape(
                    cut, [-1 if feed.shape[0] is None else feed.shape[0], *spec.shape], name=source.node
                )
                first += count_values(spec)
            found.append((source, convert(values, source.dtype, source.sides or ())))
        return found


def find_inputs(
    graph_def: Any,
    places: Mapping[str, str],
    path: str,
    size: tuple[int, int] | None = None,
    shapes: Sequence[Shape] | None = None,
    held: Mapping[str, Any] | None = None,
) -> GraphInputs:
    """What goes into a graph.

    Args:
        graph_def: A `GraphDef`.
        places: The placeholders that stimuli go into, by what people call them.
        path: Where it came from, for messages.
        size: Height and width of a picture where the graph takes any.
        shapes: Of the stimuli, where it takes something else than one picture and leaves axes open.
        held: As in `GraphInputs`.

    Raises:
        InputError: If a placeholder takes what no stimulus can be, or they take batches of different sizes.
    """
    nodes = {node.name: node for node in graph_def.node}
    sources = tuple(read_source(nodes[node], word) for word, node in places.items())
    batches = {source.batch for source in sources} - {None}
    if len(batches) > 1:
        listed = ", ".join(f"'{source.word}' {source.batch or 'any'}" for source in sources)
        raise InputError(f"{path}: inputs take batches of different sizes ({listed})")
    batch = next(iter(batches), None)
    if len(sources) == 1 and sources[0].is_picture:
        (source,) = sources
        sides = source.sides or (None, None, None)
        default = (*(size or (DEFAULT_SIZE, DEFAULT_SIZE)), 3)
        shape = tuple(int(side or given) for side, given in zip(sides, default, strict=True))
        return GraphInputs(sources, source.node, batch, shape, source.dtype, None in sides, held=held or {})
    specs = fit_shapes([_make_spec(source, path) for source in sources], shapes)
    name = sources[0].node if len(sources) == 1 else _free_name(PACKED, nodes)
    is_open = any(spec.is_open for spec in specs)
    tf = import_tensorflow()
    return GraphInputs(sources, name, batch, packed_shape(specs), tf.float32, is_open, specs, held or {})


def read_source(placeholder: Any, word: str) -> Source:
    """What a placeholder of a graph takes.

    Args:
        placeholder: A `NodeDef`.
        word: What people call it.
    """
    shape = placeholder.attr["shape"].shape
    dtype = import_tensorflow().as_dtype(placeholder.attr["dtype"].type)
    if shape.unknown_rank or "shape" not in placeholder.attr:
        return Source(word, placeholder.name, dtype, None, None)
    sides = tuple(dim.size if dim.size > 0 else None for dim in shape.dim)
    return Source(word, placeholder.name, dtype, sides[1:] if sides else None, sides[0] if sides else None)


def _make_spec(source: Source, path: str) -> InputSpec:
    dtype = source.dtype
    if not (dtype.is_floating or dtype.is_integer or dtype.is_bool or dtype == import_tensorflow().string):
        raise InputError(f"{path}: input '{source.word}' takes {dtype.name}, which no stimulus can be made into")
    if source.sides is None:
        raise InputError(f"{path}: input '{source.word}' does not say how many axes it has")
    return make_spec(source.word, TEXT if dtype == import_tensorflow().string else dtype.name, source.sides)


def _free_name(name: str, taken: Mapping[str, Any]) -> str:
    scopes = {node.partition("/")[0] for node in taken}
    while name in scopes:
        name += "_"
    return name


def _operation(name: str) -> str:
    return name.removeprefix("^").partition(":")[0]


def _before(name: str) -> str:
    head, colon, port = name.partition(":")
    return f"{head}_before{colon}{port}"

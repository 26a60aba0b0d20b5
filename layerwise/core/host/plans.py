"""The plan of one streaming: where the network is cut, what each segment computes, and where it is kept.

What an engine is handed; provisional until 1.0. `core.runs.streaming.planner` makes plans.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from layerwise.core.network.layers import Layer
from layerwise.core.network.representation import NO_TRANSFORM

if TYPE_CHECKING:
    from layerwise.core.host.kinds.inputs import Transform
    from layerwise.core.host.registered import Registered


@dataclass(frozen=True)
class Target:
    """A layer under a transform: what becomes one representation. Provisional until 1.0."""

    layer: Layer
    transform: Registered[Transform] | None = None

    @property
    def transform_name(self) -> str:
        """The transform's name, `none` for plain activations."""
        return NO_TRANSFORM if self.transform is None else self.transform.name

    @property
    def key(self) -> tuple[str, str]:
        """(layer name, transform name)."""
        return (self.layer.name, self.transform_name)

    @property
    def described(self) -> str:
        """What it is called in errors."""
        return f"layer '{self.layer.name}' (transform {self.transform_name})"


@dataclass(frozen=True)
class Budget:
    """Bytes that may be used: of memory for all that a run holds, and of disk for layers that do not fit there.

    The network's weights and its framework are there before a run is planned and do not count.

    Attributes:
        memory: Bytes of memory.
        spool: Bytes of disk.
        on_device: Whether memory is that of a device, where layers are held and summed.
        in_tiles: Whether products of many stimuli are summed in tiles; devices hold whole matrices.
    """

    memory: int
    spool: int
    on_device: bool = False
    in_tiles: bool = True


@dataclass(frozen=True)
class Concurrency:
    """How much may be under way at once. It decides memory and speed, never a number.

    Attributes:
        n_workers: Threads that digest batches and multiply chunks.
        n_products: Products of a chunk, (n, n), that are computed or wait to be added up; of many stimuli the tiles
            of a layer's products that are summed at a time, where these lie on disk.
        n_rooms: Spooled chunks that are read back to be multiplied.
    """

    n_workers: int
    n_products: int
    n_rooms: int


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
        parent: Place in the plan of the segment whose end goes in; None for the stimuli themselves.
        start: Node whose tensor goes in.
        end: Node whose tensor is kept for the next segment, None for the last one.
        passes: What each pass over the segment stores; one pass unless neither memory nor spool hold it all.
        memory_bytes: Bytes of layers held in memory.
        spool_bytes: Bytes of layers held on disk at once.
        end_spooled: Whether the tensor kept for the next segment lies on disk.
        cost: Estimated multiply-adds of one pass, for one stimulus.
    """

    parent: int | None
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
        segments: A tree, each after its parent; that of one network is a path. Segments after the last wanted layer
            are left out.
        streamed: Targets that are computed from activations.
        derived: Targets that are the sum of others, and free.
        n_stimuli: Number of stimuli.
        n_features: Features per stimulus that are streamed.
        batch_size: Stimuli per call of the network.
        chunk_width: Columns per product.
        forward_passes: Estimated cost of the network's part, as a multiple of one forward pass.
        memory_bytes: Estimated bytes held at once: layers, boundaries and batches, the (n, n) matrices that are
            summed, wait and are stored, and the decoded stimuli.
        spool_bytes: Most bytes on disk at once.
        concurrency: How much may be under way at once.
        device: Where the network computes and sums are taken, as people read it.
        products_spooled: Whether products of layers, in tiles, lie on disk until they are stored.
        n_landmarks: With how many stimuli, the first ones, pairs are wanted; None for all. An engine that sums all of
            them gives as much.
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
    concurrency: Concurrency
    device: str = "cpu"
    products_spooled: bool = False
    n_landmarks: int | None = None

    @property
    def n_stimulus_passes(self) -> int:
        """Stimuli times passes over all segments: what the progress bar counts."""
        return self.n_stimuli * sum(len(segment.passes) for segment in self.segments)

"""What a run holds in memory, in bytes: what it cannot do without, and how what is left of a budget is shared out.

What is an n x n matrix grows with the square of the number of stimuli n: 200 MB in float64 for 5,000. Few are alive
at a time, whatever the number of layers: the layer that is being summed, the branches that wait for their block,
products in flight, and what waits to be stored or is being stored. Above 2,000 stimuli none is there whole: products
lie in tiles, in memory or on disk, and what is said of pairs is computed a few rows at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from layerwise.core.host.plans import Concurrency, Target
from layerwise.core.network.graph import Graph
from layerwise.core.network.matrices.landmarks import count_pairs
from layerwise.core.network.matrices.tiles import list_tiles, tile_bytes, triangle_bytes
from layerwise.core.runs.sink import N_UNWRITTEN, count_storing
from layerwise.core.runs.streaming.chunks import BLOCK, DOUBLE_BLOCK
from layerwise.core.runs.streaming.cuts import Shares
from layerwise.core.runs.streaming.plan import FLOAT_BYTES, part_keys
from layerwise.core.runs.streaming.tiles.sums import double_bytes, scratch_bytes

_DOUBLE_BYTES = 8
_OVERHEAD = 8 * 2**20  # the database's pages, rows to be written, what the allocator does not give back
_N_VECTORS = 18  # float64 (n,) of each layer: sums while it streams, and its summary
_N_WORKING = 3  # tensors as large as the widest that a framework needs to compute it: what it reads, pads and writes
_SCRATCH_BYTES = 13  # three float32 arrays and one of flags, of each worker: see `sums.Scratch`
_N_DEVICE_CHUNKS = 3  # a chunk's deviations, centred and about each stimulus's mean, and their squares
_UNIT_BYTES = 16  # two float64 sums of each unit of a segment
_PANEL_ROWS = 64  # of pairs that are looked at together
_N_PANELS = 12  # float64 arrays of that many rows, while a layer is measured and stored
_SHARE = 8  # of what is spare, an eighth each for workers, products and rooms: the rest is for layers and boundaries


@dataclass(frozen=True)
class Holdings:
    """Bytes that a run holds whatever its plan, and what one more of everything costs.

    Attributes:
        fixed: Stimuli, matrices, and one batch inside the network.
        working: That batch, which is a part of it.
        matrices: The matrices, which are another.
        digested: Temporary arrays of a batch, which are a part of `scratch`.
        scratch: Temporary arrays of one worker: of a batch, of a block of a chunk, and the block's products.
        product: The sums of one chunk, float64 (n, n); in tiles, those that are summed together at least.
        chunk: One chunk of the widest layer.
        most_products: How many of these can be of use; None where it is by the workers.
        disk: Bytes on disk whatever the plan: products in tiles, and layers on their way into the history.
        products_spooled: Whether products lie there.
    """

    fixed: int
    working: int
    matrices: int
    digested: int
    scratch: int
    product: int
    chunk: int
    most_products: int | None = None
    disk: int = 0
    products_spooled: bool = False

    @property
    def minimum(self) -> int:
        """With one of everything: a worker, a product, a room, and two chunks, of which the buffer's half is one."""
        return self.fixed + self.scratch + self.product + 3 * self.chunk

    def on_device(self) -> Holdings:
        """What a device holds where layers are summed there: the rest is in the memory of the process.

        Its temporary arrays are of a whole chunk, since each operation is one call for all of it.
        """
        scratch = self.scratch + _N_DEVICE_CHUNKS * self.chunk
        return replace(self, fixed=self.working + self.product, scratch=scratch)

    def share_out(self, spare: int, spool: int, n_cores: int) -> tuple[Concurrency, Shares]:
        """Divide what there is beyond the minimum, in bytes of memory, and all of the disk.

        Half of what is left for streaming is the buffer's, and a quarter is each boundary's: two are alive at a time,
        the one that a segment reads and the one that it writes. Of the disk likewise.
        """
        share = spare // _SHARE
        n_workers = 1 + min(n_cores - 1, share // self.scratch)
        # Twice as many products as workers, so that none waits while the sums are a chunk behind.
        n_products = 1 + min((self.most_products or 2 * n_workers) - 1, share // self.product)
        n_chunks = 1 if self.most_products else min(n_workers, n_products)  # multiplied at a time
        n_rooms = 1 + min(n_chunks - 1, share // self.chunk)
        taken = (n_workers - 1) * self.scratch + (n_products - 1) * self.product + (n_rooms - 1) * self.chunk
        streaming = spare - taken + 2 * self.chunk
        shares = Shares(
            arena=streaming // 2, boundary_memory=streaming // 4, spool=spool // 2, boundary_spool=spool // 4
        )
        return Concurrency(n_workers, n_products, n_rooms), shares

    def held(self, concurrency: Concurrency, *, spools: bool) -> int:
        """All but layers, boundaries and the batches that are digested."""
        rooms = concurrency.n_rooms * self.chunk if spools else 0
        return self.fixed + concurrency.n_workers * self.scratch + concurrency.n_products * self.product + rooms


def weigh(
    graph: Graph,
    streamed: Sequence[Target],
    derived: Sequence[Target],
    features: Mapping[tuple[str, str], int],
    n_stimuli: int,
    batch_size: int,
    width: int,
    pixel_bytes: int,
) -> Holdings:
    """What a run of these targets holds.

    Args:
        graph: The network.
        streamed: Targets that are computed from activations, in order of computation.
        derived: Targets that are sums of others.
        features: Number of features of each target, by its key.
        n_stimuli: Number of stimuli n.
        batch_size: Stimuli per call of the network.
        width: Columns of a chunk.
        pixel_bytes: Bytes of the decoded stimuli.
    """
    columns = min(width, max((features[target.key] for target in streamed), default=1))
    matrix = n_stimuli**2 * _DOUBLE_BYTES
    matrices = count_matrices(streamed, derived) + (N_UNWRITTEN - 1) + count_storing(n_stimuli)
    vectors = _N_VECTORS * n_stimuli * _DOUBLE_BYTES * len(streamed)
    widest = max(node.n_features for node in graph)
    working = _N_WORKING * widest * batch_size * FLOAT_BYTES
    outputs = (t for t in (*streamed, *derived) if t.layer.role == "output" and t.transform is None)
    kept = sum(features[target.key] * n_stimuli * FLOAT_BYTES for target in outputs)  # for predictions
    digested = batch_size * columns * _SCRATCH_BYTES
    return Holdings(
        fixed=_OVERHEAD + pixel_bytes + int(matrices * matrix) + vectors + working + kept,
        working=working,
        matrices=int(matrices * matrix),
        digested=digested,
        scratch=digested + _block_bytes(n_stimuli, columns),
        product=matrix,
        chunk=n_stimuli * columns * FLOAT_BYTES,
    )


def weigh_tiles(
    whole: Holdings,
    streamed: Sequence[Target],
    derived: Sequence[Target],
    n_stimuli: int,
    n_landmarks: int | None = None,
    *,
    on_disk: bool,
) -> Holdings:
    """The same where products of layers are summed and kept in tiles, in memory or on disk.

    Args:
        whole: What `weigh` says.
        streamed: As there.
        derived: As there.
        n_stimuli: Number of stimuli n.
        n_landmarks: With how many of them pairs are wanted; None for all.
        on_disk: Whether products lie on disk, but for the tiles that are being summed.
    """
    n_products = count_matrices(streamed, derived) + N_UNWRITTEN
    triangle = triangle_bytes(n_stimuli, n_landmarks)
    pairs = count_pairs(n_stimuli, n_landmarks) * _DOUBLE_BYTES
    panels = _N_PANELS * _PANEL_ROWS * n_stimuli * _DOUBLE_BYTES
    beside = panels + double_bytes(n_stimuli) + whole.chunk  # one chunk is there centred, too
    columns = whole.chunk // (n_stimuli * FLOAT_BYTES)
    fixed = whole.fixed - whole.matrices + beside + (0 if on_disk else (n_products - 1) * triangle + pairs)
    return replace(
        whole,
        fixed=fixed,
        matrices=0,
        scratch=whole.digested + scratch_bytes(columns),
        product=tile_bytes(n_stimuli, n_landmarks) if on_disk else triangle,
        most_products=len(list_tiles(n_stimuli, n_landmarks)) if on_disk else 1,
        disk=n_products * triangle + pairs if on_disk else 0,
        products_spooled=on_disk,
    )


def _block_bytes(n_stimuli: int, columns: int) -> int:
    """A block of a chunk in float32, part of it in float64, and its products in float32."""
    block = n_stimuli * min(BLOCK, columns) * FLOAT_BYTES
    return block + n_stimuli * min(DOUBLE_BLOCK, columns) * _DOUBLE_BYTES + n_stimuli**2 * FLOAT_BYTES


def count_matrices(streamed: Sequence[Target], derived: Sequence[Target]) -> int:
    """Most matrices of sums at once: the layer that is being summed, and branches that wait for their blocks."""
    finished: set[tuple[str, str]] = set()
    held: set[tuple[str, str]] = set()
    waiting = list(derived)
    most = 1
    for target in streamed:
        found = [target.key]
        while found:
            finished.update(found)
            held.update(found)
            most = max(most, len(held))
            found = [t.key for t in waiting if t.key not in finished and finished.issuperset(part_keys(t))]
        waiting = [target for target in waiting if target.key not in finished]
        held &= {key for target in waiting for key in part_keys(target)}
    return most


def transit_bytes(
    graph: Graph, targets: Sequence[Target], features: Mapping[tuple[str, str], int], batch_size: int
) -> int:
    """What a segment hands over, while one batch is digested and the next one is computed; and its units' sums."""
    nodes = {target.layer.node for target in targets}
    width = sum(graph[node].n_features for node in nodes)
    width += sum(features[target.key] for target in targets if target.transform is not None)
    units = sum(features[target.key] for target in targets)
    return 2 * width * batch_size * FLOAT_BYTES + units * _UNIT_BYTES

"""The tasks of a run of many stimuli, by threads of this process: products are summed tile by tile.

Of a layer as many tiles are summed at a time as the plan allows for, over all of its chunks; then the next ones, for
which the chunks are looked at again. Where tiles are summed again and again is memory; where they wait, for another
pass over the segment or to be stored, is memory or disk. Each tile adds up its chunks in their order, whatever the
plan, so none of this changes a number.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.spool import Spool
from layerwise.core.host.jobs import StreamJob
from layerwise.core.host.kinds import UnitTransform
from layerwise.core.network.matrices.tiles import Matrix, Place, TiledGram, list_tiles
from layerwise.core.network.model import Floats
from layerwise.core.network.partial import PartialSums
from layerwise.core.network.products import multiplies_double
from layerwise.core.runs.streaming.local import LocalCrew, widest_chunk
from layerwise.core.runs.streaming.states import Listener
from layerwise.core.runs.streaming.tasks import ChunkPlace, LayerWork, PassWork, settle_units, tell
from layerwise.core.runs.streaming.tiles.sums import Survey, TileScratch, add_tile, survey_chunk

_Sums = tuple[ChunkPlace, PartialSums]


class TiledCrew(LocalCrew):
    """Does the work of one pass after the other; see `stream.Crew`.

    Args:
        job: The job; its model's tensors are NumPy's.
        spool: Where chunks go that the buffer does not hold.
        workers: The threads, as many as the plan allows for.
    """

    def __init__(self, job: StreamJob, spool: Spool, workers: ThreadPoolExecutor) -> None:
        super().__init__(job, spool, workers)
        self._grams: dict[tuple[str, str], TiledGram] = {}
        self._room: Floats = np.empty(0, dtype=np.float32)
        self._local = threading.local()

    def sums(self, work: PassWork, listeners: Callable[[ChunkPlace], Sequence[Listener]]) -> Iterator[_Sums]:
        """Each chunk's sums, in order; the products of a layer come with those of its last chunk."""
        for layer in work.layers:
            yield from self._sum_layer(layer, listeners(layer.chunks[0]))

    def _sum_layer(self, layer: LayerWork, told: Sequence[Listener]) -> Iterator[_Sums]:
        plan, key = self.job.plan, layer.target.key
        if key not in self._grams:
            self._grams[key] = TiledGram(
                plan.n_stimuli, self.job.spool_folder, on_disk=plan.products_spooled, n_landmarks=plan.n_landmarks
            )
        gram = self._grams[key]
        close = np.zeros((len(layer.chunks), plan.n_stimuli), dtype=np.bool_)
        groups = self._group_tiles()
        for group in groups:
            is_last = group is groups[-1]
            if group is groups[0]:
                self._look_at(layer, told)
            held = {place: gram.take(place) for place in group}
            for chunk, seen in zip(layer.chunks, close, strict=True):
                sums = self._add_chunk(chunk, held, seen, conclude=is_last)
                if sums is not None and chunk is not layer.chunks[-1]:
                    yield chunk, sums
            for place, values in held.items():
                gram.put(place, values)
            del held
        if sums is not None:
            if chunk.columns.stop == chunk.n_features:
                sums.gram = self._grams.pop(key)
            del gram
            yield chunk, sums

    def _group_tiles(self) -> list[list[Place]]:
        """All tiles, so many together as are summed at a time."""
        plan = self.job.plan
        places = list_tiles(plan.n_stimuli, plan.n_landmarks)
        n_each = plan.concurrency.n_products if plan.products_spooled else len(places)
        return [places[start : start + n_each] for start in range(0, len(places), n_each)]

    def _look_at(self, layer: LayerWork, told: Sequence[Listener]) -> None:
        """Whatever needs each chunk once, before it is summed: transforms of units, streamed statistics."""
        is_changed = layer.target.transform is not None and isinstance(layer.target.transform.offer, UnitTransform)
        if not is_changed and not told:
            return
        for place in layer.chunks:
            chunk = self._chunks[place.number]
            with chunk.loaded(self._rooms) as values:
                settle_units(place, values, self.arrays)
                if is_changed:
                    chunk.put(0, values)
                tell(told, place, values)

    def _add_chunk(
        self, place: ChunkPlace, held: Mapping[Place, Matrix], close: NDArray[np.bool_], *, conclude: bool
    ) -> PartialSums | None:
        """Add a chunk's products to some tiles; its sums once it was added to all of them.

        Args:
            place: The chunk.
            held: The tiles.
            close: (n,); which stimuli were multiplied again in other tiles, and now in these.
            conclude: Whether these are the last tiles.
        """
        in_double = multiplies_double(self.job.plan.n_stimuli, place.n_features)
        with self._chunks[place.number].loaded(self._rooms) as values:
            if not in_double:
                self._make_room()
            survey = survey_chunk(values, self._room, in_double=in_double)
            if len(survey.close):
                survey.close |= close
            pending = [self._submit(self._add_tile, tile, values, survey, at) for at, tile in held.items()]
            wait(pending)
            for future in pending:
                future.result()
            if len(survey.close):
                close |= survey.close
            if not conclude:
                return None
            sums = survey.conclude(values, self._grams[place.target.key])
            if place.target.layer.name in self.job.keep and place.target.transform is None:
                sums.activations = np.array(values, dtype=np.float32)
            return sums

    def _make_room(self) -> None:
        """The array in which chunks are centred, made when one first needs it."""
        if not len(self._room):
            self._room = np.empty(self.job.plan.n_stimuli * widest_chunk(self.job), dtype=np.float32)

    def _add_tile(self, into: Matrix, values: Floats, survey: Survey, place: Place) -> None:
        if not hasattr(self._local, "scratch"):
            self._local.scratch = TileScratch()
        add_tile(into, values, survey, place, self._local.scratch)

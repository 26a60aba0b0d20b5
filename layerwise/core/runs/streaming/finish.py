"""From sums to finished layers: blocks from their branches, streamed statistics, and on to the sink."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from layerwise.core.host.jobs import LayerSink, StreamedLayer, StreamJob
from layerwise.core.host.plans import Target
from layerwise.core.network.matrices.tiles import TiledGram
from layerwise.core.network.model import Floats
from layerwise.core.network.partial import PartialSums
from layerwise.core.network.products import Products, concatenate
from layerwise.core.network.summary import LayerSummary, concatenate_summaries
from layerwise.core.network.tiled_products import TiledProducts, concatenate_tiled
from layerwise.core.runs.streaming.plan import part_keys
from layerwise.core.runs.streaming.states import Listener, RunStates
from layerwise.core.runs.streaming.tasks import ChunkPlace


class LayerFinisher:
    """Merges the sums of each layer, and hands it to the sink as soon as its last product has been added.

    A block is the sum of its branches, also where memory is short: computing it from its own activations instead
    would give other last digits. So its branches wait here for each other.
    """

    def __init__(self, job: StreamJob, sink: LayerSink) -> None:
        self._job = job
        self._sink = sink
        self._states = RunStates(job)
        self._open: dict[tuple[str, str], PartialSums] = {}
        self._blocks = list(job.plan.derived)
        self._branches: dict[tuple[str, str], tuple[Products | TiledProducts, LayerSummary]] = {}

    def fed_by(self, place: ChunkPlace) -> Sequence[Listener]:
        """The streamed statistics that are to see a chunk."""
        return self._states.fed_by(place.target)

    def add(self, place: ChunkPlace, sums: PartialSums, fetch: Callable[[Any], Any]) -> None:
        """Add the sums of a target's next chunk; with its last one, it and the blocks that it completes are done.

        Args:
            place: Which chunk.
            sums: Its sums; not used any more by who gave them.
            fetch: Brings products to the host.

        Raises:
            LayerwiseError: If some activation is not finite.
        """
        target = place.target
        open_sums = self._open.get(target.key)
        if open_sums is None:
            self._open[target.key] = open_sums = sums
        else:
            with np.errstate(invalid="ignore", over="ignore"):
                open_sums.merge(sums)
        if open_sums.n_units == place.n_features:
            del self._open[target.key]
            open_sums.gram = fetch(open_sums.gram)
            self._finish(target, open_sums)

    def _finish(self, target: Target, sums: PartialSums) -> None:
        self._hand_over(target, *sums.finish(target.described), sums.activations)
        while block := next((block for block in self._blocks if self._has_all_branches(block)), None):
            self._blocks.remove(block)
            products, summaries = zip(*(self._branches[part] for part in part_keys(block)), strict=True)
            self._hand_over(block, self._add_up(products), concatenate_summaries(summaries))
        awaited = {part for block in self._blocks for part in part_keys(block)}
        self._branches = {key: found for key, found in self._branches.items() if key in awaited}

    def _add_up(self, parts: Sequence[Any]) -> Products | TiledProducts:
        """The products of a block; of many stimuli in tiles, which lie where the plan has room for them."""
        if not isinstance(parts[0], TiledProducts):
            return concatenate(parts)
        plan, folder = self._job.plan, self._job.spool_folder
        n_landmarks = parts[0].gram.n_landmarks
        gram = TiledGram(plan.n_stimuli, folder, on_disk=plan.products_spooled, n_landmarks=n_landmarks)
        return concatenate_tiled(parts, gram)

    def _has_all_branches(self, block: Target) -> bool:
        return all(part in self._branches for part in part_keys(block))

    def _hand_over(
        self,
        target: Target,
        products: Products | TiledProducts,
        summary: LayerSummary,
        activations: Floats | None = None,
    ) -> None:
        self._branches[target.key] = (products, summary)
        states = self._states.take(target)
        streamed = tuple(state.finish() for state in states)
        failures = tuple(state.failure for state in states if state.failure)
        self._sink.layer_finished(StreamedLayer(target, products, summary, streamed, activations, failures))

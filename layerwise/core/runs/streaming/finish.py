"""From sums to finished layers: blocks from their branches, streamed statistics, and on to the sink."""

from __future__ import annotations

from layerwise.core.host.jobs import LayerSink, StreamedLayer, StreamJob
from layerwise.core.host.plans import Span, Target
from layerwise.core.network.model import Floats
from layerwise.core.network.products import Products, concatenate
from layerwise.core.network.summary import LayerSummary, concatenate_summaries
from layerwise.core.runs.streaming.accumulate import LayerAccumulator
from layerwise.core.runs.streaming.plan import part_keys
from layerwise.core.runs.streaming.states import RunStates


class LayerFinisher:
    """Opens what layers are gathered in, and hands each to the sink as soon as its last product has been added.

    A block is the sum of its branches, also where memory is short: computing it from its own activations instead
    would give other last digits. So its branches wait here for each other.
    """

    def __init__(self, job: StreamJob, sink: LayerSink) -> None:
        self._job = job
        self._sink = sink
        self._states = RunStates(job)
        self._open: dict[tuple[str, str], LayerAccumulator] = {}
        self._blocks = list(job.plan.derived)
        self._branches: dict[tuple[str, str], tuple[Products, LayerSummary]] = {}

    def open(self, span: Span) -> LayerAccumulator:
        """What a target is gathered in: the same for all of its chunks, whichever pass they are in."""
        target = span.target
        if target.key not in self._open:
            self._open[target.key] = LayerAccumulator(
                target,
                self._job.stimuli.n_stimuli,
                span.n_features,
                self._states.fed_by(target),
                keeps=target.layer.name in self._job.keep and target.transform is None,
            )
        return self._open[target.key]

    def finish(self, accumulator: LayerAccumulator) -> None:
        """Hand a complete target over, and every block whose last branch it was.

        Raises:
            LayerwiseError: If some activation is not finite.
        """
        del self._open[accumulator.target.key]
        self._hand_over(accumulator.target, *accumulator.finish(), accumulator.kept)
        while block := next((block for block in self._blocks if self._has_all_branches(block)), None):
            self._blocks.remove(block)
            products, summaries = zip(*(self._branches[part] for part in part_keys(block)), strict=True)
            self._hand_over(block, concatenate(products), concatenate_summaries(summaries))
        awaited = {part for block in self._blocks for part in part_keys(block)}
        self._branches = {key: found for key, found in self._branches.items() if key in awaited}

    def _has_all_branches(self, block: Target) -> bool:
        return all(part in self._branches for part in part_keys(block))

    def _hand_over(
        self, target: Target, products: Products, summary: LayerSummary, activations: Floats | None = None
    ) -> None:
        self._branches[target.key] = (products, summary)
        states = self._states.take(target)
        streamed = tuple(state.finish() for state in states)
        failures = tuple(state.failure for state in states if state.failure)
        self._sink.layer_finished(StreamedLayer(target, products, summary, streamed, activations, failures))

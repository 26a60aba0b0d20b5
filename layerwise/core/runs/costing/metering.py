"""What a run takes while it streams: told from outside, by when an engine gives news to its sink.

After each batch an engine says how many stimuli have passed; after its sums it hands over layers. So what lies before
the first kind of news is the network's, before the second the sums', whichever engine it is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

from layerwise.core.base.pages import give_back_pages
from layerwise.core.base.spool import SPOOLED
from layerwise.core.base.usage import MemoryWatch
from layerwise.core.history.costs import Pace, Rates
from layerwise.core.host.jobs import LayerSink, StreamedLayer
from layerwise.core.host.plans import StreamPlan
from layerwise.core.runs.costing.amounts import Amounts, count_amounts


@dataclass(frozen=True)
class _Passed:
    """Some stimuli that have gone through a segment."""

    n_stimuli: int
    pace: Pace


@dataclass(eq=False)
class Meter:
    """What is taken from when it is started until it is stopped.

    Attributes:
        total: Time.
        memory_bytes: Most memory at once, beyond what there was at the beginning.
        spool_bytes: Most disk at once.
        aside: Time that was set aside: for trying out, of which a run that recalls its rates has no need.
    """

    total: Pace = field(default_factory=Pace)
    memory_bytes: int = 0
    spool_bytes: int = 0
    aside: Pace = field(default_factory=Pace)
    _memory: MemoryWatch = field(default_factory=MemoryWatch)
    _before: int = 0
    _began: Pace = field(default_factory=Pace)
    _last: Pace = field(default_factory=Pace)
    _passed: dict[str, list[_Passed]] = field(default_factory=dict)
    _sums: Pace = field(default_factory=Pace)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure what is done in the block."""
        self._began = self._last = _now()
        with self._memory, SPOOLED.watching() as spooled:
            self.begin_memory()
            yield
        self.total = _since(self._began)
        self.memory_bytes, self.spool_bytes = self._memory.peak - self._before, spooled.peak

    def begin_memory(self) -> None:
        """What there is now belongs to the libraries and the network, and not to the run."""
        give_back_pages()
        self._before = self._memory.begin_anew()

    def watch(self, sink: LayerSink) -> LayerSink:
        """A sink that passes everything on, and notes when it came."""
        return _MeteredSink(sink, self)

    def set_aside(self) -> None:
        """What was done since the beginning was to find out how fast it goes."""
        self.begin_memory()
        self.aside = _since(self._began)
        self._last = _now()

    def pass_over(self) -> None:
        """What was done since the last news is nobody's."""
        self._last = _now()

    def note_batch(self, n_stimuli: int, what: str) -> None:
        """So many stimuli have passed the segment that begins at `what`."""
        self._passed.setdefault(what, []).append(_Passed(n_stimuli, _since(self._last)))
        self._last = _now()

    def note_layer(self) -> None:
        """A layer has been summed."""
        self._sums = self._sums.plus(_since(self._last))

    def rates(self, plan: StreamPlan, *, is_local: bool) -> Rates | None:
        """How fast it went; None where there was too little to tell.

        Args:
            plan: What was done.
            is_local: Whether this process did it, so that its processor seconds are all of them.
        """
        amounts = count_amounts(plan)
        batches = [batch for some in self._passed.values() for batch in some]
        if not batches or not amounts.passes:
            return None
        spent = _total([batch.pace for batch in batches])
        steady = _total([_steady(some) for some in self._passed.values()])
        start = spent.plus(steady.times(-1)).plus(self.aside)
        rest = self.total.plus(spent.plus(self._sums).plus(self.aside).times(-1))
        found = _divide(start, steady, self._sums, rest, amounts)
        return found if is_local else _without_processor(found)


class _MeteredSink:
    """Passes on what comes."""

    def __init__(self, sink: LayerSink, meter: Meter) -> None:
        self._sink, self._meter = sink, meter

    def layer_finished(self, streamed: StreamedLayer) -> None:
        """A layer is finished; what is waited for until it may be handed over is storing's."""
        self._meter.note_layer()
        self._sink.layer_finished(streamed)
        self._meter.pass_over()

    def advance(self, n_stimuli: int, what: str) -> None:
        """So many more stimuli have passed."""
        self._meter.note_batch(n_stimuli, what)
        self._sink.advance(n_stimuli, what)


def _divide(start: Pace, network: Pace, sums: Pace, rest: Pace, amounts: Amounts) -> Rates:
    return Rates(
        start=_positive(start),
        network=_positive(network).times(1 / amounts.passes),
        sums=_positive(sums).times(1 / amounts.products if amounts.products else 0.0),
        layers=_positive(rest).times(1 / amounts.pairs if amounts.pairs else 0.0),
    )


def _steady(batches: list[_Passed]) -> Pace:
    """What these stimuli would have taken without what only the first batch takes: the median, per stimulus."""
    n_stimuli = sum(batch.n_stimuli for batch in batches)
    some = batches[1:] or batches
    seconds = median(batch.pace.seconds / batch.n_stimuli for batch in some)
    processor = median((batch.pace.processor or 0.0) / batch.n_stimuli for batch in some)
    return Pace(seconds, processor).times(n_stimuli)


def _without_processor(rates: Rates) -> Rates:
    start, network, sums, layers = (
        Pace(one.seconds, None) for one in (rates.start, rates.network, rates.sums, rates.layers)
    )
    return Rates(start, network, sums, layers)


def _positive(pace: Pace) -> Pace:
    return Pace(max(0.0, pace.seconds), max(0.0, pace.processor or 0.0))


def _total(paces: list[Pace]) -> Pace:
    found = Pace()
    for pace in paces:
        found = found.plus(pace)
    return found


def _now() -> Pace:
    return Pace(time.perf_counter(), time.process_time())


def _since(before: Pace) -> Pace:
    return _now().plus(before.times(-1))

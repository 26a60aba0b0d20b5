"""What a network's output loses when layers are silenced one after the other.

Variants share what lies before them: the tensor at the last cut point before a silenced layer is computed once, for
all stimuli, and each variant begins there. So a sweep over the branches of a network costs far less than a pass over
the whole network for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.network.ablation import Ablation, Read, Substitute, average
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import Floats, Model
from layerwise.core.network.products import represent
from layerwise.core.network.representation import strict_upper
from layerwise.core.runs.predictions import label_classes
from layerwise.core.runs.request import Observer, SilentObserver
from layerwise.core.runs.streaming.plan import node_cost

Values = NDArray[np.float64]
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number over stimuli, with an interval from resamples of them.

    Attributes:
        value: The number.
        low: Lower end of the 95 % interval, percentiles of the resamples.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Effect:
    """What silencing one layer did to the output.

    Attributes:
        ablation: What was silenced.
        accuracy_lost: Top-1 accuracy of the intact network less that without the layer; None without labels.
        agreement: Share of stimuli whose most probable class is the intact network's.
        divergence: Jensen-Shannon divergence of the output to the intact one, in bits, averaged over stimuli; None
            where the output is no distribution.
        structure: Pearson correlation of the output's correlation distances with the intact output's (`rsa-pearson`);
            None where one of them has none.
        share_of_cost: Share of the multiply-adds of a pass that nobody needs without the layer.
        outputs: float32 (n, n_classes).
    """

    ablation: Ablation
    accuracy_lost: Estimate | None
    agreement: Estimate
    divergence: Estimate | None
    structure: float | None
    share_of_cost: float
    outputs: Floats


@dataclass(frozen=True)
class Sweep:
    """A sweep's settings.

    Attributes:
        batch_size: Stimuli per call of the network.
        n_resamples: Of stimuli, for intervals.
        seed: Of the resamples.
    """

    batch_size: int = 16
    n_resamples: int = 1000
    seed: int = 0


def sweep_ablations(
    model: Model,
    ablations: Sequence[Ablation],
    read: Read,
    labels: Sequence[str | None],
    sweep: Sweep = Sweep(),
    observer: Observer | None = None,
) -> tuple[Floats, list[Effect]]:
    """The output of the intact network, (n, n_classes), and what each ablation does to it, in the order given.

    Args:
        model: The intact model; its tensors must be NumPy's.
        ablations: What is silenced, each by itself.
        read: Gives the stimuli.
        labels: One a stimulus, None where it is not known.
        sweep: Settings.
        observer: Told of progress, in stimuli times the share of the network that they pass.

    Raises:
        InputError: If a layer cannot be silenced.
    """
    plan = _Plan(model, ablations)
    observer = observer or SilentObserver()
    observer.begin(round(plan.n_passes() * len(labels)))
    runner = _Runner(model, read, len(labels), sweep.batch_size, observer, plan)
    outputs: dict[int, Floats] = {}
    intact: Floats | None = None
    for start, places in plan.by_start():
        runner.move_to(start)
        for place in places:
            outputs[place] = runner.run(ablations[place])
    runner.move_to(None)
    intact = runner.intact
    judge = _Judge(model, intact, labels, sweep)
    effects = [
        judge.judge(ablation, outputs[place], plan.share_saved(ablation)) for place, ablation in enumerate(ablations)
    ]
    return intact, effects


class _Plan:
    """Where each variant begins, and what it costs."""

    def __init__(self, model: Model, ablations: Sequence[Ablation]) -> None:
        self.model = model
        self.graph = graph = model.graph
        self.ablations = ablations
        self.position = {node.name: place for place, node in enumerate(graph)}
        self.cost = {node.name: node_cost(graph, node) for node in graph}
        self.whole = sum(self.cost[name] for name in graph.ancestors([graph.output]))
        self.cuts = graph.cut_points()

    def start_of(self, ablation: Ablation) -> str:
        """The last cut point before the first silenced layer."""
        first = min(self.position[layer.node] for layer in ablation.find(self.model))
        return max((cut for cut in self.cuts if self.position[cut] < first), key=lambda cut: self.position[cut])

    def by_start(self) -> Iterator[tuple[str, list[int]]]:
        """Cut points in order, with the places of the ablations that begin there."""
        starts = [self.start_of(ablation) for ablation in self.ablations]
        for start in sorted(set(starts), key=lambda cut: self.position[cut]):
            yield start, [place for place, other in enumerate(starts) if other == start]

    def n_passes(self) -> float:
        """Passes over the whole network that all variants cost together, the intact one included."""
        output = [self.graph.output]
        starts = [self.start_of(ablation) for ablation in self.ablations]
        known = [[layer.node for layer in ablation.find(self.model)] for ablation in self.ablations]
        shares = (self.share_between(start, output, nodes) for start, nodes in zip(starts, known, strict=True))
        return 1 + sum(shares)

    def share_between(self, start: str, goals: Sequence[str], known: Sequence[str] = ()) -> float:
        """Share of a pass that it takes from some tensors to others."""
        return sum(self.cost[name] for name in self.graph.between([start, *known], goals)) / self.whole

    def share_saved(self, ablation: Ablation) -> float:
        """Share of the multiply-adds of a pass that nobody needs any more."""
        known = {layer.node for layer in ablation.find(self.model)}
        left = self.graph.between(known, [self.graph.output])
        return 1 - sum(self.cost[name] for name in left) / self.whole


class _Runner:
    """Holds the tensor at one cut point for all stimuli, and runs variants from there."""

    def __init__(
        self,
        model: Model,
        read: Read,
        n_stimuli: int,
        batch_size: int,
        observer: Observer,
        plan: _Plan,
    ) -> None:
        self._model = model
        self._plan = plan
        self._observer = observer
        self._done = 0.0
        self._place = model.graph.input
        self._batches: list[Any] = []
        self._read = read
        self._starts = range(0, n_stimuli, batch_size)
        self._stops = [min(start + batch_size, n_stimuli) for start in self._starts]
        self.intact: Floats = np.empty((0, 0), dtype=np.float32)

    def _advance(self, share: float, what: str) -> None:
        """So much of a pass over all stimuli is done; whole stimuli are told, and the rest kept for the next."""
        before = round(self._done * self._stops[-1])
        self._done += share
        self._observer.advance(round(self._done * self._stops[-1]) - before, what)

    def _source(self) -> Iterator[Any]:
        if self._place != self._model.graph.input:
            yield from self._batches
            return
        for start, stop in zip(self._starts, self._stops, strict=True):
            yield self._model.preprocess(self._read(start, stop))

    def move_to(self, cut: str | None) -> None:
        """Compute the intact network up to a cut point; to its output, for None."""
        goal = self._model.graph.output if cut is None else cut
        if goal == self._place:
            return
        function = self._model.compile(self._place, [goal])
        share = self._plan.share_between(self._place, [goal]) / max(1, len(self._stops))
        found = []
        for batch in self._source():
            found.append(function(batch)[0])
            self._advance(share, "the intact network")
        self._place, self._batches = goal, found
        if cut is None:
            self.intact = np.concatenate([batch.reshape(len(batch), -1) for batch in found])

    def run(self, ablation: Ablation) -> Floats:
        """The output without some layers, (n, n_classes)."""
        nodes = [layer.node for layer in ablation.find(self._model)]
        values = self._values(nodes, ablation.substitute)
        output = self._model.graph.output
        function = self._model.compile_replaced(self._place, [output], values)
        share = self._plan.share_between(self._place, [output], nodes) / max(1, len(self._stops))
        found = []
        for batch in self._source():
            found.append(function(batch)[0])
            self._advance(share, ablation.described)
        return np.concatenate([batch.reshape(len(batch), -1) for batch in found])

    def _values(self, nodes: Sequence[str], substitute: Substitute) -> dict[str, Floats]:
        if substitute == "mean":
            return average(self._model.compile(self._place, nodes), nodes, self._source())
        return {node: np.zeros(self._model.graph[node].shape, dtype=np.float32) for node in nodes}


class _Judge:
    """Sets the output of a variant beside the intact one."""

    def __init__(self, model: Model, intact: Floats, labels: Sequence[str | None], sweep: Sweep) -> None:
        self._intact = intact
        self._is_distribution = model.info.has_probabilities
        classes = label_classes(labels, model.info, intact.shape[1])
        self._labelled = np.array([bool(found) for found in classes])
        self._classes = classes
        rng = np.random.default_rng(sweep.seed)
        self._draws = rng.integers(0, len(intact), (sweep.n_resamples, len(intact)))
        self._distances = _distances(intact)
        self._hits = self._find_hits(intact)

    def _find_hits(self, outputs: Floats) -> Values:
        best = outputs.argmax(axis=1)
        return np.array([float(int(index) in found) for index, found in zip(best, self._classes, strict=True)])

    def judge(self, ablation: Ablation, outputs: Floats, share_saved: float) -> Effect:
        """The effect of one ablation."""
        same = (outputs.argmax(axis=1) == self._intact.argmax(axis=1)).astype(np.float64)
        lost = self._hits - self._find_hits(outputs)
        divergence = self._estimate(diverge(self._intact, outputs)) if self._is_distribution else None
        return Effect(
            ablation=ablation,
            accuracy_lost=self._estimate(lost, self._labelled) if self._labelled.any() else None,
            agreement=self._estimate(same),
            divergence=divergence,
            structure=_correlate(self._distances, _distances(outputs)),
            share_of_cost=share_saved,
            outputs=outputs,
        )

    def _estimate(self, values: Values, counted: NDArray[np.bool_] | None = None) -> Estimate:
        """The mean over stimuli, and over resamples of them."""
        weights = np.ones(len(values)) if counted is None else counted.astype(np.float64)
        sums = (values * weights)[self._draws].sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = sums / weights[self._draws].sum(axis=1)
        low, high = np.nanquantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return Estimate(float((values * weights).sum() / weights.sum()), float(low), float(high))


def diverge(first: Floats, second: Floats) -> Values:
    """Jensen-Shannon divergence of each row, (n,), in bits, between 0 and 1 (Lin 1991)."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    middle = (a + b) / 2

    def entropy(rows: Values) -> Values:
        terms = np.where(rows > 0, rows * np.log2(np.where(rows > 0, rows, 1)), 0)
        return np.asarray(-terms.sum(axis=1))

    return np.clip(entropy(middle) - (entropy(a) + entropy(b)) / 2, 0, 1)


def _distances(outputs: Floats) -> Values | None:
    try:
        return strict_upper(represent(outputs).correlation_distances())
    except InputError:
        return None


def _correlate(first: Values | None, second: Values | None) -> float | None:
    if first is None or second is None:
        return None
    defined = np.isfinite(first) & np.isfinite(second)
    a, b = first[defined], second[defined]
    if len(a) < 3 or not np.ptp(a) or not np.ptp(b):
        return None
    return float(np.corrcoef(a, b)[0, 1])


def list_each(layers: Sequence[Layer], substitute: Substitute, *, pairs: bool = False) -> list[Ablation]:
    """An ablation of each layer that can be silenced; with `pairs`, of each two as well.

    Raises:
        InputError: If none can be.
    """
    names = [layer.name for layer in layers if layer.role not in {"input", "output"}]
    if not names:
        raise InputError("none of the layers chosen can be silenced: the input and the output cannot")
    found = [Ablation((name,), substitute) for name in names]
    if pairs:
        found += [Ablation((a, b), substitute) for i, a in enumerate(names) for b in names[i + 1 :]]
    return found

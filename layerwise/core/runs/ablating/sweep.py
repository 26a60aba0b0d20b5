"""What a network's output loses when layers are silenced one after the other, in memory.

Variants share what lies before them: the intact tensor at the point where a variant begins is computed once, for all
stimuli (`ablating`). So a sweep over the branches of a network costs far less than a pass over the whole network for
each. `ablation_runs` does the same and keeps every variant as a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layerwise.core.base.errors import InputError
from layerwise.core.host.registry import Registry
from layerwise.core.host.selection import select_layers
from layerwise.core.network.ablating.ablation import Ablation, Read, Substitute
from layerwise.core.network.ablating.answers import (
    Estimate,
    Resampling,
    average_over,
    disagree,
    diverge,
    find_hits,
    find_labelled,
)
from layerwise.core.network.class_words import label_classes
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import Floats, Model
from layerwise.core.network.products import represent
from layerwise.core.network.representation import strict_upper
from layerwise.core.runs.ablating.starts import Start, Starts
from layerwise.core.runs.ablating.tails import Tail, TailRows
from layerwise.core.runs.ablating.trunk import Trunk
from layerwise.core.runs.request import Observer, SilentObserver
from layerwise.core.runs.streaming.tasks import call_at


@dataclass(frozen=True, eq=False)
class Effect:
    """What silencing some layers did to the output.

    Attributes:
        ablation: What was silenced.
        accuracy_lost: Top-1 accuracy of the intact network less that without the layers; None without labels.
        agreement: Share of stimuli whose most probable class is the intact network's.
        divergence: Jensen-Shannon divergence of the output to the intact one, in bits, averaged over stimuli; None
            where the output is no distribution.
        structure: Pearson correlation of the output's correlation distances with the intact output's (`rsa-pearson`);
            None where one of them has none.
        share_of_cost: Share of the multiply-adds of a pass that nobody needs without the layers.
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
        model: The intact model.
        ablations: What is silenced, each by itself.
        read: Gives the stimuli.
        labels: One a stimulus, None where it is not known.
        sweep: Settings.
        observer: Told of progress, in stimuli times the share of the network that they pass.

    Raises:
        InputError: If a layer cannot be silenced.
    """
    starts = Starts(model)
    progress = Progress(observer or SilentObserver(), starts, len(labels))
    progress.begin(starts.n_passes(ablations))
    trunk = Trunk(model, read, len(labels), sweep.batch_size, progress.tell)
    outputs: dict[int, Floats] = {}
    try:
        for place, start in starts.order(ablations):
            outputs[place] = _run(trunk, ablations[place], start, sweep.batch_size, progress)
        trunk.move_to(model.graph.output)
        intact = np.array(trunk.rows(0, len(labels))).reshape(len(labels), -1)
    finally:
        trunk.close()
    progress.end()
    judge = _Judge(model, intact, labels, sweep)
    effects = [
        judge.judge(ablation, outputs[place], starts.share_saved(ablation))
        for place, ablation in enumerate(ablations)
    ]
    return intact, effects


class Progress:
    """Counts stimuli times the share of the network that they pass, and tells whole ones."""

    def __init__(self, observer: Observer, starts: Starts, n_stimuli: int) -> None:
        self._observer, self._starts, self._n_stimuli = observer, starts, n_stimuli
        self._done = 0.0
        self._told = self._total = 0
        self._shares: dict[tuple[str, ...], float] = {}

    def begin(self, n_passes: float) -> None:
        """So many passes are to come."""
        self._total = round(n_passes * self._n_stimuli)
        self._observer.begin(self._total)

    def tell(self, n_stimuli: int, start: str, end: str, what: str = "the intact network") -> None:
        """So many stimuli have gone from one tensor to another."""
        if (start, end) not in self._shares:
            self._shares[start, end] = self._starts.share_between([start], [end])
        self.add(n_stimuli * self._shares[start, end], what)

    def add(self, n_passed: float, what: str) -> None:
        """So many stimuli, parts of one included, have gone through the whole network."""
        self._done += n_passed
        whole = min(round(self._done), self._total)
        if whole > self._told:
            self._observer.advance(whole - self._told, what)
            self._told = whole

    def end(self) -> None:
        """All is done."""
        self.add(self._total - self._done, "the output")


def _run(trunk: Trunk, ablation: Ablation, start: Start, batch_size: int, progress: Progress) -> Floats:
    """The output of a variant, (n, n_classes)."""
    output = trunk.model.graph.output
    rows, n_stimuli = TailRows(trunk, ablation, start), trunk.n_stimuli
    tail = Tail(trunk, ablation, start, [], "")
    trunk.move_to(start.node)
    function = tail.compile(start.node, [output])
    found = []
    for at in range(0, n_stimuli, batch_size):
        stop = min(at + batch_size, n_stimuli)
        found.append(trunk.fetch(call_at(function, at, tail.preprocess(rows.read(at, stop)))[0]))
        progress.tell(stop - at, start.node, output, ablation.described)
    return np.concatenate([batch.reshape(len(batch), -1) for batch in found])


class _Judge:
    """Sets the output of a variant beside the intact one."""

    def __init__(self, model: Model, intact: Floats, labels: Sequence[str | None], sweep: Sweep) -> None:
        self._intact = intact
        self._is_distribution = model.info.has_probabilities
        self._classes = label_classes(labels, model.info, intact.shape[1])
        self._labelled = find_labelled(self._classes)
        self._draws = Resampling(sweep.n_resamples, sweep.seed).draw(len(intact))
        self._distances = _distances(intact)
        self._hits = find_hits(intact, self._classes)

    def judge(self, ablation: Ablation, outputs: Floats, share_saved: float) -> Effect:
        """The effect of one ablation."""
        lost = self._hits - find_hits(outputs, self._classes)
        divergence = average_over(diverge(self._intact, outputs), self._draws) if self._is_distribution else None
        return Effect(
            ablation=ablation,
            accuracy_lost=average_over(lost, self._draws, self._labelled) if self._labelled.any() else None,
            agreement=average_over(1 - disagree(self._intact, outputs), self._draws),
            divergence=divergence,
            structure=_correlate(self._distances, _distances(outputs)),
            share_of_cost=share_saved,
            outputs=outputs,
        )


def _distances(outputs: Floats) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    try:
        return strict_upper(represent(outputs).correlation_distances())
    except InputError:
        return None


def _correlate(
    first: np.ndarray[tuple[int], np.dtype[np.float64]] | None,
    second: np.ndarray[tuple[int], np.dtype[np.float64]] | None,
) -> float | None:
    if first is None or second is None:
        return None
    defined = np.isfinite(first) & np.isfinite(second)
    a, b = first[defined], second[defined]
    if len(a) < 3 or not np.ptp(a) or not np.ptp(b):
        return None
    return float(np.corrcoef(a, b)[0, 1])


def list_each(
    layers: Sequence[Layer], substitute: Substitute, *, pairs: bool = False, seed: int = 0
) -> list[Ablation]:
    """An ablation of each layer that can be silenced; with `pairs`, of each two as well.

    Raises:
        InputError: If none can be.
    """
    names = [layer.name for layer in layers if layer.role not in {"input", "output"}]
    if not names:
        raise InputError("none of the layers chosen can be silenced: the input and the output cannot")
    found = [Ablation((name,), substitute, seed) for name in names]
    if pairs:
        found += [Ablation((a, b), substitute, seed) for i, a in enumerate(names) for b in names[i + 1 :]]
    return found


def choose_ablations(
    registry: Registry,
    model: Model,
    each: Sequence[str],
    together: Sequence[str],
    substitute: Substitute,
    *,
    pairs: bool = False,
    seed: int = 0,
) -> list[Ablation]:
    """What a sweep silences: each layer of some selectors by itself, and all of others at once.

    Args:
        registry: Knows the selectors.
        model: The model.
        each: Selectors; `branches` where neither these nor `together` are given.
        together: Selectors.
        substitute: What stands in.
        pairs: Whether each two of `each` are silenced as well.
        seed: Of a shuffle.

    Raises:
        InputError: If a selector means no layer that can be silenced.
    """
    found: list[Ablation] = []
    if each or not together:
        chosen = select_layers(registry, each or ["branches"], model.layers)
        found += list_each(chosen, substitute, pairs=pairs, seed=seed)
    if together:
        names = [layer.name for layer in select_layers(registry, together, model.layers)]
        found.append(Ablation(tuple(names), substitute, seed))
    for ablation in found:
        ablation.find(model)
    return found

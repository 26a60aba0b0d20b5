"""Whether any layer of a run thinks otherwise than it did in a baseline, beyond sampling error.

Each layer is compared with the layer of the same name in the baseline, on the same stimuli. What is tested is not
that both are the same, which no number of stimuli can show, but that they are alike up to a margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from layerwise.core.analysis.checking.equivalence import (
    Decision,
    Placed,
    Verdict,
    decide,
    place,
    simultaneous_level,
)
from layerwise.core.analysis.checking.same_stimuli import align_with_baseline
from layerwise.core.analysis.choose import choose_layers
from layerwise.core.analysis.compare import compare_pairs
from layerwise.core.analysis.doubt import BLUR_THAT_MATTERS
from layerwise.core.analysis.inference.generic import replicate
from layerwise.core.analysis.inference.layer_blocks import StoredLayers
from layerwise.core.analysis.inference.plans import MIN_RESAMPLES
from layerwise.core.analysis.measure import Measure
from layerwise.core.base.errors import InputError
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import Comparison, LayerAddress, RunRecord
from layerwise.core.host.registry import Registry
from layerwise.core.network.representation import NO_TRANSFORM
from layerwise.core.network.resolution import NOT_DETERMINED

LayerVerdict = Literal["pass", "fail", "undecided", "skipped"]
DEFAULT_MARGIN, DEFAULT_ALPHA, DEFAULT_RESAMPLES = 0.02, 0.05, 500
_PAIR = (np.array([0]), np.array([1]))


@dataclass(frozen=True)
class CheckPlan:
    """How a run is checked.

    Attributes:
        margin: How far from its value of a layer with itself the measure may be, in the measure's own unit.
        alpha: Chance of a single wrong verdict of one kind among all layers, at most.
        n_resamples: Resamples of the stimuli.
        seed: Decides the draws.
        selectors: Which layers of the baseline are checked; all if empty.
        transform: The activation transform under which both were analysed.
    """

    margin: float = DEFAULT_MARGIN
    alpha: float = DEFAULT_ALPHA
    n_resamples: int = DEFAULT_RESAMPLES
    seed: int = 0
    selectors: tuple[str, ...] = ()
    transform: str = NO_TRANSFORM


@dataclass(frozen=True)
class LayerCheck:
    """One layer of a check.

    Attributes:
        layer: Its name.
        verdict: `pass`: alike up to the margin; `fail`: not; `undecided`: too few stimuli to tell; `skipped`: the
            measure is undefined in the baseline, so that nothing can be checked.
        value: The measure between run and baseline; None where it is undefined.
        expected: The measure between the baseline's layer and itself.
        low: Lower end of its interval; all layers' intervals together leave alpha on either side.
        high: Upper end.
        p_pass: p-value of being within the margin, corrected for all layers.
        p_fail: p-value of being beyond it, corrected for all layers.
        n_needed: Of an undecided layer, how many stimuli would probably tell.
        reason: Why there is no number, or what speaks against relying on it.
    """

    layer: str
    verdict: LayerVerdict
    value: float | None = None
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    p_pass: float | None = None
    p_fail: float | None = None
    n_needed: int | None = None
    reason: str = ""

    @property
    def change(self) -> float | None:
        """How far the measure is from that of the layer with itself, 0 if not at all; None where undefined."""
        return None if self.value is None or self.expected is None else abs(self.expected - self.value)


@dataclass(frozen=True)
class Check:
    """What a check came to.

    Attributes:
        run: The run that was checked.
        baseline: What it was checked against.
        measure: What compared them.
        plan: How.
        n_stimuli: On how many stimuli.
        layers: Each layer of the baseline that was asked for, in order of computation.
        notes: What was left out, in words.
    """

    run: RunRecord
    baseline: RunRecord
    measure: Measure
    plan: CheckPlan
    n_stimuli: int
    layers: tuple[LayerCheck, ...]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """`fail` if a layer fails, `undecided` if one is undecided, otherwise `pass`."""
        verdicts = {item.verdict for item in self.layers}
        return "fail" if "fail" in verdicts else "undecided" if "undecided" in verdicts else "pass"

    @property
    def broken(self) -> LayerCheck | None:
        """The first layer that fails, in order of computation: what comes after it has it for an input."""
        return next((item for item in self.layers if item.verdict == "fail"), None)

    def of(self, verdict: LayerVerdict) -> tuple[LayerCheck, ...]:
        """The layers with this verdict."""
        return tuple(item for item in self.layers if item.verdict == verdict)


def check_run(
    registry: Registry,
    history: HistoryProtocol,
    measure: Measure,
    run: RunRecord,
    baseline: RunRecord,
    plan: CheckPlan,
) -> Check:
    """Test every layer of a run against a baseline.

    Args:
        registry: Knows the selectors.
        history: Where both are; a baseline of a file is joined with it (`JoinedHistory`).
        measure: What compares layers.
        run: The run.
        baseline: What it is checked against.
        plan: How.

    Raises:
        InputError: If the plan makes no sense, the run lacks stimuli of the baseline or has them in another order,
            there are fewer than four, or the measure is undefined for all layers of the baseline.
    """
    _check_plan(plan, measure)
    if plan.transform not in baseline.transforms:
        known = ", ".join(baseline.transforms)
        raise InputError(f"the baseline is of '{known}' activations, not of '{plan.transform}' ones")
    shared, notes = align_with_baseline(history, baseline, run)
    names = [layer.name for _, layer in choose_layers(registry, shared, [baseline], plan.selectors or None)]
    there = {layer.name for layer in shared.list_layers(run.id)}
    new = len(there - {layer.name for layer in shared.list_layers(baseline.id)})
    if new:
        notes = (*notes, f"{new} layers of the run are not in the baseline, and were not checked")
    found = _Finder(registry, shared, measure, run, baseline, plan).find(names, there)
    if all(item.verdict == "skipped" for item in found):
        raise InputError(f"nothing can be checked with {measure.name}: {found[0].layer}: {found[0].reason}")
    return Check(run, baseline, measure, plan, shared.find_run(baseline.id).n_stimuli, tuple(found), notes)


def _check_plan(plan: CheckPlan, measure: Measure) -> None:
    """Refuse what cannot be tested."""
    low, high = measure.comparator.offer.value_range
    if not plan.margin > 0:
        raise InputError(f"--margin is how far a layer may move, a positive number; here it is {plan.margin:g}")
    if low is not None and high is not None and plan.margin >= high - low:
        raise InputError(f"--margin {plan.margin:g} is as wide as all values of {measure.name}: nothing could fail")
    if not 0 < plan.alpha < 0.5:
        raise InputError(f"--alpha is the chance of a wrong verdict, between 0 and 0.5; here it is {plan.alpha:g}")
    if plan.n_resamples < MIN_RESAMPLES:
        raise InputError(f"--bootstrap takes at least {MIN_RESAMPLES} resamples, not {plan.n_resamples}")


@dataclass(frozen=True)
class _Finder:
    """What is needed of both runs to check their layers."""

    registry: Registry
    history: HistoryProtocol
    measure: Measure
    run: RunRecord
    baseline: RunRecord
    plan: CheckPlan

    def find(self, names: Sequence[str], there: set[str]) -> list[LayerCheck]:
        """All layers; those with an interval are tested together."""
        shared = [name for name in names if name in there]
        values = dict(zip(shared, self._compare(shared), strict=True))
        level = simultaneous_level(self.plan.alpha, len(shared))
        placed = {name: self._place(name, *values[name], level) for name in shared}
        tested = {name: item.standing for name, item in placed.items() if item.standing is not None}
        decisions = dict(zip(tested, decide(list(tested.values()), self.plan.alpha), strict=True))
        return [
            self._describe(name, *values[name], placed[name], decisions.get(name))
            if name in values
            else LayerCheck(name, "fail", reason=f"run {self.run.id} has no such layer")
            for name in names
        ]

    def _address(self, run: RunRecord, name: str) -> LayerAddress:
        return LayerAddress(run.id, name, self.plan.transform)

    def _compare(self, names: Sequence[str]) -> list[tuple[Comparison, Comparison]]:
        """Each layer with the baseline's, and the baseline's with itself."""
        pairs = []
        for name in names:
            own = self._address(self.baseline, name)
            pairs += [(self._address(self.run, name), own), (own, own)]
        answers = compare_pairs(self.registry, self.history, self.measure, pairs)
        return list(zip(answers[::2], answers[1::2], strict=True))

    def _place(self, name: str, found: Comparison, own: Comparison, level: float) -> Placed:
        if own.value is None or found.value is None:
            return Placed(None, reason=found.reason)
        ends = [self.measure.resolve(self._address(run, name)) for run in (self.run, self.baseline)]
        layers = StoredLayers(self.history, ends)
        replicates = replicate(self.measure, layers, self.plan.n_resamples, self.plan.seed).select(_PAIR)
        sign = -1 if self.measure.kind == "similarity" else 1
        return place(replicates, own.value + sign * self.plan.margin, self.measure.kind, level)

    def _is_blurred(self, name: str) -> bool:
        """Whether the baseline's layer tells stimuli apart by little more than rounding."""
        address = self.measure.resolve(self._address(self.baseline, name))
        return self.history.read_representation(address).blur > BLUR_THAT_MATTERS

    def _describe(
        self, name: str, found: Comparison, own: Comparison, placed: Placed, decision: Decision | None
    ) -> LayerCheck:
        if own.value is None:
            return LayerCheck(name, "skipped", reason=f"undefined in the baseline: {own.reason}")
        if found.value is None:
            return LayerCheck(name, "fail", None, own.value, reason=f"defined in the baseline alone: {found.reason}")
        if decision is None:
            return LayerCheck(name, "undecided", found.value, own.value, reason=placed.reason)
        verdict: LayerVerdict = decision.verdict
        reason = ""
        if verdict == "fail" and NOT_DETERMINED in found.reason and self._is_blurred(name):
            verdict, reason = "undecided", found.reason  # rounding alone may have made it another one
        return LayerCheck(
            name,
            verdict,
            found.value,
            own.value,
            placed.low,
            placed.high,
            decision.p_pass,
            decision.p_fail,
            decision.n_needed,
            reason,
        )

"""What an ablation did: to the answers, to the output's similarity structure, and to each later layer.

Everything is asked of stored runs: the intact one, and variants of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from layerwise.core.analysis.compare import compare_pairs
from layerwise.core.analysis.functional.outputs import OUTPUT_MEASURES, compare_two, read_outputs
from layerwise.core.analysis.inference.from_history import ask_intervals
from layerwise.core.analysis.measure import Measure, find_measure
from layerwise.core.base.errors import InputError
from layerwise.core.history.intervals import IntervalPlan
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress, RunRecord
from layerwise.core.history.variants import Variant
from layerwise.core.host.registry import Registry
from layerwise.core.network.ablating.answers import Estimate, Resampling, average_over, find_hits, find_labelled
from layerwise.core.network.class_words import label_classes

DEFAULT_MEASURE = "layerwise:rsa-pearson"
_AT_ONCE = 20  # outputs of which intervals are found together: the work grows with the square of it


@dataclass(frozen=True)
class LayerChange:
    """How far a later layer is still what it was.

    Attributes:
        layer: Its name.
        value: The measure between the intact layer and the variant's; None where it is undefined.
        reason: Why there is none.
    """

    layer: str
    value: float | None
    reason: str = ""


@dataclass(frozen=True)
class VariantEffect:
    """What silencing some layers did.

    Attributes:
        run: The variant.
        variant: What was silenced, and with what.
        accuracy_lost: Top-1 accuracy of the intact network less the variant's; None without labels.
        agreement: Share of stimuli whose most probable class is the intact network's.
        divergence: Jensen-Shannon divergence of the output to the intact one, in bits; None where the output is no
            distribution.
        structure: The measure between the variant's output and the intact one, with its interval; None where it is
            undefined.
        layers: The same for each later layer that is stored of both, in order of computation.
    """

    run: RunRecord
    variant: Variant
    accuracy_lost: Estimate | None
    agreement: Estimate
    divergence: Estimate | None
    structure: Estimate | None
    layers: tuple[LayerChange, ...]

    @property
    def severity(self) -> float:
        """What variants are ranked by: the divergence of the output, or where there is none, how often it differs."""
        return 1 - self.agreement.value if self.divergence is None else self.divergence.value


def measure_effects(
    registry: Registry,
    history: HistoryProtocol,
    baseline: RunRecord,
    variants: Sequence[RunRecord],
    measure: Measure | None = None,
    resampling: Resampling = Resampling(),  # noqa: B008 - frozen
) -> list[VariantEffect]:
    """What each variant lost, the one that lost most first.

    Args:
        registry: Knows the comparators.
        history: Where the runs are.
        baseline: The intact run.
        variants: Its variants.
        measure: By what layers are compared; `rsa-pearson` by default.
        resampling: How intervals over stimuli are made.

    Raises:
        InputError: If a run has not kept its whole output.
        LayerwiseError: If something that is stored is damaged.
    """
    asked = _Asked(registry, history, baseline, measure or find_measure(registry, DEFAULT_MEASURE), resampling)
    asked.bound(variants)
    found = [asked.measure_one(run, run.variant) for run in variants if run.variant is not None]
    return sorted(found, key=lambda effect: effect.severity, reverse=True)


class _Asked:
    """The intact run, read once, beside which variants are set."""

    def __init__(
        self,
        registry: Registry,
        history: HistoryProtocol,
        baseline: RunRecord,
        measure: Measure,
        resampling: Resampling,
    ) -> None:
        self._registry, self._history, self._baseline, self._measure = registry, history, baseline, measure
        self._plan = IntervalPlan(resampling.n_resamples, resampling.seed)
        self._intact = read_outputs(history, baseline)
        self._draws = resampling.draw(baseline.n_stimuli)
        labels = [stimulus.label for stimulus in history.list_stimuli(baseline.id)]
        self._classes = label_classes(labels, baseline.model, self._intact.values.shape[1])
        self._labelled = find_labelled(self._classes)
        self._hits = find_hits(self._intact.values, self._classes)
        self._ends: dict[str, tuple[float, float]] = {}
        self._stored = {layer.name for layer in history.list_layers(baseline.id)}

    def measure_one(self, run: RunRecord, variant: Variant) -> VariantEffect:
        outputs = read_outputs(self._history, run)
        differing = compare_two(OUTPUT_MEASURES["disagreement"], self._intact, outputs, self._draws)
        lost = None
        if self._labelled.any():
            hits = find_hits(outputs.values, self._classes)
            lost = average_over(self._hits - hits, self._draws, self._labelled)
        try:
            divergence = compare_two(OUTPUT_MEASURES["jsd"], self._intact, outputs, self._draws)
        except InputError:
            divergence = None
        layers = self._compare(run)
        return VariantEffect(
            run=run,
            variant=variant,
            accuracy_lost=lost,
            agreement=Estimate(1 - differing.value, 1 - differing.high, 1 - differing.low),
            divergence=divergence,
            structure=self._structure(run, layers),
            layers=layers,
        )

    def _compare(self, run: RunRecord) -> tuple[LayerChange, ...]:
        """Every later layer of the variant with the intact one."""
        names = [layer.name for layer in self._history.list_layers(run.id)]
        silenced = set(run.variant.layers) if run.variant else set()
        chosen = [name for name in names if name in self._stored and name not in silenced]
        pairs = [(LayerAddress(self._baseline.id, name), LayerAddress(run.id, name)) for name in chosen]
        answers = compare_pairs(self._registry, self._history, self._measure, pairs)
        return tuple(
            LayerChange(name, answer.value, answer.reason) for name, answer in zip(chosen, answers, strict=True)
        )

    def bound(self, runs: Sequence[RunRecord]) -> None:
        """Find the interval of the change of each output's structure, many at a time, which costs far less."""
        ours = LayerAddress(self._baseline.id, self._intact.layer)
        for at in range(0, len(runs), _AT_ONCE):
            some = [run.id for run in runs[at : at + _AT_ONCE] if self._has_output(run)]
            ends = [ours, *(LayerAddress(run_id, self._intact.layer) for run_id in some)]
            try:
                table = ask_intervals(self._history, self._measure, ends, self._plan)
            except InputError:  # too few stimuli to draw from
                return
            pairs = zip(table.low[0, 1:], table.high[0, 1:], strict=True)
            self._ends |= {run_id: (float(low), float(high)) for run_id, (low, high) in zip(some, pairs, strict=True)}

    def _has_output(self, run: RunRecord) -> bool:
        stored = {layer.name for layer in self._history.list_layers(run.id)}
        return self._intact.layer in stored and self._intact.layer in self._stored

    def _structure(self, run: RunRecord, layers: Sequence[LayerChange]) -> Estimate | None:
        """The change of the output's structure, with its interval over stimuli."""
        value = next((one.value for one in layers if one.layer == self._intact.layer), None)
        return None if value is None else Estimate(value, *self._ends.get(run.id, (value, value)))

"""The plan of a run as a table, and as what `--dry-run --json` prints."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from layerwise.cli.output import count, duration, make_table, size

if TYPE_CHECKING:
    from rich.console import Console

    from layerwise.core.host.plans import StreamPlan, Target
    from layerwise.core.runs.costing.predicting import Prediction


@dataclass(frozen=True)
class SegmentRow:
    """One segment of a plan, as it is shown."""

    start: str
    end: str
    n_layers: int
    n_features: int
    n_passes: int
    memory_bytes: int
    spool_bytes: int


def segment_rows(plan: StreamPlan) -> tuple[SegmentRow, ...]:
    """The rows of the plan's table, one per segment."""
    rows = []
    for segment in plan.segments:
        spans = {span.target.key: span for spans in segment.passes for span in spans}
        rows.append(
            SegmentRow(
                start=segment.start,
                end=segment.end or "the last layer",
                n_layers=len({layer for layer, _ in spans}),
                n_features=sum(span.n_features for span in spans.values()),
                n_passes=len(segment.passes),
                memory_bytes=segment.memory_bytes,
                spool_bytes=segment.spool_bytes,
            )
        )
    return tuple(rows)


def layer_names(targets: Iterable[Target]) -> list[str]:
    """The layers of targets, each once however many transforms it is wanted under."""
    return list(dict.fromkeys(target.layer.name for target in targets))


def describe_plan(plan: StreamPlan) -> str:
    """The plan in one sentence."""
    targets = (*plan.streamed, *plan.derived)
    n_layers, n_representations = len(layer_names(targets)), len(targets)
    under = f", {n_representations} representations" if n_representations > n_layers else ""
    sums = f" ({len(plan.derived)} as sums of branches)" if plan.derived else ""
    spool = f", {size(plan.spool_bytes)} of disk" if plan.spool_bytes else ""
    held = f"at most {size(plan.memory_bytes)} of memory{spool}, on {plan.device}"
    return (
        f"{n_layers} layers{under}{sums} for {count(plan.n_stimuli)} stimuli: "
        f"{count(plan.n_features)} features each, batches of {plan.batch_size}, "
        f"about {plan.forward_passes:.2f} forward passes, {held}"
    )


def describe_time(prediction: Prediction) -> str:
    """How long it will take, in one sentence."""
    costs = prediction.costs
    if costs.seconds is None:
        return "not known: this network has not been run on this machine in such batches; a run measures it"
    processor = "" if costs.processor_seconds is None else f", {duration(costs.processor_seconds)} of processors"
    return f"about {duration(costs.seconds)}{processor}, {prediction.basis}"


def show_plan(console: Console, plan: StreamPlan) -> None:
    """Print the plan: a sentence, and a table of its segments."""
    heads = ("from", "to", "layers", "features", "passes", "memory", "spool")
    rows = [
        (
            row.start,
            row.end,
            row.n_layers,
            count(row.n_features),
            row.n_passes,
            size(row.memory_bytes),
            size(row.spool_bytes),
        )
        for row in segment_rows(plan)
    ]
    console.print(f"Plan: {describe_plan(plan)}", markup=False, soft_wrap=True)
    console.print(make_table(heads, rows, right=heads[2:]))


def plan_record(plan: StreamPlan, prediction: Prediction | None = None) -> dict[str, Any]:
    """The plan as JSON shows it, with what it is predicted to cost where that was asked."""
    costs = {} if prediction is None else {"predicted": vars(prediction.costs), "time_from": prediction.basis}
    return costs | {
        "n_stimuli": plan.n_stimuli,
        "n_features": plan.n_features,
        "batch_size": plan.batch_size,
        "forward_passes": plan.forward_passes,
        "memory_bytes": plan.memory_bytes,
        "spool_bytes": plan.spool_bytes,
        "device": plan.device,
        "layers": layer_names((*plan.streamed, *plan.derived)),
        "derived": layer_names(plan.derived),
        "segments": [vars(row) for row in segment_rows(plan)],
    }

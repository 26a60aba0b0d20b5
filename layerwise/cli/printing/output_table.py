"""Comparisons of whole outputs: `compare RUN RUN --with disagreement jsd`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from layerwise.cli.output import make_table, number, stdout_console

if TYPE_CHECKING:
    from layerwise.cli.options.inference_options import InferenceOptions
    from layerwise.core.analysis.functional.outputs import OutputTable
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.history.records import RunRecord


def split_comparators(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names that are of comparators of layers, and those that compare outputs."""
    from layerwise.core.analysis.functional.outputs import OUTPUT_MEASURES

    of_outputs = [name for name in names if name in OUTPUT_MEASURES]
    return [name for name in names if name not in OUTPUT_MEASURES], list(dict.fromkeys(of_outputs))


def ask_outputs(
    history: HistoryProtocol, runs: Sequence[RunRecord], name: str, options: InferenceOptions
) -> OutputTable:
    """The outputs of runs compared with each other, with intervals over stimuli."""
    from layerwise.core.analysis.functional.outputs import compare_outputs
    from layerwise.core.network.ablating.answers import Resampling

    return compare_outputs(history, runs, name, Resampling(options.bootstrap or 1000, options.seed))


def outputs_record(table: OutputTable) -> dict[str, Any]:
    """What JSON says of it."""
    return {
        "comparator": table.measure.name,
        "kind": "distance",
        "runs": [run.id for run in table.runs],
        "matrix": table.matrix,
        "low": table.low,
        "high": table.high,
        "reasons": [{"first": one, "second": two, "reason": why} for (one, two), why in table.reasons.items()],
    }


def show_outputs(table: OutputTable) -> None:
    """Print each pair of runs."""
    console = stdout_console()
    name = table.measure.name
    console.print(f"{name}: {table.measure.description}", markup=False, soft_wrap=True)
    rows = []
    for i, first in enumerate(table.runs):
        for j, second in enumerate(table.runs[i + 1 :], start=i + 1):
            ends = f"{number(float(table.low[i, j]))} .. {number(float(table.high[i, j]))}"
            told = f"{first.id[:8]} {first.model.title}", f"{second.id[:8]} {second.model.title}"
            rows.append((*told, number(float(table.matrix[i, j])), ends))
    console.print(make_table(("output of", "output of", name, "95% interval"), rows, right=(name, "95% interval")))
    for reason in sorted(set(table.reasons.values())):
        console.print(f"Gaps: {reason}", markup=False, soft_wrap=True)

"""A network beside recordings, as a table and as JSON: what `brain` and `compare --against` print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from layerwise.cli.options.inference_options import show_interval, show_p
from layerwise.cli.output import make_table, number, stdout_console

if TYPE_CHECKING:
    from layerwise.core.analysis.recordings.beside import Beside
    from layerwise.core.analysis.recordings.best_layers import AreaMatch

_MOST_RIVALS = 3


def beside_record(beside: Beside) -> dict[str, Any]:
    """What JSON says of it."""
    return {
        "run_id": beside.network.id,
        "recordings": [run.id for run in beside.recordings],
        "comparator": beside.measure.name,
        "n_stimuli": beside.network.n_stimuli,
        "shared": beside.remark,
        "areas": [
            {
                "run_id": match.area.run_id,
                "area": match.area.layer,
                "best_layer": None if match.layer is None else match.layer.layer,
                "value": match.value,
                "low": match.low,
                "high": match.high,
                "no_worse": None if match.rivals is None else [rival.layer for rival in match.rivals],
                "p": match.p,
                "p_corrected": match.p_corrected,
            }
            for match in beside.matches
        ],
        "methods": beside.methods,
        "references": list(beside.references),
    }


def print_beside(beside: Beside) -> None:
    """A row for each area: its best layer, how alike they are, the interval, and p of the search for the best."""
    names = {run.id: run.model.name for run in beside.recordings}
    several = len(names) > 1
    heads: tuple[str, ...] = ("area", "best layer", beside.measure.name, "interval", "p", "no worse")
    heads = ("recording", *heads) if several else heads
    rows = [(*((names[match.area.run_id],) if several else ()), *_cells(match)) for match in beside.matches]
    stdout_console().print(make_table(heads, rows, right=(beside.measure.name, "p")))


def _cells(match: AreaMatch) -> tuple[str, ...]:
    if match.layer is None:
        return (match.area.layer, "none", "", "", "", "")
    rivals = [rival.layer for rival in match.rivals or ()]
    more = f" and {len(rivals) - _MOST_RIVALS} more" if len(rivals) > _MOST_RIVALS else ""
    return (
        match.area.layer,
        match.layer.layer,
        number(match.value),
        show_interval(match.low, match.high),
        show_p(match.p_corrected),
        ", ".join(rivals[:_MOST_RIVALS]) + more,
    )

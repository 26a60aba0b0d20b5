"""`compare --influence`: the stimuli that a comparison hangs on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from layerwise.cli.output import make_table, number, stdout_console
from layerwise.core.base.errors import InputError

if TYPE_CHECKING:
    from layerwise.core.analysis.influence.stimuli import Influence
    from layerwise.core.analysis.measure import Measure
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.history.records import LayerAddress

_N_SHOWN = 10


def ask_influence(
    history: HistoryProtocol, measure: Measure, addresses: Sequence[LayerAddress], *, wanted: bool
) -> Influence | None:
    """The influence of each stimulus on the one comparison that was asked for; None where it was not.

    Raises:
        InputError: If not two layers were chosen.
    """
    if not wanted:
        return None
    if len(addresses) != 2:
        raise InputError(
            f"--influence is of one comparison: name two layers with --layers, here are {len(addresses)}"
        )
    from layerwise.core.analysis.influence.stimuli import find_influence

    return find_influence(history, measure, *addresses)


def influence_record(found: Influence | None) -> dict[str, Any]:
    """What JSON says of it; nothing where it was not asked for."""
    if found is None:
        return {}
    most = [
        {"stimulus": found.names[place], "without": found.without[place], "change": found.shift[place]}
        for place in found.order[:_N_SHOWN]
    ]
    told = {
        "value": found.value,
        "without": found.without,
        "standard_error": found.standard_error,
        "most": most,
        "without_most": [{"n_stimuli": n_out, "value": value} for n_out, value in found.peeled],
    }
    return {"influence": told}


def show_influence(found: Influence | None) -> None:
    """The stimuli of most influence, and the measure without the few that have most of it."""
    if found is None:
        return
    console = stdout_console()
    heads = ("stimulus", f"{found.measure.name} without it", "it adds")
    rows = [
        (found.names[place], number(float(found.without[place]), 4), number(float(found.shift[place]), 4))
        for place in found.order[:_N_SHOWN]
    ]
    console.print(make_table(heads, rows, right=heads[1:]))
    for n_out, value in found.peeled:
        which = "most influential stimulus" if n_out == 1 else f"{n_out} most influential stimuli"
        console.print(f"Without the {which}: {number(value, 4)} (of all {number(found.value, 4)})", markup=False)
    console.print(f"Standard error by the jackknife: {number(found.standard_error, 4)}", markup=False)

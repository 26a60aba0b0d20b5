"""`layerwise ceiling`: how well a layer's matrix is determined by its units, or an area by what subjects share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerwise.cli.options.bundling import bundled
from layerwise.cli.options.common import DEFAULT_DATABASE, AsJson, Database, RunNames, Selectors
from layerwise.cli.options.inference_options import IntervalOptions, show_interval
from layerwise.cli.options.measure_options import DEFAULT_COMPARATOR
from layerwise.cli.output import make_table, number, print_json, stdout_console
from layerwise.cli.session import open_history, session_of
from layerwise.core.base.errors import InputError
from layerwise.core.history.references import find_runs

if TYPE_CHECKING:
    from layerwise.core.analysis.inference.ceiling import Ceiling
    from layerwise.core.analysis.measure import Measure
    from layerwise.core.history.intervals import IntervalPlan
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.history.records import RunRecord
    from layerwise.core.host.registry import Registry


@bundled
def show_ceilings(
    context: typer.Context,
    runs: RunNames,
    layers: Selectors = None,
    comparator: Annotated[
        str, typer.Option("--with", metavar="NAME", show_default="rsa-pearson", help="A correlation.")
    ] = DEFAULT_COMPARATOR,
    *,
    surety: IntervalOptions,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Find noise ceilings: the most that anything can be expected to correlate with a layer or an area.

    Of one network they are split-half ceilings: how well a layer's units determine its matrix, from a run with
    `--transform half-a --transform half-b`. Of several recordings, one a subject, they are those of Nili et al.
    (2014): how far subjects agree, from the mean of the others (lower) to the mean of all (upper).

    Examples:
        layerwise ceiling latest --layers main --bootstrap 1000
        layerwise ceiling 3fa2 9cd1 77ab --with rsa-spearman
    """
    from layerwise.core.analysis.inference.ceiling import ask_ceiling
    from layerwise.core.analysis.measure import find_measure
    from layerwise.core.host.selection import select_layers

    registry = session_of(context).registry
    measure = find_measure(registry, comparator)
    plan = surety.plan()
    with open_history(database) as store:
        records = find_runs(store, runs)
        if are_recordings(records):
            check_no_options(layers, plan)
            tell_subject_ceilings(registry, store, measure, records, as_json=as_json)
            return
        record = check_one(records)
        stored = store.list_layers(record.id)
        chosen = select_layers(registry, layers, stored) if layers else stored
        found = [(layer.name, ask_ceiling(store, measure, record.id, layer.name, plan)) for layer in chosen]
    if as_json:
        print_json({"run_id": record.id, "comparator": measure.name, "layers": [_record(*item) for item in found]})
        return
    _print(found)


def are_recordings(records: Sequence[RunRecord]) -> bool:
    """Whether all runs are imports without halves: of these only what they have in common can be asked."""
    from layerwise.core.analysis.inference.ceiling import HALVES

    return all(run.origin == "imported" and not set(HALVES) <= set(run.transforms) for run in records)


def check_one(records: Sequence[RunRecord]) -> RunRecord:
    """The one network.

    Raises:
        InputError: If there are several runs, and not all of them are recordings.
    """
    if len(records) > 1:
        others = ", ".join(run.id for run in records if run.origin != "imported")
        raise InputError(
            f"a split-half ceiling is of one network, one over subjects of recordings alone; no recording: {others}"
        )
    return records[0]


def check_no_options(layers: Sequence[str] | None, plan: IntervalPlan | None) -> None:
    """Refuse what a ceiling over subjects has no use for.

    Raises:
        InputError: If it was asked for.
    """
    if layers or plan is not None:
        option = "--layers" if layers else "--bootstrap"
        raise InputError(f"{option} is of split-half ceilings; a ceiling over subjects has the areas that they share")


def tell_subject_ceilings(
    registry: Registry, store: HistoryProtocol, measure: Measure, records: Sequence[RunRecord], *, as_json: bool
) -> None:
    """Ask for and print the ceilings over subjects."""
    from layerwise.core.analysis.recordings.ceilings import ask_subject_ceilings

    found, remark = ask_subject_ceilings(registry, store, measure, records)
    if as_json:
        told = {"comparator": measure.name, "ceiling": "over subjects (Nili et al. 2014)", "shared": remark}
        print_json(told | {"areas": [vars(item) for item in found]})
        return
    heads = ("area", "recordings", "lower", "upper")
    rows = [(item.area, str(len(item.run_ids)), number(item.low), number(item.high)) for item in found]
    console = stdout_console()
    console.print(f"{measure.name}: noise ceiling over subjects (Nili et al. 2014)", markup=False, soft_wrap=True)
    console.print(make_table(heads, rows, right=heads[1:]))
    if remark:
        console.print(f"Note: {remark}.", markup=False, soft_wrap=True)


def _record(layer: str, ceiling: Ceiling) -> dict[str, Any]:
    found = {"layer": layer, "agreement": ceiling.agreement, "reliability": ceiling.reliability}
    found |= {"ceiling": ceiling.ceiling, "reason": ceiling.reason, "warning": ceiling.warning}
    if ceiling.interval is not None:
        found |= {"low": ceiling.interval.low, "high": ceiling.interval.high}
        found["reason"] = ceiling.reason or ceiling.interval.reason
    return found


def _print(found: list[tuple[str, Ceiling]]) -> None:
    heads = ("layer", "halves agree", "reliability", "ceiling", "interval", "")
    rows = []
    for layer, item in found:
        interval = "" if item.interval is None else show_interval(item.interval.low, item.interval.high)
        numbers = (number(item.agreement), number(item.reliability), number(item.ceiling))
        rows.append((layer, *numbers, interval, item.reason or item.warning))
    stdout_console().print(make_table(heads, rows, right=heads[1:5]))

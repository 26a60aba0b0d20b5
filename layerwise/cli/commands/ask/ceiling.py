"""`layerwise ceiling`: how well a layer's matrix is determined by its units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerwise.cli.options.bundling import bundled
from layerwise.cli.options.common import DEFAULT_DATABASE, AsJson, Database, RunName, Selectors
from layerwise.cli.options.inference_options import IntervalOptions, show_interval
from layerwise.cli.options.measure_options import DEFAULT_COMPARATOR
from layerwise.cli.output import make_table, number, print_json, stdout_console
from layerwise.cli.session import open_history, session_of

if TYPE_CHECKING:
    from layerwise.core.analysis.inference.ceiling import Ceiling


@bundled
def show_ceilings(
    context: typer.Context,
    run: RunName,
    layers: Selectors = None,
    comparator: Annotated[
        str, typer.Option("--with", metavar="NAME", show_default="rsa-pearson", help="A correlation.")
    ] = DEFAULT_COMPARATOR,
    *,
    surety: IntervalOptions,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Find split-half noise ceilings: the most that anything can be expected to correlate with a layer's matrix.

    Needs a run with `--transform half-a --transform half-b`.

    Examples:
        layerwise ceiling latest --layers main --bootstrap 1000
    """
    from layerwise.core.analysis.inference.ceiling import ask_ceiling
    from layerwise.core.analysis.measure import find_measure
    from layerwise.core.host.selection import select_layers

    registry = session_of(context).registry
    measure = find_measure(registry, comparator)
    plan = surety.plan()
    with open_history(database) as store:
        record = store.find_run(run)
        stored = store.list_layers(record.id)
        chosen = select_layers(registry, layers, stored) if layers else stored
        found = [(layer.name, ask_ceiling(store, measure, record.id, layer.name, plan)) for layer in chosen]
    if as_json:
        print_json({"run_id": record.id, "comparator": measure.name, "layers": [_record(*item) for item in found]})
        return
    _print(found)


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

"""`layerwise difference`: is one comparison larger than another, over the same stimuli?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerwise.cli.options.common import DEFAULT_DATABASE, AsJson, Database, TransformName
from layerwise.cli.options.inference_options import (
    IntervalName,
    Level,
    ResamplingSeed,
    show_interval,
    show_p,
)
from layerwise.cli.options.measure_options import DEFAULT_COMPARATOR, OneComparator
from layerwise.cli.output import make_table, number, print_json, stdout_console
from layerwise.cli.session import open_history, session_of

if TYPE_CHECKING:
    from layerwise.core.analysis.inference.from_history import Difference
    from layerwise.core.history.records import LayerAddress

    Pair = tuple[LayerAddress, LayerAddress]

_WHAT = "RUN:LAYER,LAYER for one comparison, or RUN for all steps between neighbouring main layers."


def show_difference(
    context: typer.Context,
    first: Annotated[str, typer.Argument(metavar="FIRST", help=_WHAT)],
    second: Annotated[str, typer.Argument(metavar="SECOND", help="What is taken from it, in the same form.")],
    comparator: OneComparator = DEFAULT_COMPARATOR,
    transform: TransformName = "none",
    bootstrap: Annotated[
        int, typer.Option("--bootstrap", metavar="N", min=1, help="From so many resamples of the stimuli.")
    ] = 1000,
    seed: ResamplingSeed = 0,
    interval: IntervalName = None,
    level: Level = None,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Subtract one comparison from another, or the steps of two runs: with paired intervals and p-values.

    Stimuli needed: with how many the interval would just exclude 0, should the difference stay as it is.

    Examples:
        layerwise difference latest:mixed4c/5x5,output latest:mixed4c/1x1,output
        layerwise difference 3fa2 latest --with cka
    """
    from layerwise.core.analysis.choose import choose_differences
    from layerwise.core.analysis.inference.from_history import ask_differences
    from layerwise.core.analysis.inference.plans import make_interval_plan
    from layerwise.core.analysis.measure import find_measure

    measure = find_measure(session_of(context).registry, comparator)
    plan = make_interval_plan(bootstrap, seed, interval, level)
    with open_history(database) as store:
        pairs = choose_differences(store, first, second, transform)
        found = ask_differences(store, measure, pairs, plan)
    if as_json:
        how = {**vars(plan), "comparator": measure.name}
        print_json({**how, "differences": [_record(item) for item in found]})
        return
    _print(found, measure.name, plan.level)


def _record(item: Difference) -> dict[str, Any]:
    return {
        "first": [vars(end) for end in item.first],
        "second": [vars(end) for end in item.second],
        "difference": item.value,
        "low": item.interval.low,
        "high": item.interval.high,
        "p": item.interval.p,
        "reason": item.interval.reason,
        "n_needed": item.n_needed,
    }


def _print(found: list[Difference], name: str, level: float) -> None:
    console = stdout_console()
    console.print(f"{name}: first minus second, over the same resamples of the stimuli", markup=False)
    heads = ("first", "second", "difference", f"{level:.0%} interval", "p", "stimuli needed")
    rows = [
        (
            _name(item.first),
            _name(item.second),
            number(item.value),
            show_interval(item.interval.low, item.interval.high),
            show_p(item.interval.p),
            item.n_needed,
        )
        for item in found
    ]
    console.print(make_table(heads, rows, right=heads[2:]))
    if len(found) > 1:
        console.print(f"{len(found)} differences, each p by itself: expect one in twenty below 0.05 by chance")
    for reason in sorted({item.interval.reason for item in found if item.interval.reason}):
        console.print(f"Gaps: {reason}", markup=False, soft_wrap=True)


def _name(pair: Pair) -> str:
    one, other = pair
    if one.run_id == other.run_id:
        return f"{one.run_id[:6]} {one.layer} - {other.layer}"
    return f"{one.run_id[:6]} {one.layer} - {other.run_id[:6]} {other.layer}"

"""`layerwise difference`: is one comparison larger than another, over the same stimuli?"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerwise.cli.options.common import DEFAULT_DATABASE, AsJson, Database, TransformName
from layerwise.cli.options.inference_options import (
    IntervalName,
    Level,
    ResamplingSeed,
    plan_intervals,
    show_interval,
    show_p,
)
from layerwise.cli.options.measure_options import DEFAULT_COMPARATOR, OneComparator
from layerwise.cli.output import make_table, number, print_json, stdout_console
from layerwise.cli.session import open_history, session_of
from layerwise.core.base.errors import InputError

if TYPE_CHECKING:
    from layerwise.core.analysis.inference.from_history import Difference
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.history.records import LayerAddress
    from layerwise.core.network.layers import Layer

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

    Examples:
        layerwise difference latest:mixed4c/5x5,output latest:mixed4c/1x1,output
        layerwise difference 3fa2 latest --with cka
    """
    from layerwise.core.analysis.inference.from_history import ask_differences
    from layerwise.core.analysis.measure import find_measure

    measure = find_measure(session_of(context).registry, comparator)
    plan = plan_intervals(bootstrap, seed, interval, level)
    assert plan is not None
    with open_history(database) as store:
        pairs = _choose_pairs(store, first, second, transform)
        found = ask_differences(store, measure, pairs, plan)
    if as_json:
        how = {**vars(plan), "comparator": measure.name}
        print_json({**how, "differences": [_record(item) for item in found]})
        return
    _print(found, measure.name, plan.level)


def _choose_pairs(history: HistoryProtocol, first: str, second: str, transform: str) -> list[tuple[Pair, Pair]]:
    """The comparisons that are subtracted from each other.

    Raises:
        InputError: If the two are not of the same form, or two runs share no step.
    """
    if (":" in first) != (":" in second):
        raise InputError(f"'{first}' and '{second}' must both be RUN:LAYER,LAYER, or both a RUN")
    if ":" in first:
        return [(_read_pair(history, first, transform), _read_pair(history, second, transform))]
    ones, others = (_list_steps(history, run, transform) for run in (first, second))
    pairs = [(pair, others[names]) for names, pair in ones.items() if names in others]
    if not pairs:
        raise InputError(f"the runs '{first}' and '{second}' have no step between main layers of the same names")
    return pairs


def _read_pair(history: HistoryProtocol, text: str, transform: str) -> Pair:
    from layerwise.core.network.layers import find_layer

    name, _, both = text.partition(":")
    ends = both.split(",")
    if len(ends) != 2 or not all(ends):
        raise InputError(f"'{text}' is not of the form RUN:LAYER,LAYER")
    run = history.find_run(name)
    layers = history.list_layers(run.id)
    one, other = (_address(run.id, find_layer(end.strip(), layers), transform) for end in ends)
    return one, other


def _list_steps(history: HistoryProtocol, name: str, transform: str) -> dict[tuple[str, str], Pair]:
    run = history.find_run(name)
    main = [layer for layer in history.list_layers(run.id) if layer.is_main]
    return {
        (before.name, after.name): (_address(run.id, before, transform), _address(run.id, after, transform))
        for before, after in itertools.pairwise(main)
    }


def _address(run_id: str, layer: Layer, transform: str) -> LayerAddress:
    from layerwise.core.history.records import LayerAddress

    return LayerAddress(run_id, layer.name, transform)


def _record(item: Difference) -> dict[str, Any]:
    return {
        "first": [vars(end) for end in item.first],
        "second": [vars(end) for end in item.second],
        "difference": item.value,
        "low": item.interval.low,
        "high": item.interval.high,
        "p": item.interval.p,
        "reason": item.interval.reason,
    }


def _print(found: list[Difference], name: str, level: float) -> None:
    console = stdout_console()
    console.print(f"{name}: first minus second, over the same resamples of the stimuli", markup=False)
    heads = ("first", "second", "difference", f"{level:.0%} interval", "p")
    rows = [
        (
            _name(item.first),
            _name(item.second),
            number(item.value),
            show_interval(item.interval.low, item.interval.high),
            show_p(item.interval.p),
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

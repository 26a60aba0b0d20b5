"""`layerwise profile`: how a network turns its input's structure into its output's, in a few numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from layerwise.cli.options.bundling import bundled
from layerwise.cli.options.common import (
    DEFAULT_DATABASE,
    AsJson,
    Database,
    EndPoint,
    RunNames,
    Selectors,
    TransformName,
)
from layerwise.cli.options.inference_options import IntervalOptions, interval_record, show_interval
from layerwise.cli.options.measure_options import DEFAULT_COMPARATOR, MeasureOptions, OneComparator
from layerwise.cli.output import make_table, number, print_json, stderr_console, stdout_console
from layerwise.cli.session import open_history, session_of
from layerwise.core.history.listing import checkpoint_of

if TYPE_CHECKING:
    from layerwise.core.analysis.measure import Measure
    from layerwise.core.history.intervals import Interval
    from layerwise.core.history.profiles import Profile, ProfileIntervals
    from layerwise.core.history.records import RunRecord
    from layerwise.core.network.layers import Layer

_BAR = 24
_MOST_BESIDE = 4  # runs whose curves are shown beside each other; of more, only the numbers
Profiled = Sequence[tuple["RunRecord", "Profile"]]


@bundled
def profile_runs(
    context: typer.Context,
    runs: RunNames,
    comparator: OneComparator = DEFAULT_COMPARATOR,
    *,
    measuring: MeasureOptions,
    layers: Selectors = None,
    output: EndPoint = None,
    transform: TransformName = "none",
    surety: IntervalOptions,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Profile runs along their main layers: similarity to both ends, steps, where they cross, how smooth it is.

    Where a model ends in a softmax, its way ends at the logits before it; --output output goes on to the end.

    A share is one step's part of all change. Smoothness is 1 where all steps are equal, and near 0 where one
    step does it all. Several runs are shown side by side, by relative depth where their layers differ; of more than
    four, such as the checkpoints of a training, only the numbers.

    Examples:
        layerwise profile latest
        layerwise profile 3fa2 latest --with cka --bootstrap 1000
        layerwise profile lineage:digits
    """
    from layerwise.core.analysis.choose import list_main_layers
    from layerwise.core.analysis.inference.profile_intervals import ask_profile_intervals
    from layerwise.core.analysis.profile_run import find_side_by_side, profile_run
    from layerwise.core.history.references import find_runs
    from layerwise.core.host.selection import select_layers

    registry = session_of(context).registry
    (measure,) = measuring.find(registry, [comparator])
    plan = surety.plan()
    found, intervals, left_out = [], [], list[str]()
    with open_history(database) as store:
        for run in find_runs(store, runs):
            chosen = select_layers(registry, layers, store.list_layers(run.id)) if layers else None
            block = find_side_by_side(chosen or ())
            if block is not None:
                remark = (
                    f"Remark: branches of {block} run side by side, so that steps between them are no way through"
                )
                stderr_console().print(f"{remark} the network", markup=False, soft_wrap=True)
            profile = profile_run(registry, store, run, measure, chosen, transform, end_point=output)
            found.append((run, profile))
            left_out += tell_left_out(list_main_layers(store, run) if chosen is None else chosen, profile)
            if plan is not None:
                intervals.append(
                    ask_profile_intervals(store, run, measure, plan, chosen, transform, end_point=output)
                )
    if as_json:
        records = [_record(run, profile, measure) for run, profile in found]
        print_json([record | more for record, more in zip(records, _interval_records(found, intervals), strict=True)])
        return
    _print(found, measure)
    for line in dict.fromkeys(left_out):
        stdout_console().print(line, markup=False, soft_wrap=True)
    for (run, profile), item in zip(found, intervals, strict=False):
        _print_intervals(run, profile, item)


def tell_left_out(layers: Sequence[Layer], profile: Profile) -> list[str]:
    """A line that says where a profile ends, if there are layers behind its end point; none otherwise."""
    behind = [layer.name for layer in layers if layer.name not in profile.layers]
    if not behind:
        return []
    beyond = f"{', '.join(behind)} {'comes' if len(behind) == 1 else 'come'} after it"
    return [f"The way ends at {profile.end_point}: {beyond}; --output {behind[-1]} goes on to there."]


def _record(run: RunRecord, profile: Profile, measure: Measure) -> dict[str, Any]:
    curves = zip(profile.depths, profile.to_input, profile.to_output, profile.steps, profile.shares, strict=True)
    heads = ("depth", "to_input", "to_output", "step", "share")
    provider = measure.provider
    return {
        "run_id": run.id,
        "comparator": measure.name,
        "provider": f"{provider.name} {provider.version}",
        "parameters": provider.parameters,
        "kind": profile.kind,
        "smoothness": profile.smoothness,
        "effective_steps": profile.effective_steps,
        "total": profile.total,
        "crossings": [vars(crossing) for crossing in profile.crossings],
        "reason": profile.reason,
        "end_point": profile.end_point or None,
        "layers": [
            {"layer": name, **dict(zip(heads, row, strict=True))}
            for name, row in zip(profile.layers, curves, strict=True)
        ],
    }


def _interval_records(found: Profiled, intervals: Sequence[ProfileIntervals]) -> list[dict[str, Any]]:
    """What JSON says of each run's intervals; nothing where none were asked for."""
    if not intervals:
        return [{} for _ in found]
    return [
        {
            "interval": vars(item.plan),
            "intervals": {name: interval_record(interval) for name, interval in item.numbers.items()},
            "layer_intervals": [
                {"layer": layer} | {curve: interval_record(ends[index]) for curve, ends in item.curves.items()}
                for index, layer in enumerate(profile.layers)
            ],
        }
        for (_, profile), item in zip(found, intervals, strict=True)
    ]


def _print_intervals(run: RunRecord, profile: Profile, intervals: ProfileIntervals) -> None:
    console = stdout_console()
    console.print(f"{run.id[:8]} {intervals.plan.level:.0%} intervals over the stimuli", markup=False)
    names = ("smoothness", "effective_steps", "total", "crossing")
    rows = [(name.replace("_", " "), *_show(intervals.numbers[name])) for name in names]
    heads = ("step to", "share", "interval")
    console.print(make_table(("number", "interval", ""), rows, right=("interval",)))
    steps = zip(profile.layers[1:], profile.shares[1:], intervals.curves["shares"][1:], strict=True)
    shares = [(layer, number(float(share)), *_show(interval)) for layer, share, interval in steps]
    console.print(make_table((*heads, ""), shares, right=heads[1:]))


def _show(interval: Interval) -> tuple[str, str]:
    return show_interval(interval.low, interval.high), interval.reason


def _print(found: Profiled, measure: Measure) -> None:
    console = stdout_console()
    provider = measure.provider
    console.print(f"{measure.name} ({provider.name} {provider.version})", markup=False)
    if len(found) == 1:
        console.print(_table_of_one(found[0][1]))
    elif len(found) > _MOST_BESIDE:
        console.print(_table_of_many(found))
        return
    else:
        console.print(_table_of_several(found))
    for run, profile in found:
        console.print(f"{run.id[:8]} {run.model.title}: {summarise(profile)}", markup=False, soft_wrap=True)


def summarise(profile: Profile) -> str:
    """The profile in one sentence."""
    parts = []
    if profile.smoothness is not None and profile.largest is not None:
        n_steps = len(profile.layers) - 1
        spread = f"as spread out as {profile.effective_steps:.1f} equal steps of {n_steps}"
        parts.append(f"smoothness {profile.smoothness:.3f} ({spread})")
        largest = profile.largest
        between = f"{profile.layers[largest - 1]} to {profile.layers[largest]}"
        parts.append(f"{profile.shares[largest]:.0%} of all change from {between}")
    for crossing in profile.crossings:
        at = crossing.after if crossing.after == crossing.before else f"{crossing.after} and {crossing.before}"
        where = "at" if crossing.after == crossing.before else "between"
        parts.append(f"crosses {where} {at} (depth {crossing.depth:.2f})")
    return "; ".join([*parts, profile.reason] if profile.reason else parts)


def _table_of_one(profile: Profile) -> Any:
    heads = ("layer", "depth", "to input", f"to {profile.end_point or 'output'}", "step", "share")
    curves = (profile.depths, profile.to_input, profile.to_output, profile.steps, profile.shares)
    largest = profile.shares[profile.largest] if profile.largest is not None else 1.0
    rows = []
    for name, *values in zip(profile.layers, *curves, strict=True):
        share = values[-1]
        bar = "" if math.isnan(share) else "█" * round(_BAR * share / largest)
        rows.append((name, number(values[0], 2), *(number(value) for value in values[1:]), bar))
    return make_table((*heads, ""), rows, right=heads[1:])


def _table_of_several(found: Profiled) -> Any:
    """The runs side by side: layer by layer where these are the same, otherwise in tenths of the depth."""
    import numpy as np

    same = len({profile.layers for _, profile in found}) == 1
    depths = found[0][1].depths if same else np.linspace(0, 1, 11)
    heads = [f"{run.id[:6]} {what}" for run, _ in found for what in ("in", "out", "done")]
    columns = [
        _interpolate(depths, profile.depths, curve)
        for _, profile in found
        for curve in (profile.to_input, profile.to_output, profile.progress)
    ]
    names = found[0][1].layers if same else [""] * len(depths)
    rows = [
        (name, number(float(depth), 2), *(number(float(column[index])) for column in columns))
        for index, (name, depth) in enumerate(zip(names, depths, strict=True))
    ]
    return make_table(("layer" if same else "", "depth", *heads), rows, right=("depth", *heads))


def _table_of_many(found: Profiled) -> Any:
    """A row of numbers for each run."""
    rows = []
    for run, profile in found:
        place = profile.largest
        step = "" if place is None else f"{profile.layers[place - 1]} to {profile.layers[place]}"
        crossing = profile.crossings[0].depth if profile.crossings else None
        name = checkpoint_of(run) or run.model.title
        numbers = (number(profile.smoothness), number(profile.effective_steps, 2), number(profile.total))
        rows.append((run.id[:8], name, *numbers, number(crossing, 2), step, profile.reason))
    right = ("smoothness", "effective steps", "total", "crossing")
    return make_table(("run", "checkpoint", *right, "largest step", ""), rows, right=right)


def _interpolate(wanted: Any, depths: Any, curve: Any) -> Any:
    import numpy as np

    defined = np.isfinite(curve)
    return np.interp(wanted, depths[defined], curve[defined]) if defined.any() else np.full(len(wanted), np.nan)

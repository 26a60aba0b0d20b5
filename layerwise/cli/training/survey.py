"""What `layerwise training` prints: of each question the record for JSON, and what shows it as tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from layerwise.cli.options.inference_options import interval_record, show_interval
from layerwise.cli.output import make_table, number, print_json, stdout_console
from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from layerwise.core.analysis.training.alarms import Alarm, AlarmLimits
    from layerwise.core.analysis.training.checkpoints import Training, TrainingQuestion
    from layerwise.core.analysis.training.course import Course
    from layerwise.core.analysis.training.settling import Settling
    from layerwise.core.history.intervals import IntervalPlan
    from layerwise.core.history.profiles import Profile
    from layerwise.core.history.protocols import HistoryProtocol

    Values = NDArray[np.float64]

Answer = tuple[dict[str, Any], Callable[[], None]]
"""What JSON says, and what prints the same as tables."""
_CELL = 8  # columns of a terminal that a number takes with the space before it
_FEWEST = 4


def list_trainings(history: HistoryProtocol, *, as_json: bool) -> None:
    """All lineages of a history, with how many runs each has."""
    found = sorted(history.count_values("lineage").items())
    if as_json:
        print_json([{"lineage": name, "n_runs": n_runs} for name, n_runs in found])
    elif not found:
        stdout_console().print("No run belongs to a training; docs/training.md says how to record one.", markup=False)
    else:
        stdout_console().print(make_table(("training", "runs"), found, right=("runs",)))


def survey(question: TrainingQuestion, bound: float | None, plan: IntervalPlan | None, limits: AlarmLimits) -> Answer:
    """When layers settle, the transition in numbers at each checkpoint, and alarms."""
    from layerwise.core.analysis.training.course import read_course
    from layerwise.core.analysis.training.settling import ask_settling

    settling = ask_settling(question, bound=bound, plan=plan)
    course = read_course(question.history, question.training, question.layers, question.transform)
    profiles = _profiles(question)
    alarms = _alarms(question, course, limits)
    record = {
        **_head(question),
        **settling_record(settling, plan),
        "values": {name: course.value(name) for name in course.value_names},
        "smoothness": [None if profile is None else profile.smoothness for profile in profiles],
        "crossing": [_crossing(profile) for profile in profiles],
        "alarms": [vars(alarm) for alarm in alarms],
    }

    def tell() -> None:
        console = stdout_console()
        console.print(_heading(question), markup=False, soft_wrap=True)
        print_settling(settling, plan)
        console.print(_course_table(course, profiles))
        _print_alarms(alarms)

    return record, tell


def follow_statistics(question: TrainingQuestion, names: Sequence[str]) -> Answer:
    """Stored statistics of layers, or of weights, at each checkpoint."""
    from layerwise.core.analysis.training.course import read_course

    course = read_course(question.history, question.training, question.layers, question.transform)
    tables: dict[str, tuple[tuple[str, ...], Values]] = {}
    for name in names:
        if name in course.statistics:
            tables[name] = course.names, course.statistic(name)
        elif name in course.weight_statistics:
            tables[name] = course.tensors, course.weight_statistic(name)
        else:
            known = (*course.statistics, *course.weight_statistics)
            raise InputError(f"no statistic '{name}' is stored of this training{near_names(name, known)}")
    kinds = {name: "tensors" if name in course.weight_statistics else "layers" for name in names}
    found = {name: {kinds[name]: rows, "values": values} for name, (rows, values) in tables.items()}

    def tell() -> None:
        console = stdout_console()
        console.print(_heading(question), markup=False, soft_wrap=True)
        for name, (rows, values) in tables.items():
            console.print(_over_time(name, rows, course.steps, values))

    return {**_head(question), "statistics": found}, tell


def look_for_alarms(question: TrainingQuestion, limits: AlarmLimits) -> Answer:
    """Alarms alone."""
    from layerwise.core.analysis.training.course import read_course

    course = read_course(question.history, question.training, question.layers, question.transform)
    alarms = _alarms(question, course, limits)
    record = {**_head(question), "limits": vars(limits), "alarms": [vars(alarm) for alarm in alarms]}
    return record, lambda: _print_alarms(alarms)


def align(question: TrainingQuestion, other: Training) -> Answer:
    """Two trainings, aligned in time."""
    from layerwise.core.analysis.training.time_alignment import align_trainings

    found = align_trainings(question, other)
    along = [
        {"step": first, "other_step": second, "value": float(found.matrix[cell])}
        for (first, second), cell in zip(found.steps, found.alignment.path, strict=True)
    ]
    names = (found.first.name, found.second.name)
    record = {
        **_head(question),
        "other": names[1],
        "other_steps": found.second.steps,
        "layers": found.layers,
        "matrix": found.matrix,
        "path": along,
        "cost": found.cost,
        "even_cost": found.even_cost,
    }

    def tell() -> None:
        console = stdout_console()
        words = f"{found.measure}, mean over {len(found.layers)} layers: {', '.join(found.layers)}"
        console.print(f"{names[0]} and {names[1]}, aligned in time ({words})", markup=False, soft_wrap=True)
        rows = [(one["step"], one["other_step"], number(one["value"])) for one in along]
        heads = (f"step of {names[0]}", f"step of {names[1]}", question.measure.kind)
        console.print(make_table(heads, rows, right=heads))
        costs = f"cost {number(found.cost)} a step of the path; at equal relative times {number(found.even_cost)}"
        console.print(f"The best path has {costs}.", markup=False, soft_wrap=True)

    return record, tell


def settling_record(settling: Settling, plan: IntervalPlan | None) -> dict[str, Any]:
    """What JSON says of when layers settled."""
    record: dict[str, Any] = {
        "layers": settling.layers,
        "to_end": settling.to_end,
        "bound": settling.bound.value,
        "settled": [vars(layer) for layer in settling.settled],
        "order": {"rank_correlation": settling.order} | interval_record(settling.order_interval),
        "reasons": settling.reasons,
    }
    if plan is not None:
        bands = [[interval_record(interval) for interval in row] for row in settling.bands]
        record |= {"interval": vars(plan), "to_end_intervals": bands}
    return record


def print_settling(settling: Settling, plan: IntervalPlan | None) -> None:
    """When layers settled, as a table with a line on their order."""
    console = stdout_console()
    side = "above" if settling.bound.kind == "similarity" else "below"
    bound = f"settled: from there on {side} {settling.bound.value:g}"
    console.print(f"{settling.measure} of each layer to its final state; {bound}", markup=False, soft_wrap=True)
    shown = _spread(len(settling.training.runs), console.width - 40)
    heads = ["layer", *(f"@{settling.training.steps[place]}" for place in shown), "settled"]
    rows = []
    for column, layer in enumerate(settling.settled):
        values = [number(float(settling.to_end[place, column]), 2) for place in shown]
        row = [layer.layer, *values, "not yet" if layer.is_last else f"@{layer.step}"]
        if plan is not None:
            row += [layer.reason if layer.low is None else f"@{layer.low} .. @{layer.high}"]
        rows.append(row)
    heads += [] if plan is None else [f"{plan.level:.0%} interval"]
    console.print(make_table(heads, rows, right=heads[1:]))
    console.print(_order_words(settling), markup=False, soft_wrap=True)
    for reason in settling.reasons:
        console.print(f"Gaps: {reason}", markup=False, soft_wrap=True)


def _order_words(settling: Settling) -> str:
    if math.isnan(settling.order):
        return (
            "Depth and settling: no rank correlation, since all layers settled at once or there are fewer than three"
        )
    ends = settling.order_interval
    interval = f" ({show_interval(ends.low, ends.high)})" if ends.low is not None else ""
    direction = "bottom-up" if settling.order > 0 else "top-down"
    if ends.low is not None and ends.high is not None and ends.low <= 0 <= ends.high:
        direction = "in no clear order"
    return f"Depth and settling: rank correlation {number(settling.order, 2)}{interval}, {direction}"


def _heading(question: TrainingQuestion) -> str:
    training = question.training
    steps = f"{len(training.runs)} checkpoints, steps {training.steps[0]} to {training.steps[-1]}"
    return f"{training.name}: {steps}; {training.last.n_stimuli} stimuli of {training.last.stimuli_name}"


def _head(question: TrainingQuestion) -> dict[str, Any]:
    training, provider = question.training, question.measure.provider
    return {
        "training": training.name,
        "run_ids": [run.id for run in training.runs],
        "steps": training.steps,
        "comparator": question.measure.name,
        "provider": f"{provider.name} {provider.version}",
        "parameters": provider.parameters,
        "kind": question.measure.kind,
    }


def _alarms(question: TrainingQuestion, course: Course, limits: AlarmLimits) -> tuple[Alarm, ...]:
    from layerwise.core.analysis.training.alarms import find_alarms
    from layerwise.core.analysis.training.changes import ask_changes

    try:
        changes = ask_changes(question).values
    except InputError:  # the measure has no largest value, from which a change would be counted
        changes = None
    return find_alarms(course, changes, limits)


def _print_alarms(alarms: Sequence[Alarm]) -> None:
    console = stdout_console()
    for alarm in alarms:
        word = "Alarm" if alarm.is_on else "Over"
        console.print(f"{word} ({alarm.kind}): {alarm.message}", markup=False, soft_wrap=True)
    if not any(alarm.is_on for alarm in alarms):
        console.print("No alarm is on.", markup=False)


def _profiles(question: TrainingQuestion) -> Sequence[Profile | None]:
    from layerwise.core.analysis.training.profiles import ask_profiles

    try:
        return ask_profiles(question)
    except InputError:  # of these layers, or by this measure, there is none
        return [None] * len(question.training.runs)


def _crossing(profile: Profile | None) -> float | None:
    return profile.crossings[0].depth if profile is not None and profile.crossings else None


def _course_table(course: Course, profiles: Sequence[Profile | None]) -> Any:
    names = course.value_names
    columns = [course.value(name) for name in names]
    rows = [
        (
            step,
            *(number(float(column[place])) for column in columns),
            number(None if profile is None else profile.smoothness),
            number(_crossing(profile), 2),
        )
        for place, (step, profile) in enumerate(zip(course.steps, profiles, strict=True))
    ]
    heads = ("step", *names, "smoothness", "crossing")
    return make_table(heads, rows, right=heads)


def _over_time(name: str, rows: Sequence[str], steps: Sequence[int], values: Values) -> Any:
    shown = _spread(len(steps), stdout_console().width - max(map(len, (name, *rows)), default=0))
    heads = (name, *(f"@{steps[place]}" for place in shown))
    cells = [(row, *(number(float(values[place, at])) for place in shown)) for at, row in enumerate(rows)]
    return make_table(heads, cells, right=heads[1:])


def _spread(count: int, width: int) -> list[int]:
    """Places of as many of `count` columns as fit, evenly spaced, the first and the last among them."""
    most = max(_FEWEST, width // _CELL)
    if count <= most:
        return list(range(count))
    return sorted({round(place * (count - 1) / (most - 1)) for place in range(most)})

"""Recordings against networks: areas of a brain, ratings of people, whatever was imported as matrices.

A recording is a run of imported matrices of which none is an input or an output: its areas have no order from one to
the other, so there is no depth and no path through them. What can be asked is which layer of a network each is most
like, how sure that is, and whether another layer would do as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.recordings.best_layers import find_best, judge_layers
from layerwise.core.base.errors import InputError
from layerwise.core.history.intervals import IntervalPlan
from layerwise.core.history.records import LayerAddress, RunRecord
from layerwise.plugins.sections.shared.grouping import Runs, name_runs
from layerwise.report.content import ReportContext
from layerwise.report.queries import address, chosen_measure, compare, main_layers, number, plan_bands, recording_ids

if TYPE_CHECKING:
    import polars as pl

Values = NDArray[np.float64]
NUMBERS = ("value", "low", "high")


@dataclass(frozen=True)
class Area:
    """One matrix of a recording.

    Attributes:
        name: What it is called in a report; different for each.
        own_name: What it is called in its recording.
        address: Where it is.
    """

    name: str
    own_name: str
    address: LayerAddress


@dataclass(frozen=True, eq=False)
class Match:
    """Areas against the layers of one network.

    Attributes:
        run: The network.
        name: What it is called.
        areas: The rows.
        layers: The main layers, in order of computation: the columns.
        matrix: float64 (len(areas), len(layers)); the chosen measure, NaN where undefined.
        best: For each area the layer that it is most like; None where nothing is defined.
        low: As `matrix`: lower ends of intervals over the stimuli; NaN where there is none.
        high: Upper ends.
        rivals: For each area the layers that are not clearly worse than the best one: the interval of the difference
            holds 0.
        plan: How intervals were made; None without any.
    """

    run: RunRecord
    name: str
    areas: tuple[Area, ...]
    layers: tuple[str, ...]
    matrix: Values
    best: tuple[int | None, ...]
    low: Values
    high: Values
    rivals: tuple[tuple[int, ...], ...] = ()
    plan: IntervalPlan | None = None

    @property
    def depths(self) -> list[float]:
        """Relative depth of each layer."""
        return [float(depth) for depth in np.linspace(0, 1, len(self.layers))]


def split_group(context: ReportContext, runs: Runs) -> tuple[Runs, Runs]:
    """The recordings of a group, and its networks."""
    recorded = recording_ids(context)
    return tuple(run for run in runs if run.id in recorded), tuple(run for run in runs if run.id not in recorded)


def list_areas(context: ReportContext, recordings: Runs) -> tuple[Area, ...]:
    """All matrices of all recordings; the same area of several recordings side by side, named after both."""
    names = name_runs(recordings, lambda run: run.model.name)
    found = [
        Area(
            layer.name if len(recordings) == 1 else f"{layer.name} of {names[run.id]}",
            layer.name,
            address(context, run, layer),
        )
        for run in recordings
        for layer in main_layers(context, run)
    ]
    order = list(dict.fromkeys(area.own_name for area in found))
    return tuple(sorted(found, key=lambda area: order.index(area.own_name)))


def match_network(
    context: ReportContext, areas: tuple[Area, ...], run: RunRecord, name: str, *, sure: bool = True
) -> Match:
    """Each area against each main layer of a network.

    Args:
        context: The report.
        areas: The rows.
        run: The network.
        name: What it is called.
        sure: Whether to make intervals, where the report's choice allows any.
    """
    layers = main_layers(context, run)
    here, there = [area.address for area in areas], [address(context, run, layer) for layer in layers]
    matrix = compare(context, here, there)
    best = find_best(matrix, chosen_measure(context).kind)
    nothing = np.full(matrix.shape, np.nan)
    names = tuple(layer.name for layer in layers)
    match = Match(run, name, areas, names, matrix, best, nothing, nothing)
    return _make_sure(context, match, [*here, *there]) if sure else match


def _make_sure(context: ReportContext, match: Match, addresses: Sequence[LayerAddress]) -> Match:
    """The same with intervals and rivals; as it is where none are wanted, or there are too few stimuli."""
    measure = chosen_measure(context)
    plan = plan_bands(context, measure)
    if plan is None:
        return match
    here, there = addresses[: len(match.areas)], addresses[len(match.areas) :]
    try:
        found = judge_layers(context.history, measure, here, there, match.best, plan)
    except InputError:  # too few stimuli
        return match
    return replace(match, low=found.low, high=found.high, rivals=found.rivals, plan=plan)


def match_frame(match: Match) -> pl.DataFrame:
    """All cells of a match.

    Returns:
        Area by area, in order of depth: `series` (the area), `layer`, `depth`, `value`, `low`, `high` (None where
        undefined), `standing`: `best`, `no worse` (not clearly, see `Match.rivals`), or empty.
    """
    import polars as pl

    rows = [
        (
            area.name,
            layer,
            match.depths[column],
            *(number(float(table[row, column])) for table in (match.matrix, match.low, match.high)),
            _standing(match, row, column),
        )
        for row, area in enumerate(match.areas)
        for column, layer in enumerate(match.layers)
    ]
    numbers = dict.fromkeys(("depth", *NUMBERS), pl.Float64)
    schema = {"series": pl.String, "layer": pl.String, **numbers, "standing": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _standing(match: Match, row: int, column: int) -> str:
    if match.best[row] == column:
        return "best"
    return "no worse" if match.rivals and column in match.rivals[row] else ""


def write_ranges(names: Sequence[str], chosen: Sequence[int]) -> str:
    """Some of these layers in words, neighbours as a range: `conv1, mixed3a to mixed4c`."""
    runs: list[list[int]] = []
    for place in sorted(chosen):
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return ", ".join(names[run[0]] if len(run) == 1 else f"{names[run[0]]} to {names[run[-1]]}" for run in runs)


def best_frame(matches: Sequence[Match]) -> pl.DataFrame:
    """The best layer of each network for each area: `network`, and the columns of `match_frame` but `standing`."""
    import polars as pl

    return pl.concat(
        match_frame(match).filter(standing="best").select(pl.lit(match.name).alias("network"), pl.exclude("standing"))
        for match in matches
    )


def name_networks(networks: Runs, names: Mapping[str, str]) -> dict[str, str]:
    """What networks are called: models by their names, checkpoints of one training by theirs."""
    one_training = len({run.lineage for run in networks}) == 1 and networks[0].lineage is not None
    if not one_training:
        return dict(names)
    return name_runs(networks, lambda run: run.checkpoint or f"step {run.step}")

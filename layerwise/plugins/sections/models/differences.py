"""What differs between models on the same stimuli: in a table, in large numbers, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layerwise.plugins.sections.models.counterparts import ModelPair, find_poorest, query_counterparts, query_pairs
from layerwise.plugins.sections.shared.grids import write_value
from layerwise.plugins.sections.shared.grouping import Runs, model_names
from layerwise.plugins.sections.shared.overlays import (
    Gap,
    find_gap,
    list_transitions,
    query_overlay,
    transition_columns,
)
from layerwise.report.content import Fact, ReportContext, Table
from layerwise.report.queries import end_of, main_layers
from layerwise.report.scale import Scale, find_scale

if TYPE_CHECKING:
    import polars as pl

Row = tuple[str | float | int | None, ...]


@dataclass(frozen=True)
class Differences:
    """How two models differ.

    Attributes:
        pair: The models, their layers and the best path.
        odd: For each model, its layer with the poorest counterpart: name, counterpart, value.
        gap: Where their profiles are furthest apart.
    """

    pair: ModelPair
    odd: Mapping[str, tuple[str, str, float]]
    gap: Gap | None


@dataclass(frozen=True)
class ModelGroup:
    """Everything that is shown of models on the same stimuli: a frame or a matrix for each figure.

    Attributes:
        runs: One for each model.
        names: What they are called, by id.
        pairs: Which are held against each other.
        overlay: Profiles, see `query_overlay`.
        counterparts: See `query_counterparts`.
        differences: One for each pair.
    """

    runs: Runs
    names: dict[str, str]
    pairs: list[ModelPair]
    overlay: pl.DataFrame
    counterparts: pl.DataFrame
    differences: list[Differences]


def query_models(context: ReportContext, runs: Runs) -> ModelGroup:
    """All that is shown of models on the same stimuli."""
    names, kind = model_names(runs), find_scale(context).noun
    pairs = query_pairs(context, runs, names)
    overlay = query_overlay(context, runs, names)
    counterparts = query_counterparts(pairs, kind)
    last = end_of(context, runs)
    differences = [_find_differences(pair, overlay, counterparts, kind, last) for pair in pairs]
    return ModelGroup(runs, names, pairs, overlay, counterparts, differences)


def _find_differences(
    pair: ModelPair, overlay: pl.DataFrame, counterparts: pl.DataFrame, kind: str, last: str
) -> Differences:
    odd = {}
    for name in pair.names:
        layers = counterparts.filter(pair=pair.title, series=name)
        for row in find_poorest(layers, kind, 1).to_dicts():
            odd[name] = (row["layer"], row["counterpart"], row["value"])
    return Differences(pair, odd, find_gap(overlay, *pair.names, last))


def tabulate_models(context: ReportContext, group: ModelGroup) -> Table:
    """What can be said of each model in a line: size, accuracy, and its transition in numbers."""
    transitions = list_transitions(context, group.runs, group.overlay, group.names)
    columns = ("model", "weights", "parameters", "main layers", *transition_columns(context, group.runs))
    rows: list[Row] = [
        (group.names[r.id], r.model.source, f"{r.model.n_parameters:,}", len(main_layers(context, r)), *cells)
        for r, cells in zip(group.runs, transitions, strict=True)
    ]
    return Table(columns, tuple(rows))


def tabulate_differences(found: list[Differences], scale: Scale) -> Table:
    """How the models of several pairs differ, a line for each pair."""
    rows: list[Row] = []
    for one in found:
        path, names = one.pair.alignment, one.pair.names
        odd = [f"{one.odd[name][0]} ({write_value(one.odd[name][2])})" if name in one.odd else None for name in names]
        gap = f"{write_value(one.gap.size)} to {one.gap.end}, at depth {one.gap.depth:.2f}" if one.gap else None
        rows.append((*names, path.mean, path.even_mean, f"{path.bend:.0%}", *odd, gap))
    columns = ("one model", "another", f"{scale.noun} along the best path", "at equal depth", "bend of the path")
    return Table((*columns, "odd layer of the one", "of the other", "widest gap of profiles"), tuple(rows))


def list_facts(found: Differences, scale: Scale) -> tuple[Fact, ...]:
    """How two models differ, in numbers."""
    pair, path = found.pair, found.pair.alignment
    facts = []
    if path.mean is not None and path.even_mean is not None:
        note = f"mean {scale.noun} along it; {write_value(path.even_mean)} at equal relative depth"
        facts.append(Fact("best path", write_value(path.mean), note))
    row, column = path.bend_at
    note = f"of the depth apart, where {pair.rows[row]} is beside {pair.columns[column]}"
    facts.append(Fact("bend of the path", f"{path.bend:.0%}", note))
    for name, (layer, counterpart, value) in found.odd.items():
        facts.append(Fact(f"odd layer of {name}", write_value(value), f"{layer}, most like {counterpart}"))
    if found.gap is not None:
        there = " against ".join(write_value(value) for value in found.gap.values)
        note = f"between the profiles to {found.gap.end}, at depth {found.gap.depth:.2f}: {there}"
        facts.append(Fact("widest gap", write_value(found.gap.size), note))
    return tuple(facts)


def describe_path(pair: ModelPair, scale: Scale) -> str:
    """The best path of a pair, in a sentence or two."""
    found = pair.alignment
    if found.mean is None or found.even_mean is None:
        return "No layer of one can be compared with a layer of the other."
    row, column = found.bend_at
    words = (
        f"Along the boxed path the mean {scale.noun} is {write_value(found.mean)}; at equal relative depth it would "
        f"be {write_value(found.even_mean)}."
    )
    if found.bend < 0.005:
        return words
    there = f"{pair.rows[row]} is beside {pair.columns[column]}, {found.bend:.0%} of the depth apart"
    return f"{words} It bends furthest where {there}."

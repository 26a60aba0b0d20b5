"""`layerwise compare`: how alike layers are, within a run or across runs on the same stimuli."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerwise.cli.options import DEFAULT_DATABASE, AsJson, Database, RunNames, Selectors, TransformName
from layerwise.cli.output import make_table, number, print_json, stdout_console
from layerwise.cli.session import open_history, session_of

if TYPE_CHECKING:
    from layerwise.core.comparing import ComparisonTable
    from layerwise.core.layers import Layer
    from layerwise.core.protocols import History
    from layerwise.core.records import LayerAddress, RunRecord
    from layerwise.core.registry import Registry

DEFAULT_COMPARATOR = "rsa-pearson"


def compare_runs(
    context: typer.Context,
    runs: RunNames,
    comparators: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="NAME", help=f"A comparator; repeatable. By default {DEFAULT_COMPARATOR}."),
    ] = None,
    layers: Selectors = None,
    transform: TransformName = "none",
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Compare every layer with every other, within a run or across runs on the same stimuli."""
    from layerwise.core.comparing import compare_layers

    registry = session_of(context).registry
    with open_history(database) as store:
        chosen = choose_layers(registry, store, [store.find_run(run) for run in runs], layers)
        addresses = _addresses(chosen, transform)
        names = list(dict.fromkeys(comparators or [DEFAULT_COMPARATOR]))
        tables = [compare_layers(registry, store, name, addresses) for name in names]
    if as_json:
        records = [_record(name, table) for name, table in zip(names, tables, strict=True)]
        print_json(records[0] if len(records) == 1 else records)
        return
    for name, table in zip(names, tables, strict=True):
        _print_table(name, table, chosen)


def choose_layers(
    registry: Registry, history: History, runs: Sequence[RunRecord], selectors: Sequence[str] | None
) -> list[tuple[RunRecord, Layer]]:
    """The stored layers of these runs that the selectors pick, all of them without selectors."""
    from layerwise.core.selection import select_layers

    chosen: list[tuple[RunRecord, Layer]] = []
    for run in dict.fromkeys(run.id for run in runs):
        record = next(candidate for candidate in runs if candidate.id == run)
        stored = history.list_layers(run)
        picked = select_layers(registry, selectors, stored) if selectors else stored
        chosen += [(record, layer) for layer in picked]
    return chosen


def _addresses(chosen: Sequence[tuple[RunRecord, Layer]], transform: str) -> list[LayerAddress]:
    from layerwise.core.records import LayerAddress

    return [LayerAddress(run.id, layer.name, transform) for run, layer in chosen]


def _record(name: str, table: ComparisonTable) -> dict[str, Any]:
    return {
        "comparator": name,
        "provider": f"{table.comparator.name} {table.comparator.version}",
        "layers": [{"run_id": address.run_id, "layer": address.layer} for address in table.rows],
        "matrix": table.matrix,
        "reasons": [
            {"first": vars(first), "second": vars(second), "reason": reason}
            for (first, second), reason in table.reasons.items()
        ],
    }


def _print_table(name: str, table: ComparisonTable, chosen: Sequence[tuple[RunRecord, Layer]]) -> None:
    from layerwise.cli.matrix import print_matrix

    console = stdout_console()
    several = len({run.id for run, _ in chosen}) > 1
    names = [f"{run.id[:8]} {layer.name}" if several else layer.name for run, layer in chosen]
    console.print(f"{name} ({table.comparator.name} {table.comparator.version})", markup=False)
    print_matrix(console, names, table.matrix)
    steps = _neighbours(chosen)
    if steps:
        rows = [(names[a], names[b], number(float(table.matrix[a, b]))) for a, b in steps]
        console.print(make_table(("from", "to", name), rows, right=(name,)))
    same = _same_layers(chosen)
    if same:
        rows = [(names[a], names[b], number(float(table.matrix[a, b]))) for a, b in same]
        console.print(make_table(("layer", "same layer", name), rows, right=(name,)))
    for reason in sorted(set(table.reasons.values())):
        console.print(f"Gaps: {reason}", markup=False, soft_wrap=True)


def _neighbours(chosen: Sequence[tuple[RunRecord, Layer]]) -> list[tuple[int, int]]:
    """Indices of main layers that follow each other in the same run."""
    main = [index for index, (_, layer) in enumerate(chosen) if layer.is_main]
    pairs = itertools.pairwise(main)
    return [(first, second) for first, second in pairs if chosen[first][0].id == chosen[second][0].id]


def _same_layers(chosen: Sequence[tuple[RunRecord, Layer]]) -> list[tuple[int, int]]:
    """Indices of each layer of the first run and the layer of the same name in every other run."""
    first_run = chosen[0][0].id if chosen else ""
    place = {layer.name: index for index, (run, layer) in enumerate(chosen) if run.id == first_run}
    others = [(index, layer.name) for index, (run, layer) in enumerate(chosen) if run.id != first_run]
    return [(place[name], index) for index, name in others if name in place]

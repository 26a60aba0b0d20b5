"""`layerwise compare`: how alike layers are, within a run or across runs on the same stimuli."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from layerwise.cli.against import AgainstWish, check_wish, tell_against
from layerwise.cli.options.bundling import bundled
from layerwise.cli.options.common import (
    DEFAULT_DATABASE,
    AsJson,
    Database,
    Memory,
    RunNames,
    Selectors,
    TransformName,
    parse_size,
    split_names,
)
from layerwise.cli.options.inference_options import InferenceOptions, Surety
from layerwise.cli.options.measure_options import DEFAULT_COMPARATOR, Comparators, MeasureOptions, show_progress
from layerwise.cli.output import MARKED, make_table, mark, number, print_json, stderr_console, stdout_console
from layerwise.cli.plugins.output import tell_failures
from layerwise.cli.printing.influence_table import ask_influence, influence_record, show_influence
from layerwise.cli.printing.output_table import ask_outputs, outputs_record, show_outputs, split_comparators
from layerwise.cli.session import open_history, session_of
from layerwise.cli.training.to_end import find_questions, tell_to_end
from layerwise.core.base.errors import InputError, PluginError

if TYPE_CHECKING:
    from layerwise.core.analysis.choose import Chosen
    from layerwise.core.analysis.compare import ComparisonTable
    from layerwise.core.analysis.functional.outputs import OutputTable
    from layerwise.core.analysis.influence.stimuli import Influence
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.history.records import LayerAddress
    from layerwise.core.host.registry import Registry

_N_WARNINGS = 3


@dataclass(frozen=True)
class WayOptions:
    """What is taken out of numbers, and which stimuli carry them."""

    heading: ClassVar[str] = "What is in a number"
    partial: Annotated[
        list[str] | None,
        typer.Option(
            "--partial",
            metavar="LAYER",
            help="Take this layer out of both: a layer of the first run, `input` say, or RUN:LAYER; repeatable.",
        ),
    ] = None
    few_units: Annotated[
        bool,
        typer.Option(
            "--few-units", help="Correct cka-debiased for few units, of runs with the transforms half-a and half-b."
        ),
    ] = False
    influence: Annotated[
        bool,
        typer.Option("--influence", help="Of two layers: which stimuli the number hangs on, and what it is without."),
    ] = False

    def check(self, surety: InferenceOptions, *, to_end: bool) -> None:
        """Make sure that what is asked goes together.

        Raises:
            InputError: If it does not.
        """
        is_tested = surety.permutations or surety.calibrated
        if self.partial and (to_end or is_tested or self.influence):
            raise InputError("--partial has intervals (--bootstrap), and goes with nothing else that judges a number")
        if self.few_units and (self.partial or to_end or is_tested or surety.bootstrap or self.influence):
            raise InputError(
                "--few-units goes with no interval, no test and none of --partial, --influence, --to-end"
            )

    def compare(self, registry: Registry, history: HistoryProtocol, *asked: Any, **how: Any) -> ComparisonTable:
        """The table, as it is asked for."""
        from layerwise.core.analysis.correcting.few_units import compare_corrected
        from layerwise.core.analysis.deconfounding.ask import compare_partial

        if self.few_units:
            return compare_corrected(registry, history, *asked[:2])
        return compare_partial(registry, history, *asked, **how)


@bundled
def compare_runs(
    context: typer.Context,
    runs: RunNames,
    comparators: Comparators = None,
    *,
    measuring: MeasureOptions,
    layers: Selectors = None,
    transform: TransformName = "none",
    surety: InferenceOptions,
    ways: WayOptions,
    to_end: Annotated[
        bool,
        typer.Option("--to-end", help="Compare each layer of each run only with the same layer of the last run."),
    ] = False,
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against",
            metavar="RECORDING",
            help="Compare the runs' layers with the areas of a recording (a run or a file) only; repeatable.",
        ),
    ] = None,
    memory: Memory = None,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Compare every layer with every other, within a run or across runs on the same stimuli.

    By default with `rsa-pearson`; --with takes several, `recommended` for four that fail differently. Answers are
    kept: asked again, they are read. Where a measure is asymmetric the row is its first layer. With `disagreement` or
    `jsd` the outputs of runs are compared. --against finds the best layer for each area of a recording, with its
    interval and a p-value corrected for the search.

    Examples:
        layerwise compare latest
        layerwise compare latest --with recommended --layers main
        layerwise compare latest --with cka svcca --layers main
        layerwise compare 3fa2 latest --layers main --bootstrap 1000 --json
        layerwise compare 3fa2 latest --with cka --calibrated
        layerwise compare latest --with cka-debiased --partial input
        layerwise compare latest --layers mixed4c --layers output --influence
        layerwise compare 3fa2 latest --with disagreement jsd
        layerwise compare lineage:digits --to-end --with cka
        layerwise compare latest --against brain.npz --with rsa-spearman
    """
    from layerwise.core.analysis.choose import choose_layers
    from layerwise.core.analysis.compare import describe_basis
    from layerwise.core.analysis.deconfounding.ask import find_confounders
    from layerwise.core.history.records import LayerAddress as Address
    from layerwise.core.history.references import find_runs
    from layerwise.core.history.views.shared import share_stimuli

    registry = session_of(context).registry
    names, of_outputs = split_comparators(comparators or [DEFAULT_COMPARATOR])
    measures = measuring.find(registry, names) if names else []
    inference = surety.plan()
    if to_end and (surety.bootstrap or surety.permutations or surety.calibrated):
        raise InputError(
            "--to-end makes no intervals and no tests; `layerwise training NAME --bootstrap N` has intervals"
        )
    ways.check(surety, to_end=to_end)
    if against:
        check_wish(surety, [*of_outputs, *(["--to-end"] if to_end else [])])
        wish = AgainstWish(runs, split_names(against), layers, session_of(context).command)
        with open_history(database) as store:
            tell_against(registry, store, wish, measures, surety, as_json=as_json)
        return
    allowed = None if memory is None else parse_size(memory, "--memory")
    found: list[tuple[str, ComparisonTable, Surety]] = []
    carried: list[Influence | None] = []
    failures: list[str] = []
    with open_history(database) as store, show_progress(quiet=as_json) as progress_of:
        if to_end:
            tell_to_end(find_questions(registry, store, runs, measures, layers, transform), as_json=as_json)
            return
        records = find_runs(store, runs)
        tables = [ask_outputs(store, records, name, surety) for name in of_outputs]
        shared, records, remark = share_stimuli(store, records) if names else (store, records, "")
        _note(filter(None, [remark, basis := describe_basis(records) if names else ""]))
        chosen = choose_layers(registry, shared, records, layers) if names else []
        addresses = [Address(run.id, layer.name, transform) for run, layer in chosen]
        out = find_confounders(shared, records, ways.partial or (), transform) if names else []
        _note(inference.warn(len(addresses)))  # before anything is computed
        for measure in measures:
            try:
                shown = progress_of(measure.name)
                table = ways.compare(registry, shared, measure, addresses, out, progress=shown, memory=allowed)
                found.append((measure.name, table, inference.ask(shared, measure, addresses, out)))
                carried.append(ask_influence(shared, measure, addresses, wanted=ways.influence))
                failures += table.failures
            except PluginError as error:  # the other comparators are asked all the same
                failures.append(str(error))
    if as_json:
        asked = zip(found, carried, strict=True)
        records_of = [_record(*one, basis) | _say_partial(out) | influence_record(stimuli) for one, stimuli in asked]
        told = [*records_of, *(outputs_record(table) for table in tables)]
        print_json(told[0] if len(told) == len(measures) + len(tables) == 1 else told)
    else:
        _print_all(tables, zip(found, carried, strict=True), chosen, out)
    tell_failures(failures, "compared")


def _note(lines: Iterable[str]) -> None:
    for line in lines:
        stderr_console().print(f"Note: {line}.", markup=False, soft_wrap=True)


def _print_all(
    tables: Sequence[OutputTable],
    found: Iterable[tuple[tuple[str, ComparisonTable, Surety], Influence | None]],
    chosen: Chosen,
    out: Sequence[LayerAddress],
) -> None:
    for outputs in tables:
        show_outputs(outputs)
    shown = list(found)
    for one, stimuli in shown:
        _print_table(*one, chosen, out)
        show_influence(stimuli)
    _tell_agreement([table for (_, table, _), _ in shown], chosen)


def _tell_agreement(tables: Sequence[ComparisonTable], chosen: Chosen) -> None:
    """Where several measures disagree, in a sentence."""
    from layerwise.core.analysis.measures.recommended import Answer, describe_disagreement, find_disagreement

    several = len({run.id for run, _ in chosen}) > 1
    names = [f"{run.id[:8]} {layer.name}" if several else layer.name for run, layer in chosen]
    pairs = list(combinations(range(len(names)), 2))
    answers = [Answer(table.comparator.name.partition(":")[2], table.kind, table.matrix) for table in tables]
    found = find_disagreement(answers, pairs)
    if found is not None:
        stdout_console().print(describe_disagreement(found, names, len(answers)), markup=False, soft_wrap=True)


def _say_partial(out: Sequence[LayerAddress]) -> dict[str, Any]:
    """What JSON says of what was taken out; nothing where nothing was."""
    return {"partial": [vars(address) for address in out]} if out else {}


def _record(name: str, table: ComparisonTable, surety: Surety, basis: str) -> dict[str, Any]:
    return {
        "basis": basis,
        "comparator": name,
        "provider": f"{table.comparator.name} {table.comparator.version}",
        "kind": table.kind,
        "parameters": json.loads(table.comparator.parameters),
        "layers": [
            {"run_id": address.run_id, "layer": address.layer, "transform": address.transform}
            for address in table.rows
        ],
        "matrix": table.matrix,
        "undetermined": table.marked,
        "warnings": list(table.warnings),
        "reasons": [
            {"first": vars(first), "second": vars(second), "reason": reason}
            for (first, second), reason in table.reasons.items()
        ],
        **surety.record(),
    }


def _cell(table: ComparisonTable, row: int, column: int) -> str:
    return mark(number(float(table.matrix[row, column])), bool(table.marked[row, column]))


def _print_table(
    name: str, table: ComparisonTable, surety: Surety, chosen: Chosen, out: Sequence[LayerAddress]
) -> None:
    from layerwise.cli.printing.matrix import print_matrix
    from layerwise.core.analysis.choose import list_neighbours, list_same_layers
    from layerwise.core.base.parameters import NO_PARAMETERS

    console = stdout_console()
    several = len({run.id for run, _ in chosen}) > 1
    names = [f"{run.id[:8]} {layer.name}" if several else layer.name for run, layer in chosen]
    settings = "" if table.comparator.parameters == NO_PARAMETERS else f", {table.comparator.parameters}"
    console.print(f"{name} ({table.comparator.name} {table.comparator.version}{settings})", markup=False)
    print_matrix(console, names, table.matrix, table.marked)
    numbers = (name, *surety.heads())
    steps = list_neighbours(chosen)
    if steps:
        rows = [(names[a], names[b], _cell(table, a, b), *surety.cells(a, b)) for a, b in steps]
        console.print(make_table(("from", "to", *numbers), rows, right=numbers))
    same = list_same_layers(chosen)
    if same:
        rows = [(names[a], names[b], _cell(table, a, b), *surety.cells(a, b)) for a, b in same]
        console.print(make_table(("layer", "same layer", *numbers), rows, right=numbers))
    without = [f"Taken out of both layers: {', '.join(address.layer for address in out)}"] if out else []
    for remark in (*without, *surety.remarks()):
        console.print(remark, markup=False, soft_wrap=True)
    for reason in sorted({*table.reasons.values(), *surety.gaps()} - {*table.failures}):
        console.print(f"Gaps: {reason}", markup=False, soft_wrap=True)
    if table.undetermined:
        console.print(MARKED, markup=False, soft_wrap=True)
    for warning in table.warnings[:_N_WARNINGS]:
        console.print(f"Beware: {warning}", markup=False, soft_wrap=True)
    if len(table.warnings) > _N_WARNINGS:
        n_more = len(table.warnings) - _N_WARNINGS
        console.print(f"Beware: {n_more} more layers with such a warning; --json lists them", markup=False)

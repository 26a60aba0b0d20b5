"""`layerwise show`: one run at a glance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerwise.cli.commands.ask.runs import run_record
from layerwise.cli.options.common import DEFAULT_DATABASE, AsJson, Database, EndPoint, RunName, TransformName
from layerwise.cli.output import count, duration, make_table, mark, number, print_json, stdout_console
from layerwise.cli.printing.costs import attempt_record, describe_costs
from layerwise.cli.session import open_history, session_of
from layerwise.core.history.listing import checkpoint_of

if TYPE_CHECKING:
    from layerwise.cli.printing.overview import LayerOverview
    from layerwise.core.analysis.calibration.main_layers import CalibratedLayer
    from layerwise.core.history.costs import RunCosts
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.history.records import RunRecord
    from layerwise.core.host.registry import Registry

_HEADS = ("layer", "features", "mean corr.", "to input", "to {end}", "step before", "sparseness")
_CALIBRATED = ("to input, cal.", "to {end}, cal.", "step, cal.")


def show_run(
    context: typer.Context,
    run: RunName,
    output: EndPoint = None,
    transform: TransformName = "none",
    calibrated: Annotated[
        bool,
        typer.Option(
            "--calibrated",
            help="Add columns: main layers between chance (0) and agreement (1), by 1,000 permutations.",
        ),
    ] = False,
    compute: Annotated[
        bool, typer.Option("--findings", help="Compute what was found, as a report does; without it, what is kept.")
    ] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Show a run: what was analysed, a row per layer, and what was found.

    The similarities (to the input, to the logits or, without a softmax, the output, and of the step from the main
    layer before) are `rsa-pearson`. What was found are the sentences at the head of the run's report, with
    95% intervals: those that were kept when a report was made, or all with --findings.

    Examples:
        layerwise show latest
        layerwise show latest --findings --calibrated
        layerwise show 3fa2 --json
    """
    from layerwise.cli.printing.overview import survey_layers
    from layerwise.core.history.baselines import find_baseline
    from layerwise.core.history.left_out import describe_left_out
    from layerwise.core.history.views.kept_answers import KeptAnswers
    from layerwise.core.network.layers import find_end_point
    from layerwise.core.network.representation import NO_TRANSFORM
    from layerwise.report.content import Choice
    from layerwise.report.findings import find_findings

    with open_history(database) as store:
        record = store.find_run(run)
        rows = survey_layers(session_of(context).registry, store, record, transform, output)
        end = find_end_point(store.list_layers(record.id), output)
        left_out = describe_left_out(store.read_statistics(record.id))
        baseline = find_baseline(store, record)
        choice = Choice(transform=None if transform == NO_TRANSFORM else transform, end_point=output)
        history = store if compute else KeptAnswers(store)
        findings = find_findings(session_of(context).registry, history, record, choice)
        scores = _calibrate(session_of(context).registry, store, record, transform, output) if calibrated else {}
    if as_json:
        told: dict[str, Any] = {
            "warnings": list(_warnings(record, rows, left_out)),
            "overview": [vars(row) for row in rows],
        }
        told["end_point"] = None if end is None else end.name
        told["baseline"] = None if baseline is None else baseline.id
        told["findings"] = findings
        if calibrated:
            told["calibrated"] = [vars(one) for one in scores.values()]
        print_json({**run_record(record), "attempts": [attempt_record(each) for each in record.attempts], **told})
        return
    console = stdout_console()
    for line in (*_header(record, baseline), ""):
        console.print(line, markup=False, soft_wrap=True)
    named = (*_HEADS, *(_CALIBRATED if calibrated else ()))
    heads = [head.format(end="output" if end is None else end.name) for head in named]
    cells = [(*_cells(row), *_calibrated_cells(scores, row.layer)) for row in rows]
    console.print(make_table(heads, cells, right=heads[1:]))
    for finding in findings:
        console.print(f"Found: {finding}", markup=False, soft_wrap=True)
    for warning in _warnings(record, rows, left_out):
        console.print(f"Warning: {warning}", markup=False, soft_wrap=True)


def _calibrate(
    registry: Registry, history: HistoryProtocol, run: RunRecord, transform: str, end_point: str | None
) -> dict[str, CalibratedLayer]:
    from layerwise.cli.options.inference_options import CALIBRATION_PERMUTATIONS
    from layerwise.cli.printing.overview import COMPARATOR
    from layerwise.core.analysis.calibration.main_layers import calibrate_main_layers
    from layerwise.core.analysis.measure import find_measure
    from layerwise.core.history.intervals import PermutationPlan

    measure, plan = find_measure(registry, COMPARATOR), PermutationPlan(CALIBRATION_PERMUTATIONS, 0)
    return {one.layer: one for one in calibrate_main_layers(history, run, measure, plan, transform, end_point)}


def _calibrated_cells(scores: Mapping[str, CalibratedLayer], layer: str) -> tuple[str, ...]:
    """The three calibrated numbers of a layer; empty ones of a branch, nothing where none were asked for."""
    if not scores:
        return ()
    found = scores.get(layer)
    return ("", "", "") if found is None else tuple(number(n) for n in (found.to_input, found.to_output, found.step))


def _header(run: RunRecord, baseline: RunRecord | None) -> Iterator[str]:
    from layerwise.core.history.attempts import describe_attempts

    yield f"Run {run.id}: {run.status}"
    n_parameters = f", {count(run.model.n_parameters)} parameters" if run.model.n_parameters else ""
    yield f"Model: {run.model.name} ({run.model.source}){n_parameters}"
    if run.origin == "imported":  # what was assumed of the numbers must be said
        yield f"Imported: {run.model.preprocessing}"
    if run.variant is not None:
        intact = "which is not in this history" if baseline is None else f"{baseline.id[:8]} ({baseline.model.title})"
        yield f"Ablated: {run.variant.described}; beside the intact run {intact}"
    if checkpoint_of(run):
        step = "" if run.step is None else f" (step {run.step})"
        yield f"Checkpoint: {checkpoint_of(run)}{step}"
    yield f"Stimuli: {run.stimuli_name}, {run.n_stimuli} ({run.stimuli_source}; {run.resize})"
    if run.n_landmarks:
        yield f"Landmarks: pairs with the first {run.n_landmarks:,} stimuli, from which everything below follows"
    if run.accuracy:
        accuracy = run.accuracy
        labelled = f"of {accuracy.n_labelled} labelled stimuli"
        yield f"Accuracy: top-1 {accuracy.top1:.3f}, top-5 {accuracy.top5:.3f} {labelled}"
    took = ", ".join(f"{stage} {duration(seconds)}" for stage, seconds in run.timings.items())
    yield f"Started: {run.started_at:%Y-%m-%d %H:%M:%S} UTC" + (f"; {took}" if took else "")
    if run.status == "finished" and run.origin in ("computed", "ablated"):
        yield from describe_costs(_costs(run))
    if "device" in run.host:
        yield f"Computed: on {run.host['device']}, in batches of {run.batch_size}"
    yield f"Command: {run.command}"
    yield from (f"{attempt.capitalize()}: {said}" for attempt, said in describe_attempts(run.attempts))
    if run.tags:
        yield "Tags: " + ", ".join(f"{key}={value}" for key, value in run.tags.items())


def _costs(run: RunRecord) -> RunCosts | None:
    """Those of the attempt that finished it."""
    return run.attempts[-1].costs if run.attempts else None


def _warnings(run: RunRecord, rows: Sequence[LayerOverview], left_out: str) -> Iterator[str]:
    if run.status != "finished":
        yield f"the run is {run.status}" + (f": {run.error}" if run.error else "; the same command goes on")
    for reason in run.skipped:
        yield f"left out: {reason}"
    for row in rows:
        if row.n_constant:
            yield f"{row.layer}: {row.n_constant} stimuli with constant activations, whose correlations are undefined"
    if left_out:
        yield left_out
    doubted = [row.layer for row in rows if row.undetermined]
    if doubted:
        yield f"{', '.join(doubted)}: similarities with ~ are not determined to two digits by the layer's resolution"


_SIMILARITIES = ("input_similarity", "output_similarity", "step_similarity")


def _cells(row: LayerOverview) -> tuple[str, ...]:
    return (
        row.layer,
        count(row.n_features),
        number(row.mean_correlation),
        *(mark(number(getattr(row, name)), name in row.undetermined) for name in _SIMILARITIES),
        number(row.sparseness),
    )

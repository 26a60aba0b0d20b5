"""`layerwise check`: does any layer think otherwise than it did, beyond sampling error?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from layerwise.cli.options.bundling import bundled
from layerwise.cli.options.common import DEFAULT_DATABASE, AsJson, Database, RunName, Selectors, TransformName
from layerwise.cli.options.inference_options import ResamplingSeed
from layerwise.cli.options.measure_options import DEFAULT_COMPARATOR, MeasureOptions, OneComparator
from layerwise.cli.output import make_table, number, print_json, stdout_console
from layerwise.cli.session import open_history, session_of

if TYPE_CHECKING:
    from layerwise.core.analysis.checking.check_run import Check
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.host.registry import Registry

FAILED, UNDECIDED = 1, 3


@dataclass(frozen=True)
class CheckFiles:
    """Files that a check writes."""

    heading: ClassVar[str] = "Files"
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write a JUnit report: a test for each layer.")
    ] = None
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Write a table in Markdown.")
    ] = None
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture", metavar="FILE", help="Draw all layers, and the one that broke: .svg, .png or .pdf."
        ),
    ] = None

    def check(self) -> None:
        """Make sure that they can be written, before any work.

        Raises:
            InputError: If one cannot.
        """
        from layerwise.core.base.writing import check_target
        from layerwise.report.paper.files import check_suffix

        for path in filter(None, (self.junit, self.markdown, self.picture)):
            check_target(path)
        if self.picture is not None:
            check_suffix(self.picture)


@bundled
def check_against_baseline(
    context: typer.Context,
    run: RunName,
    against: Annotated[
        str,
        typer.Option("--against", metavar="BASELINE", help="A run, or a file that `layerwise baseline` has written."),
    ],
    comparator: OneComparator = DEFAULT_COMPARATOR,
    *,
    measuring: MeasureOptions,
    layers: Selectors = None,
    margin: Annotated[
        float,
        typer.Option(
            "--margin", metavar="D", help="How far from perfect agreement a layer may be, in the measure's unit."
        ),
    ] = 0.02,
    alpha: Annotated[
        float, typer.Option("--alpha", metavar="P", help="Chance of a wrong verdict in any layer, at most.")
    ] = 0.05,
    bootstrap: Annotated[int, typer.Option("--bootstrap", metavar="N", help="Resamples of the stimuli.")] = 500,
    seed: ResamplingSeed = 0,
    transform: TransformName = "none",
    allow_undecided: Annotated[
        bool, typer.Option("--allow-undecided", help="Exit with 0 where nothing fails, though some is undecided.")
    ] = False,
    files: CheckFiles,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Test whether any layer thinks otherwise than in a baseline, beyond sampling error.

    Layers pass if they are alike up to the margin, fail if they are not, and are undecided where more stimuli are
    needed to tell; both verdicts are corrected for all layers. Exit code: 0 pass, 1 fail, 3 undecided, 2 wrong call.

    Examples:
        layerwise check latest --against canaries.npz
        layerwise check latest --against 3fa2 --layers main --margin 0.05 --junit check.xml --picture check.svg
    """
    from layerwise.core.analysis.checking.check_run import CheckPlan, check_run
    from layerwise.core.analysis.measure import find_measure
    from layerwise.interchange.baselines.baselines import join_baseline

    registry = session_of(context).registry
    files.check()
    measure = find_measure(registry, comparator, measuring.read_settings(), measuring.metric)
    plan = CheckPlan(margin, alpha, bootstrap, seed, tuple(layers or ()), transform)
    with open_history(database) as store:
        joined, baseline = join_baseline(store, against)
        check = check_run(registry, joined, measure, store.find_run(run), baseline, plan)
        written = _write(check, registry, joined, files, allow_undecided=allow_undecided)
    if as_json:
        print_json(_record(check) | {"written": [str(path) for path in written]})
    else:
        _print(check, written)
    code = {"pass": 0, "fail": FAILED, "undecided": 0 if allow_undecided else UNDECIDED}[check.verdict]
    if code:
        raise typer.Exit(code)


def _write(
    check: Check, registry: Registry, history: HistoryProtocol, files: CheckFiles, *, allow_undecided: bool
) -> list[Path]:
    from layerwise.core.base.writing import replacing
    from layerwise.report.checks.junit import write_junit
    from layerwise.report.checks.picture import draw_check
    from layerwise.report.checks.words import write_markdown

    texts = {}
    if files.junit is not None:
        texts[files.junit] = write_junit(check, allow_undecided=allow_undecided)
    if files.markdown is not None:
        texts[files.markdown] = write_markdown(check)
    for path, text in texts.items():
        with replacing(path) as target:
            target.write_text(text, encoding="utf-8")
    if files.picture is None:
        return list(texts)
    from layerwise.notebook.charts import save

    return [*texts, save(draw_check(check, registry, history), files.picture, width="page")]


def _record(check: Check) -> dict[str, Any]:
    return {
        "verdict": check.verdict,
        "run_id": check.run.id,
        "baseline": check.baseline.id,
        "comparator": check.measure.name,
        "n_stimuli": check.n_stimuli,
        **vars(check.plan),
        "broken": None if check.broken is None else check.broken.layer,
        "layers": [{**vars(item), "change": item.change} for item in check.layers],
        "notes": list(check.notes),
    }


def _print(check: Check, written: list[Path]) -> None:
    from layerwise.cli.options.inference_options import show_interval, show_p
    from layerwise.report.checks.words import headline, how_it_was_checked

    console = stdout_console()
    heads = ("layer", "verdict", check.measure.name, "interval", "p same", "p changed", "stimuli needed")
    rows = [
        (
            item.layer,
            item.verdict,
            number(item.value, 4),
            show_interval(item.low, item.high) or item.reason,
            show_p(item.p_pass),
            show_p(item.p_fail),
            item.n_needed,
        )
        for item in check.layers
    ]
    console.print(make_table(heads, rows, right=(check.measure.name, "p same", "p changed", "stimuli needed")))
    for line in (how_it_was_checked(check), *(f"Note: {note}." for note in check.notes)):
        console.print(line, markup=False, soft_wrap=True)
    for path in written:
        console.print(f"Wrote {path}.", markup=False, soft_wrap=True)
    console.print(headline(check), markup=False, soft_wrap=True)

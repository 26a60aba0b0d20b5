"""`layerwise brain`: a network beside a recording, from the files to the page, the figure and the methods."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerwise.cli.options.bundling import bundled
from layerwise.cli.options.common import COMPLETE_RUNS, DEFAULT_DATABASE, AsJson, Database, Selectors, split_names
from layerwise.cli.options.measure_options import MeasureOptions, OneComparator
from layerwise.cli.output import print_json, stderr_console, stdout_console
from layerwise.cli.printing.beside_table import beside_record, print_beside
from layerwise.cli.session import open_history, session_of

if TYPE_CHECKING:
    from layerwise.core.analysis.recordings.beside import Beside


@bundled
def compare_with_brain(
    context: typer.Context,
    network: Annotated[str, typer.Argument(metavar="RUN", help="The network's run.", autocompletion=COMPLETE_RUNS)],
    recordings: Annotated[
        list[str], typer.Argument(metavar="RECORDING...", help="Files as `import` reads them, or runs of imports.")
    ],
    comparator: OneComparator = "layerwise:rsa-spearman",
    *,
    measuring: MeasureOptions,
    layers: Selectors = None,
    subject_from: Annotated[
        str | None,
        typer.Option("--subject-from", metavar="NAME", help="The descriptor that says whose a matrix is."),
    ] = None,
    layer_from: Annotated[
        list[str] | None, typer.Option("--layer-from", metavar="NAME", help="Descriptors that name the areas.")
    ] = None,
    bootstrap: Annotated[
        int, typer.Option("--bootstrap", metavar="N", min=0, help="Resamples for intervals; 0 for none.")
    ] = 1000,
    permutations: Annotated[
        int, typer.Option("--permutations", metavar="N", min=0, help="Permutations for p-values; 0 for none.")
    ] = 1000,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of all random draws.")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.html", help="Write the page, too.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="FILE", help="Write the figure: .svg, .png or .pdf.")
    ] = None,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Find the layer that each area of a recording is most like, with intervals and corrected p-values.

    A recording of only some of the network's stimuli is compared on these. p is of the best of all layers that were
    searched, corrected for the number of areas; the methods are printed as a paragraph to paste.

    Examples:
        layerwise brain latest V1.mat IT.mat -o brain.html --figure brain.pdf
        layerwise brain latest study.hdf5 --subject-from subject --layer-from roi
    """
    from layerwise.core.analysis.measure import find_measure
    from layerwise.core.analysis.recordings.beside import ask_beside
    from layerwise.core.base.writing import check_target
    from layerwise.core.history.references import find_with_stimuli
    from layerwise.interchange.recordings import find_recordings
    from layerwise.interchange.structure import Structure

    registry = session_of(context).registry
    measure = find_measure(registry, comparator, measuring.read_settings(), measuring.metric)
    for target in filter(None, (output, figure)):
        check_target(target)
    structure = Structure(tuple(split_names(layer_from)), subject_from or "")
    with open_history(database) as store:
        run = find_with_stimuli(store, network)
        found, notes = find_recordings(recordings, run, structure, registry, store, session_of(context).command)
        with stderr_console().status("comparing areas with layers"):
            beside = ask_beside(
                registry,
                store,
                run,
                found,
                measure,
                layers,
                bootstrap=bootstrap,
                permutations=permutations,
                seed=seed,
            )
        written = _write(beside, registry, output, figure, comparator, measuring)
    if as_json:
        print_json(beside_record(beside) | {"written": [str(path) for path in written], "notes": list(notes)})
    else:
        _print(beside, notes, written)


def _write(
    beside: Beside,
    registry: Any,
    output: Path | None,
    figure: Path | None,
    comparator: str,
    measuring: MeasureOptions,
) -> list[Path]:
    """The page and the figure, where they are wanted."""
    from layerwise.report.content import Choice
    from layerwise.report.page import render_report

    choice = Choice(comparator, measuring.read_settings(), measuring.metric)
    runs = [*beside.recordings, beside.network]
    written = []
    if output is not None:
        written.append(render_report(runs, registry, beside.history, output, choice=choice))
    if figure is not None:
        from layerwise.notebook.charts import Asked, draw, save

        asked = Asked(comparator=comparator, settings=choice.settings, metric=choice.metric, registry=registry)
        written.append(save(draw(beside.history, "recordings-matrix", *runs, **asked), figure, width="page"))
    return written


def _print(beside: Beside, notes: Sequence[str], written: Sequence[Path]) -> None:
    from layerwise.interchange.conversion import merge_notes

    console = stdout_console()

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    print_beside(beside)
    for note in filter(None, (beside.remark, *merge_notes(notes))):
        say(f"Note: {note}.")
    say("")
    say(f"Methods: {beside.methods}")
    for reference in beside.references:
        say(f"  {reference}")
    for path in written:
        say(f"Wrote {path}.")

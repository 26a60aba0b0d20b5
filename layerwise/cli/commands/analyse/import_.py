"""`layerwise import`: matrices of another tool, or a recording's, as a run that can be compared with layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from layerwise.cli.options.common import (
    DEFAULT_DATABASE,
    AsJson,
    Database,
    Tags,
    database_option,
    parse_tags,
    program_name,
    split_names,
)
from layerwise.cli.output import print_json, stdout_console
from layerwise.cli.session import open_history, session_of

if TYPE_CHECKING:
    from layerwise.interchange.importing import ImportOutcome

Kind = Literal[
    "auto",
    "activations",
    "similarity",
    "gram",
    "correlation-distance",
    "euclidean",
    "squared-euclidean",
    "distance",
]


def import_files(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help=".npz, .npy, .parquet, .h5, .mat, .csv, .tsv, .json, also of rsatoolbox.",
        ),
    ],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call it; by default the file's name.")
    ] = None,
    stimuli: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|PATH",
            help="The run, folder, manifest or array whose stimuli these are; or a .txt file with their names.",
        ),
    ] = None,
    names: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Names of the stimuli, one a line, in the order of the rows.")
    ] = None,
    stimulus_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The column, array or descriptor of the files that has the names."),
    ] = None,
    layer: Annotated[
        list[str] | None, typer.Option("--layer", metavar="NAME", help="Only this matrix of the files; repeatable.")
    ] = None,
    subject_from: Annotated[
        str | None,
        typer.Option(
            "--subject-from",
            metavar="NAME",
            help="The descriptor that says whose a matrix is, or `file`: a run for each.",
        ),
    ] = None,
    layer_from: Annotated[
        list[str] | None,
        typer.Option("--layer-from", metavar="NAME", help="Descriptors that name the layers: roi, or roi,session."),
    ] = None,
    mean: Annotated[bool, typer.Option("--mean", help="Store the mean over subjects, too, as one more run.")] = False,
    kind: Annotated[
        Kind, typer.Option("--kind", help="What the numbers are; by default what the file says, or its diagonal.")
    ] = "auto",
    first: Annotated[
        str | None, typer.Option("--input", metavar="NAME", help="The layer in the role of the input.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--output", metavar="NAME", help="The layer in the role of the output.")
    ] = None,
    tag: Tags = None,
    force: Annotated[bool, typer.Option("--force", help="Import anew, even where it is stored.")] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Store matrices between stimuli, or activations, as a run: a layer for each.

    With --stimuli their rows are matched by name with those of a run, and can be compared with its layers.

    Examples:
        layerwise import brain.npz --name macaque-it --stimuli latest
        layerwise import rdms.h5 --kind correlation-distance --names photos.txt
        layerwise import rdms.h5 --subject-from subject --layer-from roi --mean --stimuli latest
        layerwise import sub-*.npz --subject-from file --mean --stimuli latest
    """
    from layerwise.cli.progress import watching
    from layerwise.interchange.importing import ImportRequest, execute_import, prepare_import, split_by_subject
    from layerwise.interchange.recordings import prepare_mean
    from layerwise.interchange.structure import Structure

    is_list = stimuli is not None and names is None and Path(stimuli).suffix.lower() == ".txt"
    request = ImportRequest(
        files=tuple(files),
        name=name,
        kind=kind,
        layers=tuple(layer or ()),
        first=first,
        last=last,
        stimuli=None if is_list else stimuli,
        names=Path(stimuli) if is_list and stimuli is not None else names,
        stimulus_column=stimulus_column,
        structure=Structure(tuple(split_names(layer_from)), subject_from or ""),
        tags=parse_tags(tag),
        force=force,
        command=session_of(context).command,
    )
    prepared = [prepare_import(one) for one in split_by_subject(request)]
    if mean:
        prepared.append(prepare_mean(prepared))
    with open_history(database, create=True) as store, watching(quiet=True) as observer:
        outcomes = [execute_import(one, session_of(context).registry, store, observer) for one in prepared]
    if as_json:
        print_json([vars(outcome) for outcome in outcomes] if subject_from else vars(outcomes[0]))
        return
    _tell(outcomes, [one.request.name or "" for one in prepared], database, has_mean=mean)


def _tell(outcomes: Sequence[ImportOutcome], names: Sequence[str], database: str, *, has_mean: bool) -> None:
    from layerwise.interchange.conversion import describe_kind, merge_notes

    console = stdout_console()

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    for outcome, name in zip(outcomes, names, strict=True):
        n_layers = len(outcome.layers)
        whose = f" ({name})" if len(outcomes) > 1 else ""
        extent = f"{n_layers} layer{'' if n_layers == 1 else 's'}, {outcome.n_stimuli} stimuli"
        if outcome.status == "stored":
            say(f"Run {outcome.run_id}{whose}: already imported ({extent}); --force imports it anew.")
        else:
            say(f"Run {outcome.run_id}{whose} imported: {extent}.")
    for kind in dict.fromkeys(kind for outcome in outcomes for kind in outcome.kinds):
        say(f"Taken as {kind}: {describe_kind(kind)}.")
    for note in merge_notes(note for outcome in outcomes for note in outcome.notes):
        say(f"Note: {note}.")
    ids = [outcome.run_id for outcome in (outcomes[:-1] if has_mean else outcomes)]
    follow = f"show {ids[0]}" if len(ids) == 1 else f"ceiling {' '.join(ids)}"
    say(f"Next: {program_name()} {follow}{database_option(database)}")

"""`layerwise run`: analyse a model on a stimulus set, and store what every layer makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import typer

from layerwise.cli.options.bundling import bundled
from layerwise.cli.options.common import (
    DEFAULT_DATABASE,
    AsJson,
    Database,
    Selectors,
    Tags,
    Weights,
    parse_range,
    parse_size,
    parse_tags,
    split_names,
)
from layerwise.cli.options.completing import complete_models, quietly
from layerwise.cli.options.model_options import ModelOptions
from layerwise.cli.session import session_of
from layerwise.core.base.parameters import Setting


@dataclass(frozen=True)
class FilingOptions:
    """The labels under which a run is filed."""

    heading: ClassVar[str] = "What it is filed under"
    checkpoint: Annotated[str | None, typer.Option(metavar="LABEL", help="Label of this checkpoint.")] = None
    step: Annotated[int | None, typer.Option(metavar="K", help="Its training step or epoch.")] = None
    lineage: Annotated[str | None, typer.Option(metavar="NAME", help="The training it belongs to.")] = None
    tag: Tags = None


@dataclass(frozen=True)
class MeansOptions:
    """Who computes, and what may be used for it."""

    heading: ClassVar[str] = "Memory, disk and engine"
    batch_size: Annotated[
        int | None,
        typer.Option("--batch-size", metavar="B", min=1, help="Stimuli per call; by default what suits the device."),
    ] = None
    memory: Annotated[
        str | None, typer.Option("--memory", metavar="SIZE", help="Memory to use; by default half of what is free.")
    ] = None
    spool: Annotated[
        str | None, typer.Option("--spool", metavar="SIZE", help="Disk to use for what does not fit into memory.")
    ] = None
    spool_dir: Annotated[
        Path | None, typer.Option("--spool-dir", metavar="DIR", help="Where; by default the temporary folder.")
    ] = None
    engine: Annotated[str, typer.Option(metavar="NAME", show_default="local", help="Who computes.")] = (
        "layerwise:local"
    )
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDR", help="Of --engine dask: tcp://HOST:PORT; else workers here."),
    ] = None
    shared: Annotated[
        str | None,
        typer.Option("--shared", metavar="URL", help="Of --engine dask: a folder or URL that all workers see."),
    ] = None
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, help="Of --engine dask, without a scheduler: how many."),
    ] = None
    device: Annotated[
        str,
        typer.Option("--device", metavar="D", help="Where the network computes: auto, cpu, or a word such as cuda."),
    ] = "auto"

    @property
    def engine_settings(self) -> dict[str, Setting]:
        """What of this the engine is told."""
        said = {"scheduler": self.scheduler, "shared": self.shared, "workers": self.workers}
        return {name: value for name, value in said.items() if value is not None}


@bundled
def run_analysis(
    context: typer.Context,
    model: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="A model's name or file; or several, or a pattern.",
            autocompletion=quietly(complete_models),
        ),
    ],
    stimuli: Annotated[
        str,
        typer.Option("--stimuli", metavar="PATH", help="A folder of images, a CSV manifest, a .npy or .npz file."),
    ],
    *,
    weights: Weights = None,
    layers: Selectors = None,
    transform: Annotated[
        list[str] | None,
        typer.Option("--transform", metavar="T", help="An activation transform; repeatable, `none` for none."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=2, help="Only the first N stimuli.")
    ] = None,
    landmarks: Annotated[
        int | None,
        typer.Option("--landmarks", metavar="M", min=3, help="Keep pairs with the first M stimuli alone: n x M."),
    ] = None,
    resize: Annotated[
        Literal["squash", "crop"] | None,
        typer.Option("--resize", help="How stimuli are brought to size; by default what the model's authors did."),
    ] = None,
    ablate: Annotated[
        list[str] | None,
        typer.Option("--ablate", metavar="LAYER", help="Silence a layer or branch; repeatable."),
    ] = None,
    ablate_with: Annotated[
        Literal["zero", "mean", "shuffle"],
        typer.Option("--ablate-with", help="What stands in: 0, each unit's mean, or another stimulus's activations."),
    ] = "zero",
    outputs: Annotated[
        Literal["float32", "float16", "none"],
        typer.Option("--outputs", help="How the whole output is kept, if at all."),
    ] = "float32",
    value_range: Annotated[
        str | None,
        typer.Option(
            "--range", metavar="LOW..HIGH", help="Black and white of an array; by default what its values say."
        ),
    ] = None,
    max_pixels: Annotated[
        int | None,
        typer.Option(
            "--max-pixels", metavar="N", min=1, help="Pixels of an image file at most; by default 89478485."
        ),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Go on without stimuli that cannot be decoded.")
    ] = False,
    how: ModelOptions,
    filing: FilingOptions,
    means: MeansOptions,
    force: Annotated[bool, typer.Option("--force", help="Compute anew, even where the answer is stored.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Analyse a model on a stimulus set: one representation per layer, stored as soon as it is finished.

    The same analysis asked for twice is answered from the database; one that was interrupted goes on. Several
    checkpoints, or weights files with a pattern after --weights, become a lineage; names of files say the steps.

    Examples:
        layerwise run googlenet --weights bvlc_googlenet.caffemodel --stimuli photos/ --layers main --layers branches
        layerwise run inception_v3 --stimuli photos.csv --limit 200 --dry-run
        layerwise run epoch-3.keras --stimuli digits.npz --checkpoint epoch-3 --step 3 --lineage digits
        layerwise run 'checkpoints/*.keras' --stimuli digits.npz --lineage digits
        layerwise run googlenet --weights bvlc_googlenet.caffemodel --stimuli photos/ --ablate mixed4d/5x5
    """
    from layerwise.cli.checks import check_file, check_stimuli, check_weights_file
    from layerwise.cli.running import carry_out, show_dry_run
    from layerwise.core.runs.checkpoints import is_several
    from layerwise.core.runs.loading import find_loader
    from layerwise.core.runs.request import RunRequest

    if not (weights and is_several([weights])):
        check_weights_file(weights)
    check_file(how.classes, "--classes")
    check_stimuli(stimuli)
    request = RunRequest(
        model=model[0],
        stimuli=stimuli,
        weights=weights,
        layers=tuple(layers or ("layerwise:main",)),
        transforms=tuple(split_names(transform)),
        limit=limit,
        landmarks=landmarks,
        max_pixels=max_pixels,
        resize=resize,
        skip_bad=skip_bad,
        ablate=tuple(name.strip() for given in ablate or () for name in given.split(",")),
        ablate_with=ablate_with,
        outputs=outputs,
        batch_size=means.batch_size,
        memory=None if means.memory is None else parse_size(means.memory, "--memory"),
        spool=None if means.spool is None else parse_size(means.spool, "--spool"),
        spool_folder=means.spool_dir,
        engine=means.engine,
        engine_settings=means.engine_settings,
        device=means.device,
        checkpoint=filing.checkpoint,
        step=filing.step,
        lineage=filing.lineage,
        tags=parse_tags(filing.tag),
        force=force,
        **how.settings,
        value_range=None if value_range is None else parse_range(value_range),
        command=session_of(context).command,
    )
    registry = session_of(context).registry
    if is_several(model) or (weights and is_several([weights])):
        from layerwise.cli.lineages import carry_out_several

        carry_out_several(request, model, registry, database=database, as_json=as_json, dry_run=dry_run)
        return
    find_loader(registry, model[0])
    if dry_run:
        show_dry_run(request, registry, database=database, as_json=as_json)
        return
    carry_out(request, registry, database=database, as_json=as_json)

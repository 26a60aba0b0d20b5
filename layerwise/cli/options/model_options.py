"""What every command that loads a model is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from layerwise.cli.options.common import AllowUnsafe, Seed


@dataclass(frozen=True)
class ModelOptions:
    """What the loader is told of the model, besides its weights."""

    heading: ClassVar[str] = "The model"
    classes: Annotated[
        str | None, typer.Option("--classes", metavar="FILE", help="Class names, one a line, in the output's order.")
    ] = None
    preprocessing: Annotated[
        str | None,
        typer.Option(
            "--preprocessing",
            metavar="NAME",
            help="What is done to pixels, for model files that do not say: none, unit, tf, caffe, torch, ...",
        ),
    ] = None
    seed: Seed = 0
    allow_unsafe: AllowUnsafe = False

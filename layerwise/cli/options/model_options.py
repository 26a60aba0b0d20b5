"""What every command that loads a model is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import typer

from layerwise.cli.options.common import AllowUnsafe, Seed, parse_feed


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
    output: Annotated[
        str | None,
        typer.Option(
            "--output", metavar="NODE", help="Which tensor counts as the output, where the model has several."
        ),
    ] = None
    feed: Annotated[
        list[str] | None,
        typer.Option(
            "--feed", metavar="K=V", help="A value for an input that is no stimulus: keep_prob=1; repeatable."
        ),
    ] = None
    imports: Annotated[
        list[str] | None,
        typer.Option(
            "--import", metavar="FILE", help="Python to run first, for classes that the model needs; repeatable."
        ),
    ] = None
    seed: Seed = 0
    allow_unsafe: AllowUnsafe = False

    @property
    def settings(self) -> dict[str, Any]:
        """What of this a `RunRequest` and a `LoadRequest` are told alike.

        Raises:
            InputError: If a value to feed is no number.
        """
        return {
            "seed": self.seed,
            "allow_unsafe": self.allow_unsafe,
            "class_names": self.classes,
            "preprocessing": self.preprocessing,
            "output": self.output,
            "feed": parse_feed(self.feed),
            "imports": tuple(self.imports or ()),
        }

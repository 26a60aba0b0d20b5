"""Options that several commands take, and how what is typed for them is understood."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from layerwise.cli.options.completing import complete_layers, complete_runs, quietly
from layerwise.core.base.errors import InputError
from layerwise.core.base.urls import show_database

DEFAULT_DATABASE = "sqlite:///layerwise.db"
RUN_HELP = "A run's id, a unique prefix of one, `latest`, `latest~1`, or NAME@STEP of a training."
RUNS_HELP = (
    "Runs: ids, unique prefixes, `latest`, `latest~1`, a training's NAME or NAME@STEP, a checkpoint's name, "
    "or a tag K=V."
)


def _choose_database(context: typer.Context, value: str) -> str:
    """What stands after the command, else what stands before it, else the environment's or the default."""
    given = getattr(context.find_root().obj, "given_database", None)
    source = context.get_parameter_source("database")
    return given if given is not None and (source is None or source.name != "COMMANDLINE") else value


Database = Annotated[
    str,
    typer.Option(
        "--db",
        envvar="LAYERWISE_DB",
        metavar="URL",
        help="The history: a database URL, or the path of an SQLite file.",
        callback=_choose_database,
    ),
]
DatabaseOption = Database
"""What the option is called for authors of plugins."""
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else there.")]
COMPLETE_RUNS = quietly(complete_runs)
RunName = Annotated[str, typer.Argument(metavar="RUN", help=RUN_HELP, autocompletion=COMPLETE_RUNS)]
RunNames = Annotated[list[str], typer.Argument(metavar="RUN...", help=RUNS_HELP, autocompletion=COMPLETE_RUNS)]
Selectors = Annotated[
    list[str] | None,
    typer.Option(
        "--layers",
        metavar="S",
        help="Which layers: main, branches, all, block:NAME, type:OP, a name or a glob; repeat to add up.",
        autocompletion=quietly(complete_layers),
    ),
]
TransformName = Annotated[
    str, typer.Option("--transform", metavar="T", help="Of the representations under this activation transform.")
]
EndPoint = Annotated[
    str | None,
    typer.Option(
        "--output",
        "--end-point",
        metavar="LAYER",
        help="The layer that counts as the end; by default the logits, without a softmax the output.",
        show_default=False,
    ),
]
EndPointLong = Annotated[
    str | None,
    typer.Option(
        "--end-point",
        metavar="LAYER",
        help="The layer that counts as the end; by default the logits, without a softmax the output.",
        show_default=False,
    ),
]
"""The same where --output is a file."""
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="K=V", help="A tag of the run; repeatable.")]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights", metavar="F", help="A weights file, or a word: `imagenet`, or `none` for random weights."
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of untrained weights.")]
AllowUnsafe = Annotated[bool, typer.Option("--allow-unsafe", help="Let code stored in a model file run.")]

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")
_UNITS = {
    **{"": 1, "b": 1},
    **{unit: 1000**power for power, unit in enumerate(("kb", "mb", "gb", "tb"), start=1)},
    **{unit: 1024**power for power, unit in enumerate(("kib", "mib", "gib", "tib"), start=1)},
}


def program_name() -> str:
    """How this command line is called: `layerwise` where the shell finds it, otherwise as it was typed."""
    typed = Path(sys.argv[0])
    if typed.name != "layerwise" or not typed.exists():
        return "layerwise"
    found = shutil.which("layerwise")
    return "layerwise" if found and Path(found).samefile(typed) else shlex.quote(sys.argv[0])


def database_option(database: str) -> str:
    """The `--db` option that a command printed for the user needs; empty where the default finds the history."""
    if database == os.environ.get("LAYERWISE_DB", DEFAULT_DATABASE):
        return ""
    return f" --db {shlex.quote(show_database(database))}"


def split_names(names: Sequence[str] | None) -> list[str]:
    """The names of an option that is repeated, takes several with commas, or both; each once, in order."""
    parts = (part.strip() for text in names or () for part in text.split(","))
    return list(dict.fromkeys(part for part in parts if part))


Memory = Annotated[
    str | None, typer.Option("--memory", metavar="SIZE", help="Memory to use; by default half of what is free.")
]


def parse_size(text: str, option: str) -> int:
    """Bytes of a size such as `2GiB`, `512MiB`, `1.5GB` or `1000000`.

    Raises:
        InputError: If it is none, or not positive.
    """
    found = _SIZE.fullmatch(text)
    unit = _UNITS.get(found[2].lower()) if found else None
    if found is None or unit is None or float(found[1]) <= 0:
        raise InputError(f"{option} '{text}' is not a size: write for example 2GiB, 512MiB or 1000000")
    return int(float(found[1]) * unit)


def parse_range(text: str) -> tuple[float, float]:
    """Black and white of `--range`, such as `0..1` or `-1..1`.

    Raises:
        InputError: If it is no range.
    """
    try:
        low, high = (float(part) for part in text.split(".."))
    except ValueError as error:
        raise InputError(f"--range '{text}' is not a range: write for example 0..1, -1..1 or 0..65535") from error
    return low, high


def parse_feed(pairs: Sequence[str] | None) -> tuple[tuple[str, float], ...]:
    """The names and numbers of repeated `--feed name=value` options; `true` and `false` are numbers, too.

    Raises:
        InputError: If one has no name or no number, or a name comes twice.
    """
    found: dict[str, float] = {}
    for pair in split_pairs(pairs):
        name, _, value = (part.strip() for part in pair.rpartition("="))
        try:
            number = {"true": 1.0, "false": 0.0}.get(value.lower())
            number = float(value) if number is None else number
        except ValueError:
            name = ""
        if not name:
            raise InputError(f"--feed '{pair}' is not of the form NAME=NUMBER: write for example keep_prob=1")
        if name in found:
            raise InputError(f"--feed gives '{name}' twice")
        found[name] = float(number or 0.0)
    return tuple(found.items())


def split_pairs(pairs: Sequence[str] | None) -> list[str]:
    """The texts K=V of an option that is repeated, takes several with commas, or both; a value may have a comma."""
    return [part for text in pairs or () for part in re.split(r",(?=[^,=]+=)", text)]


def parse_tags(tags: Sequence[str] | None) -> Mapping[str, str]:
    """The mapping that repeated `--tag k=v` options make.

    Raises:
        InputError: If one has no `=` or no key, or a key comes twice.
    """
    found: dict[str, str] = {}
    for tag in split_pairs(tags):
        key, equals, value = tag.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--tag '{tag}' is not of the form key=value")
        if key.strip() in found:
            raise InputError(f"--tag gives '{key.strip()}' twice")
        found[key.strip()] = value.strip()
    return found

"""Options that belong together, as one parameter of a command: a frozen dataclass with a field for each option.

@bundled
def compare_runs(context: typer.Context, runs: RunNames, *, measures: MeasureOptions) -> None: ...

The command line sees an option for every field of `MeasureOptions`, in its place; the command sees one value. Help
shows the options of a bundle under its `heading`, a class variable.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from inspect import Parameter
from typing import Annotated, Any, get_type_hints

Command = Callable[..., None]


def bundled(command: Command) -> Command:
    """A command that takes one keyword for each field of those of its parameters that are dataclasses."""
    signature = inspect.signature(command, eval_str=True)
    parameters = signature.parameters.values()
    bundles: dict[str, Any] = {one.name: one.annotation for one in parameters if is_dataclass(one.annotation)}
    options = {name: list(_options(kind)) for name, kind in bundles.items()}

    @functools.wraps(command)
    def call(**given: Any) -> None:
        for name, kind in bundles.items():
            given[name] = kind(**{option.name: given.pop(option.name) for option in options[name]})
        command(**given)

    flat = [each for one in parameters for each in options.get(one.name, [one.replace(kind=Parameter.KEYWORD_ONLY)])]
    call.__signature__ = signature.replace(parameters=flat)  # type: ignore[attr-defined]
    return call


def _options(kind: Any) -> Iterator[Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        default = Parameter.empty if field.default is MISSING else field.default
        annotation = _under(kind.heading, hints[field.name])
        yield Parameter(field.name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _under(heading: str, hint: Any) -> Any:
    """The annotation of an option that help shows under a heading."""
    option = copy.copy(hint.__metadata__[0])
    option.rich_help_panel = heading
    return Annotated[hint.__origin__, option]

"""Which measures a command line asks for: comparators, their settings, and the metric they compare.

`--with` takes several names, and may come several times. A setting that several comparators are asked with is handed
to those that have it; it is an error if none does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from layerwise.cli.options.common import split_names, split_pairs
from layerwise.cli.options.completing import TAKES_NAMES, complete_comparators, quietly
from layerwise.cli.options.helping import HelpfulCommand
from layerwise.cli.output import make_table, stderr_console, stdout_console
from layerwise.core.base.errors import InputError

if TYPE_CHECKING:
    from layerwise.core.analysis.compute_pairs import Progress as ShowPairs
    from layerwise.core.analysis.measure import Measure
    from layerwise.core.base.parameters import Setting
    from layerwise.core.host.registry import Registry

DEFAULT_COMPARATOR = "layerwise:rsa-pearson"
WITH = "--with"

Comparators = Annotated[
    list[str] | None,
    typer.Option(
        WITH,
        metavar="NAME...",
        help="Comparators, after the runs, with commas or without; `recommended` for four, `all` for every one. "
        "`layerwise plugins --hook comparators` lists them.",
        autocompletion=quietly(complete_comparators),
    ),
]
OneComparator = Annotated[
    str,
    typer.Option(
        WITH,
        metavar="NAME",
        show_default="rsa-pearson",
        help="The comparator that layers are compared with.",
        autocompletion=quietly(complete_comparators),
    ),
]
MetricName = Annotated[
    str | None, typer.Option("--metric", metavar="NAME", help="The metric whose stimulus x stimulus matrices count.")
]


@dataclass(frozen=True)
class MeasureOptions:
    """How the comparators that are asked for are set, and the metric whose matrices they compare."""

    heading: ClassVar[str] = "The measure"
    metric: MetricName = None
    variance: Annotated[
        float | None,
        typer.Option("--variance", metavar="SHARE", help="Share of variance that is kept (svcca, pwcca, ...)."),
    ] = None
    rank: Annotated[
        int | None,
        typer.Option("--rank", metavar="R", help="Number of directions that are kept (svcca, pwcca, ...)."),
    ] = None
    k: Annotated[
        int | None, typer.Option("--k", metavar="K", help="Number of neighbours (mutual-knn, jaccard, ...).")
    ] = None
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any parameter of a comparator; repeatable."),
    ] = None

    def read_settings(self) -> dict[str, Setting]:
        """The settings that the options make.

        Raises:
            InputError: If a `--set` is not of the form name=value, or one comes twice.
        """
        named: list[tuple[str, Setting | None]] = [("variance", self.variance), ("rank", self.rank), ("k", self.k)]
        for text in split_pairs(self.settings):
            name, equals, value = (part.strip() for part in text.partition("="))
            if not (equals and name and value):
                raise InputError(f"--set '{text}' is not of the form name=value")
            named.append((name, value))
        settings: dict[str, Setting] = {}
        for parameter, given in named:
            if given is not None and parameter in settings:
                raise InputError(f"'{parameter}' is set twice")
            if given is not None:
                settings[parameter] = given
        return settings

    def find(self, registry: Registry, names: Sequence[str]) -> list[Measure]:
        """The measures that are asked for, each with the settings that it has.

        Raises:
            InputError: If there is no such comparator, or a setting or the metric is of no use to any of them.
        """
        from layerwise.core.analysis.choose import find_measures

        return find_measures(registry, split_names(names), self.read_settings(), self.metric)


class SeveralNames(HelpfulCommand):
    """A command whose `--with` takes every name that follows it, once the runs have been named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each of its names, which the parser then understands."""
        takes_value = {
            word
            for param in self.params
            if not getattr(param, "is_flag", False)
            for word in getattr(param, "opts", ())
        }
        ctx.meta[TAKES_NAMES] = repeat_option([*args, WITH[2:]], WITH, takes_value)[-2:] == [WITH, WITH[2:]]
        return super().parse_args(ctx, repeat_option(args, WITH, takes_value))


def repeat_option(arguments: Sequence[str], option: str, takes_value: set[str]) -> list[str]:
    """`run --with a b c` as `run --with a --with b --with c`; before the first run it takes one name only."""
    repeated: list[str] = []
    has_run = is_open = False
    words = iter(arguments)
    for word in words:
        if word == "--":
            return [*repeated, word, *words]
        if word.startswith("-") and len(word) > 1:
            repeated.append(word)
            is_open = has_run and word.partition("=")[0] == option
            if word in takes_value:
                repeated += [value for value in [next(words, None)] if value is not None]
        elif is_open:
            repeated += [option, word]
        else:
            repeated.append(word)
            has_run = True
    return repeated


@contextmanager
def show_progress(*, quiet: bool) -> Iterator[Callable[[str], ShowPairs | None]]:
    """A function that starts a measure's bar and gives what moves it; bars are shown on a terminal only."""
    console = stderr_console()
    if quiet or not console.is_terminal:
        yield _show_nothing
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:

        def start(name: str) -> ShowPairs:
            task = bars.add_task(name, total=None)
            return lambda done, total: bars.update(task, completed=done, total=total)

        yield start


def _show_nothing(name: str) -> None:
    del name


def print_comparators(registry: Registry) -> None:
    """A line for each comparator: range, symmetry, parameters, what it is."""
    from layerwise.core.host.kinds import Comparator, MetricComparator

    rows = []
    for offer in registry.all(Comparator):
        comparator = offer.offer
        parameters = [f"{parameter.name}={parameter.default}" for parameter in comparator.parameters]
        if isinstance(comparator, MetricComparator):
            parameters.insert(0, f"metric={comparator.metric.name}")
        asymmetric = "" if comparator.symmetric else ", row to column"
        about = (_range(comparator.value_range), f"{comparator.kind}{asymmetric}", " ".join(parameters))
        rows.append((offer.name, *about, comparator.description, offer.distribution))
    stdout_console().print(make_table(("name", "range", "kind", "parameters", "what it is", "from"), rows))


def _range(bounds: tuple[float | None, float | None]) -> str:
    low, high = bounds
    return f"{'-inf' if low is None else f'{low:.4g}'} to {'inf' if high is None else f'{high:.4g}'}"

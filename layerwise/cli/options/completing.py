"""What a shell offers when Tab is pressed: runs, layers, measures, figures, models, hooks.

All of it is read from the history and from what plugins declare. A completer never fails and prints nothing: where
something cannot be read it offers nothing, and the shell completes files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from layerwise.core.base.errors import LayerwiseError

if TYPE_CHECKING:
    from layerwise.core.history.records import RunRecord
    from layerwise.core.host.registry import Registry
    from layerwise.storage import OpenHistory

Found = list[tuple[str, str]]
Completer = Callable[[typer.Context, str], Found]
COMPLETE = "_LAYERWISE_COMPLETE"
"""Where a shell says that it asks for completions, and how it wants them."""
TAKES_NAMES = "layerwise.takes_names"
"""Where a command line says that its next word is one more comparator after `--with`."""
_N_RUNS = 200
_DEFAULT_PLACE = "layerwise.db"
_SELECTORS = (("main", "the main layers"), ("branches", "the branches of all blocks"), ("all", "every layer"))


def words_to_complete() -> list[str] | None:
    """The words of the line that a shell wants to be completed, less the program's name; None where none does."""
    if COMPLETE not in os.environ:
        return None
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")
    return line.split()[1:]


def complete_runs(context: typer.Context, incomplete: str) -> Found:
    """Ids, `latest`, and the lineages with their checkpoints; what was typed already is not offered again."""
    if context.meta.get(TAKES_NAMES):
        return complete_comparators(context, incomplete)
    with _history_of(context) as history:
        if history is None:
            return []
        from layerwise.core.history.records import RunFilter

        runs = history.list_runs(RunFilter(limit=_N_RUNS))
        found = [("latest", "the newest finished run")] if runs else []
        trained = [run for run in runs if run.lineage and run.step is not None]
        steps = [(f"{run.lineage}@{run.step}", _describe(run)) for run in trained]
        found += [*((run.id, _describe(run)) for run in runs), *steps]
        if "runs" in context.params:
            found += [(f"lineage:{name}", "all its checkpoints") for name in history.count_values("lineage")]
    given = _as_list(context.params.get("runs"))
    return [(name, words) for name, words in found if name.startswith(incomplete) and name not in given]


def complete_layers(context: typer.Context, incomplete: str) -> Found:
    """Selectors, and the layers of the run that is named, or of the latest; also after a comma."""
    found = list(_SELECTORS)
    if "model" not in context.params:
        with _history_of(context) as history:
            if history is not None:
                from layerwise.core.history.references import find_runs

                named = _as_list(context.params.get("runs")) or _as_list(context.params.get("run")) or ["latest"]
                (run, *_) = find_runs(history, named[:1])
                found += [(layer.name, layer.op) for layer in history.list_layers(run.id)]
    return _complete_last(found, incomplete)


def complete_layer(context: typer.Context, incomplete: str) -> Found:
    """One layer of the run that is named, or of the latest."""
    selectors = dict(_SELECTORS)
    return [(name, words) for name, words in complete_layers(context, incomplete) if name not in selectors]


def complete_comparators(context: typer.Context, incomplete: str) -> Found:
    """Comparators; also after a comma."""
    from layerwise.core.host.kinds import Comparator

    offers = _registry_of(context).all(Comparator)
    return _complete_last([(offer.name, offer.offer.description) for offer in offers], incomplete)


def complete_figures(context: typer.Context, incomplete: str) -> Found:
    """Names of figures."""
    from layerwise.report.by_name import list_figures

    figures = list_figures(_registry_of(context)).figures
    return [(one.figure.name, one.figure.description) for one in figures if one.figure.name.startswith(incomplete)]


def complete_models(context: typer.Context, incomplete: str) -> Found:
    """Models that are known by name; files are the shell's affair."""
    from layerwise.core.runs.loading import known_models

    return [(name, "") for name in known_models(_registry_of(context)) if incomplete and name.startswith(incomplete)]


def complete_hooks(ctx: typer.Context, incomplete: str) -> Found:
    """What a new plugin can offer; also after a comma."""
    from layerwise.cli.scaffold.parts import PARTS

    del ctx
    return _complete_last([(part.word, part.what) for part in PARTS], incomplete)


def quietly(complete: Completer) -> Completer:
    """A completer that offers nothing where something goes wrong, since nobody would see an error."""

    def answer(ctx: typer.Context, incomplete: str) -> Found:
        try:
            return complete(ctx, incomplete)
        except (LayerwiseError, OSError):
            return []

    return answer


@contextmanager
def _history_of(context: typer.Context) -> Iterator[OpenHistory | None]:
    """The history that the line means; None where there is none."""
    from layerwise.cli.session import database_url, open_history
    from layerwise.storage import check_place

    source = context.get_parameter_source("database")
    before = context.find_root().params.get("database")
    place = before if before and (source is None or source.name != "COMMANDLINE") else context.params.get("database")
    place = place or os.environ.get("LAYERWISE_DB") or _DEFAULT_PLACE
    if not check_place(database_url(place)):
        yield None
        return
    with open_history(place, read_only=True) as history:
        yield history


def _registry_of(context: typer.Context) -> Registry:
    from layerwise.cli.session import session_of

    registry = session_of(context).registry
    registry.warns = False
    return registry


def _complete_last(found: Sequence[tuple[str, str]], incomplete: str) -> Found:
    """What may follow the last comma of a list, with what stands before it; names in the list are not repeated."""
    before, comma, last = incomplete.rpartition(",")
    there = before.split(",")
    return [(f"{before}{comma}{name}", words) for name, words in found if name.startswith(last) and name not in there]


def _as_list(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(item) for item in value] if isinstance(value, list | tuple) else []


def _describe(run: RunRecord) -> str:
    return f"{run.model.name}, {run.n_stimuli} stimuli of {run.stimuli_name}"

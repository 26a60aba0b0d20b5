"""Which runs are shown, in which order: everything that the address of the first page can ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from layerwise.cli.commands.ask.runs import checkpoint_of
from layerwise.core.base.errors import InputError
from layerwise.core.history.records import RunRecord

PAGE_SIZE = 100
FACETS: Mapping[str, Callable[[RunRecord], str | None]] = {
    "model": lambda run: run.model.name,
    "stimuli": lambda run: run.stimuli_name,
    "lineage": lambda run: run.lineage,
    "status": lambda run: run.status,
}
COLUMNS: Mapping[str, Callable[[RunRecord], Any]] = {
    "run": lambda run: run.id,
    "model": lambda run: run.model.name.casefold(),
    "checkpoint": lambda run: (run.lineage or "", run.step if run.step is not None else -1, checkpoint_of(run)),
    "stimuli": lambda run: run.stimuli_name.casefold(),
    "n": lambda run: run.n_stimuli,
    "layers": lambda run: run.n_layers,
    "status": lambda run: run.status,
    "top-1": lambda run: run.accuracy.top1 if run.accuracy else None,
    "started": lambda run: run.started_at,
}


@dataclass(frozen=True)
class Wish:
    """What a visitor wants to see.

    Attributes:
        words: All must be found in a run: at the beginning of its id, or in its model, stimuli, checkpoint,
            lineage, status, tags or command.
        facets: Exact values of facets.
        sort: A column.
        descending: Whether its largest value comes first.
        page: From 1.
    """

    words: str = ""
    facets: tuple[tuple[str, str], ...] = ()
    sort: str = "started"
    descending: bool = True
    page: int = 1

    @property
    def address(self) -> str:
        """The query part of the address that asks for this; empty for the start."""
        asked = [("q", self.words), *self.facets]
        if (self.sort, self.descending) != ("started", True):
            asked += [("sort", self.sort), ("order", "descending" if self.descending else "ascending")]
        if self.page > 1:
            asked.append(("page", str(self.page)))
        return urlencode([(name, value) for name, value in asked if value])

    def at_page(self, page: int) -> Wish:
        """The same, on another page."""
        return replace(self, page=page)

    def sorted_by(self, column: str) -> Wish:
        """The same, sorted by this column; the other way round where it already is."""
        return replace(self, sort=column, descending=not self.descending if column == self.sort else False, page=1)


@dataclass(frozen=True)
class Listing:
    """One page of runs.

    Attributes:
        wish: What was asked for.
        runs: The runs on this page.
        n_found: How many runs there are on all pages.
        n_runs: How many there are in the history.
        choices: For each facet its values, with the number of runs that the other wishes leave.
    """

    wish: Wish
    runs: tuple[RunRecord, ...]
    n_found: int
    n_runs: int
    choices: Mapping[str, tuple[tuple[str, int], ...]]

    @property
    def n_pages(self) -> int:
        """How many pages; at least one."""
        return max(1, -(-self.n_found // PAGE_SIZE))


def read_wish(parameters: Mapping[str, str]) -> Wish:
    """The wish that an address makes.

    Raises:
        InputError: If there is no such column or page.
    """
    sort = parameters.get("sort", "started")
    if sort not in COLUMNS:
        raise InputError(f"runs cannot be sorted by '{sort}'; columns are {', '.join(COLUMNS)}")
    page = parameters.get("page", "1")
    if not page.isascii() or not page.isdigit() or int(page) < 1:
        raise InputError(f"there is no page '{page}'")
    facets = tuple((name, parameters[name]) for name in FACETS if parameters.get(name))
    order = parameters.get("order", "descending" if sort == "started" else "ascending")
    return Wish(parameters.get("q", "").strip(), facets, sort, order == "descending", int(page))


def list_matching(runs: Sequence[RunRecord], wish: Wish) -> Listing:
    """The page of runs that the wish asks for; a page after the last one is the last one."""
    worded = [run for run in runs if _has_words(run, wish.words)]
    found = [run for run in worded if _in_facets(run, wish.facets)]
    choices = {
        name: _count_values(worded, name, [facet for facet in wish.facets if facet[0] != name]) for name in FACETS
    }
    ordered = sort_runs(found, wish.sort, descending=wish.descending)
    listing = Listing(wish, (), len(found), len(runs), choices)
    page = min(wish.page, listing.n_pages)
    shown = ordered[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    return replace(listing, wish=replace(wish, page=page), runs=tuple(shown))


def sort_runs(runs: Iterable[RunRecord], column: str, *, descending: bool) -> list[RunRecord]:
    """Runs by a column; those without a value come last either way, equals stay as they were."""
    value = COLUMNS[column]
    valued: list[RunRecord] = []
    rest: list[RunRecord] = []
    for run in runs:
        (rest if value(run) is None else valued).append(run)
    return sorted(valued, key=value, reverse=descending) + rest


def _has_words(run: RunRecord, words: str) -> bool:
    if not words:
        return True
    named = (run.model.name, run.stimuli_name, checkpoint_of(run), run.lineage or "", run.status, run.command)
    text = " ".join((*named, *(f"{key}={value}" for key, value in run.tags.items()))).casefold()
    return all(word in text or run.id.startswith(word) for word in words.casefold().split())


def _in_facets(run: RunRecord, facets: Iterable[tuple[str, str]]) -> bool:
    return all(FACETS[name](run) == value for name, value in facets)


def _count_values(
    runs: Iterable[RunRecord], facet: str, others: Sequence[tuple[str, str]]
) -> tuple[tuple[str, int], ...]:
    counts: dict[str, int] = {}
    for run in runs:
        value = FACETS[facet](run)
        if value and _in_facets(run, others):
            counts[value] = counts.get(value, 0) + 1
    return tuple(sorted(counts.items(), key=lambda item: item[0].casefold()))

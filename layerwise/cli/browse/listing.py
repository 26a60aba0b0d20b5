"""Which runs are shown, in which order: everything that the address of the first page can ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlencode

from layerwise.core.base.errors import InputError
from layerwise.core.history.records import RunField, RunFilter, RunOrder, RunRecord

if TYPE_CHECKING:
    from layerwise.core.history.protocols import HistoryProtocol

PAGE_SIZE = 100
FACETS: tuple[RunField, ...] = get_args(RunField)
COLUMNS: Mapping[str, RunOrder] = {
    "run": "id",
    "model": "model",
    "checkpoint": "checkpoint",
    "stimuli": "stimuli",
    "n": "n_stimuli",
    "layers": "n_layers",
    "status": "status",
    "top-1": "top1",
    "started": "started",
}
"""The columns of the list, and what each orders runs by."""


@dataclass(frozen=True)
class Wish:
    """What a visitor wants to see.

    Attributes:
        words: What is looked for, as `RunFilter.words` says.
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

    @property
    def where(self) -> RunFilter:
        """The same as a filter, all pages of it."""
        facets: dict[str, Any] = dict(self.facets)
        return RunFilter(words=self.words, order=COLUMNS[self.sort], descending=self.descending, **facets)

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


def list_matching(history: HistoryProtocol, wish: Wish) -> Listing:
    """The page of runs that the wish asks for; a page after the last one is the last one."""
    where = wish.where
    listing = Listing(wish, (), history.count_runs(where), history.count_runs(), _count_choices(history, where))
    page = min(wish.page, listing.n_pages)
    shown = history.list_runs(replace(where, limit=PAGE_SIZE, offset=(page - 1) * PAGE_SIZE))
    return replace(listing, wish=replace(wish, page=page), runs=tuple(shown))


def list_others(history: HistoryProtocol, run: RunRecord, most: int) -> tuple[list[RunRecord], int]:
    """Other runs on the same stimuli, and how many there are: first those of the same training, then the same model.

    Args:
        history: Where they are.
        run: The run that they can be compared with.
        most: How many are wanted.
    """
    same = RunFilter(fingerprint=run.stimuli_fingerprint, with_layers=True, limit=most + 1)
    nearer = [replace(same, lineage=run.lineage)] if run.lineage else []
    found: dict[str, RunRecord] = {}
    for where in (*nearer, replace(same, model=run.model.name), same):
        if len(found) <= most:
            found |= {other.id: other for other in history.list_runs(where) if other.id not in found}
    found.pop(run.id, None)
    return list(found.values())[:most], history.count_runs(same) - bool(run.n_layers)


def _count_choices(history: HistoryProtocol, where: RunFilter) -> dict[str, tuple[tuple[str, int], ...]]:
    choices: dict[str, tuple[tuple[str, int], ...]] = {}
    for field in FACETS:
        free: dict[str, Any] = {field: None}
        counted = history.count_values(field, replace(where, **free)).items()
        choices[field] = tuple(sorted((item for item in counted if item[0]), key=lambda item: item[0].casefold()))
    return choices

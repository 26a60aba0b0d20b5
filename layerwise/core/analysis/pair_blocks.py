"""Which layers are compared with which at a time: pairs as rectangles of rows and columns, cut to size."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item", bound=Hashable)
Rectangle = tuple[Sequence[Item], Sequence[Item]]


def rank_items(pairs: Iterable[tuple[Item, Item]]) -> list[Item]:
    """All that are in these pairs, those with most partners first.

    What has many partners is worth keeping while the others come and go: one new layer among sixty old ones is held
    once, instead of being fetched again for each block of the sixty.
    """
    partners: dict[Item, set[Item]] = {}
    for first, second in pairs:
        partners.setdefault(first, set()).add(second)
        partners.setdefault(second, set()).add(first)
    return sorted(partners, key=lambda item: -len(partners[item]))


def cover_pairs(pairs: Iterable[tuple[Item, Item]], *, symmetric: bool) -> Iterator[Rectangle[Item]]:
    """Rectangles that hold all of these pairs and no others, the largest first.

    Comparators compare rows x columns in one go. The smallest rectangle around a few missing pairs may be the whole
    matrix (one new layer in the middle of sixty), so that 3,600 values would be computed for 60.

    Args:
        pairs: What is to be covered.
        symmetric: Whether a pair in the other order is the same; then each is covered in one of the two orders.
    """
    left: dict[Item, dict[Item, None]] = {}  # for each row its columns, in the order asked for
    for first, second in pairs:
        left.setdefault(first, {})[second] = None
        if symmetric:
            left.setdefault(second, {})[first] = None
    while left:
        alike: dict[frozenset[Item], list[Item]] = {}
        for row, columns in left.items():
            alike.setdefault(frozenset(columns), []).append(row)
        _, rows = max(alike.items(), key=lambda found: len(found[0]) * len(found[1]))
        chosen = list(left[rows[0]])
        yield rows, chosen
        _remove(left, rows, chosen)
        if symmetric:
            _remove(left, chosen, rows)


def _remove(left: dict[Item, dict[Item, None]], rows: Iterable[Item], columns: Sequence[Item]) -> None:
    for row in rows:
        rest = left.get(row, {})
        for column in columns:
            rest.pop(column, None)
        if not rest:
            left.pop(row, None)


def cut_rectangle(rows: Sequence[Item], columns: Sequence[Item], n_most: int) -> Iterator[Rectangle[Item]]:
    """The same rectangle in pieces that have at most so many rows and columns together, or one of each."""
    if rows == columns and len(rows) <= n_most:  # the same ones on both sides are there once
        yield rows, columns
        return
    half = max(1, n_most // 2)
    n_rows = half if rows == columns else min(len(rows), max(half, n_most - len(columns)))
    n_columns = half if rows == columns else max(1, n_most - n_rows)
    for top in range(0, len(rows), n_rows):
        for start in range(0, len(columns), n_columns):
            yield rows[top : top + n_rows], columns[start : start + n_columns]

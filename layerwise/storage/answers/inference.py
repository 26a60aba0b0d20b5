"""What says how sure a comparison is, kept beside it: intervals, and permutation tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from layerwise.core.base.provider import Provider
from layerwise.storage.answers.pairs import Pair, read_pairs
from layerwise.storage.answers.results import representation_ids
from layerwise.storage.connect import Database
from layerwise.storage.rows import provider_columns, provider_key, replace_rows
from layerwise.storage.schema import intervals, permutation_tests

if TYPE_CHECKING:
    from layerwise.core.history.intervals import ComparisonInterval, ComparisonTest, IntervalPlan, PermutationPlan


class InferenceStore:
    """The part of `History` that keeps intervals and tests."""

    _database: Database

    def read_intervals(
        self, comparator: Provider, plan: IntervalPlan, run_ids: Sequence[str]
    ) -> list[ComparisonInterval]:
        """Stored intervals by this comparator, made in this way, among the layers of these runs."""
        from layerwise.core.history.intervals import ComparisonInterval

        with self._database.read() as connection:
            rows = _read(connection, intervals, ("low", "high", "reason"), comparator, plan, run_ids)
        return [ComparisonInterval(comparator, first, second, *rest) for first, second, rest in rows]

    def save_intervals(self, plan: IntervalPlan, found: Sequence[ComparisonInterval]) -> None:
        """Keep intervals made in this way; those of the same comparator and pair are replaced.

        Raises:
            InputError: If a layer that was compared is not stored.
        """
        with self._database.write(exclusive=True) as connection:
            values = [{"low": item.low, "high": item.high, "reason": item.reason} for item in found]
            _save(connection, intervals, plan, found, values)

    def read_tests(self, comparator: Provider, plan: PermutationPlan, run_ids: Sequence[str]) -> list[ComparisonTest]:
        """Stored permutation tests by this comparator, made in this way, among the layers of these runs."""
        from layerwise.core.history.intervals import ComparisonTest

        with self._database.read() as connection:
            rows = _read(connection, permutation_tests, ("p", "reason"), comparator, plan, run_ids)
        return [ComparisonTest(comparator, first, second, *rest) for first, second, rest in rows]

    def save_tests(self, plan: PermutationPlan, found: Sequence[ComparisonTest]) -> None:
        """Keep permutation tests made in this way; those of the same comparator and pair are replaced.

        Raises:
            InputError: If a layer that was compared is not stored.
        """
        with self._database.write(exclusive=True) as connection:
            values = [{"p": item.p, "reason": item.reason} for item in found]
            _save(connection, permutation_tests, plan, found, values)


def _read(
    connection: sa.Connection,
    table: sa.Table,
    names: Sequence[str],
    comparator: Provider,
    plan: IntervalPlan | PermutationPlan,
    run_ids: Sequence[str],
) -> list[Pair]:
    """The two layers of each row made by this comparator in this way, and the columns of these names."""
    key = provider_key("comparator", comparator) | _plan(plan)
    return read_pairs(connection, table, key, run_ids, names)


def _save(
    connection: sa.Connection,
    table: sa.Table,
    plan: IntervalPlan | PermutationPlan,
    found: Sequence[ComparisonInterval | ComparisonTest],
    values: Sequence[Mapping[str, Any]],
) -> None:
    if not found:
        return
    ids = representation_ids(connection, [end for item in found for end in (item.first, item.second)])
    how = _plan(plan)
    made = [
        {
            **provider_columns("comparator", item.comparator),
            "first_id": ids[item.first],
            "second_id": ids[item.second],
            **how,
            **cells,
        }
        for item, cells in zip(found, values, strict=True)
    ]
    replace_rows(connection, table, made)


def _plan(plan: IntervalPlan | PermutationPlan) -> dict[str, Any]:
    return dataclasses.asdict(plan)

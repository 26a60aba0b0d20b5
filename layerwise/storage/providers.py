"""Who computed what is stored: so that a history whose plugins are gone can say which distribution they came from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from layerwise.core.base.parameters import NO_PARAMETERS
from layerwise.core.host.discovery import HOST, normal_name
from layerwise.storage.connect import Database
from layerwise.storage.schema import (
    attempts,
    comparisons,
    intervals,
    layers,
    models,
    orderings,
    permutation_tests,
    profiles,
    representations,
    runs,
    statistics,
    weight_statistics,
)

Maker = tuple[str, str]
_LOADED = re.compile(r".+ \((?P<distribution>.+) (?P<version>\S+)\)")  # as a run lists its plugins
_COLUMNS: dict[str, tuple[tuple[sa.Column[str], sa.Column[str]], ...]] = {
    "comparators": tuple(
        (table.c.comparator_name, table.c.comparator_version)
        for table in (comparisons, profiles, intervals, permutation_tests)
    ),
    "reorderers": ((orderings.c.reorderer_name, orderings.c.reorderer_version),),
    "statistics": (
        (statistics.c.provider_name, statistics.c.provider_version),
        (weight_statistics.c.provider_name, weight_statistics.c.provider_version),
    ),
    "engines": ((runs.c.engine_name, runs.c.engine_version),),
}
"""By hook, the columns that hold `distribution:name` and its version."""

_COUNTED = {
    "comparisons": comparisons.c.comparator_name,
    "profiles": profiles.c.comparator_name,
    "intervals": intervals.c.comparator_name,
    "tests": permutation_tests.c.comparator_name,
    "orderings": orderings.c.reorderer_name,
    "statistics of layers": statistics.c.provider_name,
    "statistics of weights": weight_statistics.c.provider_name,
    "runs of models it loaded": runs.c.loader_name,
    "runs it streamed": runs.c.engine_name,
}


class ProviderSearch:
    """Questions about who computed what is stored."""

    _database: Database

    def find_makers(self, hook: str, name: str) -> list[Maker]:
        """The distributions, with versions, by whose offer of a name results were computed; newest version last.

        Args:
            hook: The hook of such offers, such as `comparators`.
            name: Bare or qualified name; of a model loader, what it was asked to load.
        """
        with self._database.read() as connection:
            if hook == "transforms":
                found = _makers_of_transform(connection, name)
            elif hook == "metrics":
                found = _named(_metrics(connection), name)
            elif hook == "model_loaders":
                found = [_split(*row) for row in connection.execute(_loaders_of(name))]
            else:
                found = _named(_read_pairs(connection, _COLUMNS.get(hook, ())), name)
        newest = dict(sorted(found))
        return list(newest.items())

    def count_results(self, distribution: str) -> dict[str, int]:
        """How many stored results of each kind a distribution's plugins computed; kinds without any are left out."""
        counts: dict[str, int] = {}
        with self._database.read() as connection:
            for kind, column in _COUNTED.items():
                grouped = sa.select(column, sa.func.count()).group_by(column)
                for name, n_results in connection.execute(grouped):
                    if normal_name(name.partition(":")[0]) == normal_name(distribution):
                        counts[kind] = counts.get(kind, 0) + n_results
        return counts


def _read_pairs(
    connection: sa.Connection, columns: Iterable[tuple[sa.Column[str], sa.Column[str]]]
) -> Iterator[tuple[str, str]]:
    for name, version in columns:
        for row in connection.execute(sa.select(name, version).distinct()):
            yield row[0], row[1]


def _named(pairs: Iterable[tuple[str, str]], name: str) -> list[Maker]:
    """The makers of what has this name, bare or qualified."""
    return [_split(found, version) for found, version in pairs if name in (found, found.partition(":")[2])]


def _split(qualified: str, version: str) -> Maker:
    return qualified.partition(":")[0], version.partition(", ")[0]


def _metrics(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    """`distribution:name` and version of the metrics that were asked for; they are among the settings."""
    for table, kind in ((comparisons, "comparator"), (orderings, "reorderer"), (profiles, "comparator")):
        columns = (table.c.parameters, table.c[f"{kind}_version"])
        for text, versions in connection.execute(sa.select(*columns).where(columns[0] != NO_PARAMETERS).distinct()):
            name = str(json.loads(text).get("metric", "")).rpartition(" ")[0]
            own, _, other = versions.partition(", ")  # of the comparator, and of the metric where it is another's
            if name:
                yield name, other.rpartition(" ")[2] or own


def _loaders_of(model: str) -> sa.Select[Any]:
    chosen = sa.select(runs.c.loader_name, runs.c.loader_version).join(models, models.c.id == runs.c.model_id)
    typed = runs.c.command.contains(f" {model} ", autoescape=True)
    return chosen.where(sa.or_(models.c.name == model, typed)).distinct()


def _makers_of_transform(connection: sa.Connection, name: str) -> list[Maker]:
    """A run keeps a transform's bare name; it came from one of the plugins that the run lists."""
    chosen = sa.select(attempts.c.plugins).join(layers, layers.c.run_id == attempts.c.run_id)
    chosen = chosen.join(representations, representations.c.layer_id == layers.c.id)
    found: set[Maker] = set()
    for (loaded,) in connection.execute(chosen.where(representations.c.transform == name.rpartition(":")[2])):
        listed = (_LOADED.fullmatch(plugin) for plugin in loaded)
        found |= {(plugin["distribution"], plugin["version"]) for plugin in listed if plugin}
    return [maker for maker in found if normal_name(maker[0]) != HOST]

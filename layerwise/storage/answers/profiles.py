"""What is computed from stored representations and kept beside comparisons: profiles, and statistics added later."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.core.history.records import LayerStatistic
from layerwise.storage.checking.soundness import check_row, check_rows
from layerwise.storage.connect import Database
from layerwise.storage.rows import provider_key
from layerwise.storage.schema import layers, profile_intervals, profile_layers, profiles, representations, statistics
from layerwise.storage.schema.checksums import ROW_CHECKSUM, checksum_row
from layerwise.storage.tiles import encode_vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from layerwise.core.history.intervals import Interval, IntervalPlan
    from layerwise.core.history.profiles import Profile, ProfileIntervals, ProfileKey


class ProfileStore:
    """The part of `History` that keeps profiles, and adds statistics to what is stored."""

    _database: Database

    def read_profile(self, key: ProfileKey) -> Profile | None:
        """The kept profile, None where there is none of the present definition."""
        from layerwise.core.history.profiles import Crossing, Profile

        with self._database.read() as connection:
            head = connection.execute(sa.select(profiles).filter_by(**_columns(key))).mappings().one_or_none()
            if head is None:
                return None
            chosen = sa.select(profile_layers).where(profile_layers.c.profile_id == head["id"])
            check_row(connection, profiles, head)
            rows = connection.execute(chosen.order_by(profile_layers.c.position)).mappings().all()
            check_rows(connection, profile_layers, rows)
        vectors = {name: _vector(row[name] for row in rows) for name in _CURVES}
        return Profile(
            layers=tuple(row["layer"] for row in rows),
            kind=head["kind"],
            to_input=vectors["to_input"],
            to_output=vectors["to_output"],
            steps=vectors["step"],
            shares=vectors["share"],
            smoothness=head["smoothness"],
            crossings=tuple(Crossing(*crossing) for crossing in head["crossings"]),
            reason=head["reason"],
            end_point=head["end_point"],
        )

    def save_profile(self, key: ProfileKey, profile: Profile) -> None:
        """Keep a profile; one of the same key is replaced."""
        first = profile.crossings[0] if profile.crossings else None
        values = _columns(key) | {
            "comparator_version": key.comparator.version,
            "kind": profile.kind,
            "n_layers": len(profile.layers),
            "total": profile.total,
            "smoothness": profile.smoothness,
            "effective_steps": profile.effective_steps,
            "crossing": None if first is None else first.depth,
            "crossing_after": None if first is None else first.after,
            "crossing_before": None if first is None else first.before,
            "crossings": [[crossing.depth, crossing.after, crossing.before] for crossing in profile.crossings],
            "n_crossings": len(profile.crossings),
            "reason": profile.reason,
        }
        with self._database.write(exclusive=True) as connection:
            connection.execute(sa.delete(profiles).filter_by(**_columns(key)))
            owner = connection.execute(sa.insert(profiles).values(values).returning(profiles.c.id)).scalar_one()
            connection.execute(sa.insert(profile_layers), [{"profile_id": owner} | row for row in _rows(profile)])

    def read_profile_intervals(self, key: ProfileKey, plan: IntervalPlan) -> ProfileIntervals | None:
        """The kept intervals of a profile, made in this way; None where there are none."""
        from layerwise.core.history.intervals import Interval
        from layerwise.core.history.profiles import ProfileIntervals

        chosen = (
            sa.select(profile_intervals)
            .join(profiles, profiles.c.id == profile_intervals.c.profile_id)
            .where(*(profiles.c[name] == value for name, value in _columns(key).items()))
            .where(*(profile_intervals.c[name] == value for name, value in dataclasses.asdict(plan).items()))
            .order_by(profile_intervals.c.position)
        )
        with self._database.read() as connection:
            rows = check_rows(connection, profile_intervals, connection.execute(chosen).mappings().all())
        numbers: dict[str, Interval] = {}
        curves: dict[str, tuple[Interval, ...]] = {}
        for row in rows:
            interval = Interval(row["low"], row["high"], reason=row["reason"])
            if row["position"] == _WHOLE:
                numbers[row["number"]] = interval
            else:
                curve = _CURVE_OF[row["number"]]
                curves[curve] = (*curves.get(curve, ()), interval)
        return ProfileIntervals(plan, numbers, curves) if rows else None

    def save_profile_intervals(self, key: ProfileKey, found: ProfileIntervals) -> None:
        """Keep intervals of a profile that is kept, and nothing otherwise; those made alike are replaced."""
        places = {(name, _WHOLE): item for name, item in found.numbers.items()}
        columns = {curve: column for column, curve in _CURVE_OF.items()}
        places |= {(columns[n], place): item for n, items in found.curves.items() for place, item in enumerate(items)}
        how = dataclasses.asdict(found.plan)
        with self._database.write(exclusive=True) as connection:
            owner = connection.scalar(sa.select(profiles.c.id).filter_by(**_columns(key)))
            if owner is None:
                return
            made = {"profile_id": owner} | how
            rows = [
                made | {"number": name, "position": place, "low": item.low, "high": item.high, "reason": item.reason}
                for (name, place), item in places.items()
            ]
            connection.execute(sa.delete(profile_intervals).filter_by(**made))
            connection.execute(sa.insert(profile_intervals), rows)

    def save_statistics(self, run_id: str, results: Sequence[LayerStatistic]) -> None:
        """Add statistics to stored layers; those of the same name, provider and revision are replaced.

        Raises:
            InputError: If a layer is not stored under its transform.
        """
        with self._database.write(exclusive=True) as connection:
            ids = _stored_layers(connection, run_id)
            for item in results:
                key = (item.layer, item.transform)
                if key not in ids:
                    names = near_names(item.layer, [name for name, _ in ids])
                    raise InputError(f"run {run_id} has no layer '{item.layer}' under '{item.transform}'{names}")
                _add_statistic(connection, ids[key], item)
            for name, transform in {(item.layer, item.transform) for item in results}:
                _count_statistics(connection, ids[name, transform], transform)


_WHOLE = -1  # the position of a number that belongs to the whole profile, not to one of its layers
_CURVES = ("to_input", "to_output", "step", "share")
_CURVE_OF = dict(zip(_CURVES, ("to_input", "to_output", "steps", "shares"), strict=True))


def _columns(key: ProfileKey) -> dict[str, Any]:
    from layerwise.core.history.profiles import DEFINITION

    selection = json.dumps(list(key.layers), ensure_ascii=False)
    return {
        "run_id": key.run_id,
        **provider_key("comparator", key.comparator),
        "transform": key.transform,
        "selection": hashlib.sha256(selection.encode()).hexdigest(),
        "definition": DEFINITION,
        "end_point": key.end_point,
    }


def _rows(profile: Profile) -> list[dict[str, Any]]:
    curves = (profile.to_input, profile.to_output, profile.steps, profile.shares)
    rows = []
    for position, (name, depth) in enumerate(zip(profile.layers, profile.depths, strict=True)):
        numbers = [float(curve[position]) for curve in curves]
        cells = dict(zip(_CURVES, [None if math.isnan(value) else value for value in numbers], strict=True))
        rows.append({"position": position, "layer": name, "depth": float(depth)} | cells)
    return rows


def _vector(values: Iterable[float | None]) -> NDArray[Any]:
    import numpy as np

    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _stored_layers(connection: sa.Connection, run_id: str) -> dict[tuple[str, str], int]:
    chosen = sa.select(layers.c.name, representations.c.transform, layers.c.id).join_from(layers, representations)
    return {
        (name, transform): owner for name, transform, owner in connection.execute(chosen.filter_by(run_id=run_id))
    }


def _add_statistic(connection: sa.Connection, layer_id: int, item: LayerStatistic) -> None:
    result, place = item.result, {"layer_id": layer_id, "transform": item.transform}
    key = place | {"name": result.name, "provider_name": result.provider.name}
    key |= {"provider_revision": result.provider.revision}
    connection.execute(sa.delete(statistics).filter_by(**key))
    last = connection.scalar(sa.select(sa.func.max(statistics.c.position)).filter_by(**place))
    values = {
        "provider_version": result.provider.version,
        "position": 0 if last is None else last + 1,
        "value": None if result.value is None else float(result.value),
        "reason": result.reason,
        "vector": None if result.vector is None else encode_vector(result.vector),
    }
    connection.execute(sa.insert(statistics).values(key | values))


def _count_statistics(connection: sa.Connection, layer_id: int, transform: str) -> None:
    """Keep with a representation how many statistics it has now."""
    place = {"layer_id": layer_id, "transform": transform}
    found = sa.select(sa.func.count()).select_from(statistics).filter_by(**place)
    row = connection.execute(sa.select(representations).filter_by(**place)).mappings().one()
    values: dict[str, Any] = {"n_statistics": connection.scalar(found)}
    values[ROW_CHECKSUM] = checksum_row(representations, {**row, **values})
    connection.execute(sa.update(representations).where(representations.c.id == row["id"]).values(values))

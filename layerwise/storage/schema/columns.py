"""What the tables share: the metadata with its names for constraints, and columns that recur."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, Float, ForeignKey, Integer, LargeBinary, String, Text

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A moment in UTC: stored without a zone, which every database does alike, and read back with it."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """To UTC, then without the zone."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Give the zone back."""
        return None if value is None else value.replace(tzinfo=UTC)


def reference(name: str, target: str, *, primary: bool = False, index: bool = False) -> Column[Any]:
    """A column for the row this one belongs to, and goes with when that is deleted."""
    kind = String(16) if target == "runs.id" else Integer()
    link = ForeignKey(target, ondelete="CASCADE")
    return Column(name, kind, link, primary_key=primary, nullable=False, index=index)


def made_by(kind: str, *, primary: bool = True) -> list[Column[Any]]:
    """Columns for what made a row: its name, revision, version, and the settings that are not the defaults."""
    return [
        Column(f"{kind}_name", Text, primary_key=primary, nullable=False),
        Column(f"{kind}_revision", Integer, primary_key=primary, nullable=False, server_default="1"),
        Column(f"{kind}_version", Text, nullable=False),
        Column("parameters", Text, primary_key=primary, nullable=False, server_default="{}"),
    ]


def compared_pair() -> list[Column[Any]]:
    """Columns for what a comparator made of two representations: the comparator, then the two."""
    return [
        *made_by("comparator"),
        reference("first_id", "representations.id", primary=True, index=True),
        reference("second_id", "representations.id", primary=True, index=True),
    ]


def statistic_key() -> list[Column[Any]]:
    """Columns for which statistic a row holds, and of which provider."""
    return [
        Column("name", Text, primary_key=True),
        Column("provider_name", Text, primary_key=True),
        Column("provider_revision", Integer, primary_key=True, nullable=False, server_default="1"),
    ]


def statistic_value() -> list[Column[Any]]:
    """Columns for what a statistic says: by which version, its place, the number, why there is none, the numbers."""
    return [
        Column("provider_version", Text, nullable=False),
        Column("position", Integer, nullable=False),
        Column("value", Float(53)),
        Column("reason", Text, nullable=False),
        Column("vector", LargeBinary),
    ]

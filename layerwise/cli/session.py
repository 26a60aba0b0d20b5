"""What the commands of one command line share: the plugins, loaded once, and the history they ask for."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer

from layerwise.cli.options import hide_passwords

if TYPE_CHECKING:
    from layerwise.core.registry import Registry
    from layerwise.storage import Store


@dataclass
class Session:
    """The state of one command line.

    Attributes:
        arguments: What was typed after `layerwise`.
        blocked: Names of the plugins to do without.
    """

    arguments: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    _registry: Registry | None = field(default=None, repr=False)

    @property
    def command(self) -> str:
        """The command line as it was typed, without passwords: what is kept in the history."""
        return hide_passwords(shlex.join(["layerwise", *self.arguments]))

    @property
    def registry(self) -> Registry:
        """All plugins, loaded when first asked for."""
        if self._registry is None:
            from layerwise.plugins import load_plugins

            self._registry = load_plugins(self.blocked)
        return self._registry


def session_of(context: typer.Context) -> Session:
    """The session that the application's callback has made."""
    return context.find_root().ensure_object(Session)


def database_url(database: str) -> str:
    """The URL of a `--db` option, which may also be a plain file path."""
    return database if "://" in database else f"sqlite:///{database}"


def open_history(database: str, *, create: bool = False, read_only: bool = False) -> Store:
    """Open the history that `--db` names, for use in a `with` statement.

    Args:
        database: What `--db` says.
        create: Whether to start a history where there is none; only commands that produce one do.
        read_only: Whether the database must refuse every change.

    Raises:
        InputError: If there is no history there, or it is not one.
    """
    from layerwise.storage import open_store

    return open_store(database_url(database), create=create, read_only=read_only)

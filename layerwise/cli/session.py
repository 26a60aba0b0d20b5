"""What the commands of one command line share: the plugins, loaded once, and the history they ask for."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from layerwise.cli.loading import loading
from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.base.urls import hide_passwords, show_database

if TYPE_CHECKING:
    from layerwise.core.host.calling import Trace
    from layerwise.core.host.registry import Registry
    from layerwise.storage import OpenHistory


@dataclass
class Session:
    """The state of one command line.

    Attributes:
        arguments: What was typed after `layerwise`.
        blocked: Names of the plugins to do without.
        trace: Where calls of plugins are counted, if they are.
        database: What `--db` says to the command that is running, where it has that option.
        given_database: What `--db` says before the command.
    """

    arguments: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    trace: Trace | None = None
    database: str | None = None
    given_database: str | None = None
    _registry: Registry | None = field(default=None, repr=False)

    @property
    def command(self) -> str:
        """The command line as it was typed, without passwords: what is kept in the history."""
        return shlex.join(["layerwise", *map(hide_passwords, self.arguments)])

    @property
    def registry(self) -> Registry:
        """All plugins, loaded when first asked for."""
        if self._registry is None:
            from layerwise.cli.plugins.output import warn_on_stderr

            with loading():
                from layerwise.plugins import load_plugins

            self._registry = load_plugins(self.blocked, warn=warn_on_stderr, trace=self.trace)
            self._registry.recall = self._recall
        return self._registry

    def _recall(self, hook: str, name: str) -> Sequence[tuple[str, str]]:
        """From which distributions the history has results of a name that no plugin offers; nothing without one."""
        if self.database is None:
            return ()
        try:
            with open_history(self.database, read_only=True) as store:
                return store.find_makers(hook, name)
        except LayerwiseError:
            return ()


def session_of(context: typer.Context) -> Session:
    """The session of the command line that a command belongs to."""
    session = context.find_root().ensure_object(Session)
    session.database = context.params.get("database", session.database)
    return session


def database_url(database: str) -> str:
    """The URL of a `--db` option, which may also be a plain file path.

    Raises:
        InputError: If it is neither, but a URL whose `://` was forgotten: a file would have a password for its name.
    """
    if "://" in database:
        return database
    shown = show_database(database)
    if shown != database and not Path(database).exists():
        raise InputError(f"'{shown}' is no database URL; write sqlite:///FILE or postgresql://USER@HOST/NAME")
    return f"sqlite:///{database}"


def open_history(database: str, *, create: bool = False, read_only: bool = False) -> OpenHistory:
    """Open the history that `--db` names, for use in a `with` statement.

    Args:
        database: What `--db` says.
        create: Whether to start a history where there is none; only commands that produce one do.
        read_only: Whether the database must refuse every change.

    Raises:
        InputError: If there is no history there, or it is not one.
    """
    with loading():
        from layerwise.storage import open_store

    store = open_store(database_url(database), create=create, read_only=read_only)
    if not read_only:
        for remark in store.remarks:
            _tell_once(remark)
    return store


@cache
def _tell_once(remark: str) -> None:
    print(f"layerwise: {remark}", file=sys.stderr)

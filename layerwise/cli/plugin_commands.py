"""Commands that plugins add, attached only when they are needed."""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from layerwise.cli.session import session_of


class PluginAwareGroup(TyperGroup):
    """The top-level group: its own commands first, then those of plugins.

    A plugin's command never takes the place of a built-in one or of another plugin's; it is left out, and
    stderr says so.
    """

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name; plugins are loaded only where it is not built in."""
        if cmd_name not in self.commands:
            self._attach_plugins(ctx)
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of all commands, those of plugins last."""
        self._attach_plugins(ctx)
        return super().list_commands(ctx)

    def _attach_plugins(self, ctx: Any) -> None:
        if ctx.meta.get("layerwise.attached") or not _is_any_plugin_installed():
            return
        ctx.meta["layerwise.attached"] = True
        session = session_of(ctx)
        session.blocked = tuple(ctx.params.get("no_plugin") or ())
        from layerwise.core.kinds import CommandGroup

        for registered in session.registry.all(CommandGroup):
            try:
                commands = _commands_of(registered)
            except Exception as error:  # noqa: BLE001 - a plugin's failure stops no other command
                print(f"layerwise: warning: {error}", file=sys.stderr)
                continue
            for name, command in commands.items():
                self._add_once(registered.plugin, name, command)

    def _add_once(self, plugin: str, name: str, command: Any) -> None:
        if name in self.commands:
            message = f"plugin '{plugin}' adds a command '{name}', which there already is; left out"
            print(f"layerwise: warning: {message}", file=sys.stderr)
        else:
            self.add_command(command, name)


def _is_any_plugin_installed() -> bool:
    from importlib.metadata import entry_points

    return bool(entry_points(group="layerwise"))


def _commands_of(registered: Any) -> dict[str, Any]:
    """The commands a plugin attaches, by name; attached to an application of their own first."""
    own = typer.Typer(rich_markup_mode=None, add_completion=False)
    own.callback()(lambda: None)  # so that a single command stays a named one
    registered.call(registered.offer.attach, own)
    return dict(typer.main.get_group(own).commands)

"""Commands that plugins add, attached only when they are needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from layerwise.cli.options.helping import HelpfulGroup
from layerwise.cli.plugins.output import all_output, warn_on_stderr
from layerwise.cli.session import session_of
from layerwise.core.base.errors import LayerwiseError, PluginError

if TYPE_CHECKING:
    from layerwise.core.host.kinds import CommandGroup
    from layerwise.core.host.registry import Registered


class PluginAwareGroup(HelpfulGroup):
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
        from layerwise.core.host.discovery import may_have

        if ctx.meta.get("layerwise.attached") or not may_have("commands"):
            return
        ctx.meta["layerwise.attached"] = True
        session = session_of(ctx)
        session.blocked = tuple(ctx.params.get("no_plugin") or ())
        from layerwise.core.host.kinds import CommandGroup

        for registered in session.registry.all(CommandGroup):
            try:
                commands = _commands_of(registered)
            except Exception as error:  # noqa: BLE001 - a plugin's failure stops no other command
                warn_on_stderr(str(error))
                continue
            for name, command in commands.items():
                self._add_once(registered.plugin, name, command)

    def _add_once(self, plugin: str, name: str, command: Any) -> None:
        if name in self.commands:
            warn_on_stderr(f"plugin '{plugin}' adds a command '{name}', which there already is; left out")
        else:
            command.rich_help_panel = command.rich_help_panel or "From plugins"
            self.add_command(command, name)


def _commands_of(registered: Registered[CommandGroup]) -> dict[str, Any]:
    """The commands a plugin attaches, by name; attached to an application of their own first."""
    own = typer.Typer(rich_markup_mode=None, add_completion=False)
    own.callback()(lambda: None)  # so that a single command stays a named one
    registered.call(registered.offer.attach, own)
    commands = dict(typer.main.get_group(own).commands)
    for name, command in commands.items():
        setattr(command, "invoke", _attributed(registered, name, command.invoke))  # noqa: B010 - it is a method
    return commands


def _attributed(registered: Registered[CommandGroup], name: str, invoke: Callable[..., Any]) -> Callable[..., Any]:
    """The same, except that what it raises names the plugin."""

    def run(context: Any) -> Any:
        try:
            with all_output():
                return invoke(context)
        except (LayerwiseError, OSError, typer.TyperException, typer.Exit, typer.Abort):
            raise
        except Exception as error:
            came = f"command '{name}' raised {type(error).__name__}: {error}"
            raise PluginError(registered.plugin, registered.hook, came) from error

    return run

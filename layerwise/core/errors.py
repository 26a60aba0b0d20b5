"""The errors a user meets: each carries the exit code the command line ends with."""

from __future__ import annotations


class LayerwiseError(Exception):
    """Base of every error that is shown as one clear line; the work failed (exit code 1)."""

    exit_code = 1


class InputError(LayerwiseError):
    """What was asked for cannot be done as asked: a wrong name, file or option (exit code 2)."""

    exit_code = 2


class StimulusError(LayerwiseError):
    """One stimulus cannot be decoded; the engine collects these before the network runs."""


class PluginError(LayerwiseError):
    """A plugin raised, or returned something other than its hook promises.

    The message always names the plugin, the hook, what came and what was expected.
    """

    def __init__(self, plugin: str, hook: str, came: str, expected: str = "") -> None:
        wanted = f", expected {expected}" if expected else ""
        super().__init__(f"plugin '{plugin}' ({hook}): {came}{wanted}")
        self.plugin = plugin
        self.hook = hook

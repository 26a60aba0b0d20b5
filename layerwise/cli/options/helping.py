"""How help is laid out: options by what they are for, commands by what one wants, examples at the end.

The options of a bundle (`layerwise.cli.options.bundling`) stand under its heading. What follows `Examples:` in a
command's docstring is printed line by line.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand, TyperGroup

from layerwise.core.base.errors import InputError

WIDEST = 100
_EXAMPLES = "\n\nExamples:\n"
_PARENTHESES = re.compile(r"\[default: \(([^()]*)\)")


_MOST = 2**63 - 1  # what a database keeps as a whole number


class HelpfulCommand(TyperCommand):
    """A command whose help has its options under headings, and its examples last."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As ever, but for whole numbers that no database can keep."""
        left = super().parse_args(ctx, args)
        for param in self.params:
            values = ctx.params.get(param.name)
            for value in values if isinstance(values, list | tuple) else [values]:
                if isinstance(value, int) and abs(value) > _MOST:
                    name = param.opts[0] if param.opts else param.name
                    raise InputError(f"{name} {value} is too large: whole numbers go to {_MOST}")
        return left

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`[OPTIONS] RUN...`: what must be given bare, what may be given in brackets."""
        return [self.options_metavar or "", *_name_arguments(self.get_params(ctx))]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """The docstring, less its examples."""
        full = self.help
        self.help = split_help(full)[0]
        super().format_help_text(ctx, formatter)
        self.help = full

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, options, and those of each bundle."""
        write_options(self.get_params(ctx), ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """The examples, as they are written."""
        del ctx
        examples = split_help(self.help)[1]
        if examples:
            with formatter.section("Examples"):
                for line in examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


class HelpfulGroup(TyperGroup):
    """A group whose commands stand under headings (`rich_help_panel`), each with what it does in a few words."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Options, then the commands."""
        write_options(self.get_params(ctx), ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands by heading, in the order in which the headings first come."""
        rows = defaultdict(list)
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                heading = getattr(command, "rich_help_panel", None) or "Commands"
                rows[heading].append((name, summarise_help(command.help)))
        width = max((len(name) for listed in rows.values() for name, _ in listed), default=0)
        for heading, listed in rows.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), text) for name, text in listed])


def split_help(text: str | None) -> tuple[str, list[str]]:
    """A docstring's text, and the lines of its examples."""
    words, _, examples = (text or "").partition(_EXAMPLES)
    return words, [line.strip() for line in examples.splitlines() if line.strip()]


def summarise_help(text: str | None) -> str:
    """What a command does, for lists: the first sentence of its help as far as the first colon or semicolon."""
    sentence = " ".join((text or "").split("\n\n")[0].split())
    return re.split(r"[:;]\s", sentence)[0].rstrip(".")


def write_options(params: Iterable[Any], context: Any, formatter: Any) -> None:
    """Write arguments and options, those with a heading of their own under it."""
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    for param in params:
        record = param.get_help_record(context)
        if record is None:
            continue
        if param.param_type_name == "argument":
            sections["Arguments"].append((param.metavar or param.name.upper(), param.help or ""))
        else:
            heading = getattr(param, "rich_help_panel", None) or "Options"
            sections.setdefault(heading, []).append((record[0], _PARENTHESES.sub(r"[default: \1", record[1])))
    for heading, records in sections.items():
        if records:
            with formatter.section(heading):
                formatter.write_dl(records)


def _name_arguments(params: Iterable[Any]) -> Iterable[str]:
    for param in params:
        if param.param_type_name == "argument":
            name = param.metavar or param.name.upper()
            yield name if param.required else f"[{name}]"

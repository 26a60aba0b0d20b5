"""What help shows, and that its examples are calls that the command line takes."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pytest
import typer
from typer.testing import CliRunner

from layerwise.cli.app import COMMANDS, build_app
from layerwise.cli.options.bundling import bundled
from layerwise.cli.options.helping import HelpfulCommand, split_help, summarise_help

APP = typer.main.get_command(build_app())


def list_examples() -> list[str]:
    nested = [command for group in ("models", "plugins", "db") for command in APP.commands[group].commands.values()]
    return [line for command in [*APP.commands.values(), *nested] for line in split_help(command.help)[1]]


@pytest.mark.parametrize("line", list_examples())
def test_an_example_is_a_call_that_is_understood(line: str) -> None:
    program, *words = shlex.split(line)
    assert program == "layerwise"
    command: Any = APP
    while hasattr(command, "commands") and words and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    assert command is not APP
    command.make_context("layerwise", words)


@pytest.mark.parametrize("name", ["run", "compare", "report", "figure", "query", "export", "difference"])
def test_commands_with_many_options_show_examples(name: str) -> None:
    assert split_help(APP.commands[name].help)[1]


def test_every_command_is_listed_in_few_words_under_its_heading(cli: Any) -> None:
    said = cli("--help").out
    for name, (heading, *_) in COMMANDS.items():
        assert f"\n{heading}:\n" in said
        assert f"\n  {name} " in said
    assert "..." not in said.partition("Options:")[2]


def test_a_summary_is_the_first_sentence_up_to_its_colon() -> None:
    assert summarise_help("Show a run: what was\nanalysed.\n\nMore.") == "Show a run"
    assert summarise_help(None) == ""


@dataclass(frozen=True)
class Size:
    heading: ClassVar[str] = "How large"
    width: Annotated[int, typer.Option("--width", "-w", metavar="W", help="Across.")] = 3
    deep: Annotated[bool, typer.Option("--deep", help="Or shallow.")] = False


def test_a_bundle_is_one_value_to_the_command_and_options_under_a_heading_to_the_user() -> None:
    seen: list[object] = []
    app = typer.Typer(rich_markup_mode=None)

    @app.command(cls=HelpfulCommand)
    @bundled
    def measure(what: Annotated[str, typer.Argument(metavar="WHAT")], *, size: Size, name: str = "any") -> None:
        seen.append((what, size, name))

    runner = CliRunner()
    assert runner.invoke(app, ["box", "-w", "7", "--name", "b"]).exit_code == 0
    assert runner.invoke(app, ["box", "--deep"]).exit_code == 0
    assert seen == [("box", Size(7, False), "b"), ("box", Size(3, True), "any")]
    said = runner.invoke(app, ["--help"]).output
    assert "How large:\n  -w, --width W  Across." in said
    assert "[OPTIONS] WHAT\n" in said

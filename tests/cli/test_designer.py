"""The designer's tutorial, from its training script to its page, command by command."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "designer.md"
MOST = 15


def read_steps() -> list[tuple[str, str]]:
    """Language and text of what a reader runs: one script, then commands."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [(language, text) for language, text in blocks if language != "text"]


def read_commands() -> list[list[str]]:
    lines = [line for language, text in read_steps() if not language for line in text.splitlines()]
    return [shlex.split(line) for line in lines]


def test_it_is_short() -> None:
    commands = read_commands()
    assert 5 < len(commands) < MOST
    assert {words[0] for words in commands} == {"layerwise"}


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A folder in which the page's training script was run."""
    from layerwise.plugins.loaders.tensorflow_setup import import_keras

    import_keras().utils.set_random_seed(1)
    (script,) = [text for language, text in read_steps() if language == "python"]
    (tmp_path / "checkpoints").mkdir()
    exec(compile(script, PAGE.name, "exec"), {})
    return tmp_path


def test_it_can_be_followed(cli, trained: Path) -> None:
    out = {}
    for _, *words in read_commands():
        said = cli(*words)
        assert said.code == 0, (words, said.err)
        out[words[0]] = said.out
    assert re.search(r"^mixed +[\d.]+ +[\d.]+ +1\.00", out["training"], re.MULTILINE)
    assert {"mixed/1x1", "mixed/3x3"} <= set(out["ablate"].split())
    written = {"layers.svg", "training.html", "similarities.npz"}
    assert written <= {path.name for path in trained.iterdir()}

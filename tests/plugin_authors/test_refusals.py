"""What `layerwise plugins new` refuses, in one line, with exit code 2 and without leaving anything behind."""

from __future__ import annotations

import json

import pytest

from layerwise.cli.scaffold.parts import PARTS
from layerwise.cli.scaffold.writing import supported_versions


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("my/cka", "is a path"),
        ("..", "cannot be the name of a distribution"),
        ("", "cannot be the name of a distribution"),
        ("-x", "cannot be the name of a distribution"),
        ("my cka", "cannot be the name of a distribution"),
        ("mÿ-cka", "cannot be the name of a distribution"),
        ("2nd-cka", "begins with a letter; try my-2nd-cka"),
        ("class", "is a Python keyword"),
        ("json", "is a module of Python itself"),
        ("x" * 41, "41 characters long"),
        ("numpy", "'numpy' is installed here already, as version"),
        ("layerwise", "'layerwise' is installed here already"),
        ("layerwise-comparators", "there is a plugin 'comparators' already, of layerwise"),
        ("cka", "there is a comparator 'cka' already, offered by layerwise"),
        ("layerwise-cka", "there is a comparator 'cka' already, offered by layerwise"),
    ],
)
def test_a_name_that_cannot_be_or_is_taken(call, tmp_path, name, reason):
    said = call("plugins", "new", "--hook", "comparator", "--out", tmp_path, "--", name)
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert reason in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_command_of_layerwise_s_own_is_taken(call, tmp_path):
    said = call("plugins", "new", "layerwise-runs", "--hook", "command", "--out", tmp_path)
    assert (said.code, "there is a command 'runs' already, offered by layerwise" in said.err) == (2, True)
    assert call("plugins", "new", "layerwise-runs", "--hook", "comparator", "--out", tmp_path).code == 0


def test_a_module_that_can_be_imported_is_taken(call, tmp_path, monkeypatch):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "my_taken.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    said = call("plugins", "new", "My-Taken", "--hook", "comparator", "--out", tmp_path)
    assert (said.code, "there is a module 'my_taken' here already" in said.err) == (2, True)


def test_an_existing_folder_is_left_alone(call, tmp_path):
    mine = tmp_path / "my-cka" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine", encoding="utf-8")
    said = call("plugins", "new", "my-cka", "--hook", "comparator", "--out", tmp_path)
    assert said.code == 2
    assert "there is something at" in said.err
    assert [path.name for path in tmp_path.rglob("*")] == ["my-cka", "mine.txt"]


@pytest.mark.parametrize("hook", ["compartor", "", "ANYTHING"])
def test_a_hook_that_does_not_exist(call, tmp_path, hook):
    said = call("plugins", "new", "my-cka", "--hook", hook, "--out", tmp_path)
    assert said.code == 2
    assert f"no hook '{hook}'" in said.err
    assert "hooks are command, comparator, engine, loader" in said.err
    if hook == "compartor":
        assert "did you mean comparator" in said.err


def test_no_hook_at_all(call, tmp_path):
    said = call("plugins", "new", "my-cka", "--out", tmp_path)
    assert (said.code, said.err.count("\n")) == (2, 1 + len(PARTS))
    assert [line.split()[:2] for line in said.err.splitlines()[1:]] == [["--hook", part.word] for part in PARTS]
    assert list(tmp_path.iterdir()) == []


def test_hooks_may_be_written_with_commas(call, tmp_path):
    said = call("plugins", "new", "my-two", "--hook", "metric,comparator", "--out", tmp_path, "--json")
    assert [offer["hook"] for offer in json.loads(said.out)["offers"]] == ["comparators", "metrics"]


@pytest.mark.parametrize(
    ("option", "value"),
    [("--author", "Ann <nowhere>"), ("--author", ""), ("--description", '"""'), ("--description", "  ")],
)
def test_an_author_or_a_description_that_is_none(call, tmp_path, option, value):
    said = call("plugins", "new", "my-cka", "--hook", "comparator", "--out", tmp_path, option, value)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert option in said.err


def test_a_folder_that_cannot_be_made(call, tmp_path):
    (tmp_path / "file").touch()
    said = call("plugins", "new", "my-cka", "--hook", "comparator", "--out", tmp_path / "file")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "cannot write" in said.err


@pytest.mark.parametrize(
    ("release", "expected"),
    [("0.1.0", ">=0.1,<0.2"), ("0.9.3.dev1", ">=0.9,<0.10"), ("1.4.2", ">=1.4,<2"), ("unknown", ">=0.0,<0.1")],
)
def test_a_plugin_works_with_the_versions_that_keep_the_surface(release, expected):
    assert supported_versions(release) == expected

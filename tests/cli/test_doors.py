"""Doors that open the way people push them: options in front, old habits, an empty folder, what is missing."""

from __future__ import annotations

import sys

import pytest

from layerwise.cli.commands.keep.doctor import is_sound_sqlite
from layerwise.core.base.errors import explain_missing


def test_the_history_may_be_named_before_the_command(cli, demo, monkeypatch) -> None:
    wanted = cli("runs", "--db", demo.database, "--json").json
    assert wanted
    for line in (["--db", demo.database, "runs", "--json"], [f"--db={demo.database}", "runs", "--json"]):
        assert cli(*line).json == wanted
    monkeypatch.setenv("LAYERWISE_DB", "elsewhere.db")
    assert cli("--db", demo.database, "runs", "--json").json == wanted
    assert cli("--db", demo.database, "db", "info", "--json").json["n_runs"] == len(wanted)
    assert "elsewhere.db" in cli("runs").err


def test_what_stands_after_the_command_counts_more(cli, demo) -> None:
    assert cli("--db", "elsewhere.db", "runs", "--db", demo.database).code == 0
    said = cli("--db", "elsewhere.db", "runs")
    assert said.code == 2
    assert "elsewhere.db" in said.err


@pytest.mark.parametrize(
    "line", [["runs"], ["report"], ["show", "latest"], ["compare", "latest"], ["db"], ["query", "x"]]
)
def test_an_empty_folder_says_what_to_do(cli, line) -> None:
    said = cli(*line)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "there is no history at layerwise.db; `layerwise demo` or `layerwise run MODEL --stimuli PATH`" in said.err
    assert "--db" in said.err


def test_old_habits_work(cli) -> None:
    version = cli("--version").out
    assert cli("-V").out == cli("version").out == version
    assert cli("help").out == cli("--help").out
    assert cli("help", "runs").out == cli("runs", "--help").out
    assert cli("help", "db", "check").out == cli("db", "check", "--help").out


def test_lists_may_have_commas_or_be_repeated(ask) -> None:
    def names(*words: str) -> list[str]:
        return [one["comparator"] for one in ask("compare", "latest", *words, "--layers", "main", "--json").json]

    assert (
        names("--with", "cka,rsa-cosine") == names("--with", "cka", "--with", "rsa-cosine") == ["cka", "rsa-cosine"]
    )
    assert names("--with", "cka", "rsa-cosine") == ["cka", "rsa-cosine"]
    one = ask("compare", "latest", "--layers", "main,output", "--json").json["layers"]
    assert one == ask("compare", "latest", "--layers", "main", "--layers", "output", "--json").json["layers"]


def test_the_doctor_says_what_there_is(ask) -> None:
    said = ask("doctor", "--json")
    assert said.code == 0, said.err
    found = {finding["what"]: finding["found"] for finding in said.json["findings"]}
    assert {"layerwise", "python", "sqlite", "tensorflow", "history", "plugins", "memory", "cores", "devices"} <= set(
        found
    )
    assert "2 runs" in found["history"]
    assert "memory" in ask("doctor").out


def test_the_doctor_needs_no_history_and_finds_a_broken_one(cli, tmp_path) -> None:
    assert "none at" in cli("doctor").out
    (tmp_path / "broken.db").write_bytes(b"no database, though long enough to be one")
    said = cli("doctor", "--db", "broken.db")
    assert said.code == 1
    assert "something is wrong with history" in said.err


@pytest.mark.parametrize(
    ("release", "sound"),
    [
        ((3, 40, 1), False),
        ((3, 44, 6), True),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 52, 0), True),
    ],
)
def test_releases_of_sqlite_with_its_fault_are_known(release, sound) -> None:
    assert is_sound_sqlite(release) is sound


def test_one_plugin_can_be_looked_at(cli) -> None:
    said = cli("plugins", "info", "sections")
    assert said.code == 0, said.err
    assert "built in" in said.out
    assert "report_section" in said.out
    wrong = cli("plugins", "info", "sectoins")
    assert wrong.code == 2
    assert "did you mean sections" in wrong.err


def test_a_missing_package_is_one_line_with_the_command_that_brings_it(cli, monkeypatch) -> None:
    def lack(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'starlette'", name="starlette.routing")

    monkeypatch.setattr("layerwise.cli.commands.ask.runs.open_history", lack)
    said = cli("runs")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "`layerwise browse` needs starlette, which is not installed: `" in said.err
    assert "-m pip install 'layerwise[browse]'`" in said.err
    assert "'layerwise[postgres]'" in explain_missing("psycopg")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["run", "absent.keras", "--stimuli", "good"], "no model file 'absent.keras'"),
        (["run", "here.keras", "--stimuli", "absent"], "--stimuli: there is no file or folder absent"),
        (["run", "here.keras", "--stimuli", "photos"], "no images in photos or its sub-folders"),
        (["run", "here.keras", "--stimuli", "good", "--weights", "absent.h5"], "there is no file absent.h5"),
        (["run", "here.keras", "--stimuli", "good", "--classes", "absent.txt"], "there is no file absent.txt"),
        (["layers", "absent.keras"], "no model file 'absent.keras'"),
        (["ablate", "absent.keras", "--stimuli", "good", "--each", "main"], "no model file 'absent.keras'"),
    ],
)
def test_wrong_paths_are_told_before_a_framework_is_loaded(cli, line, said, tmp_path, monkeypatch) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "notes.pdf").write_bytes(b"%PDF")
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "a.png").write_bytes(b"")
    (tmp_path / "here.keras").write_bytes(b"")
    for module in ("tensorflow", "keras"):
        monkeypatch.setitem(sys.modules, module, None)  # importing it is an error
    came = cli(*line)
    assert (came.code, said in came.err) == (2, True), came.err
    assert not (tmp_path / "layerwise.db").exists()

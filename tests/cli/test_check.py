"""`layerwise baseline` and `layerwise check`: files, verdicts, exit codes."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from layerwise.testing import make_history


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_history(tmp_path_factory.mktemp("toy") / "toy.db", (1.0, 0.97, 0.0), 24)


@pytest.fixture
def ask(cli: Any, database: str) -> Any:
    return lambda *words: cli(*words, "--db", database)


def test_an_unchanged_network_passes_against_a_file(ask: Any, tmp_path: Path) -> None:
    made = ask("baseline", "toy@0", "-o", "canaries.npz", "--stimuli", "12", "--json").json
    assert len(made["stimuli"]) == 12
    assert made["n_bytes"] == (tmp_path / "canaries.npz").stat().st_size
    said = ask("check", "toy@0", "--against", "canaries.npz", "--bootstrap", "40")
    assert said.code == 0
    assert said.out.splitlines()[-1].startswith("PASS: 10 of 10 layers are what they were")


def test_a_changed_network_fails_with_1_and_every_file_names_the_layer(ask: Any, tmp_path: Path) -> None:
    files = ("--junit", "check.xml", "--markdown", "check.md", "--picture", "check.svg")
    said = ask("check", "toy@2", "--against", "toy@0", "--bootstrap", "40", *files)
    assert said.code == 1
    assert "FAIL: of 10 layers 2 fail; the first is logits" in said.out
    cases = {case.get("name"): case for case in ET.parse(tmp_path / "check.xml").getroot().iter("testcase")}
    assert len(cases) == 10
    assert [name for name, case in cases.items() if case.find("failure") is not None] == ["logits", "output"]
    assert ET.parse(tmp_path / "check.xml").getroot().get("failures") == "2"
    assert "| logits | **FAIL** |" in (tmp_path / "check.md").read_text()
    assert "logits: baseline" in (tmp_path / "check.svg").read_text()


def test_an_undecided_check_has_a_code_of_its_own(ask: Any) -> None:
    words = ("check", "toy@1", "--against", "toy@0", "--bootstrap", "40", "--layers", "output", "--margin", "0.003")
    said = ask(*words, "--json")
    assert said.json["verdict"] == "undecided"
    assert said.code == 3
    assert ask(*words, "--allow-undecided").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--against", "nothing.npz"), "nothing.npz: is no baseline"),
        (("--against", "toy@0", "--margin", "-1"), "a positive number"),
        (("--against", "toy@0", "--picture", "check.gif"), "no format '.gif'"),
        (("--against", "toy@0", "--junit", "none/check.xml"), "there is no folder"),
    ],
)
def test_a_wrong_call_ends_with_2_and_one_line(ask: Any, words: tuple[str, ...], said: str) -> None:
    found = ask("check", "toy@1", *words)
    assert found.code == 2
    assert said in found.err
    assert len(found.err.splitlines()) == 1

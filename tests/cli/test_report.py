"""`layerwise report`: what is shown, with which measure, and what is said of a choice that makes no sense."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest


def section_ids(path: str) -> list[str]:
    return re.findall(r'<section id="section-layerwise-([\w-]+)"', Path(path).read_text(encoding="utf-8"))


def test_sections_are_chosen_by_either_spelling(ask) -> None:
    said = ask("report", "latest", "-o", "r.html", "--sections", "transition, overview", "--section", "provenance")
    assert said.code == 0, said.err
    assert section_ids("r.html") == ["overview", "transition", "provenance"]
    assert said.out.startswith("Wrote r.html")


def test_a_section_with_nothing_to_show_says_so(ask) -> None:
    said = ask("report", "latest", "-o", "r.html", "--sections", "overview,checkpoints")
    assert said.code == 0, said.err
    assert "These runs have nothing to show in it." in Path("r.html").read_text(encoding="utf-8")


def test_the_measure_and_the_command_are_on_the_page(ask) -> None:
    arguments = ["--with", "mutual-knn", "--k", 5, "--sections", "overview,layer-matrix,transition,provenance"]
    said = ask("report", "latest", "-o", "r.html", *arguments, "--bootstrap", 25, "--title", "A & B")
    assert said.code == 0, said.err
    text = Path("r.html").read_text(encoding="utf-8")
    assert "layerwise:mutual-knn" in text
    assert "k 5" in text
    assert "25 resamples" in text
    run = ask("runs", "--json").json[0]["run_id"]
    assert f"layerwise report {run} --with mutual-knn --bootstrap 25" in text
    assert "--set k=5" in text
    assert "&#39;A &amp; B&#39;" in text


def test_sections_are_listed_without_a_run(cli) -> None:
    said = cli("report", "--list-sections")
    assert said.code == 0, said.err
    listed = [line.split()[0] for line in said.out.splitlines()[1:]]
    assert listed[0] == "overview"
    assert listed[-1] == "provenance"
    assert {"layer-matrix", "transition", "sparseness", "dimension", "weights"} <= set(listed)


def test_sections_that_apply_are_listed_for_a_run(ask) -> None:
    said = ask("report", "latest", "--list-sections", "--json")
    assert said.code == 0, said.err
    found = {section["name"]: section for section in json.loads(said.out)}
    assert found["overview"]["applies"] is True
    assert found["checkpoints"]["applies"] is False
    assert found["overview"]["from"] == "layerwise"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sections", "overviw"], "no report section 'overviw'; did you mean overview?"),
        (["--sections", ","], "--sections takes names"),
        (["--with", "ckaa"], "no comparator 'ckaa'; did you mean cka"),
        (["--metric", "nope"], "no metric 'nope'; there are:"),
        (["--with", "cka", "--metric", "cosine"], "'cka' compares no metric's matrices"),
        (["--set", "k"], "not of the form name=value"),
        (["--set", "k=3"], "rsa-pearson has no parameter 'k'"),
        (["--transform", "rank"], "has no 'rank' activations"),
        (["--metric", "spearman"], "analyse it with `layerwise run --transform rank`"),
        (["--bootstrap", "3"], "at least 20 resamples"),
    ],
)
def test_a_choice_that_makes_no_sense_is_one_line(ask, arguments, said) -> None:
    answer = ask("report", "latest", "-o", "r.html", *arguments)
    assert answer.code == 2
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1
    assert not Path("r.html").exists()


def test_what_is_missing_is_named(cli) -> None:
    for arguments, missing in ((["-o", "r.html"], "which RUN"), (["latest"], "-o FILE.html")):
        answer = cli("report", *arguments)
        assert answer.code == 2
        assert missing in answer.err
        assert len(answer.err.splitlines()) == 1

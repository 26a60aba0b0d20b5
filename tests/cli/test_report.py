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
    assert said.err == "layerwise: warning: section 'checkpoints': These runs have nothing to show in it.\n"


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


def test_a_report_without_a_run_is_about_the_latest_and_is_called_report_html(ask) -> None:
    said = ask("report", "--sections", "overview")
    assert (said.code, said.out[:17]) == (0, "Wrote report.html"), said.err
    latest = ask("runs", "--limit", 1, "--json").json[0]["run_id"]
    assert latest in Path("report.html").read_text(encoding="utf-8")
    assert f"about the latest run: {latest}, " in said.out
    assert "about the latest" not in ask("report", latest, "--sections", "overview").out


@pytest.mark.parametrize("name", ["r.pdf", "r.svg", "r", "r.html.gz"])
def test_a_report_is_not_written_into_what_is_called_otherwise(ask, name) -> None:
    said = ask("report", "latest", "-o", name)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "a report is HTML" in said.err
    assert not Path(name).exists()


def test_a_section_that_was_asked_for_and_failed_is_told_and_ends_with_1(ask, monkeypatch) -> None:
    from layerwise.plugins.sections.overview.section import Overview

    def fail(*_: object) -> None:
        raise ValueError("no such number")

    monkeypatch.setattr(Overview, "build", fail)
    said = ask("report", "latest", "-o", "r.html", "--sections", "overview,provenance")
    assert said.code == 1
    assert said.out.startswith("Wrote r.html")
    assert "warning: section 'overview': This section could not be made." in said.err
    assert "error: overview: asked for, and could not be made; r.html has the rest" in said.err
    said = ask("report", "latest", "-o", "r.html")
    assert said.code == 0
    assert "warning: section 'overview'" in said.err

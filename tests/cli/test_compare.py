"""What may be asked of layers on the command line, and how wrong questions are answered."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise.cli.options.measure_options import repeat_option

VALUED = {"--with", "--layers", "--db"}


@pytest.mark.parametrize(
    ("typed", "understood"),
    [
        ("latest --with a b c --json", "latest --with a --with b --with c --json"),
        ("r1 r2 --with a --layers main --with b c", "r1 r2 --with a --layers main --with b --with c"),
        ("r1 --with=a b", "r1 --with=a --with b"),
        ("--with a r1 r2", "--with a r1 r2"),
        ("--db x --with a r1", "--db x --with a r1"),
        ("r1 --with a -- b", "r1 --with a -- b"),
        ("r1 --with", "r1 --with"),
    ],
)
def test_with_takes_every_name_that_follows_once_a_run_is_named(typed, understood):
    assert repeat_option(typed.split(), "--with", VALUED) == understood.split()


def test_several_names_after_one_option_and_repeated_options_are_the_same(ask):
    line = ("compare", "latest", "--layers", "main", "--json")
    one = ask(*line, "--with", "cka", "svcca", "rsa-pearson")
    assert one.code == 0, one.err
    assert [table["comparator"] for table in one.json] == ["cka", "svcca", "rsa-pearson"]
    other = ask(*line, "--with", "cka", "--with", "svcca", "--with", "rsa-pearson")
    assert one.json == other.json


def test_every_comparator_answers_from_the_history(ask):
    said = ask("compare", "latest", "--with", "all", "--layers", "main", "--json")
    assert said.code == 0, said.err
    assert len(said.json) >= 31
    listed = ask("plugins", "--hook", "comparators", "--json").json
    symmetric = {offer["name"]: offer["symmetric"] for plugin in listed for offer in plugin["offers"]}
    for table in said.json:
        matrix = np.array(table["matrix"], dtype=float)
        assert np.isfinite(matrix).all(), (table["comparator"], table["reasons"])
        if symmetric[table["comparator"]]:
            np.testing.assert_allclose(matrix, matrix.T, atol=1e-9)


def test_settings_change_the_answer_and_each_is_kept_apart(ask):
    line = ("compare", "latest", "--with", "svcca", "--layers", "main", "--json")
    default, less, again = ask(*line).json, ask(*line, "--variance", 0.5).json, ask(*line).json
    assert default["parameters"] == {}
    assert less["parameters"] == {"variance": 0.5}
    assert default["matrix"] == again["matrix"] != less["matrix"]
    assert ask(*line, "--set", "variance=0.5").json["matrix"] == less["matrix"]
    kept = ask("query", "SELECT DISTINCT parameters FROM comparisons WHERE comparator_name LIKE '%svcca'")
    assert '{"variance":0.5}' in kept.out


def test_a_metric_changes_rsa_and_is_part_of_what_is_kept(ask):
    line = ("compare", "latest", "--layers", "main", "--json")
    pearson, euclidean = ask(*line).json, ask(*line, "--metric", "euclidean").json
    assert euclidean["parameters"]["metric"].startswith("layerwise:euclidean ")
    assert pearson["matrix"] != euclidean["matrix"]
    assert ask(*line, "--metric", "pearson").json["parameters"] == {}


def test_warnings_are_told_and_told_again_when_the_answer_is_read(ask):
    line = ("compare", "latest", "--with", "cca-mean", "--layers", "main")
    first, again = ask(*line, "--json").json, ask(*line, "--json").json
    assert first["warnings"] == again["warnings"]
    assert any(warning.startswith("input: ") and "directions" in warning for warning in first["warnings"])
    assert "Beware: input: " in ask(*line).out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--with", "cak"), "no comparator 'cak'; did you mean cka"),
        (("--with", "cka", "svca"), "no comparator 'svca'; did you mean svcca"),
        (("--with", "cka", "--k", 3), "cka has no parameter 'k'; it has none"),
        (("--with", "cka", "svcca", "--k", 3), "none of cka, svcca has a parameter 'k'"),
        (("--with", "mutual-knn", "--k", 0), "mutual-knn: k must be a whole number of at least 1, not '0'"),
        (("--with", "cka", "--metric", "cosine"), "'cka' compares no metric's matrices"),
        (("--metric", "cosin"), "no metric 'cosin'; did you mean cosine"),
        (("--metric", "spearman"), "metric 'spearman' needs a run with `--transform rank`"),
        (("--set", "variance"), "--set 'variance' is not of the form name=value"),
        (("--with", "svcca", "--variance", 0.5, "--set", "variance=0.4"), "'variance' is set twice"),
    ],
)
def test_a_wrong_question_is_one_clear_line(ask, arguments, message):
    said = ask("compare", "latest", *arguments)
    assert said.code == 2
    assert message in said.err
    assert said.err.startswith("layerwise: error: ")
    assert len(said.err.splitlines()) == 1


def test_reorder_by_another_metric_is_kept_apart(ask):
    line = ("reorder", "latest", "--by", "mixed2", "--json")
    pearson, euclidean = ask(*line).json, ask(*line, "--metric", "euclidean").json
    assert sorted(euclidean["permutation"]) == list(range(40))
    assert pearson["permutation"] != euclidean["permutation"]
    assert (pearson["parameters"], ask(*line).json) == ({}, pearson)


def test_plugins_shows_a_line_for_each_comparator(ask):
    said = ask("plugins", "--hook", "comparators")
    lines = {line.split()[0]: line for line in said.out.splitlines()}
    assert "0 to 1" in lines["svcca"]
    assert "variance=0.99" in lines["svcca"]
    assert "row to column" in lines["linear-predictivity"]
    assert "metric=cosine" in lines["mutual-knn"]


def test_spearman_is_pearson_of_the_ranked_activations(cli, demo):
    line = ("run", demo.checkpoint(1), "--stimuli", demo.stimuli, "--limit", 12, "--db", "own.db", "--json")
    ran = cli(*line, "--layers", "main", "--transform", "none", "--transform", "rank")
    assert ran.code == 0, ran.err
    found = cli("compare", "latest", "--metric", "spearman", "--db", "own.db", "--json")
    assert found.code == 0, found.err
    ranked = cli("compare", "latest", "--transform", "rank", "--db", "own.db", "--json")
    assert found.json["matrix"] == ranked.json["matrix"]
    assert {layer["transform"] for layer in found.json["layers"]} == {"rank"}


def test_compare_takes_a_budget_of_memory_and_refuses_what_is_none(ask):
    assert ask("compare", "latest", "--with", "cka", "--memory", "200MiB", "--json").code == 0
    said = ask("compare", "latest", "--memory", "plenty")
    assert said.code == 2
    assert "--memory" in said.err

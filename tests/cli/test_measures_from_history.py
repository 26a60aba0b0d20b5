"""`profile`, `importance` and `measure`, from the demo's history alone."""

from __future__ import annotations

import json

import numpy as np
import pytest


@pytest.fixture
def run_ids(demo):
    return [run["run_id"] for run in demo.record["runs"]]


def test_a_profile_holds_what_compare_says_of_the_main_layers(ask):
    (profile,) = ask("profile", "latest", "--output", "output", "--json").json
    compared = ask("compare", "latest", "--layers", "main", "--json").json
    matrix = np.array(compared["matrix"])
    assert [row["layer"] for row in profile["layers"]] == [layer["layer"] for layer in compared["layers"]]
    np.testing.assert_allclose([row["to_input"] for row in profile["layers"]], matrix[0], atol=1e-12)
    np.testing.assert_allclose([row["to_output"] for row in profile["layers"]], matrix[:, -1], atol=1e-12)
    steps = [row["step"] for row in profile["layers"]]
    assert steps[0] is None
    np.testing.assert_allclose(steps[1:], 1 - np.diagonal(matrix, 1), atol=1e-12)
    assert sum(row["share"] for row in profile["layers"][1:]) == pytest.approx(1)
    assert 0 < profile["smoothness"] < 1
    assert len(profile["crossings"]) % 2 == 1


def test_the_way_ends_at_the_logits_and_the_profile_says_so(ask):
    (profile,) = ask("profile", "latest", "--json").json
    (to_output,) = ask("profile", "latest", "--output", "output", "--json").json
    names = [row["layer"] for row in to_output["layers"]]
    assert names[-2:] == ["logits", "output"]
    assert [row["layer"] for row in profile["layers"]] == names[:-1]
    assert (profile["end_point"], to_output["end_point"]) == ("logits", "output")
    assert profile["layers"][-1]["to_output"] == pytest.approx(1)
    said = ask("profile", "latest")
    assert "to logits" in said.out
    assert "The way ends at logits: output comes after it; --output output goes on to there." in said.out
    assert "ends at" not in ask("profile", "latest", "--output", "output").out


def test_show_importance_and_profile_call_the_end_by_one_name_and_one_number(ask):
    (profile,) = ask("profile", "latest", "--json").json
    shown = ask("show", "latest", "--json").json
    assert shown["end_point"] == profile["end_point"] == "logits"
    by_layer = {row["layer"]: row["output_similarity"] for row in shown["overview"]}
    assert [by_layer[row["layer"]] for row in profile["layers"]] == [row["to_output"] for row in profile["layers"]]
    assert "to logits" in ask("show", "latest").out
    assert "to output" in ask("show", "latest", "--output", "output").out
    assert "logits" in {item["target"] for item in ask("importance", "latest", "--json").json}
    assert "output" in {item["target"] for item in ask("importance", "latest", "--output", "output", "--json").json}


def test_an_end_point_that_was_not_analysed_is_a_clear_error(ask):
    for command in ("profile", "show", "importance"):
        said = ask(command, "latest", "--output", "outptu")
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert "no layer 'outptu'; did you mean output" in said.err


def test_a_profile_is_kept_and_answered_from_the_history(ask):
    first = ask("profile", "latest", "--json").out
    kept = ask("query", "SELECT smoothness, n_layers FROM profile_list WHERE comparator LIKE '%:rsa-pearson'")
    assert kept.code == 0, kept.err
    assert f"{json.loads(first)[0]['smoothness']:.6f}"[:6] in kept.out
    assert ask("profile", "latest", "--json").out == first


def test_profiles_for_people_say_it_in_a_sentence(ask, run_ids):
    said = ask("profile", "latest")
    for word in ("smoothness", "equal steps", "of all change from", "crosses between", "mixed2"):
        assert word in said.out
    both = ask("profile", *run_ids)
    assert both.code == 0, both.err
    assert all(f"{run[:6]} done" in both.out for run in run_ids)
    assert both.out.count("smoothness") == 2


def test_a_profile_of_chosen_layers_without_the_input_says_that_nothing_crosses(ask):
    (profile,) = ask("profile", "latest", "--layers", "mixed?", "--layers", "output", "--json").json
    assert [row["layer"] for row in profile["layers"]] == ["mixed1", "mixed2", "output"]
    assert profile["crossings"] == []
    assert "the input is not among the layers" in profile["reason"]


def test_a_profile_over_branches_says_that_they_are_no_chain(ask):
    said = ask("profile", "latest", "--layers", "all")
    assert said.code == 0
    assert "branches of mixed1 run side by side" in said.err
    assert ask("profile", "latest", "--layers", "main", "--layers", "mixed1/5x5").err == ""


def test_profiles_of_nothing_are_clear_errors(ask):
    said = ask("profile", "latest", "--layers", "output")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "at least two layers" in said.err
    assert "no comparator 'rsa-person'; did you mean" in ask("profile", "latest", "--with", "rsa-person").err


def test_importance_has_every_branch_of_every_block_for_both_targets(ask):
    found = ask("importance", "latest", "--json").json
    assert [(item["block"], item["target"]) for item in found] == [
        (block, target) for block in ("mixed1", "mixed2") for target in ("logits", block)
    ]
    for item in found:
        assert {branch["branch"] for branch in item["branches"]} == {"1x1", "3x3", "5x5", "pool"}
        unique = sum(branch["unique"] for branch in item["branches"])
        assert item["shared"] == pytest.approx(item["explained"] - unique)
        assert item["n_pairs"] == 40 * 39 / 2
    assert found[1]["explained"] > 0.8


def test_importance_is_that_of_the_exported_matrices(ask):
    (item,) = ask("importance", "latest", "--block", "mixed2", "--target", "output", "--json").json
    ask("export", "latest", "-o", "all.npz")
    exported, upper = np.load("all.npz"), np.triu_indices(40, 1)
    triangle = {name: exported[f"{name}/correlation"][upper].astype(float) for name in ("output",)}
    arms = [exported[f"mixed2/{branch['branch']}/correlation"][upper].astype(float) for branch in item["branches"]]
    design = np.column_stack([np.ones(len(arms[0])), *arms])
    fitted = design @ np.linalg.lstsq(design, triangle["output"], rcond=None)[0]
    assert item["explained"] == pytest.approx(np.corrcoef(fitted, triangle["output"])[0, 1] ** 2, abs=1e-6)


def test_importance_for_people_is_a_table(ask):
    said = ask("importance", "latest")
    for word in ("explained", "unique", "partial", "mixed1", "5x5"):
        assert word in said.out


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--block", "mixed3"), "no block 'mixed3' with two branches; did you mean"),
        (("--target", "outptu"), "no layer 'outptu'; did you mean"),
        (("--metric", "pearsn"), "no metric 'pearsn'; did you mean"),
    ],
)
def test_importance_of_what_is_not_there_is_a_clear_error(ask, options, why):
    said = ask("importance", "latest", *options)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert why in said.err


def test_every_layer_has_its_geometry_and_its_redundancy(ask):
    count = "SELECT statistic, count(value) FROM layer_statistics GROUP BY statistic"
    table = {
        row.split(",")[0]: int(row.split(",")[1]) for row in ask("query", count, "--format", "csv").out.split()[1:]
    }
    for name in ("decov", "effective-rank", "eigenspectrum", "mean-correlation", "std-correlation"):
        assert table[name] == table["mean"]


def test_measure_adds_only_what_is_missing(ask):
    assert ask("measure", "latest").out == "Nothing to add: all of it is stored.\n"
    assert ask("measure", "latest", "--json").json == []
    said = ask("measure", "latest", "--statistic", "decov")
    assert said.code == 2
    assert "needs activations of single units" in said.err


def test_measure_gives_an_old_run_its_statistics_back(demo, cli, tmp_path):
    import shutil
    import sqlite3

    copy = tmp_path / "old.db"
    shutil.copy(demo.database, copy)
    with sqlite3.connect(copy) as connection:
        before = connection.execute("SELECT name, value FROM statistics WHERE name = 'effective-rank'").fetchall()
        connection.execute("DELETE FROM statistics WHERE name = 'effective-rank'")
    runs = [run["run_id"] for run in demo.record["runs"]]
    said = cli("measure", *runs, "--db", copy, "--json")
    assert said.code == 0, said.err
    assert [item["statistic"] for item in said.json] == ["effective-rank"] * len(before)
    assert sorted(item["value"] for item in said.json) == pytest.approx(sorted(value for _, value in before))

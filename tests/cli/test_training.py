"""`layerwise training`, and how other commands take a whole training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


def test_trainings_are_listed_where_none_is_named(ask: Any, demo: Any) -> None:
    said = ask("training")
    assert said.code == 0
    assert "digits" in said.out
    assert ask("training", "--json").json == [{"lineage": "digits", "n_runs": 2}]


def test_a_training_is_told_in_tables_and_in_json(ask: Any, demo: Any) -> None:
    said = ask("training", "digits")
    assert said.code == 0, said.err
    assert "digits: 2 checkpoints, steps 0 to 1; 40 stimuli of digits" in said.out
    assert "rsa-pearson of each layer to its final state; settled: from there on above 0.9" in said.out
    found = ask("training", "digits", "--json", "--bootstrap", 20).json
    assert found["steps"] == [0, 1]
    assert found["run_ids"] == [run["run_id"] for run in demo.record["runs"]]
    assert found["layers"][0] == "input"
    assert np.array(found["to_end"]).shape == (2, len(found["layers"]))
    assert found["to_end"][1] == pytest.approx([1.0] * len(found["layers"]))
    assert {layer["layer"] for layer in found["settled"]} == set(found["layers"])
    assert found["settled"][-1]["low"] is not None
    assert len(found["values"]["top-1"]) == len(found["smoothness"]) == 2
    assert found["interval"]["n_resamples"] == 20


def test_the_similarities_are_those_of_compare_to_end(ask: Any, demo: Any) -> None:
    training = ask("training", "digits", "--json", "--with", "cka").json
    compared = ask("compare", "lineage:digits", "--to-end", "--layers", "main", "--with", "cka", "--json").json
    assert compared["layers"] == training["layers"]
    assert compared["to_end"] == training["to_end"]
    assert compared["steps"] == [0, 1]
    shown = ask("compare", "digits@0", "digits@1", "--to-end", "--layers", "main")
    assert "rsa-pearson of each layer to its state in the last run" in shown.out
    assert "@0" in shown.out


def test_stored_statistics_are_shown_over_time(ask: Any, demo: Any) -> None:
    said = ask("training", "digits", "--statistic", "participation-ratio,weight-std", "--json").json["statistics"]
    stored = ask("query", "SELECT r.step, s.layer, s.value FROM layer_statistics s JOIN run_list r ON r.run = s.run "
                 "WHERE s.statistic = 'participation-ratio' AND s.transform = 'none'", "--json").json  # fmt: skip
    values = {(row["step"], row["layer"]): row["value"] for row in stored}
    ratios = said["participation-ratio"]
    for step, row in enumerate(ratios["values"]):
        assert row == pytest.approx([values[step, layer] for layer in ratios["layers"]])
    assert "conv0/kernel" in said["weight-std"]["tensors"]
    assert "weight-std" in ask("training", "digits", "--statistic", "weight-std").out


def test_alarms_decide_the_exit_code(ask: Any, demo: Any) -> None:
    quiet = ask("training", "digits", "--alarms", "--collapse", 0, "--dead", 0, "--lost", 0)
    assert (quiet.code, quiet.out.strip()) == (0, "No alarm is on.")
    loud = ask("training", "digits", "--alarms", "--dead", 0.01, "--json")
    assert loud.code == 1
    assert any(alarm["kind"] == "dead" and alarm["is_on"] for alarm in loud.json["alarms"])
    assert loud.json["limits"]["dead"] == 0.01


def test_two_trainings_are_aligned(ask: Any, demo: Any) -> None:
    said = ask("training", "digits", "digits", "--json")
    assert said.code == 0, said.err
    assert [(one["step"], one["other_step"]) for one in said.json["path"]] == [(0, 0), (1, 1)]
    assert said.json["cost"] == pytest.approx(0, abs=1e-6)
    assert "aligned in time" in ask("training", "digits", "digits").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("training", "digts"), "there is no lineage 'digts'; did you mean digits?"),
        (("training", "a", "b", "c"), "name one training, or two that are aligned in time"),
        (("training", "digits", "--statistic", "participation"), "no statistic 'participation' is stored"),
        (("training", "digits", "--dead", "2"), "the limit of alarm 'dead' is between 0 and 1; here it is 2"),
        (("training", "digits", "--with", "imd"), "say from where on a layer is settled: --bound X"),
        (("compare", "lineage:digits", "--to-end", "--bootstrap", "90"), "--to-end makes no intervals and no tests"),
        (("compare", "latest", "--to-end"), "has 1 checkpoint so far"),
        (("show", "lineage:digits"), "is 2 runs, and one is wanted here: digits@0 say, or digits~0, the last"),
    ],
)
def test_what_cannot_be_asked_is_one_line(ask: Any, demo: Any, words: tuple[str, ...], message: str) -> None:
    said = ask(*words)
    assert said.code == 2
    assert message in said.err
    assert said.err.count("\n") == 1


def test_every_command_takes_a_place_in_a_training(ask: Any, demo: Any) -> None:
    last = demo.record["runs"][-1]["run_id"]
    assert ask("show", "digits@1", "--json").json["run_id"] == last
    profiles = ask("profile", "lineage:digits", "--json").json
    assert [one["run_id"] for one in profiles][-1] == last
    differences = ask("difference", "digits@1:mixed1,output", "latest~1:mixed1,output", "--bootstrap", 20, "--json")
    assert differences.json["differences"][0]["first"][0]["run_id"] == last

"""Intervals, tests, differences and ceilings at the command line, on the demo's history."""

from __future__ import annotations

import shutil

import pytest

MAIN = ("--layers", "main")


@pytest.fixture
def own(demo, tmp_path, monkeypatch, cli):
    """A command line with a copy of the demo's history, which may be changed."""
    copy = tmp_path / "own.db"
    shutil.copy(demo.database, copy)
    monkeypatch.setenv("LAYERWISE_DB", f"sqlite:///{copy}")
    return cli


def test_compare_adds_intervals_and_tests_where_they_are_asked_for(own):
    plain = own("compare", "latest", *MAIN, "--json").json
    assert not {"low", "high", "p", "p_corrected"} & set(plain)
    found = own("compare", "latest", *MAIN, "--bootstrap", 60, "--permutations", 99, "--json").json
    n = len(found["layers"])
    for name in ("low", "high", "p", "p_corrected"):
        assert len(found[name]) == len(found[name][0]) == n
    assert found["low"][0][1] < found["matrix"][0][1] < found["high"][0][1]
    assert found["p"][0][0] is None
    assert found["p_corrected"][0][1] >= found["p"][0][1]
    assert found["interval"] == {"n_resamples": 60, "seed": 0, "method": "corrected", "level": 0.95}
    assert found["test"]["correction"] == "holm"


def test_asked_again_it_is_the_same_and_another_seed_is_not(own):
    ask = ("compare", "latest", *MAIN, "--bootstrap", 60, "--json")
    first = own(*ask).json
    assert own(*ask).json == first
    assert own(*ask, "--seed", 5).json["low"] != first["low"]


def test_the_table_shows_steps_with_their_intervals(own):
    said = own("compare", "latest", *MAIN, "--bootstrap", 60, "--level", 0.9, "--permutations", 19 + 1)
    assert said.code == 0, said.err
    assert "90% interval" in said.out
    assert " .. " in said.out
    assert "p (holm)" in said.out
    assert "20 permutations are too few for" in said.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--interval", "bca"), "--interval is of the intervals that --bootstrap N adds"),
        (("--level", "0.9"), "--level is of the intervals"),
        (("--two-sided",), "--two-sided is of the tests that --permutations N adds"),
        (("--correction", "bh"), "--correction is of the tests"),
        (("--seed", "3"), "--seed is of what --bootstrap N, --permutations N and --calibrated draw"),
        (("--bootstrap", "5"), "at least 20 resamples"),
        (("--bootstrap", "50", "--interval", "bcaa"), "did you mean bca"),
        (("--bootstrap", "50", "--level", "95"), "between 0 and 1"),
        (("--permutations", "50", "--correction", "sidak"), "no correction 'sidak'"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_one_line(ask, options, said):
    answer = ask("compare", "latest", *options)
    assert answer.code == 2
    assert said in answer.err
    assert answer.err.count("\n") == 1


def test_a_difference_between_two_comparisons_has_an_interval_and_a_p_value(own):
    found = own("difference", "latest:input,output", "latest:input,input", "--bootstrap", 60, "--json").json
    (one,) = found["differences"]
    assert one["low"] < one["difference"] < one["high"] < 0
    assert one["p"] < 0.01
    said = own("difference", "latest:input,output", "latest:input,input", "--bootstrap", 60)
    assert "first minus second" in said.out


def test_two_runs_are_compared_step_by_step(own):
    found = own("difference", "latest", "latest", "--bootstrap", 60, "--json").json["differences"]
    assert len(found) > 2
    assert all(abs(item["difference"]) < 1e-12 for item in found)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("latest:input,output", "latest", "must both be"),
        ("latest:input", "latest:input,output", "not of the form RUN:LAYER,LAYER"),
        ("latest:input,nowhere", "latest:input,output", "nowhere"),
        ("zzz", "latest", "there is no run"),
    ],
)
def test_a_difference_of_nothing_is_refused(ask, first, second, said):
    answer = ask("difference", first, second)
    assert answer.code == 2
    assert said in answer.err


def test_a_profile_gets_intervals(own):
    (found,) = own("profile", "latest", "--bootstrap", 60, "--json").json
    smoothness = found["intervals"]["smoothness"]
    assert smoothness["low"] < found["smoothness"] < smoothness["high"]
    assert len(found["layer_intervals"]) == len(found["layers"])
    assert "intervals over the stimuli" in own("profile", "latest", "--bootstrap", 60).out
    rows = own("query", "--table", "profile_interval_list", "--format", "json").json
    kept = [row for row in rows if row["run_id"] == found["run_id"] and row["n_resamples"] == 60]
    (whole,) = (row for row in kept if row["number"] == "smoothness")
    assert (whole["low"], whole["high"]) == (smoothness["low"], smoothness["high"])
    assert len([row for row in kept if row["number"] == "share"]) == len(found["layers"])
    (plain,) = own("profile", "latest", "--json").json
    assert "intervals" not in plain


def test_a_ceiling_without_halves_says_how_to_get_them(ask):
    answer = ask("ceiling", "latest")
    assert answer.code == 2
    assert "--transform half-a" in answer.err

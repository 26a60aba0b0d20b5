from pathlib import Path

import numpy as np


def test_the_demo_analyses_the_untrained_network_and_every_checkpoint(demo):
    runs = demo.record["runs"]
    assert [run["status"] for run in runs] == ["finished", "finished"]
    assert all({"input", "mixed1", "mixed1/5x5", "mixed2/pool", "output"} <= set(run["layers"]) for run in runs)
    assert all(run["n_stimuli"] == 40 for run in runs)


def test_an_epoch_of_learning_shows_in_the_demo_s_accuracy(demo):
    untrained, trained = (run["accuracy"]["top1"] for run in demo.record["runs"])
    assert trained > untrained


def test_the_demo_compares_each_layer_with_what_it_becomes(demo):
    matrix = np.array(demo.record["similarity_to_last"])
    assert matrix.shape == (2, len(demo.record["layers"]))
    np.testing.assert_allclose(matrix[-1], 1, atol=1e-6)
    assert matrix[0, -1] < 0.9


def test_the_demo_s_report_is_one_self_contained_page(demo):
    page = Path(demo.record["report"]).read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert 'src="http' not in page


def test_the_demo_asked_for_again_is_answered_from_its_history(demo, cli):
    said = cli("demo", "--out", demo.folder, "--epochs", 1, "--held-out", 40, "--no-open", "--json")
    assert said.code == 0, said.err
    assert [run["status"] for run in said.json["runs"]] == ["stored", "stored"]
    assert [run["run_id"] for run in said.json["runs"]] == [run["run_id"] for run in demo.record["runs"]]


def test_the_demo_files_its_runs_as_one_lineage(demo, ask):
    runs = ask("runs", "--lineage", "digits", "--json").json
    assert [(run["step"], run["checkpoint"]) for run in runs] == [(1, "epoch-1"), (0, "epoch-0")]

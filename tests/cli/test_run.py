import numpy as np
import pytest


@pytest.fixture
def run(demo, cli):
    """`layerwise run` on the demo's trained network, into a history of the test's own."""

    def call(*arguments):
        return cli("run", demo.checkpoint(1), "--stimuli", demo.stimuli, "--db", "own.db", *arguments)

    return call


def test_run_prints_what_it_did_as_json(run):
    said = run("--layers", "mixed1", "--layers", "output", "--limit", 10, "--json")
    assert said.code == 0, said.err
    assert set(said.json) == {"run_id", "status", "n_stimuli", "layers", "seconds", "accuracy"}
    assert said.json["status"] == "finished"
    assert said.json["n_stimuli"] == 10
    assert said.json["layers"] == ["mixed1", "output"]
    assert set(said.json["accuracy"]) == {"top1", "top5"}
    assert said.json["seconds"]["stream"] > 0
    assert said.err == ""


def test_the_same_analysis_is_answered_from_the_history_until_it_is_forced(run):
    first = run("--limit", 10, "--json").json
    again = run("--limit", 10, "--json").json
    assert (again["run_id"], again["status"]) == (first["run_id"], "stored")
    assert again["layers"] == first["layers"]
    forced = run("--limit", 10, "--force", "--json").json
    assert forced["status"] == "finished"
    assert forced["run_id"] != first["run_id"]


def test_accuracy_is_null_where_the_output_is_not_analysed(run):
    assert run("--layers", "mixed1", "--limit", 10, "--json").json["accuracy"] is None


def test_a_dry_run_prints_the_plan_and_stores_nothing(run, tmp_path):
    said = run("--dry-run", "--json")
    assert said.code == 0, said.err
    assert said.json["n_stimuli"] == 40
    assert "mixed2" in said.json["layers"]
    assert said.json["segments"][0]["n_passes"] == 1
    assert not (tmp_path / "own.db").exists()


def test_a_first_run_that_makes_no_sense_leaves_no_history_behind(run, tmp_path):
    said = run("--layers", "nosuch")
    assert said.code == 2
    assert "nosuch" in said.err
    assert list(tmp_path.glob("own.db*")) == []


def test_where_no_history_can_be_made_a_run_says_so_before_it_loads_anything(demo, cli, tmp_path):
    said = cli("run", demo.checkpoint(1), "--stimuli", demo.stimuli, "--db", tmp_path / "missing" / "own.db")
    assert (said.code, said.out) == (2, "")
    assert "there is no folder" in said.err
    assert "loading" not in said.err


def test_a_dry_run_shows_the_plan_to_people_on_stdout(run):
    said = run("--dry-run")
    assert said.out.startswith("Plan: ")
    assert "passes" in said.out


def test_a_plan_counts_a_layer_once_however_many_transforms_it_is_under(run):
    chosen = ("--layers", "mixed1", "--layers", "output", "--transform", "spatial-mean", "--dry-run")
    assert "2 layers, 4 representations" in run(*chosen).out
    planned = run(*chosen, "--json").json
    assert sorted(planned["layers"]) == ["mixed1", "output"]
    assert sum(segment["n_layers"] for segment in planned["segments"]) == 2


def test_progress_stays_off_stdout(run):
    said = run("--limit", 10)
    assert said.code == 0, said.err
    assert "Plan: " in said.err
    assert "Plan: " not in said.out
    assert said.out.startswith("Run ")


def test_run_says_what_to_try_next_with_the_history_it_wrote_to(run):
    assert "layerwise show latest --db own.db" in run("--limit", 10).out


def test_what_a_run_is_filed_under_is_found_again(run, cli):
    filed = ("--lineage", "training", "--step", 3, "--checkpoint", "third", "--tag", "a=1", "--tag", "b = x=y")
    assert run("--limit", 10, *filed).code == 0
    (record,) = cli("runs", "--db", "own.db", "--tag", "b=x=y", "--json").json
    assert (record["lineage"], record["step"], record["checkpoint"]) == ("training", 3, "third")
    assert record["tags"] == {"a": "1", "b": "x=y"}
    assert cli("runs", "--db", "own.db", "--tag", "a=2", "--json").json == []


def test_a_transform_gives_a_representation_of_its_own(run, cli):
    assert run("--limit", 10, "--layers", "mixed1", "--transform", "rank").code == 0
    for name in ("none", "rank"):
        assert cli("export", "latest", "--db", "own.db", "--transform", name, "-o", f"{name}.npz").code == 0
    plain, ranked = np.load("none.npz"), np.load("rank.npz")
    assert not np.allclose(plain["mixed1/correlation"], ranked["mixed1/correlation"])


def test_every_stimulus_that_cannot_be_decoded_is_listed_before_the_network_runs(demo, cli, tmp_path):
    from PIL import Image

    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "c.png", "d.png"):
        Image.effect_noise((20, 20), 90).save(folder / name)
    (folder / "b.png").write_bytes(b"no picture")
    (folder / "e.png").write_bytes(b"")
    line = ("run", demo.checkpoint(1), "--stimuli", folder, "--db", "own.db", "--json")
    said = cli(*line)
    assert said.code == 2
    assert "b.png" in said.err
    assert "e.png" in said.err
    assert cli(*line, "--skip-bad").json["n_stimuli"] == 3


def test_an_interrupted_run_says_how_many_layers_are_stored_and_goes_on(run, cli, monkeypatch):
    chosen = ("--layers", "conv0", "--layers", "mixed1", "--layers", "output", "--limit", 10)

    def interrupt(self, name):
        if name == "mixed1":
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("layerwise.cli.progress.QuietObserver.layer_finished", interrupt)
        said = run(*chosen)
    assert said.code == 130
    assert "layerwise: 2 of 3 layers are stored; the same command goes on from there\n" in said.err
    assert said.err.endswith("layerwise: interrupted\n")
    again = run(*chosen)
    assert again.code == 0, again.err
    assert "2 layers are stored already" in again.err


def test_a_run_that_is_interrupted_before_its_first_layer_says_so(run, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("layerwise.cli.progress.QuietObserver.begin", interrupt)
    said = run("--layers", "conv0", "--limit", 10)
    assert said.code == 130
    assert "no layer is stored yet" in said.err


def test_layers_lists_what_can_be_selected(demo, cli):
    said = cli("layers", demo.checkpoint(1), "--json")
    assert said.code == 0, said.err
    by_name = {layer["name"]: layer for layer in said.json}
    assert set(by_name["mixed1/5x5"]) == {"name", "op", "block", "branch", "shape", "n_features"}
    assert by_name["mixed1/5x5"]["block"] == "mixed1"
    assert by_name["mixed1/5x5"]["branch"] == "5x5"
    assert by_name["mixed1"]["shape"] == [8, 8, 52]
    assert by_name["mixed1"]["n_features"] == 8 * 8 * 52
    chosen = cli("layers", demo.checkpoint(1), "--layers", "block:mixed2", "--json").json
    assert {layer["block"] for layer in chosen} == {"mixed2"}


def test_the_command_is_kept_as_it_was_typed(run, cli):
    assert run("--limit", 10, "--layers", "output").code == 0
    (row,) = cli("query", "SELECT command FROM runs", "--db", "own.db", "--json").json
    assert row["command"].startswith("layerwise run ")
    assert row["command"].endswith("--db own.db --limit 10 --layers output")

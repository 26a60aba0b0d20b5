import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest

from layerwise.storage.connect import Database, parse_url
from layerwise.storage.holding.sealing import seal_attempt, seal_run
from layerwise.testing import make_history


@pytest.fixture
def run_ids(demo):
    return [run["run_id"] for run in demo.record["runs"]]


def test_show_prints_a_row_per_layer_with_what_a_person_wants(ask, demo):
    said = ask("show", "latest", "--json")
    assert said.code == 0, said.err
    rows = {row["layer"]: row for row in said.json["overview"]}
    assert list(rows) == demo.record["runs"][1]["layers"]
    assert rows["input"]["input_similarity"] == pytest.approx(1, abs=1e-6)
    assert said.json["end_point"] == "logits"
    assert rows["logits"]["output_similarity"] == pytest.approx(1, abs=1e-6)
    assert rows["logits"]["step_similarity"] == pytest.approx(rows["avgpool"]["output_similarity"])
    assert rows["output"]["step_similarity"] == pytest.approx(rows["output"]["output_similarity"])
    assert rows["mixed1/5x5"]["step_similarity"] is None
    assert rows["mixed1"]["n_features"] == 8 * 8 * 52
    assert 0 < rows["mixed2"]["sparseness"] < 1


def test_show_s_mean_correlation_is_that_of_different_stimuli(ask):
    ask("export", "latest", "--layer", "mixed2", "-o", "x.npz")
    correlation = np.load("x.npz")["correlation"]
    off_diagonal = correlation[~np.eye(len(correlation), dtype=bool)]
    rows = {row["layer"]: row for row in ask("show", "latest", "--json").json["overview"]}
    assert rows["mixed2"]["mean_correlation"] == pytest.approx(off_diagonal.mean(), abs=1e-6)


def test_show_for_people_names_model_stimuli_and_accuracy(ask):
    said = ask("show", "latest")
    for word in ("epoch-1", "digits", "Accuracy: top-1", "to input", "mixed2/pool"):
        assert word in said.out


def test_compare_prints_layers_and_a_matrix_in_the_same_order(ask, run_ids):
    said = ask("compare", "latest", "--json")
    assert said.code == 0, said.err
    assert said.json["comparator"] == "rsa-pearson"
    matrix = np.array(said.json["matrix"])
    assert matrix.shape == (len(said.json["layers"]),) * 2
    assert {layer["run_id"] for layer in said.json["layers"]} == {run_ids[1]}
    np.testing.assert_allclose(np.diagonal(matrix), 1, atol=1e-6)
    names = [layer["layer"] for layer in said.json["layers"]]
    ask("export", "latest", "-o", "all.npz")
    exported, upper = np.load("all.npz"), np.triu_indices(40, 1)
    pair = [exported[f"{name}/correlation"][upper].astype(float) for name in ("conv0", "mixed2/3x3")]
    found = matrix[names.index("conv0"), names.index("mixed2/3x3")]
    assert found == pytest.approx(np.corrcoef(pair)[0, 1], abs=1e-6)


def test_compare_across_runs_has_the_layers_of_both(ask, run_ids):
    said = ask("compare", *run_ids, "--layers", "main", "--json").json
    assert [layer["run_id"] for layer in said["layers"]] == [run_ids[0]] * 9 + [run_ids[1]] * 9
    assert said["matrix"][0][9] == pytest.approx(1, abs=1e-6)  # both see the same input


def test_several_comparators_print_a_list(ask):
    said = ask("compare", "latest", "--with", "rsa-pearson", "--with", "rsa-spearman", "--layers", "main", "--json")
    assert [table["comparator"] for table in said.json] == ["rsa-pearson", "rsa-spearman"]


def test_compare_for_people_shows_the_steps_between_neighbours(ask):
    said = ask("compare", "latest", "--layers", "main")
    assert said.code == 0, said.err
    assert "avgpool   logits" in said.out


def test_runs_on_different_stimuli_are_compared_on_those_that_they_share(cli, demo, run_ids):
    line = ("run", demo.checkpoint(1), "--stimuli", demo.stimuli, "--db", "two.db", "--json", "--layers", "output")
    ids = [cli(*line, "--limit", limit).json["run_id"] for limit in (10, 12)]
    said = cli("compare", *ids, "--db", "two.db")
    assert said.code == 0
    assert "compared on 10 shared stimuli of 10 to 12" in said.err
    assert cli("query", "SELECT count(*) AS n FROM comparisons", "--db", "two.db", "--json").json == [{"n": 0}]


def test_reorder_prints_a_permutation_with_names(ask):
    said = ask("reorder", "latest", "--by", "output", "--json")
    assert said.code == 0, said.err
    assert sorted(said.json["permutation"]) == list(range(40))
    names = np.load(said_stimuli(ask))["stimuli"]
    assert said.json["stimuli"] == [names[index] for index in said.json["permutation"]]


def said_stimuli(ask):
    ask("export", "latest", "--layer", "input", "-o", "names.npz")
    return "names.npz"


def test_reorder_by_label_keeps_digits_together(ask):
    said = ask("reorder", "latest", "--by", "input", "--method", "label", "--json").json
    digits = [name.split("-")[0] for name in said["stimuli"]]
    assert digits == sorted(digits)


def test_export_takes_the_selectors_of_other_commands(ask):
    said = ask("export", "latest", "--layers", "input", "--layers", "block:mixed1", "-o", "some.npz", "--json")
    assert said.json["layers"][0] == "input"
    assert {"mixed1", "mixed1/3x3"} < set(said.json["layers"])
    assert "output" not in said.json["layers"]
    assert {key.rpartition("/")[0] for key in np.load("some.npz").files} == {*said.json["layers"], ""}


def test_export_of_a_layer_holds_its_representation(ask):
    said = ask("export", "latest", "--layer", "mixed1", "-o", "x.npz", "--json")
    assert said.json["layers"] == ["mixed1"]
    file = np.load("x.npz")
    stored = {"entries", "deviation", "resolution"}
    assert set(file.files) == {"correlation", "mean", "norm", "n_features", "stimuli"} | stored
    assert file["correlation"].shape == file["entries"].shape == (40, 40)
    assert file["correlation"].dtype == np.float64
    assert file["mean"].shape == file["norm"].shape == file["deviation"].shape == (40,)
    assert int(file["n_features"]) == 8 * 8 * 52
    assert len(set(file["stimuli"])) == 40


def test_the_formats_of_an_export_agree(ask):
    for name in ("x.npz", "x.h5", "x.parquet"):
        assert ask("export", "latest", "-o", name).code == 0
    numpy, frame = np.load("x.npz"), pl.read_parquet("x.parquet")
    row = frame.filter((pl.col("layer") == "mixed2/5x5") & (pl.col("i") == 3) & (pl.col("j") == 7)).row(0, named=True)
    assert row["correlation"] == numpy["mixed2/5x5/correlation"][3, 7]
    assert row["stimulus_j"] == numpy["stimuli"][7]
    with h5py.File("x.h5") as file:
        np.testing.assert_array_equal(file["mixed2/5x5/correlation"], numpy["mixed2/5x5/correlation"])
        assert file["stimuli"].asstr()[7] == numpy["stimuli"][7]


def test_a_failed_export_leaves_the_file_that_was_there(ask, tmp_path, monkeypatch):
    (tmp_path / "x.npz").write_bytes(b"mine")

    def fail(*_, **__):
        raise OSError(28, "no space left")

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    assert ask("export", "latest", "-o", "x.npz").code == 1
    assert (tmp_path / "x.npz").read_bytes() == b"mine"
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


@pytest.mark.parametrize("form", ["table", "csv", "json", "parquet"])
def test_query_writes_every_format(ask, form, run_ids):
    said = ask("query", "SELECT id FROM runs ORDER BY started_at", "--format", form, "-o", "out")
    assert said.code == 0, said.err
    if form == "parquet":
        assert pl.read_parquet("out")["id"].to_list() == run_ids
        return
    text = Path("out").read_text(encoding="utf-8")
    if form == "json":
        assert json.loads(text) == [{"id": run_id} for run_id in run_ids]
    else:
        assert [line.strip() for line in text.splitlines()[:3]] == ["id", *run_ids]


def test_query_lists_tables_and_prints_one(ask):
    tables = [row["table"] for row in ask("query", "--json").json]
    assert "runs" in tables
    assert len(ask("query", "--table", "runs", "--json").json) == 2


@pytest.mark.parametrize("sql", ["DELETE FROM runs", "DROP TABLE runs", "UPDATE runs SET status = 'failed'"])
def test_query_changes_nothing(ask, sql):
    said = ask("query", sql)
    assert said.code in (1, 2)
    assert said.err.startswith("layerwise: error: ")
    assert len(ask("runs", "--status", "finished", "--json").json) == 2


def test_delete_asks_first_and_then_forgets(cli, demo, monkeypatch):
    line = ("run", demo.checkpoint(1), "--stimuli", demo.stimuli, "--limit", 10, "--db", "own.db", "--json")
    run_id = cli(*line, "--layers", "output").json["run_id"]
    monkeypatch.setattr("typer.confirm", _refuse)
    assert cli("delete", run_id, "--db", "own.db").code == 1
    assert len(cli("runs", "--db", "own.db", "--json").json) == 1
    assert cli("delete", run_id, "--db", "own.db", "--yes").code == 0
    assert cli("runs", "--db", "own.db", "--json").json == []


def _refuse(*_, **__):
    import typer

    raise typer.Abort


def test_db_info_counts_and_check_finds_nothing(ask):
    assert ask("db", "info", "--json").json["n_runs"] == 2
    assert ask("db", "--json").json["n_runs"] == 2
    checked = ask("db", "check", "--json").json
    assert checked.pop("journal").startswith("write-ahead log")
    assert checked == {"intact": True, "problems": []}
    assert ask("db", "upgrade", "--json").code == 0


def test_report_writes_one_file(ask, tmp_path, run_ids):
    said = ask("report", *run_ids, "-o", "r.html", "--section", "overview", "--json")
    assert said.code == 0, said.err
    assert said.json["runs"] == run_ids
    assert (tmp_path / "r.html").stat().st_size == said.json["n_bytes"]


def test_show_lists_every_attempt_at_a_run_that_was_interrupted(cli, tmp_path):
    url = make_history(tmp_path / "toy.db")
    database = Database(parse_url(url))
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO attempts SELECT run_id, 2, status, 'layerwise run again', '{\"numpy\": \"9.9\"}', plugins, "
            "host, started_at, ended_at, error, pid, hostname, costs, NULL FROM attempts"
        )
        (run_id,) = connection.exec_driver_sql("SELECT id FROM runs").scalars()
        seal_attempt(connection, run_id, 2)
        seal_run(connection, run_id)
    database.close()
    lines = cli("show", "latest", "--db", url).out.splitlines()
    assert [line.split(":")[0] for line in lines if line.startswith("Attempt")] == ["Attempt 1", "Attempt 2"]
    assert "-> 9.9" in next(line for line in lines if line.startswith("Attempt 2"))
    attempts = cli("show", "latest", "--db", url, "--json").json["attempts"]
    assert [(each["number"], each["status"]) for each in attempts] == [(1, "finished"), (2, "finished")]
    assert (attempts[1]["command"], attempts[1]["versions"]) == ("layerwise run again", {"numpy": "9.9"})


def test_runs_can_be_listed_by_where_their_numbers_come_from(ask):
    everything = ask("runs", "--json").json
    assert {run["origin"] for run in everything} == {"computed"}
    assert ask("runs", "--origin", "computed", "--json").json == everything
    assert ask("runs", "--origin", "imported", "--json").json == []
    assert ask("runs", "--origin", "elsewhere").code == 2


def test_show_tells_what_was_kept_of_findings_and_computes_them_only_when_asked(cli, demo, tmp_path):
    database = shutil.copy(demo.database, tmp_path / "copy.db")

    def show(*arguments):
        return cli("show", "latest", *arguments, "--db", f"sqlite:///{database}")

    def count() -> int:
        with closing(sqlite3.connect(database)) as connection:
            return connection.execute("SELECT count(*) FROM profile_intervals").fetchone()[0]

    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM profile_intervals")
    before = show("--json").json["findings"]
    assert count() == 0
    computed = show("--findings", "--json").json["findings"]
    assert set(before) < set(computed)
    assert count() > 0
    kept = show("--json").json["findings"]
    assert kept
    after = count()
    assert f"Found: {kept[0]}" in show().out
    assert count() == after

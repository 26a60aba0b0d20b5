"""`layerwise import` and `layerwise export`: matrices of other tools as runs, beside those of networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from layerwise.storage.store import Store

ASSETS = Path(__file__).parents[1] / "assets"
NAMES = [f"s{index}.png" for index in range(12)]
LAYERS = ("input", "V1", "output")
NUMBERS = np.array([7, 3, 0, 11, 5, 1, 9, 2, 10, 4, 8, 6])
MOVED = int((np.arange(12) != NUMBERS).sum())


def rows_of(layer: str) -> np.ndarray:
    return np.random.default_rng(LAYERS.index(layer)).normal(size=(12, 30)) + 0.3 * np.random.default_rng(9).normal(
        size=(12, 30)
    )


@pytest.fixture
def net(cli) -> str:
    """A run of three layers, imported from activations."""
    for layer in LAYERS:
        np.savez(f"{layer}.npz", activations=rows_of(layer), stimuli=np.array(NAMES))
    said = cli("import", *[f"{layer}.npz" for layer in LAYERS], "--name", "net", "--json")
    assert said.code == 0, said.err
    return said.json["run_id"]


def runs(cli) -> list[str]:
    return [run["run_id"] for run in cli("runs", "--json").json]


def test_an_import_is_a_run_like_others(cli, net):
    (record,) = cli("runs", "--json").json
    assert (record["model"], record["status"], record["n_layers"], record["n_stimuli"]) == ("net", "finished", 3, 12)
    assert record["tags"] == {"imported-as": "activations"}
    shown = cli("show", net)
    assert "Imported: activations (computed from them, nothing is assumed)" in shown.out
    assert "parameters" not in shown.out
    overview = {row["layer"]: row for row in cli("show", net, "--json").json["overview"]}
    assert overview["V1"]["input_similarity"] is not None
    assert cli("reorder", net, "--by", "V1", "--json").json["stimuli"]
    said = cli("report", net, "-o", "r.html")
    assert said.code == 0, said.err
    page = Path("r.html").read_text(encoding="utf-8")
    assert "s3.png" in page
    assert 'src="data:image/jpeg;base64,"' not in page
    counted = cli("query", "SELECT count(*) AS n FROM layers WHERE op = 'activations'", "--format", "json")
    assert '"n": 3' in counted.out
    assert cli("db", "check").code == 0
    assert cli("delete", net, "--yes").code == 0
    assert runs(cli) == []


@pytest.mark.parametrize("name", ["x.npz", "x.parquet", "x.h5", "x.hdf5", "x.rdms.h5"])
def test_what_is_exported_and_imported_again_is_the_same_as_the_run(cli, net, name):
    assert cli("export", net, "-o", name).code == 0
    said = cli("import", name, "--stimuli", net, "--json")
    assert said.code == 0, said.err
    assert said.json["kinds"] == ["representation"] * 3
    for comparator in ("rsa-pearson", "rsa-spearman"):
        matrix = np.array(cli("compare", net, said.json["run_id"], "--with", comparator, "--json").json["matrix"])
        np.testing.assert_allclose(np.diagonal(matrix[:3, 3:]), 1, atol=1e-12)
        np.testing.assert_array_equal(matrix[:3, :3], matrix[3:, 3:])


@pytest.mark.parametrize("name", ["x.npz", "x.parquet", "x.h5", "x.rdms.h5"])
def test_a_metric_s_matrices_can_be_exported_and_imported_as_what_they_are(cli, net, name):
    said = cli("export", net, "--metric", "euclidean", "-o", name)
    assert (said.code, said.err) == (0, "")
    assert "what euclidean makes of 3 layers, 12 stimuli" in said.out
    again = cli("import", name, "--stimuli", net, "--json")
    assert (again.json["kinds"], again.json["layers"]) == (["euclidean"] * 3, list(LAYERS))
    matrix = cli(
        "compare", net, again.json["run_id"], "--metric", "euclidean", "--with", "cka", "rsa-pearson", "--json"
    )
    for found in matrix.json:
        np.testing.assert_allclose(np.diagonal(np.array(found["matrix"])[:3, 3:]), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metric", "euclid", "-o", "x.npz"], "no metric 'euclid'; did you mean euclidean"),
        (["--metric", "cosine", "-o", "x.rdms.h5"], "'cosine' is a similarity"),
        (["--metric", "spearman", "-o", "x.npz"], "metric 'spearman' needs a run with `--transform rank`"),
    ],
)
def test_a_metric_that_cannot_be_exported_is_one_clear_line_and_no_file(cli, net, options, message):
    said = cli("export", net, *options)
    assert (said.code, len(said.err.splitlines())) == (2, 1)
    assert message in said.err
    assert not list(Path().glob("*x.*"))


def test_format_wins_over_the_suffix(cli, net):
    assert cli("export", net, "-o", "x.h5", "--format", "rsatoolbox").code == 0
    assert cli("import", "x.h5", "--json").json["layers"] == list(LAYERS)


def test_rdms_of_a_recording_are_matched_by_name_and_compared_with_layers(cli, net):
    order = np.random.default_rng(4).permutation(12)
    distances = 1 - np.corrcoef(rows_of("V1"))
    names = np.array([f"recording/{Path(name).stem}.jpg" for name in NAMES])
    np.savez("brain.npz", rdm=distances[np.ix_(order, order)], stimuli=names[order])
    said = cli("import", "brain.npz", "--stimuli", net, "--kind", "correlation-distance", "--json")
    assert said.code == 0, said.err
    moved, matched = said.json["notes"]
    assert moved.endswith(f"rows were moved to the order of run {net}")
    assert matched == "12 names match only without folder and suffix: 'recording/s0.jpg' for 's0.png'"
    table = cli("compare", net, said.json["run_id"], "--json").json
    place = [layer["layer"] for layer in table["layers"]].index("V1")
    assert table["matrix"][place][3] == pytest.approx(1, abs=1e-6)


def test_the_rdms_of_rsatoolbox_are_a_run(cli):
    said = cli("import", ASSETS / "rsatoolbox-squared-euclidean.hdf5", "--output", "IT")
    assert said.code == 0, said.err
    assert "Taken as squared-euclidean: squared Euclidean distances" in said.out
    layers = cli("query", "SELECT name, role FROM layers ORDER BY position", "--format", "csv").out.split()
    assert layers == ["name,role", "V1,hidden", "IT,output"]


def test_the_same_import_is_answered_from_history_unless_forced(cli, net):
    again = cli("import", *[f"{layer}.npz" for layer in LAYERS], "--name", "net")
    assert f"Run {net}: already imported" in again.out
    assert runs(cli) == [net]
    forced = cli("import", *[f"{layer}.npz" for layer in LAYERS], "--name", "net", "--force", "--json")
    assert forced.json["status"] == "finished"
    assert len(runs(cli)) == 2
    other = cli("import", "V1.npz", "--name", "net", "--json")
    assert other.json["status"] == "finished"


def test_stimuli_that_are_not_the_run_s_are_listed_and_nothing_is_stored(cli, net):
    np.savez("brain.npz", rdm=1 - np.eye(12), stimuli=np.array([*NAMES[:11], "other.png"]))
    said = cli("import", "brain.npz", "--stimuli", net)
    assert said.code == 2
    assert "it does not have 'other.png'; missing are 's11.png'" in said.err
    np.savez("brain.npz", rdm=1 - np.eye(5))
    said = cli("import", "brain.npz", "--stimuli", net)
    assert said.code == 2
    assert f"5 stimuli, but run {net}, for which brain.npz was given, has 12" in said.err
    assert runs(cli) == [net]


def test_without_names_the_rows_are_taken_as_they_come_and_that_is_said(cli, net):
    np.savez("brain.npz", rdm=1 - np.corrcoef(rows_of("V1")))
    said = cli("import", "brain.npz", "--stimuli", net)
    assert said.code == 0, said.err
    assert f"Note: no stimulus names: the rows are taken to be in the order of run {net}." in said.out
    alone = cli("import", "brain.npz", "--json")
    assert alone.json["notes"][0].startswith("no stimulus names: comparable only with what is imported with it")
    assert cli("compare", net, alone.json["run_id"]).code == 2


@pytest.fixture
def numbered(cli) -> str:
    """A run whose stimuli are called 0 to 11, in another order."""
    np.savez("net.npz", activations=rows_of("V1"), id=NUMBERS)
    said = cli("import", "net.npz", "--json")
    assert said.code == 0, said.err
    return said.json["run_id"]


def matrix_in_order() -> np.ndarray:
    """What the run's rows give, in the order of their numbers."""
    order = np.argsort(NUMBERS)
    return np.corrcoef(rows_of("V1")[order])


def agreement(cli, net: str, other: str) -> float:
    return cli("compare", net, other, "--with", "rsa-pearson", "--json").json["matrix"][0][1]


def test_rows_named_by_numbers_are_matched_with_those_of_a_run(cli, numbered):
    np.savez("brain.npz", similarity=matrix_in_order(), stimuli=np.arange(12.0))
    said = cli("import", "brain.npz", "--stimuli", numbered, "--json")
    assert said.code == 0, said.err
    assert said.json["notes"] == [f"{MOVED} rows were moved to the order of run {numbered}"]
    assert agreement(cli, numbered, said.json["run_id"]) == pytest.approx(1, abs=1e-6)


def test_a_running_number_that_may_name_the_run_s_stimuli_is_asked_about(cli, numbered):
    np.savez("brain.npz", similarity=matrix_in_order(), index=np.arange(12))
    said = cli("import", "brain.npz", "--stimuli", numbered)
    assert (said.code, len(said.err.splitlines())) == (2, 1)
    assert f"run {numbered} has stimuli called so in another order: say --stimulus-column if these are" in said.err
    said = cli("import", "brain.npz", "--stimuli", numbered, "--stimulus-column", "index", "--json")
    assert agreement(cli, numbered, said.json["run_id"]) == pytest.approx(1, abs=1e-6)
    Path("names.txt").write_text("\n".join(map(str, range(12))), encoding="utf-8")
    said = cli("import", "brain.npz", "--stimuli", numbered, "--names", "names.txt", "--json")
    assert agreement(cli, numbered, said.json["run_id"]) == pytest.approx(1, abs=1e-6)


def test_a_running_number_says_nothing_of_other_stimuli(cli, net):
    np.savez("brain.npz", similarity=np.corrcoef(rows_of("V1")), index=np.arange(12) + 1)
    said = cli("import", "brain.npz", "--stimuli", net, "--json")
    assert said.json["notes"] == [f"no stimulus names: the rows are taken to be in the order of run {net}"]


def test_names_that_are_not_the_run_s_are_listed_with_where_they_are(cli, net):
    np.savez("brain.npz", similarity=np.corrcoef(rows_of("V1")), id=NUMBERS + 100)
    said = cli("import", "brain.npz", "--stimuli", net)
    assert (said.code, len(said.err.splitlines())) == (2, 1)
    assert "it does not have '107'" in said.err
    assert "are those in 'id' of brain.npz: others with --stimulus-column or --names" in said.err


def test_a_file_without_names_beside_one_with_names_in_another_order_is_refused(cli, net):
    order = np.random.default_rng(4).permutation(12)
    np.savez("IT.npz", similarity=np.corrcoef(rows_of("V1")))
    for rows in (np.arange(12), order):
        np.savez("V4.npz", similarity=np.corrcoef(rows_of("V1"))[np.ix_(rows, rows)], stimuli=np.array(NAMES)[rows])
        said = cli("import", "IT.npz", "V4.npz", "--stimuli", net, "--json")
        if rows is order:
            assert (said.code, len(said.err.splitlines())) == (2, 1)
            assert "IT.npz: no stimulus names, and the rows of the other files are in another order than" in said.err
        else:
            assert said.json["notes"] == [
                "IT.npz: no stimulus names: the rows are taken to be in the order of V4.npz"
            ]


@pytest.mark.parametrize("option", ["--names", "--stimuli"])
def test_names_may_come_from_a_text_file(cli, net, option):
    np.savez("brain.npz", rdm=1 - np.corrcoef(rows_of("V1")))
    Path("names.txt").write_text("\n".join(NAMES), encoding="utf-8")
    said = cli("import", "brain.npz", option, "names.txt", "--json")
    assert cli("compare", net, said.json["run_id"]).code == 0


def test_stimuli_may_be_those_of_an_array_of_pictures(cli, demo):
    matrix = np.corrcoef(np.random.default_rng(0).normal(size=(40, 20)))
    np.savez("brain.npz", similarity=matrix)
    said = cli("import", "brain.npz", "--stimuli", demo.stimuli, "--json")
    assert said.code == 0, said.err
    network = cli("run", demo.checkpoint(1), "--stimuli", demo.stimuli, "--layers", "output", "--json")
    assert cli("compare", said.json["run_id"], network.json["run_id"]).code == 0


def test_a_network_s_layers_come_back_as_themselves(ask, demo):
    ask("export", "latest", "-o", "net.rdms.h5")
    Path("own.db").write_bytes(demo.database.read_bytes())
    said = ask("import", "net.rdms.h5", "--stimuli", "latest", "--db", "own.db", "--json")
    assert said.code == 0, said.err
    original = ask("compare", "latest", "--json").json
    table = ask("compare", "latest", "--db", "own.db", "--json").json
    assert [layer["layer"] for layer in table["layers"]] == [layer["layer"] for layer in original["layers"]]
    np.testing.assert_allclose(np.array(table["matrix"]), np.array(original["matrix"]), atol=1e-12)


@pytest.mark.parametrize("error", [OSError(28, "no space left"), KeyboardInterrupt()])
def test_an_import_that_fails_halfway_leaves_nothing(cli, net, monkeypatch, error):
    save = Store.save_layer

    def fail(self: Store, claim, result) -> None:
        if result.layer == "V1":
            raise error
        save(self, claim, result)

    with monkeypatch.context() as patched:
        patched.setattr(Store, "save_layer", fail)
        said = cli("import", *[f"{layer}.npz" for layer in LAYERS], "--name", "again")
    assert said.code in (1, 130)
    assert runs(cli) == [net]
    assert cli("db", "check").code == 0
    assert cli("import", *[f"{layer}.npz" for layer in LAYERS], "--name", "again").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing.npz",), "nothing.npz: there is no such file"),
        ((".",), "is a folder"),
        (("V1.npz", "--layer", "V4"), "V1.npz: no layer 'V4'"),
        (("V1.npz", "V1.npz"), "two matrices are called 'V1'"),
        (("V1.npz", "--output", "V2"), "--output: no layer 'V2'; did you mean V1?"),
        (("V1.npz", "--stimuli", "zzzz"), "there is no run 'zzzz'"),
        (("V1.npz", "--kind", "distance"), r"V1.npz: 'V1': shape (12, 30) is neither a square matrix"),
        (("V1.npz", "--names", "V1.npz"), "V1.npz: is no text in UTF-8"),
        (("V1.npz", "--kind", "manhattan"), "manhattan"),
        (("V1.npz", "--stimulus-column", "nr"), "no column, array or descriptor 'nr' with a value for each stimulus"),
        (
            ("V1.npz", "--stimulus-column", "stimuli", "--names", "names.txt"),
            "--names and --stimulus-column both say",
        ),
    ],
)
def test_a_wrong_call_is_one_clear_line(cli, net, arguments, message):
    Path("names.txt").write_text("\n".join(NAMES), encoding="utf-8")
    said = cli("import", *arguments)
    assert said.code == 2
    assert message in said.err
    assert len(said.err.splitlines()) == 1
    assert runs(cli) == [net]


def test_a_bad_file_does_not_even_start_a_history(cli):
    Path("bad.npz").write_bytes(b"PK\x03\x04")
    assert cli("import", "bad.npz").code == 2
    assert not Path("layerwise.db").exists()


def test_an_export_says_what_it_is_and_takes_no_kind(cli, net):
    cli("export", net, "-o", "x.npz")
    said = cli("import", "x.npz", "--kind", "distance")
    assert said.code == 2
    assert "leave --kind out" in said.err


def test_layers_of_a_file_are_chosen_with_commas_or_repeated(cli):
    matrix = 1 - np.eye(6)
    np.savez("areas.npz", **{"V1": matrix, "V4": matrix, "IT, left": matrix})

    def chosen(*words):
        said = cli("import", "areas.npz", "--kind", "distance", *words, "--json")
        assert said.code == 0, said.err
        return sorted(said.json["layers"])

    assert chosen("--layer", "V1,V4") == chosen("--layer", "V1", "--layer", "V4") == ["V1", "V4"]
    assert chosen("--layer", "IT, left") == ["IT, left"]
    said = cli("import", "areas.npz", "--layer", "V1,V5")
    assert (said.code, "no layer 'V5'" in said.err) == (2, True)

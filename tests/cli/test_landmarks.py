"""`--landmarks`: a run that keeps n x m pairs says so wherever it is shown; what needs all of them is refused."""

import pytest


@pytest.fixture
def on_landmarks(demo, cli, tmp_path):
    """A command line on a history of the test's own, with one run."""

    def call(command, *arguments):
        return cli(command, *arguments, "--db", tmp_path / "own.db")

    said = call("run", demo.checkpoint(1), "--stimuli", demo.stimuli, "--landmarks", 15, "--layers", "main")
    assert said.code == 0, said.err
    return call


def test_a_run_with_landmarks_says_so_wherever_it_is_shown(on_landmarks, tmp_path):
    shown = on_landmarks("show", "latest")
    assert "Landmarks: pairs with the first 15 stimuli" in shown.out
    assert on_landmarks("show", "latest", "--json").json["n_landmarks"] == 15
    compared = on_landmarks("compare", "latest", "--with", "cka-debiased", "rsa-pearson")
    assert compared.code == 0, compared.err
    assert "Note: of pairs with the first 15 of 40 stimuli, the landmarks." in compared.err
    assert on_landmarks("compare", "latest", "--json").json["basis"].startswith("of pairs with the first 15 of 40")
    assert on_landmarks("profile", "latest").code == 0
    reported = on_landmarks("report", "latest", "-o", tmp_path / "page.html")
    assert reported.code == 0, reported.err
    page = (tmp_path / "page.html").read_text()
    assert "of pairs with the first 15 of 40 stimuli, the landmarks" in page
    assert "15 stimuli, evenly spaced, of the 15 landmarks of 40 stimuli" in page


@pytest.mark.parametrize(
    "asked",
    [
        ("compare", "latest", "--with", "svcca"),
        ("compare", "latest", "--bootstrap", "100"),
        ("export", "latest", "-o", "layers.npz"),
        ("reorder", "latest", "--by", "output"),
    ],
    ids=" ".join,
)
def test_what_needs_all_pairs_is_refused_in_one_line(on_landmarks, asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = on_landmarks(*asked)
    assert said.code == 2
    assert "keeps those with its first 15 stimuli alone (--landmarks); a run with --limit 15" in said.err
    errors = [line for line in said.err.strip().splitlines() if not line.startswith("Note: ")]
    assert len(errors) == 1
    assert not (tmp_path / "layers.npz").exists()


def test_as_many_landmarks_as_stimuli_are_refused(demo, cli, tmp_path):
    said = cli("run", demo.checkpoint(1), "--stimuli", demo.stimuli, "--landmarks", 40, "--db", tmp_path / "own.db")
    assert (said.code, said.out) == (2, "")
    assert "--landmarks 40 of 40 stimuli: all pairs would be kept" in said.err

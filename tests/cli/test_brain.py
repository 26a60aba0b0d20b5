"""`layerwise brain`: from a recording's file to the table, the page, the figure and the methods."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerwise as lw
from layerwise.cli import main

IMAGES = np.random.default_rng(8).integers(0, 256, (20, 8, 8, 1), dtype=np.uint8)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a history of one run, and a recording of 12 of its stimuli."""
    from layerwise.plugins.loaders.tensorflow_setup import import_keras

    keras = import_keras()
    keras.utils.set_random_seed(4)
    conv = keras.layers.Conv2D(4, 3, activation="relu", name="conv")
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), conv, keras.layers.Flatten(), keras.layers.Dense(5, name="out")], name="net"
    )
    monkeypatch.chdir(tmp_path)
    with lw.History("layerwise.db", create=True) as history:
        run = lw.analyze(model, IMAGES, layers="all", db=history)
        rows = np.arange(4, 16)
        rdm = 1 - np.asarray(run.similarity("conv"))[np.ix_(rows, rows)]
        np.fill_diagonal(rdm, 0)
        np.savez("brain.npz", V1=rdm, V2=rdm**2, stimuli=np.array(run.stimuli)[rows])
    return tmp_path


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code and both outputs of a command."""
    code = main(["brain", "latest", "brain.npz", "--bootstrap", "50", *words])
    return code, *capsys.readouterr()


def test_the_table_the_page_the_figure_and_the_methods(place: Path, capsys: Any) -> None:
    code, out, _ = ask(capsys, "--permutations", "99", "-o", "brain.html", "--figure", "brain.svg")
    assert code == 0
    row = next(line.split() for line in out.splitlines() if line.startswith("V1"))
    assert row[1:3] == ["conv", "1.000"]
    assert "compared on 12 shared stimuli of 12 to 20" in out
    assert "Methods: Representations of 2 areas (1 recording) were compared with those of" in out
    assert "Nichols, T. E. & Holmes, A. P. (2002)" in out
    assert "Recordings and networks" in (place / "brain.html").read_text()
    assert (place / "brain.svg").read_text().startswith("<svg")


def test_json_has_all_of_it(place: Path, capsys: Any) -> None:
    code, out, _ = ask(capsys, "--permutations", "99", "--json")
    found = json.loads(out)
    assert code == 0
    assert [area["best_layer"] for area in found["areas"]] == ["conv", "conv"]
    assert found["areas"][0]["p"] == pytest.approx(0.01)
    assert found["areas"][0]["p_corrected"] == pytest.approx(0.02)
    assert found["n_stimuli"] == 12


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--permutations", "30"], "30 permutations give no corrected p below 0.05 for 2 areas"),
        (["--subject-from", "who"], "no descriptor 'who' of the matrices; this file says nothing of its matrices"),
        (["--with", "nothing-like-it"], "no comparator 'nothing-like-it'"),
        (["missing.mat"], "missing.mat: there is no such file"),
    ],
)
def test_a_call_that_makes_no_sense_is_one_line(place: Path, capsys: Any, words: list[str], why: str) -> None:
    code, _, err = ask(capsys, *words)
    assert code == 2
    assert why in err
    assert len(err.strip().splitlines()) == 1

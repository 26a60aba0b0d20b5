"""A network against recordings: `compare --against`, the ceiling over subjects, and their mean as a recording."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from layerwise.core.history.records import LayerAddress
from layerwise.storage import open_store

N_SUBJECTS = 3
AREAS = {"V1": "conv0", "IT": "mixed2"}
FILES = [f"sub-{number}.npz" for number in range(N_SUBJECTS)]


@pytest.fixture
def study(demo, cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A copy of the demo's history, and a file of noisy layers for each subject. Gives the matrices."""
    shutil.copy(demo.database, tmp_path / "layerwise.db")
    monkeypatch.setitem(os.environ, "LAYERWISE_DB", "sqlite:///layerwise.db")
    rng = np.random.default_rng(3)
    found = []
    with open_store("sqlite:///layerwise.db") as store:
        run = store.find_run("latest")
        names = [stimulus.name for stimulus in store.list_stimuli(run.id)]
        true = {
            area: store.read_representation(LayerAddress(run.id, layer)).correlation_distances()
            for area, layer in AREAS.items()
        }
    for number, file in enumerate(FILES):
        noisy = {}
        for area, matrix in true.items():
            noise = np.triu(rng.normal(scale=matrix.std(), size=matrix.shape), 1)
            noisy[area] = (number + 1) * np.abs(matrix + noise + noise.T)  # subjects differ in scale
            np.fill_diagonal(noisy[area], 0)
        np.savez(file, stimuli=np.array(names), **noisy)
        found.append(noisy)
    return found


def pairs(matrix: np.ndarray) -> np.ndarray:
    return matrix[np.triu_indices(len(matrix), 1)]


def import_subjects(cli, *words: str) -> list[str]:
    said = cli("import", *FILES, "--subject-from", "file", "--stimuli", "latest", *words, "--json")
    assert said.code == 0, said.err
    return [outcome["run_id"] for outcome in said.json]


def test_only_areas_are_compared_with_layers_and_each_has_its_best_layer(cli, study) -> None:
    said = cli("compare", "latest", "--against", FILES[0], "--bootstrap", 20, "--json")
    assert said.code == 0, said.err
    assert [(area["area"], area["best_layer"]) for area in said.json["areas"]] == list(AREAS.items())
    for area in said.json["areas"]:
        assert area["low"] < area["value"] < area["high"]
        assert area["p_corrected"] == pytest.approx(2 / 1001)
    table = cli("compare", "latest", "--against", FILES[0], "--bootstrap", 20).out
    assert "from" not in table.split()
    assert "p is of the best of 9 layers, by 1000 permutations, corrected for 2 areas" in table


def test_what_is_too_few_permutations_is_said_before_anything_is_computed(cli, study, monkeypatch) -> None:
    from layerwise.core.analysis.recordings import best_layers

    runs = import_subjects(cli)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("something was computed")

    monkeypatch.setattr(best_layers, "compare_layers", never)
    said = cli("compare", "latest~0", "--against", runs[0], "--permutations", 30)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "30 permutations give no corrected p below 0.05 for 2 areas: take --permutations 39 or more" in said.err


def test_few_permutations_for_many_pairs_are_announced_first(cli, study, monkeypatch) -> None:
    from layerwise.core.analysis import compare
    from layerwise.core.base.errors import InputError

    def stop(*_: object, **__: object) -> None:
        raise InputError("this is computing")

    runs = import_subjects(cli)
    monkeypatch.setattr(compare, "compare_layers", stop)
    said = cli("compare", *runs, "--permutations", 100)
    assert "Note: 100 permutations are too few for 15 tests" in said.err.split("this is computing")[0]
    assert "--against RECORDING" in said.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--to-end",), "and nothing else: leave out --to-end"),
        (("--permutations", "100", "--two-sided"), "--two-sided is of tests of single pairs"),
        (("--with", "disagreement"), "leave out disagreement"),
    ],
)
def test_what_has_no_meaning_against_a_recording_is_refused(cli, study, words, why) -> None:
    said = cli("compare", "latest", "--against", FILES[0], *words)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert why in said.err


def test_the_mean_over_subjects_is_a_recording_that_is_nearer_to_the_layer_than_any_subject(cli, study) -> None:
    *runs, mean = import_subjects(cli, "--mean")
    assert len(runs) == N_SUBJECTS
    with open_store("sqlite:///layerwise.db") as store:
        assert store.find_run(mean).model.name == f"mean of {N_SUBJECTS} subjects"
        stored = store.read_representation(LayerAddress(mean, "IT")).correlation_distances()
    scored = [pairs(subject["IT"]) for subject in study]
    expected = np.mean([(one - one.mean()) / one.std() for one in scored], axis=0)
    assert np.corrcoef(pairs(stored), expected)[0, 1] == pytest.approx(1, abs=1e-9)
    said = cli("compare", "latest", "--against", ",".join([*runs, mean]), "--bootstrap", 20, "--json").json
    values = [area["value"] for area in said["areas"] if area["area"] == "IT"]
    assert max(values) == values[-1]


def test_the_ceiling_of_recordings_is_over_subjects_and_of_one_says_which_to_name(cli, study) -> None:
    *runs, _ = import_subjects(cli, "--mean")
    said = cli("ceiling", *runs, "--json")
    assert said.code == 0, said.err
    assert said.json["ceiling"] == "over subjects (Nili et al. 2014)"
    for area in said.json["areas"]:
        rows = np.array([pairs(subject[area["area"]]) for subject in study])
        scores = (rows - rows.mean(1, keepdims=True)) / rows.std(1, keepdims=True)
        upper = np.mean([np.corrcoef(row, scores.mean(0))[0, 1] for row in scores])
        others = [np.delete(scores, place, 0).mean(0) for place in range(N_SUBJECTS)]
        lower = np.mean([np.corrcoef(row, other)[0, 1] for row, other in zip(scores, others, strict=True)])
        assert (area["low"], area["high"]) == pytest.approx((lower, upper), abs=1e-6)
    alone = cli("ceiling", runs[1])
    assert (alone.code, alone.err.count("\n")) == (2, 1)
    assert f"`layerwise ceiling {runs[1]} {runs[0]} {runs[2]}`" in alone.err


def test_latest_as_the_stimuli_of_an_import_is_the_newest_network_and_never_an_import(cli, study) -> None:
    network = cli("show", "latest", "--json").json["run_id"]
    first = cli("import", FILES[0], "--stimuli", "latest", "--json").json
    again = cli("import", FILES[0], "--stimuli", "latest", "--json").json
    other = cli("import", FILES[1], "--stimuli", "latest", "--json").json
    assert (again["run_id"], again["status"]) == (first["run_id"], "stored")
    with open_store("sqlite:///layerwise.db") as store:
        runs = [store.find_run(run) for run in (network, first["run_id"], other["run_id"])]
    assert len({run.stimuli_fingerprint for run in runs}) == 1
    assert len({run.stimuli_name for run in runs}) == 1


def test_latest_without_a_network_is_a_clear_error(cli, study, tmp_path) -> None:
    assert cli("import", FILES[0], "--db", "other.db").code == 0
    said = cli("import", FILES[1], "--stimuli", "latest", "--db", "other.db")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "'latest' means the newest run of a network" in said.err


def test_a_mean_needs_subjects(cli, study) -> None:
    said = cli("import", FILES[0], "--stimuli", "latest", "--mean")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "--mean is over subjects, and there is one" in said.err

"""Runs on different stimuli are compared on those that both have, without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerwise as lw
from layerwise.core.history.views.shared import share_stimuli

IMAGES = np.random.default_rng(8).integers(0, 256, (20, 8, 8, 1), dtype=np.uint8)
PART = np.array([11, 3, 17, 5, 2, 14, 8])


@pytest.fixture(scope="module")
def model() -> Any:
    """A small network; random weights, a fixed seed."""
    from layerwise.plugins.loaders.tensorflow_setup import import_keras

    keras = import_keras()
    keras.utils.set_random_seed(4)
    conv = keras.layers.Conv2D(4, 3, activation="relu", name="conv")
    return keras.Sequential([keras.Input((8, 8, 1)), conv, keras.layers.Flatten(), keras.layers.Dense(5, name="out")])


def test_a_part_gives_the_numbers_of_a_run_on_the_part(model: Any) -> None:
    whole = lw.analyze(model, IMAGES, layers="all")
    part = lw.analyze(model, IMAGES[PART], layers="all")
    for measure in ("rsa-pearson", "cka-debiased", "procrustes"):
        across = whole.compare(measure, other=part)
        assert np.allclose(across.values, part.compare(measure).values, atol=1e-5)
        assert across.warnings[0] == "compared on 7 shared stimuli of 7 to 20"


def test_stimuli_come_in_the_order_of_the_first_run(model: Any) -> None:
    history = lw.analyze(model, IMAGES).history
    lw.analyze(model, IMAGES[PART], db=history)
    part, whole = (run.record for run in history)
    shared, runs, _ = share_stimuli(history.store, [part, whole])
    assert {run.stimuli_fingerprint for run in runs} == {part.stimuli_fingerprint}
    hashes = [[stimulus.content_hash for stimulus in shared.list_stimuli(run.id)] for run in runs]
    assert hashes[0] == hashes[1] == [one.content_hash for one in history.store.list_stimuli(part.id)]


def test_what_shares_too_few_is_refused(model: Any) -> None:
    first, second = lw.analyze(model, IMAGES[:10]), lw.analyze(model, IMAGES[8:])
    with pytest.raises(lw.InputError, match="the runs share 2 stimuli, and 3 at least are needed"):
        first.compare(other=second)


def test_numbers_of_a_part_are_never_kept_as_those_of_the_whole(model: Any, tmp_path: Path) -> None:
    with lw.History(tmp_path / "h.db", create=True) as history:
        whole = lw.analyze(model, IMAGES, layers="all", db=history)
        part = lw.analyze(model, IMAGES[PART], layers="all", db=history)
        whole.compare("cka", other=part)
        assert history.query("SELECT count(*) AS n FROM comparisons")["n"].item() == 0


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_recording_of_some_stimuli_is_matched_by_name(model: Any, tmp_path: Path, *, shuffled: bool) -> None:
    history = lw.analyze(model, IMAGES, layers="all").history
    (run,) = history
    rows = PART if shuffled else np.sort(PART)
    rdm = 1 - np.asarray(run.similarity("conv"))[np.ix_(rows, rows)]
    np.fill_diagonal(rdm, 0)
    np.savez(tmp_path / "V1.npz", V1=rdm, stimuli=np.array(run.stimuli)[rows])
    with pytest.warns(lw.RunWarning, match="of the 20 stimuli of run .* these are 7"):
        area = history.import_files(tmp_path / "V1.npz", stimuli=run, kind="correlation-distance")
    assert area.stimuli == tuple(run.stimuli[row] for row in np.sort(PART))
    assert run.compare("rsa-pearson", other=area).sel("conv", "V1") == pytest.approx(1, abs=1e-6)


def test_a_recording_of_other_stimuli_is_refused(model: Any, tmp_path: Path) -> None:
    run = lw.analyze(model, IMAGES)
    np.savez(tmp_path / "V1.npz", V1=1 - np.eye(3), stimuli=np.array(["00", "01", "nobody"]))
    with pytest.raises(lw.InputError, match=r"it does not have 'nobody';"):
        run.history.import_files(tmp_path / "V1.npz", stimuli=run)

"""Several checkpoints in one call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.cli import lineages, main
from layerwise.core.base.errors import PluginError

keras: Any = pytest.importorskip("keras")


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three checkpoints, their weights, and stimuli."""
    folder = tmp_path_factory.mktemp("training")
    rng = np.random.default_rng(0)
    np.save(folder / "probes.npy", rng.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8))
    for epoch in (2, 10, 1):
        keras.utils.set_random_seed(epoch)
        model = keras.Sequential(
            [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(3)]
        )
        model.save(folder / f"epoch-{epoch}.keras")
        model.save_weights(folder / f"epoch-{epoch}.weights.h5")
    return folder


def run(training: Path, database: Path, *models: str, options: tuple[str, ...] = ()) -> int:
    stimuli = ("--stimuli", str(training / "probes.npy"))
    return main(["run", *models, *stimuli, "--db", f"sqlite:///{database}", *options])


def test_a_pattern_becomes_a_lineage_in_the_order_of_steps(
    training: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "history.db"
    pattern = str(training / "epoch-*.keras")
    assert run(training, database, pattern, options=("--lineage", "mine", "--json")) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["lineage"] == "mine"
    assert [each["status"] for each in made["runs"]] == ["finished"] * 3
    assert main(["runs", "--lineage", "mine", "--json", "--db", f"sqlite:///{database}"]) == 0
    listed = json.loads(capsys.readouterr().out)
    rows = listed["runs"] if isinstance(listed, dict) else listed
    assert sorted(row["step"] for row in rows) == [1, 2, 10]
    assert run(training, database, pattern, options=("--lineage", "mine")) == 0
    assert "3 of them stored before" in capsys.readouterr().out


def test_files_that_the_shell_has_listed_are_the_same(
    training: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [str(path) for path in sorted(training.glob("epoch-*.keras"))]
    assert run(training, tmp_path / "history.db", *models, options=("--dry-run", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == [1, 2, 10]


def test_weights_files_are_put_into_one_model(
    training: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--weights", str(training / "epoch-*.weights.h5"), "--lineage", "weights", "--json")
    assert run(training, tmp_path / "history.db", str(training / "epoch-1.keras"), options=options) == 0
    assert len({each["run_id"] for each in json.loads(capsys.readouterr().out)["runs"]}) == 3


def test_one_that_cannot_be_read_is_told_and_the_others_are_analysed(
    training: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "epoch-3.keras"
    broken.write_bytes(b"no model")
    models = [str(training / "epoch-1.keras"), str(broken), str(training / "epoch-2.keras")]
    assert run(training, tmp_path / "history.db", *models, options=("--lineage", "broken")) == 2
    came = capsys.readouterr()
    assert "1 of 3 models were not analysed: epoch-3" in came.err
    assert "2 runs" in came.out


def test_a_plugin_that_fails_for_one_is_told_like_the_rest(
    training: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PluginError("mine", "register_metrics", "mine.compute raised ZeroDivisionError", "a matrix")

    monkeypatch.setattr(lineages, "_carry_out", fail)
    models = [str(training / f"epoch-{epoch}.keras") for epoch in (1, 2)]
    assert run(training, tmp_path / "history.db", *models, options=("--lineage", "mine")) == 1
    said = capsys.readouterr().err
    assert "2 of 2 models were not analysed: epoch-1: plugin 'mine'" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("options", "reason"), [(("--step", "3"), "--step"), (("--checkpoint", "x"), "--checkpoint")]
)
def test_one_step_is_not_for_several(
    options: tuple[str, ...], reason: str, training: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(training, tmp_path / "h.db", str(training / "*.keras"), options=options) == 2
    assert reason in capsys.readouterr().err

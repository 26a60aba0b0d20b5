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


def save_tensorflow_checkpoints(training: Path, folder: Path, **names: Any) -> None:
    import tensorflow as tf

    for epoch in (2, 10, 1):
        model = keras.saving.load_model(training / f"epoch-{epoch}.keras")
        parts = dict.fromkeys(names, model) or {"root": model}
        tf.train.Checkpoint(**parts).write(str(folder / f"ckpt-{epoch}"))


NETWORK = """
import keras

def make():
    return keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(3)]
    )

def wider():
    return keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(5, 3), keras.layers.Flatten(), keras.layers.Dense(3)]
    )

number = 3
"""


@pytest.mark.parametrize("kept_as", ["model", "net", None])
def test_checkpoints_of_tensorflow_become_a_lineage_with_an_architecture(
    kept_as: str | None, training: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_tensorflow_checkpoints(training, tmp_path, **({kept_as: None} if kept_as else {}))
    database = tmp_path / "history.db"
    for model, pattern, lineage in (
        (str(training / "epoch-1.keras"), tmp_path / "ckpt-*.index", "checkpoints"),
        (str(training / "epoch-1.keras"), training / "epoch-*.weights.h5", "weights"),
    ):
        options = ("--weights", str(pattern), "--lineage", lineage, "--json")
        assert run(training, database, model, options=options) == 0
    capsys.readouterr()
    from layerwise.core.history.records import RunFilter
    from layerwise.storage import open_store

    with open_store(f"sqlite:///{database}", read_only=True) as store:
        found = [
            {run.step: run.model.fingerprint for run in store.list_runs(RunFilter(lineage=name))}
            for name in ("checkpoints", "weights")
        ]
    assert found[0] == found[1]
    assert set(found[0]) == {1, 2, 10}


def test_weights_files_become_a_lineage_with_a_function_that_makes_the_model(
    training: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_network.py").write_text(NETWORK)
    weights = ("--weights", str(training / "epoch-*.weights.h5"), "--json")
    for model in ("keras:own_network:make", "keras:own_network.py:make"):
        assert run(training, tmp_path / "h.db", model, options=(*weights, "--lineage", model)) == 0
        made = json.loads(capsys.readouterr().out)
        assert len(made["runs"]) == 3
    for model, reason in (
        ("keras:own_network:wider", "does not fit"),
        ("keras:own_network:maek", "did you mean make?"),
        ("keras:own_network:number", "is a int, not a keras.Model"),
        ("keras:nowhere:make", "there is no Python module 'nowhere'"),
        ("keras:nowhere.py:make", "there is no Python file 'nowhere.py'"),
        ("keras:own_network", "write keras:package.module:factory"),
    ):
        one = ("--weights", str(training / "epoch-1.weights.h5"))
        assert run(training, tmp_path / "h.db", model, options=one) == 2
        said = capsys.readouterr().err
        assert reason in said
        assert "Traceback" not in said


def test_a_checkpoint_of_another_network_is_one_line(
    training: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_network.py").write_text(NETWORK)
    save_tensorflow_checkpoints(training, tmp_path, model=None)
    options = ("--weights", str(tmp_path / "ckpt-1"))
    assert run(training, tmp_path / "h.db", "keras:own_network:make", options=options) == 0
    assert run(training, tmp_path / "h.db", "keras:own_network:wider", options=options) == 2
    assert "ckpt-1 does not fit" in capsys.readouterr().err
    (tmp_path / "ckpt-1.index").write_bytes(b"nothing")
    assert run(training, tmp_path / "h.db", "keras:own_network:make", options=options) == 2
    assert "is no TensorFlow checkpoint, or is damaged" in capsys.readouterr().err

"""A Keras training that is recorded: what is stored, what it costs, and what cannot stop it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerwise as lw
from layerwise.core.base.errors import InputError
from layerwise.core.history.records import LayerAddress, RunFilter
from layerwise.demo.digits import load_digits
from layerwise.demo.network import build_network
from layerwise.storage import open_store

keras: Any = pytest.importorskip("keras")
N_PROBES = 40


@pytest.fixture(scope="module")
def digits() -> Any:
    learned, held_out = load_digits(N_PROBES, seed=0)
    return learned.take(np.arange(320)), held_out


def make_model(seed: int = 0) -> Any:
    keras.utils.set_random_seed(seed)
    model = build_network()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def probes_of(digits: Any) -> tuple[Any, Any]:
    return digits[1].pixels[..., None], digits[1].labels


def fit(model: Any, digits: Any, **options: Any) -> Any:
    learned, held_out = digits
    known: dict[str, Any] = {"batch_size": 32, "epochs": 2, "verbose": 0, **options}
    pixels = learned.pixels[..., None].astype(np.float32)
    validation = held_out.pixels[..., None].astype(np.float32), held_out.labels
    return model.fit(pixels, learned.labels, validation_data=validation, **known)


def read_lineage(database: Path, lineage: str) -> list[Any]:
    with open_store(f"sqlite:///{database}", read_only=True) as store:
        return sorted(store.list_runs(RunFilter(lineage=lineage)), key=lambda run: run.step)


def read_layers(database: Path, run_id: str) -> dict[str, Any]:
    with open_store(f"sqlite:///{database}", read_only=True) as store:
        names = [layer.name for layer in store.list_layers(run_id)]
        return {name: store.read_representation(LayerAddress(run_id, name)) for name in names}


def test_every_epoch_is_a_run_of_one_lineage_with_its_loss(digits: Any, tmp_path: Path) -> None:
    database = tmp_path / "history.db"
    callback = lw.keras.RecordRepresentations(probes_of(digits), db=database, lineage="digits")
    history = fit(make_model(), digits, callbacks=[callback])
    runs = read_lineage(database, "digits")
    assert [run.step for run in runs] == [0, 1, 2]
    assert [run.status for run in runs] == ["finished"] * 3
    assert float(runs[2].tags["loss"]) == pytest.approx(history.history["loss"][1], rel=1e-5)
    assert "val_accuracy" in runs[1].tags
    assert runs[2].accuracy.top1 == pytest.approx(history.history["val_accuracy"][1], abs=1e-6)
    assert callback.run_ids == []  # the recorder is let go of when the training ends
    first, last = (read_layers(database, run.id) for run in (runs[0], runs[2]))
    assert list(first) == list(last)
    assert not np.array_equal(first["mixed2"].entries, last["mixed2"].entries)


def test_recordings_are_those_of_saved_checkpoints_bit_for_bit(digits: Any, tmp_path: Path) -> None:
    database, model = tmp_path / "history.db", make_model()
    saved = keras.callbacks.ModelCheckpoint(tmp_path / "epoch-{epoch}.keras", save_freq="epoch")
    recorded = lw.keras.RecordRepresentations(probes_of(digits), db=database, lineage="digits")
    fit(model, digits, callbacks=[recorded, saved])
    np.savez(tmp_path / "probes.npz", images=probes_of(digits)[0], labels=probes_of(digits)[1])
    from layerwise.cli import main

    for epoch in (1, 2):
        command = ["run", str(tmp_path / f"epoch-{epoch}.keras"), "--stimuli", str(tmp_path / "probes.npz")]
        filing = ["--lineage", "from files", "--step", str(epoch), "--db", f"sqlite:///{database}"]
        assert main([*command, *filing, "--json"]) == 0
    for live, stored in zip(read_lineage(database, "digits")[1:], read_lineage(database, "from files"), strict=True):
        ours, theirs = read_layers(database, live.id), read_layers(database, stored.id)
        assert list(ours) == list(theirs)
        for name, layer in ours.items():
            assert np.array_equal(layer.entries, theirs[name].entries), name
            assert np.array_equal(layer.norm, theirs[name].norm), name


def test_the_weights_of_a_training_are_the_same_with_and_without_recording(digits: Any, tmp_path: Path) -> None:
    recorded, plain = make_model(), None
    callback = lw.keras.RecordRepresentations(probes_of(digits), db=tmp_path / "history.db", every=3)
    fit(recorded, digits, callbacks=[callback])
    plain = make_model()
    fit(plain, digits)
    for ours, theirs in zip(recorded.get_weights(), plain.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("every", "expected"),
    [(8, [0, 8, 16]), ("powers of two", [0, 1, 2, 4, 8, 16]), ([3, 5], [0, 3, 5]), (lambda step: step == 7, [0, 7])],
)
def test_steps_can_be_chosen(every: Any, expected: list[int], digits: Any, tmp_path: Path) -> None:
    database = tmp_path / "history.db"
    callback = lw.keras.RecordRepresentations(
        probes_of(digits), layers="output", every=every, db=database, lineage="steps"
    )
    fit(make_model(), digits, callbacks=[callback], epochs=2, batch_size=40)  # 16 steps
    assert [run.step for run in read_lineage(database, "steps")] == expected


def test_a_resumed_training_goes_on_in_its_lineage(digits: Any, tmp_path: Path) -> None:
    database, model = tmp_path / "history.db", make_model()
    for first, last in ((0, 1), (1, 3)):
        callback = lw.keras.RecordRepresentations(probes_of(digits), layers="output", db=database, lineage="long")
        fit(model, digits, callbacks=[callback], initial_epoch=first, epochs=last)
    assert [run.step for run in read_lineage(database, "long")] == [0, 1, 2, 3]


def test_storage_that_fails_for_a_while_stops_nothing_and_loses_nothing(digits: Any, tmp_path: Path) -> None:
    folder = tmp_path / "away"
    database = folder / "history.db"

    class Mount(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            del logs
            if epoch == 1:
                folder.mkdir()

    callback = lw.keras.RecordRepresentations(probes_of(digits), layers="output", db=database, lineage="patient")
    with pytest.warns(lw.keras.RecordingWarning, match="waits in memory"):
        fit(make_model(), digits, callbacks=[callback, Mount()], epochs=3)
    assert [run.step for run in read_lineage(database, "patient")] == [0, 1, 2, 3]


def test_what_can_never_be_stored_is_put_into_a_file_beside(
    digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    callback = lw.keras.RecordRepresentations(
        probes_of(digits), layers="output", db=tmp_path / "nowhere" / "history.db", lineage="my training"
    )
    with pytest.warns(lw.keras.RecordingWarning, match=r"are in layerwise-my-training\.db"):
        fit(make_model(), digits, callbacks=[callback], epochs=1)
    assert [run.step for run in read_lineage(tmp_path / "layerwise-my-training.db", "my training")] == [0, 1]


def test_a_history_that_is_taken_away_between_recordings_is_made_again(digits: Any, tmp_path: Path) -> None:
    database, model = tmp_path / "history.db", make_model()
    callback = lw.keras.RecordRepresentations(probes_of(digits), layers="output", db=database, lineage="moved")
    callback.set_model(model)
    assert callback.record(0)
    for file in tmp_path.iterdir():
        file.unlink()
    model.trainable_weights[-1].assign_add(0.5 * model.trainable_weights[-1] + 0.1)
    with pytest.warns(lw.keras.RecordingWarning, match="waits in memory"):
        assert not callback.record(1)
    callback.close()
    assert [run.step for run in read_lineage(database, "moved")] == [1]


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"layers": "nothing"}, "nothing"), ({"every": 0}, "at least 1"), ({"every": "sometimes"}, "sometimes")],
)
def test_what_can_never_work_is_said_before_the_first_step(
    options: Any, reason: str, digits: Any, tmp_path: Path
) -> None:
    def train() -> None:
        callback = lw.keras.RecordRepresentations(probes_of(digits), db=tmp_path / "h.db", **options)
        fit(make_model(), digits, callbacks=[callback])

    with pytest.raises(InputError, match=reason):
        train()


def test_what_fails_later_is_a_warning_whatever_it_is(
    digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    callback = lw.keras.RecordRepresentations(
        probes_of(digits), layers="output", db=tmp_path / "h.db", lineage="late"
    )
    model = make_model()
    callback.set_model(model)
    assert callback.record(0)
    for step, error in ((1, InputError("the weights cannot be read anew")), (2, ZeroDivisionError("a bug"))):

        def fail(error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(callback.recorder._prepared.model, "refresh", fail)
        with pytest.warns(lw.keras.RecordingWarning, match=str(error)):
            assert not callback.record(step)
    callback.close()


def test_a_password_is_in_no_warning(digits: Any) -> None:
    database = "postgresql://me:hidden@localhost:1/nothing?connect_timeout=1"
    callback = lw.keras.RecordRepresentations(probes_of(digits), layers="output", db=database, lineage="secret")
    callback.set_model(make_model())
    with pytest.warns(lw.keras.RecordingWarning, match="waits in memory") as told:
        callback.record(0)
    assert not any("hidden" in str(warning.message) for warning in told)


def test_a_loop_of_ones_own_can_record(digits: Any, tmp_path: Path) -> None:
    database, model = tmp_path / "history.db", make_model()
    recorder = lw.keras.RecordRepresentations(probes_of(digits), layers="output", db=database, lineage="loop")
    recorder.set_model(model)
    for step in (0, 10):
        assert recorder.record(step, {"loss": 1 / (step + 1)})
    assert len(recorder.run_ids) == 2
    recorder.close()
    assert [run.tags for run in read_lineage(database, "loop")] == [{"loss": "1"}, {"loss": "0.0909091"}]


def test_labels_must_be_one_each(digits: Any, tmp_path: Path) -> None:
    callback = lw.keras.RecordRepresentations((probes_of(digits)[0], [1, 2]), db=tmp_path / "h.db")
    with pytest.raises(InputError, match="one each"):
        fit(make_model(), digits, callbacks=[callback])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_training_in_mixed_precision_is_recorded(policy: str, digits: Any, tmp_path: Path) -> None:
    keras.mixed_precision.set_global_policy(policy)
    try:
        callback = lw.keras.RecordRepresentations(probes_of(digits), db=tmp_path / "h.db", lineage="mixed")
        history = fit(make_model(), digits, callbacks=[callback], epochs=1)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    runs = read_lineage(tmp_path / "h.db", "mixed")
    assert [run.step for run in runs] == [0, 1]
    assert runs[1].accuracy.top1 == pytest.approx(history.history["val_accuracy"][0], abs=0.05)
    assert np.isfinite(read_layers(tmp_path / "h.db", runs[1].id)["mixed2"].entries).all()


@pytest.mark.parametrize("name", ["OneDeviceStrategy", "MirroredStrategy"])
def test_a_training_under_a_strategy_of_one_replica_is_recorded(name: str, digits: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    place: Any = "/cpu:0" if name == "OneDeviceStrategy" else ["/cpu:0"]
    with getattr(tf.distribute, name)(place).scope():
        model = make_model()
        callback = lw.keras.RecordRepresentations(
            probes_of(digits), layers="output", every=5, db=tmp_path / "h.db", lineage="one"
        )
        fit(model, digits, callbacks=[callback], epochs=1)
    runs = read_lineage(tmp_path / "h.db", "one")
    assert [run.step for run in runs] == [0, 5, 10]
    assert len({run.model.fingerprint for run in runs}) == 3


KILLED = """
import os, sys
from pathlib import Path
import layerwise as lw, keras
sys.path.insert(0, {here!r})
import test_keras_callback as here
digits = here.load_digits(here.N_PROBES, seed=0)
digits = digits[0].take(here.np.arange(320)), digits[1]
class Killed(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            os.kill(os.getpid(), 9)
class Save(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.save({folder!r} + "/model.keras")
options = dict(layers="output", db={folder!r} + "/h.db", lineage="x")
recorded = lw.keras.RecordRepresentations(here.probes_of(digits), **options)
here.fit(here.make_model(), digits, callbacks=[recorded, Save(), Killed()], epochs=5)
"""


def test_a_training_that_is_killed_leaves_a_lineage_that_is_read_and_continued(digits: Any, tmp_path: Path) -> None:
    import subprocess
    import sys

    script = KILLED.format(here=str(Path(__file__).parent), folder=str(tmp_path))
    assert subprocess.run([sys.executable, "-c", script], check=False, capture_output=True).returncode == -9
    runs = read_lineage(tmp_path / "h.db", "x")
    assert [(run.step, run.status) for run in runs] == [(0, "finished"), (1, "finished"), (2, "finished")]
    model = keras.saving.load_model(tmp_path / "model.keras")
    callback = lw.keras.RecordRepresentations(
        probes_of(digits), layers="output", db=tmp_path / "h.db", lineage="x", every="epoch"
    )
    fit(model, digits, callbacks=[callback], initial_epoch=2, epochs=3)
    assert [run.step for run in read_lineage(tmp_path / "h.db", "x")] == [0, 1, 2, 3]

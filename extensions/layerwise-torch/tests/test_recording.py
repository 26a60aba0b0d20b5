"""What a user may rely on when a PyTorch training is recorded, by a loop of their own or by Lightning."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import layerwise as lw
import numpy as np
import pytest
import torch
from layerwise.plugin import InputError, LayerAddress, RunFilter, open_history
from torch import nn

import layerwise_torch

PIXELS = np.random.default_rng(3).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
LABELS = np.arange(20) % 5


def make_network():
    from twin import Twin

    torch.manual_seed(1)
    return Twin()


def run_steps(network, n_steps, after):
    """SGD on noise; `after` is called with each step's number and loss."""
    generator = torch.Generator().manual_seed(2)
    optimizer = torch.optim.SGD(network.parameters(), 0.05)
    network.train()
    for step in range(1, n_steps + 1):
        images = torch.rand(8, 3, 16, 16, generator=generator)
        loss = nn.functional.nll_loss(network(images).log(), torch.arange(8) % 5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        after(step, loss)


def runs_of(database, lineage):
    with open_history(f"sqlite:///{database}") as history:
        return sorted(history.list_runs(RunFilter(lineage=lineage)), key=lambda run: run.step)


def test_a_loop_records_the_steps_that_are_due_in_one_lineage(tmp_path):
    database, network = tmp_path / "h.db", make_network()
    with layerwise_torch.Recorder(
        network, (PIXELS, LABELS), "output", every=2, db=database, lineage="mine"
    ) as recorder:
        assert recorder.record(0)
        run_steps(network, 5, lambda step, loss: recorder.record_if_due(step, {"loss": loss, "note": "no number"}))
        assert recorder.record(5)
        assert len(recorder.run_ids) == 4
    runs = runs_of(database, "mine")
    assert [run.step for run in runs] == [0, 2, 4, 5]
    assert [set(run.tags) for run in runs] == [set(), {"loss"}, {"loss"}, set()]
    assert len({run.model.fingerprint for run in runs}) == 4
    assert all(run.accuracy is not None for run in runs)


def test_the_training_is_the_same_with_and_without_recording(tmp_path):
    states = []
    for is_recorded in (False, True):
        network = make_network()
        recorder = layerwise_torch.Recorder(network, PIXELS, "output", every=1, db=tmp_path / "h.db", lineage="mine")
        after = recorder.record_if_due if is_recorded else lambda *_: None
        run_steps(network, 3, lambda step, loss, after=after: after(step))
        recorder.close()
        states.append(network.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_what_fails_while_recording_is_a_warning_and_what_can_never_work_an_error(tmp_path):
    network = make_network()
    with pytest.raises(InputError, match="picks no layer"):
        layerwise_torch.Recorder(network, PIXELS, "nothing", db=tmp_path / "h.db").record(0)
    with pytest.raises(InputError, match="sometimes"):
        layerwise_torch.Recorder(network, PIXELS, every="sometimes")
    recorder = layerwise_torch.Recorder(network, PIXELS, "output", db=tmp_path / "no" / "h.db", lineage="mine")
    with pytest.warns(lw.RecordingWarning, match="waits in memory"):
        assert not recorder.record(0)
    (tmp_path / "no").mkdir()
    recorder.close()
    assert [run.step for run in runs_of(tmp_path / "no" / "h.db", "mine")] == [0]


def test_a_training_that_dies_leaves_a_lineage_that_is_read_and_continued(tmp_path):
    script = f"""
import os, sys
sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}
import torch, test_recording as here, layerwise_torch
network = here.make_network()
options = dict(every=1, db={str(tmp_path / "h.db")!r}, lineage="x")
recorder = layerwise_torch.Recorder(network, here.PIXELS, "output", **options)
def after(step, loss):
    recorder.record_if_due(step)
    torch.save(network.state_dict(), {str(tmp_path / "network.pth")!r})
    if step == 2:
        os._exit(9)
here.run_steps(network, 5, after)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    assert [(run.step, run.status) for run in runs_of(tmp_path / "h.db", "x")] == [(1, "finished"), (2, "finished")]
    network = make_network()
    network.load_state_dict(torch.load(tmp_path / "network.pth"))
    with layerwise_torch.Recorder(network, PIXELS, "output", every=1, db=tmp_path / "h.db", lineage="x") as recorder:
        run_steps(network, 2, lambda step, loss: recorder.record_if_due(step + 2))
    assert [run.step for run in runs_of(tmp_path / "h.db", "x")] == [1, 2, 3, 4]


def test_ten_epochs_are_the_same_from_the_callback_from_checkpoints_and_from_pytorch(command_line, tmp_path):
    """The demo's: the first two bit for bit, PyTorch's with the same weights within 1e-3."""
    import keras
    from digits import Digits, translate

    demo = tmp_path / "demo"
    said = command_line("demo", "--out", demo, "--epochs", 10, "--held-out", 40, "--no-open", "--json")
    assert said.code == 0, said.err
    database, checkpoints = demo / "layerwise.db", demo / "checkpoints"
    asked = ["--stimuli", demo / "digits.npz", "--layers", "main", "--layers", "branches", "--layers", "logits"]
    filed = ["--lineage", "checkpoints", "--db", f"sqlite:///{database}", "--json"]
    said = command_line("run", checkpoints / "epoch-*.keras", *asked, *filed)
    assert said.code == 0, said.err
    network = Digits()
    layers = ["main", "branches", "logits"]
    with layerwise_torch.Recorder(network, demo / "digits.npz", layers, db=database, lineage="torch") as recorder:
        for epoch in range(11):
            network.load_state_dict(translate(keras.saving.load_model(checkpoints / f"epoch-{epoch}.keras")))
            assert recorder.record(epoch)
    lineages = [runs_of(database, name) for name in ("digits", "checkpoints", "torch")]
    assert [[run.step for run in runs] for runs in lineages] == [list(range(11))] * 3
    with open_history(f"sqlite:///{database}") as history:
        for recorded, saved, ours in zip(*lineages, strict=True):
            assert recorded.accuracy.top1 == saved.accuracy.top1 == ours.accuracy.top1
            names = [layer.name for layer in history.list_layers(recorded.id)]
            assert {"input", "conv0", "mixed1", "mixed2/5x5", "avgpool", "logits", "output"} <= set(names)
            for name in names:
                first, second, third = (
                    history.read_representation(LayerAddress(run.id, name)) for run in (recorded, saved, ours)
                )
                assert np.array_equal(first.entries, second.entries), name
                assert np.array_equal(first.norm, second.norm), name
                np.testing.assert_allclose(third.correlation, first.correlation, atol=1e-3, err_msg=name)
                if name != "input":  # which PyTorch's is handed in 0..1
                    np.testing.assert_allclose(third.norm, first.norm, rtol=1e-3, err_msg=name)


def find_lightning():
    for name in ("lightning.pytorch", "pytorch_lightning"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    return None


def test_lightning_records_by_epoch_and_by_step(tmp_path):
    lightning = find_lightning()
    if lightning is None:
        pytest.skip("needs Lightning")

    class Trained(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.network = make_network()

        def training_step(self, batch, index):
            loss = nn.functional.nll_loss(self.network(batch[0]).log(), batch[1])
            self.log("loss", loss)
            return loss

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.05)

    data = torch.utils.data.TensorDataset(torch.rand(12, 3, 16, 16), torch.arange(12) % 5)
    for lineage, every, expected in (("epochs", "epoch", [0, 1, 2]), ("steps", 4, [0, 4])):
        recorder = layerwise_torch.LightningRecorder(
            (PIXELS, LABELS), part="network", layers="output", every=every, db=tmp_path / "h.db", lineage=lineage
        )
        trainer = lightning.Trainer(
            max_epochs=2, callbacks=[recorder], accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(Trained(), torch.utils.data.DataLoader(data, batch_size=4))
        runs = runs_of(tmp_path / "h.db", lineage)
        assert [run.step for run in runs] == expected
        assert "loss" in runs[-1].tags


def test_without_lightning_one_line_says_what_is_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    monkeypatch.setitem(sys.modules, "pytorch_lightning", None)
    with pytest.raises(lw.LayerwiseError, match="needs Lightning: pip install lightning"):
        _ = layerwise_torch.LightningRecorder

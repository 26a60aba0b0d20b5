"""The whole output goes out with its run and comes back to the last bit, in the order of the stimuli."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import InputError
from layerwise.core.history.outputs import Outputs
from layerwise.core.runs.request import SilentObserver
from layerwise.interchange.export_run import export_layers
from layerwise.interchange.importing import ImportRequest, execute_import, prepare_import

N = 12


def make(fake: Any, seed: int = 0) -> tuple[Any, Any, Outputs]:
    history = fake.MadeHistory()
    run = fake.add_run(history, n_stimuli=N, layers=fake.make_layers(1, 1))
    values = np.random.default_rng(seed).dirichlet(np.ones(6), N).astype(np.float16 if seed else np.float32)
    outputs = Outputs("output", values, "probabilities")
    claim = history.reopen(run.id)
    history.save_outputs(claim, outputs)
    history.finish_run(claim, {})
    return history, run, outputs


def bring_back(fake: Any, path: Path, history: Any, **asked: Any) -> Outputs | None:
    history.next_id = "imported0001"
    prepared = prepare_import(ImportRequest((path,), **asked))
    found = execute_import(prepared, fake.make_registry(), history, SilentObserver())
    outputs: Outputs | None = history.read_outputs(found.run_id)
    return outputs


@pytest.mark.parametrize("suffix", ["npz", "h5"])
@pytest.mark.parametrize("seed", [0, 1])
def test_an_export_brings_the_output_back(fake: Any, tmp_path: Path, suffix: str, seed: int) -> None:
    history, run, outputs = make(fake, seed)
    path = tmp_path / f"run.{suffix}"
    export_layers(history, run, history.list_layers(run.id), path)
    back = bring_back(fake, path, history, stimuli=run.id)
    assert back is not None
    assert (back.layer, back.scale, back.values.dtype) == ("output", "probabilities", outputs.values.dtype)
    assert back.values.tobytes() == outputs.values.tobytes()
    few = tmp_path / f"few.{suffix}"
    export_layers(history, run, history.list_layers(run.id)[:2], few)
    assert bring_back(fake, few, fake.MadeHistory()) is None


def test_the_output_follows_its_stimuli_into_another_order(fake: Any, tmp_path: Path) -> None:
    history, run, outputs = make(fake)
    export_layers(history, run, history.list_layers(run.id), tmp_path / "run.npz")
    turned = fake.MadeHistory()
    names = [stimulus.name for stimulus in history.list_stimuli(run.id)][::-1]
    other = fake.add_run(turned, n_stimuli=N, layers=fake.make_layers(1, 1), names=names)
    back = bring_back(fake, tmp_path / "run.npz", turned, stimuli=other.id)
    assert back is not None
    assert np.array_equal(back.values, outputs.values[::-1])


def test_an_output_that_was_changed_in_the_file_is_refused(fake: Any, tmp_path: Path) -> None:
    history, run, _ = make(fake)
    export_layers(history, run, history.list_layers(run.id), tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz") as file:
        arrays = {key: file[key] for key in file.files}
    for changed in ({"output/scale": np.array("grades")}, {"output/outputs": arrays["output/outputs"][:-1]}):
        np.savez(tmp_path / "changed.npz", **{**arrays, **changed})
        with pytest.raises(InputError, match="the file was changed"):
            bring_back(fake, tmp_path / "changed.npz", fake.MadeHistory())

"""The demo, step by step: train, analyse every checkpoint, compare them, report.

It goes the way that `layerwise run`, `compare` and `report` go, so that everything it makes can be used with
them afterwards. Asked for again in the same folder, it answers from the history there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError

if TYPE_CHECKING:
    from layerwise.core.host.registry import Registry
    from layerwise.core.runs.request import Observer, RunOutcome, RunRequest
    from layerwise.storage import OpenHistory

LINEAGE = "digits"


@dataclass(frozen=True)
class DemoSettings:
    """What the demo is asked for.

    Attributes:
        folder: Where everything goes.
        n_epochs: Passes over the digits to learn from.
        n_held_out: Number of digits that are analysed.
        seed: Of the split, the initial weights and the order of learning.
    """

    folder: Path
    n_epochs: int
    n_held_out: int
    seed: int

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.folder / "checkpoints"

    @property
    def stimuli(self) -> Path:
        """File of the held-out digits."""
        return self.folder / "digits.npz"

    @property
    def database(self) -> Path:
        """File of the history."""
        return self.folder / "layerwise.db"

    @property
    def report(self) -> Path:
        """File of the report."""
        return self.folder / "report.html"


@dataclass(frozen=True, eq=False)
class Development:
    """How far each layer is from what it will be.

    Attributes:
        layers: Names of the main layers.
        matrix: (n_checkpoints, n_layers); similarity of each checkpoint's layer to the same layer of the last one.
    """

    layers: tuple[str, ...]
    matrix: NDArray[np.float64]


def make_folder(settings: DemoSettings) -> None:
    """Make the demo's folder.

    Raises:
        InputError: If it cannot be made.
    """
    try:
        settings.checkpoints.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {settings.checkpoints}: {error.strerror}") from error


def analyse_training(
    settings: DemoSettings, registry: Registry, store: OpenHistory, observer: Observer
) -> Iterator[RunOutcome]:
    """Train, and analyse each checkpoint on the held-out digits as soon as it is there.

    Yields:
        What came of each checkpoint's analysis, the untrained one first.
    """
    from layerwise.core.runs.run import execute_run, prepare_run
    from layerwise.demo.digits import load_digits, save_stimuli
    from layerwise.demo.network import train_checkpoints

    learned, held_out = load_digits(settings.n_held_out, settings.seed)
    save_stimuli(held_out, settings.stimuli)
    classes = settings.checkpoints / "class_names.txt"
    classes.write_text("".join(f"{digit}\n" for digit in range(10)), encoding="utf-8")
    checkpoints = train_checkpoints(learned, settings.checkpoints, settings.n_epochs, settings.seed)
    observer.stage("building the network")
    for step, checkpoint in enumerate(checkpoints):
        prepared = prepare_run(_request(settings, checkpoint, classes, step), registry, observer)
        yield execute_run(prepared, store, observer)
        if step < settings.n_epochs:
            observer.stage(f"learning, epoch {step + 1} of {settings.n_epochs}")


def _request(settings: DemoSettings, checkpoint: Path, classes: Path, step: int) -> RunRequest:
    from layerwise.core.runs.request import RunRequest

    words = f"layerwise run {checkpoint} --stimuli {settings.stimuli} --layers main --layers branches --layers logits"
    return RunRequest(
        model=str(checkpoint),
        stimuli=str(settings.stimuli),
        layers=("main", "branches", "logits"),
        checkpoint=checkpoint.stem,
        step=step,
        lineage=LINEAGE,
        class_names=str(classes),
        command=f"{words} --checkpoint {checkpoint.stem} --step {step} --lineage {LINEAGE} --classes {classes}",
    )


def compare_checkpoints(registry: Registry, store: OpenHistory, run_ids: Sequence[str]) -> Development:
    """Compare every main layer of every checkpoint with the same layer of the last one, and keep the answers."""
    from layerwise.core.analysis.compare import compare_layers
    from layerwise.core.history.records import LayerAddress

    names = tuple(layer.name for layer in store.list_layers(run_ids[-1]) if layer.is_main)
    matrix = np.empty((len(run_ids), len(names)))
    for column, name in enumerate(names):
        rows = [LayerAddress(run_id, name) for run_id in run_ids]
        matrix[:, column] = compare_layers(registry, store, "layerwise:rsa-pearson", rows, rows[-1:]).matrix[:, 0]
    return Development(names, matrix)


def write_report(settings: DemoSettings, registry: Registry, store: OpenHistory, run_ids: Sequence[str]) -> Path:
    """Write the report on all checkpoints."""
    from layerwise.report.page import render_report

    runs = [store.find_run(run_id) for run_id in run_ids]
    return render_report(runs, registry, store, settings.report, title="A small inception network learns digits")

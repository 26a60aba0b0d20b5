"""The demo, step by step: train, recorded after every epoch; compare the recordings, report.

It goes the way that `layerwise run`, `compare` and `report` go, so that everything it makes can be used with
them afterwards. Asked for again in the same folder, it answers from the history there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.history.records import RunFilter
from layerwise.core.runs.request import RunOutcome

if TYPE_CHECKING:
    from layerwise.core.history.records import RunRecord
    from layerwise.core.host.registry import Registry
    from layerwise.core.runs.request import Observer
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
) -> list[RunOutcome]:
    """Train, recorded by the Keras callback on the held-out digits: untrained, and after every epoch.

    Returns:
        What came of each recording, the untrained network's first.

    Raises:
        LayerwiseError: If one of them was not stored.
    """
    from layerwise.demo.digits import load_digits, save_stimuli
    from layerwise.demo.network import train_network
    from layerwise.keras import RecordRepresentations

    del registry
    learned, held_out = load_digits(settings.n_held_out, settings.seed)
    save_stimuli(held_out, settings.stimuli)
    classes = settings.checkpoints / "class_names.txt"
    classes.write_text("".join(f"{digit}\n" for digit in range(10)), encoding="utf-8")
    before = {run.id for run in store.list_runs(RunFilter(lineage=LINEAGE, status="finished"))}
    recorder = RecordRepresentations(
        str(settings.stimuli),
        ("main", "branches", "logits"),
        db=settings.database,
        lineage=LINEAGE,
        classes=str(classes),
    )
    made: list[str] = []
    watching = _tell_epochs(settings.n_epochs, observer, lambda: made.extend(recorder.run_ids[len(made) :]))
    train_network(learned, settings.checkpoints, settings.n_epochs, settings.seed, [watching, recorder])
    runs = [store.find_run(run_id) for run_id in made]
    if [run.step for run in runs] != list(range(settings.n_epochs + 1)):
        raise LayerwiseError(f"of {settings.n_epochs + 1} recordings, {len(runs)} were stored")
    return [_outcome(run, store, was_there=run.id in before) for run in runs]


def _tell_epochs(n_epochs: int, observer: Observer, collect: Callable[[], None]) -> Any:
    """A Keras callback that says which epoch it is, and takes note of what the recorder has stored."""
    from layerwise.plugins.loaders.tensorflow_setup import import_keras

    def begin(epoch: int, logs: Any = None) -> None:
        del logs
        collect()
        observer.stage(f"learning, epoch {epoch + 1} of {n_epochs}")

    return import_keras().callbacks.LambdaCallback(on_epoch_begin=begin, on_train_end=lambda _: collect())


def _outcome(run: RunRecord, store: OpenHistory, *, was_there: bool) -> RunOutcome:
    return RunOutcome(
        run_id=run.id,
        status="stored" if was_there else "finished",
        n_stimuli=run.n_stimuli,
        layers=tuple(layer.name for layer in store.list_layers(run.id)),
        seconds=run.timings,
        accuracy=run.accuracy,
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
    """Write the report on all checkpoints, which leads with the training."""
    from layerwise.report.page import render_report

    runs = [store.find_run(run_id) for run_id in run_ids]
    title = "A small inception network learns digits"
    return render_report(runs, registry, store, settings.report, title=title, first=("checkpoints",))

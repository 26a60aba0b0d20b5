"""One training of a study, and what is measured of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from layerwise.core.analysis.profile_run import profile_run
from layerwise.core.base.errors import LayerwiseError
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import RunFilter, RunRecord
from layerwise.core.host.registry import Registry
from layerwise.core.host.selection import select_layers
from layerwise.core.network.ablating.ablation import Ablation
from layerwise.core.network.model import LoadRequest, Model
from layerwise.core.runs.ablation_sweep import Sweep, list_each, sweep_ablations
from layerwise.demo.study.plan import Condition, Study
from layerwise.plugins.loaders.keras.files import KerasFileLoader
from layerwise.plugins.loaders.tensorflow_setup import import_keras

MEASURE = "layerwise:rsa-pearson"
SPARSENESS, ZEROS, DECOV = "sparseness-population", "fraction-zero", "decov"
WEIGHT_SPREAD, WEIGHT_TAILS = "weight-std", "weight-kurtosis"


@dataclass(frozen=True)
class Moment:
    """A training after so many epochs.

    Attributes:
        epoch: 0 before the first step.
        run_id: The run that it was measured in.
        accuracy: Top-1, on what was held out.
        smoothness: Of the profile over the main layers.
        steps: Of the profile, one from each layer to the next.
        statistics: Of the hidden main layers: a number a layer, by statistic.
        weights: Of the weight tensors of more than one axis: a number a tensor, by statistic.
    """

    epoch: int
    run_id: str
    accuracy: float
    smoothness: float
    steps: tuple[float, ...]
    statistics: dict[str, tuple[float, ...]]
    weights: dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class Training:
    """One training of a study.

    Attributes:
        condition: Its condition's name.
        seed: Its seed.
        layers: Names of the main layers, the input and the output included.
        n_parameters: Of the network.
        moments: One an epoch, the untrained network first.
        accuracy_lost: What the trained network loses without some layers, by their names or the pattern that means
            them.
    """

    condition: str
    seed: int
    layers: tuple[str, ...]
    n_parameters: int
    moments: tuple[Moment, ...]
    accuracy_lost: dict[str, float]

    @property
    def first(self) -> Moment:
        """Before the first step."""
        return self.moments[0]

    @property
    def last(self) -> Moment:
        """After the last one."""
        return self.moments[-1]


def train(study: Study, condition: Condition, seed: int, database: str) -> Any:
    """Train once, recorded after every epoch; the trained Keras model.

    The same seed goes the same way on the same machine, so that one which was interrupted is begun anew and finds in
    the history what was recorded of it.
    """
    from layerwise.keras import RecordRepresentations

    keras = import_keras()
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = condition.make()
    n_steps = study.n_epochs * -(-len(study.labels) // study.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(study.learning_rate, n_steps, alpha=0.02)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    probes = study.probes, study.probe_labels
    recorder = RecordRepresentations(probes, db=database, lineage=study.lineage_of(condition, seed))
    model.fit(
        study.pixels.astype(np.float32),
        study.labels,
        batch_size=study.batch_size,
        epochs=study.n_epochs,
        callbacks=[recorder],
        verbose=0,
    )
    return model


def measure(
    study: Study, condition: Condition, seed: int, model: Any, registry: Registry, history: HistoryProtocol
) -> Training:
    """What there is to know of a training: from the history, and from its network with layers silenced.

    Raises:
        LayerwiseError: If something of it is not in the history.
    """
    lineage = study.lineage_of(condition, seed)
    runs = {run.step: run for run in reversed(history.list_runs(RunFilter(lineage=lineage, status="finished")))}
    missing = [epoch for epoch in range(study.n_epochs + 1) if epoch not in runs]
    if missing:
        raise LayerwiseError(f"of the training '{lineage}', epoch {missing[0]} is not in the history")
    found = [runs[epoch] for epoch in range(study.n_epochs + 1)]
    layers = tuple(layer.name for layer in history.list_layers(found[-1].id) if layer.is_main)
    moments = tuple(_measure_moment(epoch, run, registry, history) for epoch, run in enumerate(found))
    adopted = KerasFileLoader().adopt(model, LoadRequest(study.name))
    if adopted is None:
        raise LayerwiseError(f"condition '{condition.name}' gives no Keras model")
    lost = _ablate(study, adopted, registry)
    return Training(condition.name, seed, layers, int(model.count_params()), moments, lost)


def _measure_moment(epoch: int, run: RunRecord, registry: Registry, history: HistoryProtocol) -> Moment:
    profile = profile_run(registry, history, run, MEASURE)
    if run.accuracy is None or profile.smoothness is None:
        raise LayerwiseError(f"run {run.id} has no {'accuracy' if run.accuracy is None else 'smoothness'}")
    hidden = [layer.name for layer in history.list_layers(run.id) if layer.is_main and layer.role == "hidden"]
    values = {(found.layer, found.result.name): found.result.value for found in history.read_statistics(run.id)}
    tensors = [found for found in history.read_weights(run.id) if len(found.shape) > 1]
    by_name = [{result.name: result.value for result in tensor.statistics} for tensor in tensors]
    return Moment(
        epoch=epoch,
        run_id=run.id,
        accuracy=run.accuracy.top1,
        smoothness=profile.smoothness,
        steps=tuple(float(step) for step in profile.steps[1:]),
        statistics={
            name: _defined([values.get((layer, name)) for layer in hidden]) for name in (SPARSENESS, ZEROS, DECOV)
        },
        weights={name: _defined([found.get(name) for found in by_name]) for name in (WEIGHT_SPREAD, WEIGHT_TAILS)},
    )


def _defined(values: Sequence[float | None]) -> tuple[float, ...]:
    return tuple(float("nan") if value is None else float(value) for value in values)


def _ablate(study: Study, model: Model, registry: Registry) -> dict[str, float]:
    """Top-1 accuracy that is lost without each branch, and without all that a pattern means, each set to 0."""
    ablations = {ablation.layers[0]: ablation for ablation in _list_branches(model, registry)}
    for pattern in study.lacking():
        names = tuple(layer.name for layer in model.layers if fnmatchcase(layer.name, pattern))
        if len(names) > 1:
            ablations[pattern] = Ablation(names)
    if not ablations:
        return {}
    labels = [str(label) for label in study.probe_labels]
    _, effects = sweep_ablations(
        model, list(ablations.values()), lambda start, stop: study.probes[start:stop], labels, Sweep(n_resamples=1)
    )
    lost = (effect.accuracy_lost for effect in effects)
    return {name: float("nan") if one is None else one.value for name, one in zip(ablations, lost, strict=True)}


def _list_branches(model: Model, registry: Registry) -> list[Ablation]:
    if all(layer.branch is None for layer in model.layers):
        return []
    return list_each(select_layers(registry, ["branches"], model.layers), "zero")

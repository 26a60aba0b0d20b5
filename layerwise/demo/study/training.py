"""One training of a study, and what is measured of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from layerwise.core.analysis.profile_run import profile_run
from layerwise.core.base.errors import LayerwiseError
from layerwise.core.history.protocols import Archive, HistoryProtocol
from layerwise.core.history.records import RunFilter, RunRecord
from layerwise.core.host.registry import Registry
from layerwise.core.host.selection import select_layers
from layerwise.core.network.ablating.ablation import Ablation
from layerwise.core.network.model import Model
from layerwise.core.runs.ablating.sweep import list_each
from layerwise.core.runs.ablating.variants import sweep_stored
from layerwise.core.runs.prepared import prepare_run
from layerwise.core.runs.request import RunRequest, SilentObserver
from layerwise.demo.study.plan import Condition, Study
from layerwise.plugins.loaders.tensorflow_setup import import_keras

MEASURE = "layerwise:rsa-pearson"
SPARSENESS, ZEROS, DECOV = "sparseness-population", "fraction-zero", "decov"
WEIGHT_SPREAD, WEIGHT_TAILS, WEIGHT_QUANTILES = "weight-std", "weight-kurtosis", "weight-quantiles"
PROBABILITIES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Of the quantiles of weights."""
BATCH_SIZE = 16
"""Probes in a call of the network; the same where it is recorded and where it is silenced."""


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
        quantiles: How the weights of each of these tensors are distributed: quantiles at `PROBABILITIES`.
    """

    epoch: int
    run_id: str
    accuracy: float
    smoothness: float
    steps: tuple[float, ...]
    statistics: dict[str, tuple[float, ...]]
    weights: dict[str, tuple[float, ...]]
    quantiles: dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class Training:
    """One training of a study.

    Attributes:
        condition: Its condition's name.
        seed: Its seed.
        layers: Names of the main layers that the profile follows, from the input to its end point.
        n_parameters: Of the network.
        moments: One an epoch, the untrained network first.
        accuracy_lost: What the trained network loses without some layers, by their names or the pattern that means
            them.
        variants: The runs of these, in the history; they differ from the run of the last moment.
    """

    condition: str
    seed: int
    layers: tuple[str, ...]
    n_parameters: int
    moments: tuple[Moment, ...]
    accuracy_lost: dict[str, float]
    variants: dict[str, str]

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
    recorder = RecordRepresentations(
        probes, db=database, lineage=study.lineage_of(condition, seed), batch_size=BATCH_SIZE
    )
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
    study: Study, condition: Condition, seed: int, model: Any, registry: Registry, history: Archive
) -> Training:
    """What there is to know of a training: from the history, and from its network with layers silenced.

    The network without each of them is stored as a run.

    Raises:
        LayerwiseError: If something of it is not in the history.
    """
    lineage = study.lineage_of(condition, seed)
    runs = {run.step: run for run in reversed(history.list_runs(RunFilter(lineage=lineage, status="finished")))}
    missing = [epoch for epoch in range(study.n_epochs + 1) if epoch not in runs]
    if missing:
        raise LayerwiseError(f"of the training '{lineage}', epoch {missing[0]} is not in the history")
    found = [runs[epoch] for epoch in range(study.n_epochs + 1)]
    layers = profile_run(registry, history, found[-1], MEASURE).layers
    moments = tuple(_measure_moment(epoch, run, registry, history) for epoch, run in enumerate(found))
    variants = _ablate(study, found[-1], model, registry, history)
    lost = {name: moments[-1].accuracy - _accuracy_of(history.find_run(run)) for name, run in variants.items()}
    return Training(condition.name, seed, layers, int(model.count_params()), moments, lost, variants)


def _measure_moment(epoch: int, run: RunRecord, registry: Registry, history: HistoryProtocol) -> Moment:
    profile = profile_run(registry, history, run, MEASURE)
    if profile.smoothness is None:
        raise LayerwiseError(f"run {run.id} has no smoothness")
    hidden = [layer.name for layer in history.list_layers(run.id) if layer.is_main and layer.role == "hidden"]
    values = {(found.layer, found.result.name): found.result.value for found in history.read_statistics(run.id)}
    tensors = [found for found in history.read_weights(run.id) if len(found.shape) > 1]
    by_name = [{result.name: result.value for result in tensor.statistics} for tensor in tensors]
    vectors = [{result.name: result.vector for result in tensor.statistics} for tensor in tensors]
    return Moment(
        epoch=epoch,
        run_id=run.id,
        accuracy=_accuracy_of(run),
        smoothness=profile.smoothness,
        steps=tuple(float(step) for step in profile.steps[1:]),
        statistics={
            name: _defined([values.get((layer, name)) for layer in hidden]) for name in (SPARSENESS, ZEROS, DECOV)
        },
        weights={name: _defined([found.get(name) for found in by_name]) for name in (WEIGHT_SPREAD, WEIGHT_TAILS)},
        quantiles={
            tensor.name: tuple(float(value) for value in vector)
            for tensor, found in zip(tensors, vectors, strict=True)
            if (vector := found.get(WEIGHT_QUANTILES)) is not None
        },
    )


def _accuracy_of(run: RunRecord) -> float:
    if run.accuracy is None:
        raise LayerwiseError(f"run {run.id} has no accuracy")
    return run.accuracy.top1


def _defined(values: Sequence[float | None]) -> tuple[float, ...]:
    return tuple(float("nan") if value is None else float(value) for value in values)


def _ablate(study: Study, trained: RunRecord, model: Any, registry: Registry, history: Archive) -> dict[str, str]:
    """The runs of the trained network without each branch, and without all that a pattern means, each set to 0."""
    request = RunRequest(
        model=model,
        stimuli=(study.probes, study.probe_labels),
        layers=("layerwise:main",),
        batch_size=BATCH_SIZE,
        checkpoint=f"{trained.lineage}, trained",
        command=f"silenced after training, {trained.lineage}",
    )
    prepared = prepare_run(request, registry, SilentObserver())
    ablations = _list_ablations(study, prepared.model, registry)
    if not ablations:
        return {}
    stored = sweep_stored(
        prepared, list(ablations.values()), prepared.layers, history, SilentObserver(), baseline=trained.id
    )
    return dict(zip(ablations, stored.variants, strict=True))


def _list_ablations(study: Study, model: Model, registry: Registry) -> dict[str, Ablation]:
    found = {ablation.layers[0]: ablation for ablation in _list_branches(model, registry)}
    for pattern in study.lacking():
        names = tuple(layer.name for layer in model.layers if fnmatchcase(layer.name, pattern))
        if len(names) > 1:
            found[pattern] = Ablation(names)
    return found


def _list_branches(model: Model, registry: Registry) -> list[Ablation]:
    if all(layer.branch is None for layer in model.layers):
        return []
    return list_each(select_layers(registry, ["branches"], model.layers), "zero")

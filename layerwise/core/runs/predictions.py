"""Outputs, predictions and accuracy: what the model says each stimulus is, and how often it is right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from layerwise.core.history.outputs import MOST_BYTES, OutputForm, Outputs
from layerwise.core.history.records import Accuracy, Prediction
from layerwise.core.network.class_words import label_classes
from layerwise.core.network.layer_naming import LOG_SOFTMAX
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import Floats, ModelInfo

N_TOP = 5


def keeps_probabilities(info: ModelInfo, layer: Layer) -> bool:
    """Whether a layer gives each stimulus's probabilities of the classes, or their logarithms."""
    is_log = layer.op == LOG_SOFTMAX and len(layer.shape) == 1
    return layer.role == "output" and (info.has_probabilities or is_log)


def read_probabilities(activations: Floats, layer: Layer) -> Floats:
    """The probabilities in the activations of such a layer, (n, n_classes)."""
    return np.exp(activations) if layer.op == LOG_SOFTMAX else activations


def keeps_outputs(layer: Layer, n_stimuli: int, form: OutputForm) -> bool:
    """Whether the whole output is kept of such a layer: a row of numbers for each stimulus, and not too many."""
    is_output = layer.role == "output" and len(layer.shape) == 1 and form != "none"
    return is_output and count_bytes(layer, n_stimuli, form) <= MOST_BYTES


def count_bytes(layer: Layer, n_stimuli: int, form: OutputForm) -> int:
    """Bytes that the whole output takes."""
    return n_stimuli * layer.n_features * np.dtype("float32" if form == "none" else form).itemsize


def make_outputs(activations: Floats, layer: Layer, info: ModelInfo, form: OutputForm) -> Outputs:
    """The whole output as it is kept, from the activations of such a layer, (n, n_classes)."""
    values = activations.astype("float32" if form == "none" else form)
    if layer.op == LOG_SOFTMAX:
        return Outputs(layer.name, values, "log-probabilities")
    return Outputs(layer.name, values, "probabilities" if info.has_probabilities else "values")


def top_predictions(probabilities: NDArray[np.floating], info: ModelInfo) -> list[Prediction]:
    """The five most probable classes of each stimulus (fewer where there are fewer), most probable first.

    Args:
        probabilities: (n, n_classes); of equal ones the class with the smaller index comes first. Stimuli
            with values that are not finite get no predictions.
        info: Gives the names of the classes.
    """
    names = info.class_names if len(info.class_names) == probabilities.shape[1] else ()
    return [
        Prediction(
            position=position,
            rank=rank,
            class_index=int(index),
            class_name=names[index] if names else None,
            probability=float(probabilities[position, index]),
        )
        for position, order in enumerate(rank_classes(probabilities))
        if np.isfinite(probabilities[position]).all()
        for rank, index in enumerate(order, start=1)
    ]


def measure_accuracy(
    probabilities: NDArray[np.floating], labels: Sequence[str | None], info: ModelInfo
) -> Accuracy | None:
    """Top-1 and top-5 accuracy over the stimuli whose label names a class; None where no label does.

    A label names a class by its identifier; else by its name or one of the synonyms in it that commas
    separate, whatever the case, `_` or `-` as good as a space; else, where it is a whole number, by its index.

    Args:
        probabilities: (n, n_classes).
        labels: One a stimulus, None where unknown.
        info: Gives identifiers and names of the classes.
    """
    order = rank_classes(probabilities)
    ranks: list[int] = []
    for position, classes in enumerate(label_classes(labels, info, probabilities.shape[1])):
        if classes:
            hits = [rank for rank, index in enumerate(order[position]) if int(index) in classes]
            ranks.append(hits[0] if hits else N_TOP)
    if not ranks:
        return None
    top1 = sum(rank == 0 for rank in ranks) / len(ranks)
    return Accuracy(top1=top1, top5=sum(rank < N_TOP for rank in ranks) / len(ranks), n_labelled=len(ranks))


def rank_classes(probabilities: NDArray[np.floating]) -> NDArray[np.intp]:
    """Indices of the five largest of each row, largest first; (n, at most 5)."""
    return np.argsort(-probabilities, axis=1, kind="stable")[:, :N_TOP]

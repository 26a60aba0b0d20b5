"""The questions that several sections ask of a history."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from layerwise.core.comparing import compare_layers
from layerwise.core.kinds import Comparator
from layerwise.core.layers import Layer
from layerwise.core.records import NO_TRANSFORM, LayerAddress, RunRecord
from layerwise.core.report import ReportContext

COMPARATOR = "rsa-pearson"


def run_label(run: RunRecord) -> str:
    """What a run is called where several are shown."""
    if run.checkpoint is not None:
        return run.checkpoint
    return f"step {run.step}" if run.step is not None else f"{run.model.name}, run {run.id[:8]}"


def featured_runs(context: ReportContext) -> Sequence[RunRecord]:
    """The runs that get figures of their own: all of one or two, otherwise the first and the last."""
    return context.runs if len(context.runs) <= 2 else (context.runs[0], context.runs[-1])


def title_for(context: ReportContext, run: RunRecord, title: str) -> str:
    """A figure's title, with the run's name where there are several."""
    return title if len(context.runs) == 1 else f"{title} · {run_label(run)}"


def shown_transform(run: RunRecord) -> str:
    """The transform whose representations are shown: plain activations where there are any."""
    return NO_TRANSFORM if NO_TRANSFORM in run.transforms else run.transforms[0]


def address(run: RunRecord, layer: Layer) -> LayerAddress:
    """Where a layer's representation is kept."""
    return LayerAddress(run.id, layer.name, shown_transform(run))


def main_layers(context: ReportContext, run: RunRecord) -> list[Layer]:
    """The layers of the `main` selection; where none was analysed, all that are not arms of a block."""
    layers = context.history.list_layers(run.id)
    return [layer for layer in layers if layer.is_main] or [layer for layer in layers if layer.branch is None]


def layer_in_role(layers: Sequence[Layer], role: str) -> Layer | None:
    """The input, or the output, where it was analysed."""
    return next((layer for layer in layers if layer.role == role), None)


def compare(
    context: ReportContext, rows: Sequence[LayerAddress], columns: Sequence[LayerAddress] | None = None
) -> NDArray[np.float64]:
    """Similarity of representations, (rows, columns); NaN where it is undefined. What is new is kept."""
    table = compare_layers(context.registry, context.history, COMPARATOR, rows, columns)
    return np.asarray(table.matrix, dtype=np.float64)


def comparator_words(context: ReportContext) -> str:
    """How two layers are compared, with the provider and its version."""
    found = context.registry.get(Comparator, COMPARATOR)
    return (
        "Pearson correlation between the strict upper triangles of the two layers' stimulus matrices "
        f"({found.qualified_name} {found.version})"
    )


def number(value: float) -> float | None:
    """A float for a frame: None where it is not a number."""
    return None if math.isnan(value) else float(value)

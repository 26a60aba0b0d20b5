"""The calibrated similarities of a run's main layers, as `show` has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from layerwise.core.analysis.calibration.ask import ask_calibrated
from layerwise.core.analysis.choose import list_main_layers
from layerwise.core.analysis.measure import Measure
from layerwise.core.history.intervals import PermutationPlan
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress, RunRecord
from layerwise.core.network.layers import find_end_point
from layerwise.core.network.representation import NO_TRANSFORM


@dataclass(frozen=True)
class CalibratedLayer:
    """One main layer between chance (0) and perfect agreement (1); None where there is no such comparison.

    Attributes:
        layer: Its name.
        to_input: With the layer in the role `input`.
        to_output: With the end point: the logits where they are among the layers, else the output.
        step: With the main layer before it.
    """

    layer: str
    to_input: float | None
    to_output: float | None
    step: float | None


def calibrate_main_layers(
    history: HistoryProtocol,
    run: RunRecord,
    measure: Measure,
    plan: PermutationPlan,
    transform: str = NO_TRANSFORM,
    end_point: str | None = None,
) -> tuple[CalibratedLayer, ...]:
    """Every main layer of a run with the input, the end point and the main layer before it, calibrated.

    Raises:
        InputError: If the plan makes no sense, or there are fewer than four stimuli.
    """
    layers = list_main_layers(history, run)
    if not layers:
        return ()
    scores = ask_calibrated(
        history, measure, [LayerAddress(run.id, layer.name, transform) for layer in layers], plan
    ).scores
    first = next((index for index, layer in enumerate(layers) if layer.role == "input"), None)
    end = find_end_point(layers, end_point)
    last = None if end is None else layers.index(end)

    def at(row: int, column: int | None) -> float | None:
        return None if column is None or not np.isfinite(scores[row, column]) else float(scores[row, column])

    return tuple(
        CalibratedLayer(
            layer.name,
            at(index, first),
            at(index, last),
            at(index, index - 1 if index else None),
        )
        for index, layer in enumerate(layers)
    )

"""What a person wants to know of a run at a glance: one row per layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.history.records import RunRecord
    from layerwise.core.host.registry import Registry
    from layerwise.core.network.layers import Layer
    from layerwise.core.network.matrices.pairs import Pairs

COMPARATOR = "layerwise:rsa-pearson"  # qualified: a plugin may offer the bare name too
SPARSENESS = "sparseness-population"


@dataclass(frozen=True)
class LayerOverview:
    """One layer of a run.

    Attributes:
        layer: Its name.
        n_features: Number of units.
        mean_correlation: Mean correlation over all pairs of different stimuli.
        input_similarity: RSA with the layer in the role `input`; None where it is not stored.
        output_similarity: RSA with the end point: the logits where these are stored, otherwise the output.
        step_similarity: RSA with the main layer before it; None for branches and for the first.
        sparseness: Treves-Rolls population sparseness; None where it is undefined.
        n_constant: Number of stimuli with constant activations.
        undetermined: Which of the three similarities are not determined to two digits, by the names above.
    """

    layer: str
    n_features: int
    mean_correlation: float | None
    input_similarity: float | None
    output_similarity: float | None
    step_similarity: float | None
    sparseness: float | None
    n_constant: int
    undetermined: tuple[str, ...] = ()


def survey_layers(
    registry: Registry,
    history: HistoryProtocol,
    run: RunRecord,
    transform: str = "none",
    end_point: str | None = None,
) -> tuple[LayerOverview, ...]:
    """The overview of every stored layer of a run, in order of computation.

    Raises:
        InputError: If the end point is named and was not analysed.
    """
    from layerwise.core.analysis.compare import compare_layers
    from layerwise.core.history.records import LayerAddress
    from layerwise.core.network.layers import find_end_point

    layers = history.list_layers(run.id)
    if not layers:
        return ()
    addresses = [LayerAddress(run.id, layer.name, transform) for layer in layers]
    table = compare_layers(registry, history, COMPARATOR, addresses)
    matrix, marked = table.matrix, table.marked
    previous = _previous_main(layers)
    roles = {layer.role: index for index, layer in enumerate(layers)}
    last = find_end_point(layers, end_point)
    end = None if last is None else layers.index(last)
    sparseness = _read_sparseness(history, run, transform)
    rows = []
    opened = history.open_layers(addresses)
    for index, (layer, known) in enumerate(zip(layers, opened, strict=True)):
        others = {
            "input_similarity": roles.get("input"),
            "output_similarity": end,
            "step_similarity": previous.get(index),
        }
        rows.append(
            LayerOverview(
                layer=layer.name,
                n_features=known.n_features,
                mean_correlation=mean_correlation(known),
                **{name: _cell(matrix, index, other) for name, other in others.items()},
                sparseness=sparseness.get(layer.name),
                n_constant=len(known.constant),
                undetermined=tuple(n for n, other in others.items() if other is not None and marked[index, other]),
            )
        )
    return tuple(rows)


def mean_correlation(layer: Pairs) -> float | None:
    """Mean correlation over all pairs of different stimuli; undefined ones are left out, None if all are."""
    n_pairs, mean, _ = layer.correlation_moments
    return 1 - mean if n_pairs else None


def _previous_main(layers: Sequence[Layer]) -> dict[int, int]:
    main = [index for index, layer in enumerate(layers) if layer.is_main]
    return dict(zip(main[1:], main[:-1], strict=True))


def _cell(matrix: NDArray[np.float64], row: int, column: int | None) -> float | None:
    if column is None or not np.isfinite(matrix[row, column]):
        return None
    return float(matrix[row, column])


def _read_sparseness(history: HistoryProtocol, run: RunRecord, transform: str) -> Mapping[str, float]:
    return {
        statistic.layer: statistic.result.value
        for statistic in history.read_statistics(run.id)
        if statistic.transform == transform
        and statistic.result.name == SPARSENESS
        and statistic.result.value is not None
    }

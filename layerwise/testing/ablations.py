"""A model without some of its layers, for tests of a loader whose models can be ablated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from layerwise.core.network.ablating.ablation import Ablation, Substitute, ablate
from layerwise.core.network.model import Model


def without_layers(
    model: Model, layers: Sequence[str], pixels: NDArray[Any], substitute: Substitute = "zero", seed: int = 0
) -> Model:
    """The model with layers silenced, as `layerwise run --ablate` analyses it.

    Args:
        model: A model that can replace nodes (`Model.compile_replaced`).
        layers: Names of its layers.
        pixels: (n, height, width, 3); the stimuli, which means and shuffled activations are of.
        substitute: What stands in for the layers.
        seed: Of the shuffling.

    Raises:
        InputError: If a layer cannot be ablated.
    """
    return ablate(model, Ablation(tuple(layers), substitute, seed), lambda a, b: pixels[a:b], len(pixels))

"""Trainings that are made: layers turn, checkpoint by checkpoint, from one grouping of the stimuli to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from layerwise.core.analysis.measure import find_measure
from layerwise.core.analysis.training.checkpoints import TrainingQuestion, choose_training_layers, read_training
from layerwise.core.history.records import LayerStatistic
from layerwise.core.host.registry import Registry
from layerwise.core.network.layers import Layer
from layerwise.plugins import load_plugins

N_STIMULI = 40


@pytest.fixture(scope="session")
def registry() -> Registry:
    return load_plugins()


@pytest.fixture
def made_training(fake: Any) -> Callable[..., Any]:
    """`made_training({"conv0": [0, 1, 1]}, name="mine")`: how far each layer has got at each checkpoint, from 0 to 1.

    A layer called `input` or `output` has that role. A share of None leaves the layer out of that checkpoint.
    """

    def make(
        shares: Mapping[str, Sequence[float | None]],
        name: str = "mine",
        history: Any = None,
        steps: Sequence[int] | None = None,
        statistics: Mapping[int, Sequence[LayerStatistic]] = {},
        n_stimuli: int = N_STIMULI,
        **more: Any,
    ) -> Any:
        history = fake.MadeHistory() if history is None else history
        ends = {
            layer: [np.random.default_rng([place, which]).normal(size=(n_stimuli, 30)) for which in (0, 1)]
            for place, layer in enumerate(shares)
        }
        layers = [
            Layer(
                layer, layer, "conv", (30,), place, role=layer if layer in ("input", "output") else None, is_main=True
            )
            for place, layer in enumerate(shares)
        ]
        for place in range(len(next(iter(shares.values())))):
            rows = {
                layer: (1 - share) * ends[layer][0] + share * ends[layer][1]
                for layer, values in shares.items()
                if (share := values[place]) is not None
            }
            step = place if steps is None else steps[place]
            there = [layer for layer in layers if layer.name in rows]
            fake.add_rows(
                history, f"{name}{place}", rows, there, lineage=name, step=step,
                statistics=statistics.get(place, ()), **more,
            )  # fmt: skip
        return history

    return make


@pytest.fixture
def question(registry: Registry) -> Callable[..., TrainingQuestion]:
    """`question(history, "mine", "rsa-pearson")`."""

    def ask(history: Any, name: str = "mine", comparator: str = "rsa-pearson", **more: Any) -> TrainingQuestion:
        training = read_training(history, name)
        layers = tuple(choose_training_layers(registry, history, training))
        return TrainingQuestion(registry, history, training, find_measure(registry, comparator), layers, **more)

    return ask

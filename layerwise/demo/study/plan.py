"""What a study is: one network trained under several conditions, several times each, at equal budget."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.plugins.loaders.tensorflow_setup import import_keras

Kind = Literal["baseline", "without", "loss"]


@dataclass(frozen=True, eq=False)
class Condition:
    """One way of training.

    Attributes:
        name: Short, for tables and legends.
        described: What is done, in words.
        make: Gives an untrained Keras model that is not compiled yet, a new one each time.
        kind: `baseline`, which the others are set beside; `without`, a network that lacks something; `loss`, the
            same network with something added to its loss.
        lacks: Of `without`: a pattern of the names of the layers that it lacks, such as `*/5x5`. They are silenced
            in the trained baseline, too.
    """

    name: str
    described: str
    make: Callable[[], Any]
    kind: Kind = "loss"
    lacks: str = ""


@dataclass(frozen=True, eq=False)
class Study:
    """A study's plan.

    Attributes:
        name: Its lineages are called after it.
        title: Of the page.
        conditions: At least one, the baseline first.
        pixels: (n, height, width, channels), in 0..255; to learn from.
        labels: (n,), whole numbers from 0; what they show.
        probes: Pixels that are held out, (m, height, width, channels), in 0..255; what is analysed.
        probe_labels: (m,).
        n_epochs: Passes over the pixels.
        seeds: Of initial weights and of the order of the pixels: each condition is trained once with each.
        batch_size: Pixels in a step.
        learning_rate: Of Adam; it falls to nothing along a cosine.
    """

    name: str
    title: str
    conditions: Sequence[Condition]
    pixels: NDArray[np.generic]
    labels: NDArray[np.integer]
    probes: NDArray[np.generic]
    probe_labels: NDArray[np.integer]
    n_epochs: int = 8
    seeds: Sequence[int] = range(5)
    batch_size: int = 32
    learning_rate: float = 6e-3

    def __post_init__(self) -> None:
        names = [condition.name for condition in self.conditions]
        if not names or self.conditions[0].kind != "baseline" or len(set(names)) != len(names):
            raise InputError("a study needs conditions with names of their own, the first of kind 'baseline'")
        if len(self.pixels) != len(self.labels) or len(self.probes) != len(self.probe_labels):
            raise InputError("a study needs one label for each picture")

    def lineage_of(self, condition: Condition, seed: int) -> str:
        """The name of one training."""
        return f"{self.name}, {condition.name}, seed {seed}"

    def digest(self, condition: Condition, seed: int) -> str:
        """A hash of all that decides how one training goes, the network's architecture included."""
        keras = import_keras()
        keras.backend.clear_session()  # which numbers layers without a name of their own from nothing on
        model = json.loads(condition.make().to_json())
        arrays = (self.pixels, self.labels, self.probes, self.probe_labels)
        data = [hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest() for array in arrays]
        kept = [self.n_epochs, self.batch_size, self.learning_rate, seed, condition.kind, self.lacking(), data, model]
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()

    def lacking(self) -> list[str]:
        """Patterns of what conditions lack."""
        return [condition.lacks for condition in self.conditions if condition.lacks]

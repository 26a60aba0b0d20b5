"""What is left to compute of a variant, as a model of its own: from where it begins to the output.

Its stimuli are rows of the intact network's tensor there, with the silenced stretches replaced. Both are made when
they are first needed, so that a variant that a history has already costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from layerwise.core.network.ablating.ablation import AblatedModel, Ablation, Source, find_stand_ins
from layerwise.core.network.ablating.stand_ins import draw_partners
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import Compiled, Floats, Model, WeightTensor
from layerwise.core.network.pixels import StimuliReader
from layerwise.core.runs.ablating.starts import Start, cut_graph
from layerwise.core.runs.ablating.trunk import Trunk


class TailRows(StimuliReader):
    """What goes into a variant where it begins.

    Args:
        trunk: The intact network.
        ablation: What is silenced.
        start: Where the variant begins.
    """

    def __init__(self, trunk: Trunk, ablation: Ablation, start: Start) -> None:
        self.shape = (trunk.n_stimuli, *trunk.model.graph[start.node].shape)
        self.dtype = np.dtype(np.float32)
        self._trunk, self._ablation, self._start = trunk, ablation, start

    def read(self, start: int, stop: int) -> Floats:
        """Rows of the intact network, with what is silenced replaced."""
        self._trunk.move_to(self._start.node)
        rows = self._trunk.rows(start, stop)
        if not self._start.spliced:
            return rows
        changed = rows.copy()
        given = self._others(start, stop) if self._ablation.substitute == "shuffle" else None
        for stretch in self._start.spliced:
            changed[..., stretch] = self._constant[..., stretch] if given is None else given[..., stretch]
        return changed

    @cached_property
    def _constant(self) -> Floats:
        """What stands in for every stimulus, of the shape of a row."""
        if self._ablation.substitute == "zero":
            return np.zeros(self.shape[1:], dtype=np.float32)
        total = np.zeros(self.shape[1:], dtype=np.float64)
        for start in range(0, len(self), 16):
            total += self._trunk.rows(start, min(start + 16, len(self))).sum(axis=0, dtype=np.float64)
        return (total / len(self)).astype(np.float32)

    @cached_property
    def _partners(self) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
        return draw_partners(len(self), self._ablation.seed)

    def _others(self, start: int, stop: int) -> Floats:
        partners = self._partners[start:stop]
        return np.concatenate([self._trunk.rows(int(one), int(one) + 1) for one in partners])


class Tail(AblatedModel):
    """A variant of a network from where it begins.

    Args:
        trunk: The intact network.
        ablation: What is silenced.
        start: Where the variant begins.
        layers: The layers of the intact model that are wanted of it, the output among them.
        stimuli: Fingerprint of the stimuli.
    """

    def __init__(self, trunk: Trunk, ablation: Ablation, start: Start, layers: Sequence[Layer], stimuli: str) -> None:
        super().__init__(trunk.model, ablation, {}, stimuli)
        self._trunk, self._start = trunk, start
        self.info = ablation.describe(trunk.model.info, [layer.node for layer in ablation.find(trunk.model)], stimuli)
        self.layers = tuple(layers)
        self.graph = cut_graph(trunk.model.graph, start.node, [layer.node for layer in layers])

    def preprocess(self, pixels: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Floats:
        """Rows as they are."""
        return self._trunk.send(np.ascontiguousarray(pixels, dtype=np.float32))  # type: ignore[no-any-return]

    @cached_property
    def _model(self) -> Model:
        """The network that is run from the start on: the intact one, or one of which later nodes are replaced."""
        if not self._start.rest:
            return self.intact
        self._trunk.move_to(self._start.node)
        source = Source(self._start.node, self._trunk.tensor, self._trunk.n_stimuli)
        stand_ins = find_stand_ins(self.intact, self.ablation, self._start.rest, source)
        return AblatedModel(self.intact, self.ablation, stand_ins, self._stimuli)

    def compile(self, start: str, outputs: Sequence[str]) -> Compiled:
        """As the network without its layers."""
        return self._model.compile(start, outputs)

    def weights(self) -> Iterator[WeightTensor]:
        """None: they are the intact model's."""
        return iter(())

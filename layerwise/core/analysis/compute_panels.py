"""Comparing layers whose matrices are too large to be held: all of them side by side, a few rows at a time.

A measure that follows from sums of products over pairs (`PanelComparator`) needs of each layer a look for means and
ends, and then every pair once. So all layers are read at the same pace, from where they are stored, and the products
of all with all are summed; nothing of the size of a matrix is ever there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.doubt import BLUR_THAT_MATTERS, UNSURE, say
from layerwise.core.analysis.measure import Measure
from layerwise.core.analysis.parallel import Spread, side_by_side
from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.history.records import Comparison, LayerAddress
from layerwise.core.host.kinds import PairSums, PanelComparator
from layerwise.core.network.matrices.derived import PerturbedPairs
from layerwise.core.network.matrices.landmarks import LandmarkPairs
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.core.network.matrices.tiles import MOST_WHOLE
from layerwise.core.network.resolution import NOT_DETERMINED

Pair = tuple[LayerAddress, LayerAddress]
Progress = Callable[[int, int], None]
Values = NDArray[np.float64]
_MOST_ROWS = 64
_COPIES = 6  # arrays of a panel's size that are there for each layer while it is read


def reads_panels(measure: Measure, n_stimuli: int) -> bool:
    """Whether layers of so many stimuli are compared a few rows at a time."""
    offer = measure.comparator.offer
    return n_stimuli > MOST_WHOLE and isinstance(offer, PanelComparator) and offer.reads_panels


def panel_bytes(n_layers: int, n_stimuli: int, n_rows: int = 1) -> int:
    """What comparing so many layers takes, with so many rows at a time."""
    return 8 * n_layers * n_stimuli * (n_rows * _COPIES + 8)


@dataclass(eq=False)
class _Layer:
    """A layer that takes part: as it is stored, or as it might as well be known."""

    pairs: Pairs
    survey: Any = None
    refusal: InputError | PluginError | None = None
    warning: str = ""
    place: int = -1  # among those whose products are summed


@dataclass(eq=False)
class _Sums:
    """Sums over the pairs that are defined in both layers, of all layers with all, (m, m) each."""

    n_layers: int
    count: Values = field(init=False)
    sums: Values = field(init=False)
    squares: Values = field(init=False)
    products: Values = field(init=False)

    def __post_init__(self) -> None:
        for name in ("count", "sums", "squares", "products"):
            setattr(self, name, np.zeros((self.n_layers, self.n_layers)))

    def add(self, values: Values) -> None:
        """Values of all layers for the same pairs, (m, k); NaN where undefined. Of undefined ones they are spoilt."""
        defined = np.isfinite(values)
        if defined.all():
            self.products += values @ values.T
            self.count += values.shape[1]
            self.sums += values.sum(axis=1)[:, None]
            self.squares += np.einsum("ij,ij->i", values, values)[:, None]
            return
        values[~defined] = 0
        known = defined.astype(np.float64)
        self.products += values @ values.T
        self.count += known @ known.T
        self.sums += values @ known.T
        values *= values
        self.squares += values @ known.T

    def of(self, first: int, second: int) -> PairSums:
        """Those of two layers."""
        return PairSums(
            count=float(self.count[first, second]),
            first=float(self.sums[first, second]),
            second=float(self.sums[second, first]),
            first_squared=float(self.squares[first, second]),
            second_squared=float(self.squares[second, first]),
            product=float(self.products[first, second]),
        )


def compute_in_panels(
    measure: Measure, layers: Mapping[LayerAddress, Pairs], pairs: Sequence[Pair], memory: int, progress: Progress
) -> dict[Pair, Comparison]:
    """The measure for these pairs of layers.

    Args:
        measure: What compares them; `reads_panels`.
        layers: Every layer of the pairs.
        pairs: Two layers each; each pair once.
        memory: Bytes that may be taken at a time.
        progress: Told how many pairs of how many are done, as far as one can say so while all of them are under way.
    """
    return _PanelComputation(measure, layers, pairs, memory, progress).run()


def _turn(found: Comparison) -> Comparison:
    """The same of the pair in the other order."""
    return replace(found, first=found.second, second=found.first)


class _PanelComputation:
    def __init__(
        self,
        measure: Measure,
        layers: Mapping[LayerAddress, Pairs],
        pairs: Sequence[Pair],
        memory: int,
        progress: Progress,
    ) -> None:
        self._measure = measure
        self._caller = measure.comparator
        self._offer: Any = measure.comparator.offer
        self._layers = {address: _Layer(layer) for address, layer in layers.items()}
        self._again: dict[LayerAddress, _Layer] = {}
        self._pairs = pairs
        self._memory = memory
        self._progress = progress

    def run(self) -> dict[Pair, Comparison]:
        """Look at every layer, sum products, and conclude."""
        self._progress(0, len(self._pairs))
        with side_by_side(True, self._count_threads()) as spread:
            list(spread(self._look_at, list(self._layers)))
            taking_part = [*self._layers.values(), *self._again.values()]
            known = [layer for layer in taking_part if layer.refusal is None]
            for place, layer in enumerate(known):
                layer.place = place
            sums = self._sum(known, spread)
        for layer in known:
            self._check(layer, sums)
        answers: dict[Pair, Comparison] = {}
        for pair in self._pairs:
            other = answers.get((pair[1], pair[0])) if self._measure.symmetric else None
            answers[pair] = self._conclude(pair, sums) if other is None else _turn(other)
        self._progress(len(self._pairs), len(self._pairs))
        return answers

    def _count_threads(self) -> int:
        """Surveys read panels of `_MOST_ROWS` rows, one for each thread."""
        n_stimuli = next(iter(self._layers.values())).pairs.n_stimuli
        return max(1, self._memory // (2 * panel_bytes(1, n_stimuli, _MOST_ROWS)))

    def _look_at(self, address: LayerAddress) -> None:
        layer = self._layers[address]
        self._survey(layer)
        if layer.refusal is None and layer.pairs.blur > BLUR_THAT_MATTERS:
            perturbed: Pairs = PerturbedPairs(layer.pairs)
            if perturbed.landmarks is not None:
                perturbed = LandmarkPairs(perturbed, perturbed.landmarks)
            self._again[address] = again = _Layer(perturbed)
            self._survey(again)

    def _survey(self, layer: _Layer) -> None:
        try:
            layer.survey = self._caller.call(self._offer.survey, layer.pairs)
        except (InputError, PluginError) as error:
            layer.refusal = error

    def _sum(self, layers: Sequence[_Layer], spread: Spread) -> _Sums:
        sums = _Sums(len(layers))
        if not layers:
            return sums
        n_stimuli = layers[0].pairs.n_stimuli
        n_rows_known = layers[0].pairs.landmarks or n_stimuli
        each = panel_bytes(len(layers), n_stimuli, 1)
        n_rows = max(1, min(_MOST_ROWS, self._memory // each))
        streams = [layer.pairs.upper_panels(n_rows) for layer in layers]
        for start in range(0, n_rows_known, n_rows):
            sums.add(np.stack(list(spread(self._read, list(zip(layers, streams, strict=True))))))
            share = 1 - (1 - start / n_stimuli) ** 2  # of the pairs
            self._progress(int(share * len(self._pairs)), len(self._pairs))
        return sums

    def _read(self, task: tuple[_Layer, Iterator[tuple[slice, Any]]]) -> Values:
        layer, stream = task
        rows, panel = next(stream)
        values: Values = self._caller.call(self._offer.read_panel, layer.survey, rows, panel)
        return values

    def _check(self, layer: _Layer, sums: _Sums) -> None:
        try:
            squared = float(sums.squares[layer.place, layer.place])
            layer.warning = self._caller.call(self._offer.check_sums, layer.survey, squared)
        except (InputError, PluginError) as error:
            layer.refusal = error

    def _conclude(self, pair: Pair, sums: _Sums) -> Comparison:
        refused = next((address for address in pair if self._layers[address].refusal is not None), None)
        if refused is not None:
            return self._refuse(pair, self._layers[refused].refusal, f"{refused.layer}: ")
        try:
            value = self._compare(self._layers[pair[0]], self._layers[pair[1]], sums)
        except (InputError, PluginError) as error:
            return self._refuse(pair, error)
        ends = tuple(dict.fromkeys(pair))
        lines = [f"{end.layer}: {self._layers[end].warning}" for end in ends if self._layers[end].warning]
        if found := self._doubt(pair, value, sums):
            lines += [f"{end.layer}: {found}" for end in ends if end in self._again]
        return Comparison(self._measure.provider, *pair, value, "\n".join(lines))

    def _compare(self, first: _Layer, second: _Layer, sums: _Sums) -> float:
        for layer in (first, second):
            if layer.refusal is not None:
                raise layer.refusal
        found = self._caller.call(self._offer.conclude, sums.of(first.place, second.place))
        return self._measure.check(found)

    def _doubt(self, pair: Pair, value: float, sums: _Sums) -> str:
        """What to say of a number that changes where layers are taken as they might as well be known."""
        if not any(end in self._again for end in pair):
            return ""
        first, second = (self._again.get(end, self._layers[end]) for end in pair)
        try:
            found = say(self._measure, value, abs(value - self._compare(first, second, sums)))
        except (InputError, PluginError):
            found = NOT_DETERMINED
        return f"its {found}: {UNSURE}" if found else ""

    def _refuse(self, pair: Pair, error: Exception | None, where: str = "") -> Comparison:
        failed = isinstance(error, PluginError)
        return Comparison(self._measure.provider, *pair, None, f"{where}{error}", failed)

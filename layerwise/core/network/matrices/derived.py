"""Layers that follow from others which are not held whole: some of the stimuli, or other errors."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.core.network.matrices.panels import Panel
from layerwise.core.network.representation import Representation


class PerturbedPairs(Pairs):
    """The same layer with every squared distance changed by a draw of its error, the draw of `perturb`.

    Stimuli that are the same are told from each other, which that does not: of thousands it is a pair or two.
    """

    def __init__(self, layer: Pairs, seed: int = 0) -> None:
        """Stand before a layer."""
        self._layer, self._seed = layer, seed
        self.deviation, self.mean, self.norm = layer.deviation, layer.mean, layer.norm
        self.n_features, self.resolution, self.has_zero = layer.n_features, layer.resolution, layer.has_zero
        self.landmarks = layer.landmarks

    @property
    def entry_type(self) -> np.dtype[np.floating]:
        """What was drawn is not rounded."""
        return np.dtype(np.float64)

    def upper_panels(self, n_rows: int | None = None) -> Iterator[tuple[slice, Panel]]:
        """All pairs of different stimuli once; see `Pairs`."""
        generator = np.random.default_rng([self._seed, zlib.crc32(self.deviation.tobytes())])
        for rows, panel in self._layer.upper_panels(n_rows):
            draw = generator.normal(size=(rows.stop - rows.start, self.n_stimuli))[:, rows.start :]
            yield rows, replace(panel, entries=_change(panel, draw))


def _change(panel: Panel, draw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Dissimilarities that are changed by draws of their errors; what is above the diagonal counts."""
    n_rows = len(draw)
    upper = np.triu(draw[:, :n_rows], 1)
    draw[:, :n_rows] = upper + upper.T
    draw *= panel.squared_distance_errors(with_activations=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        draw /= 2 * np.multiply.outer(panel.rows.deviation, panel.columns.deviation)
    draw[~np.isfinite(draw)] = 0
    draw += panel.dissimilarity()
    return draw


def _require_pairs(layer: Pairs, n_first: int) -> None:
    """Make sure that all pairs of the first so many stimuli are known."""
    if layer.landmarks is not None and n_first > layer.landmarks:
        raise InputError(f"pairs of {n_first} stimuli are not known: {layer.landmarks} of them are landmarks")


def hold_whole(layer: Pairs) -> Representation:
    """The layer with all of its pairs in memory.

    Raises:
        InputError: If only pairs with landmarks are known.
    """
    if isinstance(layer, Representation):
        return layer
    _require_pairs(layer, layer.n_stimuli)
    entries = np.empty((layer.n_stimuli, layer.n_stimuli), dtype=layer.entry_type)
    for rows, panel in layer.upper_panels():
        entries[rows, rows.start :] = panel.entries
        entries[rows.start :, rows] = panel.entries.T
    vectors = layer.deviation, layer.mean, layer.norm
    return Representation(entries, *vectors, layer.n_features, layer.resolution, layer.has_zero)


def take_from(layer: Pairs, indices: ArrayLike) -> Representation:
    """The representation of a selection (or reordering) of the stimuli, as `Representation.take` gives it.

    Args:
        layer: The layer, of which every panel is read once.
        indices: Positions of stimuli, each once.

    Raises:
        InputError: If pairs of these are not known, because they are no landmarks.
    """
    if isinstance(layer, Representation):
        return layer.take(indices)
    chosen = np.asarray(indices, dtype=np.intp)
    _require_pairs(layer, int(chosen.max(initial=-1)) + 1)
    order = np.argsort(chosen)
    places = chosen[order]
    entries = np.empty((len(chosen), len(chosen)), dtype=layer.entry_type)
    for rows, panel in layer.upper_panels():
        first, last = np.searchsorted(places, [rows.start, rows.stop])
        block = panel.entries[np.ix_(places[first:last] - rows.start, places[first:] - rows.start)]
        entries[first:last, first:] = block
        entries[first:, first:last] = block.T
    back = np.argsort(order)
    return Representation(
        entries[np.ix_(back, back)],
        layer.deviation[chosen],
        layer.mean[chosen],
        layer.norm[chosen],
        layer.n_features,
        layer.resolution,
        layer.has_zero,
    )

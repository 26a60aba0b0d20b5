"""Activation transforms: what is done to activations before they become a representation.

They are for measures that need something the Gram matrix of plain activations has lost.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import Transform, UnitTransform
from layerwise.core.network.model import Floats
from layerwise.plugins.ranks import average_ranks

_ROUNDING = 1e-6  # of a unit's activations, relative to their mean


class RankTransform(Transform):
    """Average ranks over units: Pearson correlation of what comes out is Spearman's of what went in."""

    name = "rank"
    description = "ranks over units, ties averaged: Pearson becomes Spearman"
    additive = False

    def apply(self, activations: Floats) -> Floats:
        """(batch, *shape) to ranks from 1 to p, (batch, p)."""
        rows = activations.reshape(len(activations), -1)
        ranks = np.empty(rows.shape, dtype=np.float32)
        for row, target in zip(rows, ranks, strict=True):
            target[:] = average_ranks(row)
        return ranks


class SpatialMeanTransform(Transform):
    """Mean over all axes but the last: how strong each channel is, wherever it is."""

    name = "spatial-mean"
    description = "mean over positions: one value a channel"
    additive = True

    def apply(self, activations: Floats) -> Floats:
        """(batch, *positions, channels) to (batch, channels); (batch, features) stays as it is."""
        axes = tuple(range(1, activations.ndim - 1))
        return activations.mean(axis=axes, dtype=np.float64).astype(np.float32) if axes else activations


class SpatialMaxTransform(Transform):
    """Maximum over all axes but the last: whether each channel found what it looks for anywhere."""

    name = "spatial-max"
    description = "maximum over positions: one value a channel"
    additive = True

    def apply(self, activations: Floats) -> Floats:
        """(batch, *positions, channels) to (batch, channels); (batch, features) stays as it is."""
        axes = tuple(range(1, activations.ndim - 1))
        return activations.max(axis=axes) if axes else activations


class MeanTokensTransform(Transform):
    """Mean over tokens: what a layer of a transformer makes of the whole, wherever in the sequence."""

    name = "mean-tokens"
    description = "mean over tokens (the axis before the last): one vector a stimulus"
    additive = True

    def apply(self, activations: Floats) -> Floats:
        """(batch, tokens, units) to (batch, units); what has no tokens stays as it is."""
        return activations.mean(axis=1, dtype=np.float64).astype(np.float32) if activations.ndim == 3 else activations


class ClassTokenTransform(Transform):
    """The first token, which vision transformers and BERT read their answer from."""

    name = "cls-token"
    description = "the first token: one vector a stimulus"
    additive = True

    def apply(self, activations: Floats) -> Floats:
        """(batch, tokens, units) to (batch, units); what has no tokens stays as it is."""
        return np.ascontiguousarray(activations[:, 0]) if activations.ndim == 3 else activations


class LastTokenTransform(Transform):
    """The last token, which models of language that read from left to right predict from.

    It is the last one of the sequence as it went in: where shorter texts are filled up at their end, that is filling.
    """

    name = "last-token"
    description = "the last token: one vector a stimulus"
    additive = True

    def apply(self, activations: Floats) -> Floats:
        """(batch, tokens, units) to (batch, units); what has no tokens stays as it is."""
        return np.ascontiguousarray(activations[:, -1]) if activations.ndim == 3 else activations


class BinarizeTransform(Transform):
    """Which units are active, however strongly."""

    name = "binarize"
    description = "1 where a unit is above 0, otherwise 0"
    additive = True

    def apply(self, activations: Floats) -> Floats:
        """(batch, *shape) to zeros and ones of the same shape."""
        return (activations > 0).astype(np.float32)


class ZScoreUnitsTransform(UnitTransform):
    """Each unit's z-scores over the stimuli: every unit counts alike, however strongly it responds.

    (x - mean) / standard deviation (divided by n). A unit whose deviation is below a millionth of its mean is taken
    to be constant, and 0: that is rounding of float32.
    """

    name = "zscore-units"
    description = "z-scores of each unit over all stimuli: every unit counts alike"

    def apply_units(self, units: Floats) -> Floats:
        """(n_stimuli, n_units) to z-scores."""
        mean = units.mean(axis=0, dtype=np.float64)
        scores: NDArray[np.float64] = units - mean
        spread = np.sqrt(np.mean(scores * scores, axis=0))
        constant = spread <= _ROUNDING * np.abs(mean)
        scores /= np.where(constant, np.inf, spread)
        return scores.astype(np.float32, copy=False)


@hookimpl
def register_transforms() -> Sequence[Transform]:
    """The built-in transforms."""
    return [
        RankTransform(),
        SpatialMeanTransform(),
        SpatialMaxTransform(),
        MeanTokensTransform(),
        ClassTokenTransform(),
        LastTokenTransform(),
        BinarizeTransform(),
        ZScoreUnitsTransform(),
    ]

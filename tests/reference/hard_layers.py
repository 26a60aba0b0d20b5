"""Layers that are hard to be right about: their activations in float32, as a network gives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from exact_measures import Given
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Latent = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HardLayer:
    """Activations of one layer.

    Attributes:
        activations: float32 (n, p).
        n_directions: See `exact_measures.Given`.
        n_plain: The same.
    """

    activations: Floats
    n_directions: int | None = None
    n_plain: int | None = None

    @property
    def given(self) -> Given:
        """The same numbers in float64."""
        return Given(self.activations.astype(np.float64), self.n_directions, self.n_plain)


Make = Callable[[np.random.Generator, Latent, int], HardLayer]


def _mix(rng: np.random.Generator, latent: Latent, width: int, noise: float = 1.0) -> Latent:
    """A layer that has something of what the stimuli are, and something of its own."""
    own = rng.normal(size=(len(latent), width))
    return latent @ rng.normal(size=(latent.shape[1], width)) / np.sqrt(latent.shape[1]) + noise * own


def _plain(rows: Latent) -> HardLayer:
    with np.errstate(over="ignore", under="ignore"):
        return HardLayer(rows.astype(np.float32))


def ordinary() -> Make:
    """Rectified."""
    return lambda rng, latent, width: _plain(np.maximum(_mix(rng, latent, width), 0))


def signed() -> Make:
    """Of mean 0."""
    return lambda rng, latent, width: _plain(_mix(rng, latent, width))


def offset(deviations: float) -> Make:
    """A bias for each unit, so many deviations large."""
    return lambda rng, latent, width: _plain(_mix(rng, latent, width) + deviations * rng.normal(size=width))


def massive(deviations: float) -> Make:
    """Three units that are far larger than all others, as in transformers."""

    def make(rng: np.random.Generator, latent: Latent, width: int) -> HardLayer:
        rows = _mix(rng, latent, width)
        rows[:, :3] += deviations
        return _plain(rows)

    return make


def bright(deviations: float) -> Make:
    """A level for each stimulus, which all of its units share."""
    return lambda rng, latent, width: _plain(
        _mix(rng, latent, width) + deviations * rng.normal(size=(len(latent), 1))
    )


def gains(share: float) -> Make:
    """One pattern, more or less of it with each stimulus, and a share of something else."""

    def make(rng: np.random.Generator, latent: Latent, width: int) -> HardLayer:
        pattern = np.maximum(rng.normal(size=width), 0) + 0.1
        gain = np.exp(rng.normal(size=(len(latent), 1)))
        return _plain(gain * (pattern + share * _mix(rng, latent, width)))

    return make


def scaled(factor: float) -> Make:
    """All activations times a number."""
    return lambda rng, latent, width: _plain(_mix(rng, latent, width) * factor)


def low_rank(rank: int) -> Make:
    """A few directions, in many units; what float32 adds is no direction."""

    def make(rng: np.random.Generator, latent: Latent, width: int) -> HardLayer:
        few = _mix(rng, latent, rank)
        rows = (few @ rng.normal(size=(rank, width))).astype(np.float32)
        n_directions = min(rank, width, len(latent) - 1)
        return HardLayer(rows, n_directions, min(rank, width, len(latent)))

    return make


def steep(condition: float) -> Make:
    """Directions whose sizes go down to one over `condition`, in as many units."""

    def make(rng: np.random.Generator, latent: Latent, width: int) -> HardLayer:
        rows = _mix(rng, latent, width)
        turn = np.linalg.qr(rng.normal(size=(width, width)))[0]
        return _plain(rows @ (turn * np.geomspace(1, 1 / condition, width)) @ turn.T)

    return make


def copies(of: Make) -> Make:
    """Every third stimulus is the one before it, again."""

    def make(rng: np.random.Generator, latent: Latent, width: int) -> HardLayer:
        layer = of(rng, latent, width)
        rows = layer.activations.copy()
        rows[2::3] = rows[1::3][: len(rows[2::3])]
        return HardLayer(rows, layer.n_directions, layer.n_plain)

    return make


def binary() -> Make:
    """Zeros and ones times 0.7: many pairs tie."""

    def make(rng: np.random.Generator, latent: Latent, width: int) -> HardLayer:
        rows = (_mix(rng, latent, width) > 0).astype(np.float64)
        rows[:, 0] = 1
        rows[:, -1] = rows[:, -1] if width < 3 else 0
        return _plain(rows * np.float64(np.float32(0.7)))

    return make


def integers(largest: int) -> Make:
    """Whole numbers."""

    def make(rng: np.random.Generator, latent: Latent, width: int) -> HardLayer:
        return _plain(np.clip(np.rint(2 * _mix(rng, latent, width)), -largest, largest))

    return make


def one_hot() -> Make:
    """A unit a stimulus: all pairs are equally far. The width is that of the set."""

    def make(rng: np.random.Generator, latent: Latent, width: int) -> HardLayer:
        del width
        return _plain(np.eye(len(latent))[rng.permutation(len(latent))] * 0.3)

    return make


def near(share: float) -> Make:
    """Versions of one stimulus, which differ by a share of it."""
    return lambda rng, latent, width: _plain(
        np.maximum(rng.normal(size=width), 0) * 3 + share * _mix(rng, latent, width)
    )


def scenes(share: float, size: int = 4) -> Make:
    """Frames of several scenes: near within a scene, far between them."""

    def make(rng: np.random.Generator, latent: Latent, width: int) -> HardLayer:
        places = _mix(rng, latent, width)[(np.arange(len(latent)) // size) * size]
        return _plain(np.maximum(places, 0) + share * _mix(rng, latent, width))

    return make


def saturated(gain: float) -> Make:
    """A softmax that is nearly sure."""

    def make(rng: np.random.Generator, latent: Latent, width: int) -> HardLayer:
        rows = gain * _mix(rng, latent, width)
        powers = np.exp(rows - rows.max(axis=1, keepdims=True))
        layer = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        return HardLayer(layer, min(width - 1, len(latent) - 1), min(width, len(latent)))  # the sum is always 1

    return make


def outlier(size: float) -> Make:
    """One stimulus that is far from all others."""

    def make(rng: np.random.Generator, latent: Latent, width: int) -> HardLayer:
        rows = _mix(rng, latent, width)
        rows[len(rows) // 2] *= size
        return _plain(rows)

    return make


def silent() -> Make:
    """A stimulus to which no unit answers, and one to which all answer alike."""

    def make(rng: np.random.Generator, latent: Latent, width: int) -> HardLayer:
        rows = np.maximum(_mix(rng, latent, width), 0)
        rows[1], rows[3] = 0, 0.7
        return _plain(rows)

    return make


KINDS: dict[str, Make] = {
    "ordinary": ordinary(),
    "signed": signed(),
    "offset 10": offset(10),
    "offset 1e3": offset(1e3),
    "offset 1e5": offset(1e5),
    "massive 1e3": massive(1e3),
    "massive 1e5": massive(1e5),
    "bright 10": bright(10),
    "bright 1e3": bright(1e3),
    "bright 1e5": bright(1e5),
    "gains 1e-1": gains(1e-1),
    "gains 1e-3": gains(1e-3),
    "gains 1e-5": gains(1e-5),
    "scaled 1e-30": scaled(1e-30),
    "scaled 1e-15": scaled(1e-15),
    "scaled 1e15": scaled(1e15),
    "scaled 1e30": scaled(1e30),
    "rank 1": low_rank(1),
    "rank 4": low_rank(4),
    "rank 12": low_rank(12),
    "steep 1e2": steep(1e2),
    "steep 1e4": steep(1e4),
    "steep 1e6": steep(1e6),
    "copies": copies(ordinary()),
    "copies with offset 1e3": copies(offset(1e3)),
    "binary": binary(),
    "integers": integers(5),
    "one-hot": one_hot(),
    "near 1e-2": near(1e-2),
    "near 1e-4": near(1e-4),
    "near 1e-5": near(1e-5),
    "near 1e-6": near(1e-6),
    "near 1e-7": near(1e-7),
    "scenes 1e-2": scenes(1e-2),
    "scenes 1e-4": scenes(1e-4),
    "scenes 1e-6": scenes(1e-6),
    "saturated": saturated(8),
    "outlier 1e4": outlier(1e4),
    "silent": silent(),
}
"""By name; `steep` is for layers of a few hundred units at most, it turns them."""


def draw_pair(
    kinds: tuple[str, str], n_stimuli: int, widths: tuple[int, int], seed: int
) -> tuple[HardLayer, HardLayer]:
    """Two layers of the same stimuli that have something in common."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n_stimuli, 6))
    first, second = (KINDS[kind](rng, latent, width) for kind, width in zip(kinds, widths, strict=True))
    return first, second

"""What offers are asked about: random layers that have something in common, and awkward ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from layerwise.core.network.summary import LayerSummary

Values = NDArray[np.float64]

OFFSET = 1e4
"""Standard deviations by which a layer is translated."""

CONDITION = 1e4
"""Of the linear maps that a layer goes through."""


@dataclass(frozen=True, eq=False)
class Trial:
    """Two random layers that have something in common, as activations of the same stimuli.

    Attributes:
        first: (n, p); activations of one layer.
        second: (n, q); of the other.
        rng: What to draw from, for changes of them.
    """

    first: Values
    second: Values
    rng: np.random.Generator


def draw_trials(n_trials: int, seed: int) -> Iterator[Trial]:
    """Random layers with more stimuli than units, where every measure is defined."""
    for number in range(n_trials):
        rng = np.random.default_rng([seed, number])
        common = rng.normal(size=(30, 4))
        p, q = (int(size) for size in rng.integers(5, 9, size=2))
        layers = [common @ rng.normal(size=(4, size)) + rng.normal(size=(30, size)) + 1 for size in (p, q)]
        yield Trial(layers[0], layers[1], rng)


def with_constant(rows: Values) -> Values:
    """The same layer, with one stimulus to which all units answer alike."""
    changed = rows.copy()
    changed[1] = 2.5
    return changed


def with_value(rows: Values, value: float) -> Values:
    """The same layer, with one activation of this value: NaN or infinite."""
    changed = rows.copy()
    changed[2, 0] = value
    return changed


@dataclass(frozen=True, eq=False)
class AwkwardLayer:
    """A layer that breaks careless code: `what` names it in words, `rows` are (n, p) activations."""

    what: str
    rows: Values
    is_finite: bool = True


def draw_awkward_layers(seed: int = 0) -> tuple[AwkwardLayer, ...]:
    """Few stimuli, one unit, constant and silent stimuli, equal ones, large offsets, values that are not finite."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(14, 7))
    return (
        AwkwardLayer("with two stimuli", rng.normal(size=(2, 5))),
        AwkwardLayer("with three stimuli", rng.normal(size=(3, 5))),
        AwkwardLayer("with a single unit", rng.normal(size=(14, 1))),
        AwkwardLayer("with a constant stimulus", with_constant(rows)),
        AwkwardLayer(
            "with a stimulus that activates nothing", np.maximum(rows - 9.0 * (np.arange(14) == 3)[:, None], 0)
        ),
        AwkwardLayer("with the same activations for all stimuli", np.tile(rows[:1], (14, 1))),
        AwkwardLayer("with constant activations", np.ones((14, 7))),
        AwkwardLayer("with activations of 0", np.zeros((14, 7))),
        AwkwardLayer("with a large common offset", rows + 1e4),
        AwkwardLayer("with an activation that is NaN", with_value(rows, np.nan), is_finite=False),
        AwkwardLayer("with an activation that is infinite", with_value(rows, np.inf), is_finite=False),
    )


def summarize(activations: ArrayLike) -> LayerSummary:
    """Moments and counts of activations held in memory, computed in float64: what an `ActivationStatistic` is given.

    Args:
        activations: (n_stimuli, ...); everything after the first axis counts as units.
    """
    rows = np.asarray(activations, dtype=np.float64)
    rows = rows.reshape(len(rows), -1)
    n_stimuli, n_features = rows.shape
    with np.errstate(all="ignore"):
        mean = rows.mean(axis=1)
        powers = [((rows - mean[:, None]) ** power).sum(axis=1) for power in (2, 3, 4)]
        squares = (rows**2).sum(axis=0)
        live = squares > 0
        density = rows.sum(axis=0)[live] ** 2 / (n_stimuli * squares[live])
        lifetime = float(((1 - density) / (1 - 1 / n_stimuli)).sum()) if n_stimuli > 1 else float("nan")
    return LayerSummary(
        n_features=n_features,
        mean=mean,
        power2=powers[0],
        power3=powers[1],
        power4=powers[2],
        minimum=rows.min(axis=1),
        maximum=rows.max(axis=1),
        n_zeros=(rows == 0).sum(axis=1).astype(np.float64),
        absolute=np.abs(rows).sum(axis=1),
        n_dead=int((~live).sum()),
        lifetime_sum=float("nan") if (rows < 0).any() else lifetime,
        unit_variance2=float((rows.var(axis=0) ** 2).sum()),
    )


Change = Callable[[Trial], list[tuple[Values, Values]]]


def _rotate(trial: Trial) -> list[tuple[Values, Values]]:
    turns = [np.linalg.qr(trial.rng.normal(size=(rows.shape[1],) * 2))[0] for rows in (trial.first, trial.second)]
    return [(trial.first @ turns[0], trial.second), (trial.first, trial.second @ turns[1])]


def _scale(trial: Trial) -> list[tuple[Values, Values]]:
    return [(3.7 * trial.first, trial.second), (trial.first, 0.02 * trial.second)]


def _map_linearly(trial: Trial) -> list[tuple[Values, Values]]:
    maps = [_draw_map(trial.rng, rows.shape[1]) for rows in (trial.first, trial.second)]
    return [(trial.first @ maps[0], trial.second), (trial.first, trial.second @ maps[1])]


def _draw_map(rng: np.random.Generator, n_units: int) -> Values:
    """A linear map with condition `CONDITION`, which makes real directions as small as that."""
    turns = [np.linalg.qr(rng.normal(size=(n_units, n_units)))[0] for _ in range(2)]
    return np.asarray(turns[0] * np.geomspace(1, 1 / CONDITION, n_units) @ turns[1])


def _translate(trial: Trial) -> list[tuple[Values, Values]]:
    """By as much as the biases of real networks can be."""
    shifts = [OFFSET * trial.rng.normal(size=rows.shape[1]) for rows in (trial.first, trial.second)]
    return [(trial.first + shifts[0], trial.second), (trial.first, trial.second + shifts[1])]


def _permute(trial: Trial) -> list[tuple[Values, Values]]:
    order = trial.rng.permutation(len(trial.first))
    return [(trial.first[order], trial.second[order])]


CHANGES: dict[str, Change] = {
    "orthogonal": _rotate,
    "isotropic-scaling": _scale,
    "invertible-linear": _map_linearly,
    "translation": _translate,
    "stimulus-permutation": _permute,
}

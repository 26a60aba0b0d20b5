"""Whether a number is determined by what is known of its layers.

A layer is known as well as its resolution says (`core.network.resolution`). Where that may matter, the number is
computed again from the layer as it might as well be known; a comparator may know more (`Comparator.error`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.measure import Measure
from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.network.products import represent
from layerwise.core.network.representation import Representation
from layerwise.core.network.resolution import NOT_DETERMINED

BLUR_THAT_MATTERS = 1e-3
TWO_DIGITS, FOUR_DIGITS = 0.005, 0.00005
HARDLY_DETERMINED = "resolution determines this number to two digits, not to four"
UNSURE = "activations differ between stimuli by little more than their rounding"

_CROWD = 64  # stimuli: enough to see whether the order of their distances is rounding, and quickly compared
_N_ANCHORS = 4
_N_TRIES = 2
_N_DRAWS = 8  # most draws of a layer as it might be: one leaves a single neighbour as it was half of the time
_CELLS = 1024  # stimuli of all draws together


def prepare_again(measure: Measure, representation: Representation) -> list[Any]:
    """States of a layer as it might as well be known, where its resolution may matter; none where it does not.

    A layer whose differences are a thousandth part error has correlations that are right to a millionth; the order of
    distances may be rounding all the same, where they are crowded. Where the measure is undefined for the layer as it
    might be, the refusal stands for the state.
    """
    if representation.blur <= BLUR_THAT_MATTERS and not _is_crowded(measure, representation):
        return []
    n_draws = min(max(1, _CELLS // representation.n_stimuli), _N_DRAWS)
    return [_prepare_draw(measure, representation, seed) for seed in range(n_draws)]


def _prepare_draw(measure: Measure, representation: Representation, seed: int) -> Any:
    try:
        return measure.prepare(_draw(measure, representation, seed))
    except (InputError, PluginError) as error:
        return error


def _draw(measure: Measure, representation: Representation, seed: int) -> Representation:
    """The layer as it might as well be known: where order counts, in an order that nothing speaks against."""
    again = representation.perturb(seed)
    return again.take_for_exact() if measure.comparator.offer.ordinal else again


def doubt_stimuli(
    measure: Measure, value: float, states: tuple[Any, Any], again: tuple[Sequence[Any], Sequence[Any]]
) -> str:
    """What to say of a number that changes where layers are taken as they might as well be known; nothing otherwise.

    Args:
        measure: What compares.
        value: The number.
        states: Of both layers.
        again: Of both layers as they might as well be known, several each where that may matter.
    """
    n_draws = max(map(len, again))
    if not n_draws:
        return ""
    ends = [others or [state] * n_draws for state, others in zip(states, again, strict=True)]
    try:
        others = [measure.compare(_as_known(first), _as_known(second)) for first, second in zip(*ends, strict=True)]
        found = say(measure, value, max(abs(value - other) for other in others))
    except (InputError, PluginError):
        found = NOT_DETERMINED
    return f"its {found}: {UNSURE}" if found else ""


def doubt_layers(measure: Measure, value: float, states: tuple[Any, Any]) -> str:
    """What to say of a number whose error the comparator itself knows to matter; nothing otherwise."""
    found = say(measure, value, measure.error(value, *states))
    return f"their {found}: what it measures differs between them by little more than rounding" if found else ""


def say(measure: Measure, value: float, error: float) -> str:
    """How many digits are determined, counted from the first of a distance, and from the point of a similarity.

    That two layers are unrelated is a finding.
    """
    size = max(abs(value), 1.0) if measure.kind == "similarity" else abs(value)
    if error > TWO_DIGITS * size:
        return NOT_DETERMINED
    return HARDLY_DETERMINED if error > FOUR_DIGITS * size else ""


def _as_known(state: Any) -> Any:
    if isinstance(state, InputError | PluginError):
        raise state
    return state


def _is_crowded(measure: Measure, representation: Representation) -> bool:
    """Whether the order of values, where it counts, is a matter of rounding: tried on a few stimuli that are near."""
    if not measure.comparator.offer.ordinal:
        return False
    some = representation.take(_choose_crowd(representation))
    try:
        known, probe = measure.prepare(some), measure.prepare(_draw_probe(some.n_stimuli))
        itself, other = measure.compare(known, known), measure.compare(known, probe)
        changes = []
        for seed in range(_N_TRIES):
            again = measure.prepare(_draw(measure, some, seed))
            changes += [measure.compare(known, again) - itself, measure.compare(again, again) - itself]
            changes += [measure.compare(again, probe) - other]
    except (InputError, PluginError):
        return True
    return max(map(abs, changes)) > (FOUR_DIGITS if measure.kind == "similarity" else 0)


def _draw_probe(n_stimuli: int) -> Representation:
    """Any layer, to see whether what it is compared with has changed."""
    return represent(np.random.default_rng(0).normal(size=(n_stimuli, 8)))


def _choose_crowd(representation: Representation) -> NDArray[np.intp]:
    """A few stimuli, each with those that are nearest to it as seen from the mean stimulus."""
    n_stimuli = representation.n_stimuli
    if n_stimuli <= _CROWD:
        return np.arange(n_stimuli)
    anchors = np.linspace(0, n_stimuli - 1, _N_ANCHORS).astype(np.intp)
    nearest = np.argpartition(representation.dissimilarity[anchors], _CROWD // _N_ANCHORS, axis=1)
    return np.unique(nearest[:, : _CROWD // _N_ANCHORS])

"""Does a statistic give a number, or say why there is none, whatever the layer or the weights?"""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial, singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.host.kinds import (
    ActivationStatistic,
    JointStatistic,
    RepresentationStatistic,
    Statistic,
    StatisticValue,
    StreamedStatistic,
    WeightStatistic,
)
from layerwise.core.network.products import represent
from layerwise.core.network.representation import Representation
from layerwise.core.network.summary import LayerSummary
from layerwise.testing.expecting import ask, expect, expect_named, is_close, is_same
from layerwise.testing.material import AwkwardLayer, Values, draw_awkward_layers, summarize

Tiles = list[tuple[slice, slice]]
_KINDS = "Activation, Representation, Joint, Streamed or WeightStatistic"


def check_statistic(statistic: Statistic, seed: int = 0, tolerance: float = 1e-5) -> None:
    """Check that a statistic gives a finite number, or None with a reason; of any of the five kinds.

    For ordinary layers (or weight tensors) and awkward ones: two stimuli, a single unit, constant, silent and equal
    stimuli, large offsets, values that are not finite. Asking twice must give the same, what it is given be left
    alone, the order of the stimuli not matter, float32 give what float64 does. A streamed statistic must give the
    same however the layer is cut into pieces, in whatever order they come, from whichever thread (one at a time, as
    in a run) and whatever layer streams beside it, and keep no view of a piece.

    Args:
        statistic: The statistic.
        seed: Of the random layers.
        tolerance: Relative, for values that should be the same.

    Raises:
        AssertionError: If it is not so; says what.
    """
    expect_named(statistic, Statistic)
    unit = getattr(statistic, "unit", None)
    expect(isinstance(unit, str), statistic, f"has unit {unit!r}, expected a word, or '' where there is none")
    ordinary = AwkwardLayer("for an ordinary layer", np.random.default_rng(seed).normal(size=(40, 24)) + 0.3)
    rectified = AwkwardLayer("for a layer after a ReLU", np.maximum(ordinary.rows, 0))
    with np.errstate(all="ignore"):
        _check(statistic, (ordinary, rectified, *draw_awkward_layers(seed)), tolerance)


@singledispatch
def _check(statistic: Statistic, layers: tuple[AwkwardLayer, ...], tolerance: float) -> None:
    del layers, tolerance
    expect(False, statistic, f"is a {type(statistic).__name__}, expected a subclass of {_KINDS}")


@_check.register
def _check_activation(statistic: ActivationStatistic, layers: tuple[AwkwardLayer, ...], tolerance: float) -> None:
    def measure(rows: NDArray[np.floating]) -> StatisticValue:
        return _compute(statistic, (summarize(rows),))

    _check_layers(statistic, layers, tolerance, measure)


@_check.register
def _check_representation(
    statistic: RepresentationStatistic, layers: tuple[AwkwardLayer, ...], tolerance: float
) -> None:
    def measure(rows: NDArray[np.floating]) -> StatisticValue:
        return _compute(statistic, (represent(rows),))

    _check_layers(statistic, layers, tolerance, measure)


@_check.register
def _check_joint(statistic: JointStatistic, layers: tuple[AwkwardLayer, ...], tolerance: float) -> None:
    def measure(rows: NDArray[np.floating]) -> StatisticValue:
        return _compute(statistic, (summarize(rows), represent(rows)))

    _check_layers(statistic, layers, tolerance, measure)


@_check.register
def _check_streamed(statistic: StreamedStatistic, layers: tuple[AwkwardLayer, ...], tolerance: float) -> None:
    def measure(rows: NDArray[np.floating]) -> StatisticValue:
        n_stimuli, n_units = rows.shape
        return _stream(statistic, rows, [(slice(0, n_stimuli), slice(0, n_units))])

    _check_layers(statistic, layers, tolerance, measure)
    ordinary = layers[0].rows
    saturated = np.clip(ordinary, 0, 1)  # pixels are: of units that are equal, the first to come is none to rely on
    for rows in (ordinary, saturated):
        whole = measure(rows)
        for what, tiles in _cuts(*rows.shape).items():
            value = _stream(statistic, rows, tiles)
            _expect_same(statistic, whole, value, tolerance, f"when the layer comes {what}")
    _check_side_by_side(statistic, ordinary, saturated, tolerance)


@_check.register
def _check_weights(statistic: WeightStatistic, layers: tuple[AwkwardLayer, ...], tolerance: float) -> None:
    weights = layers[0].rows.reshape(2, 4, 5, 24)
    value = _ask(statistic, "for an ordinary tensor", lambda: _compute(statistic, (weights,)))
    for dtype in (np.float32, np.float16):
        rounded = weights.astype(dtype)
        exact = _compute(statistic, (rounded.astype(np.float64),))
        near = _ask(statistic, f"for {np.dtype(dtype)}", partial(_compute, statistic, (rounded,)))
        _expect_same(
            statistic, exact, near, max(tolerance, 1e-3), f"for {np.dtype(dtype)} instead of float64 weights"
        )
    again = _compute(statistic, (weights,))
    expect(is_same(value, again), statistic, f"gives different values when asked twice: {value.value}, {again.value}")
    for what, tensor in _awkward_weights(weights).items():
        _ask(statistic, f"for {what}", partial(_compute, statistic, (tensor,)))


def _awkward_weights(weights: Values) -> dict[str, NDArray[Any]]:
    spoilt = weights.copy()
    spoilt.flat[0] = np.nan
    return {
        "a vector": weights.ravel()[:7],
        "a single weight": np.array(0.5),
        "an empty tensor": np.zeros((0, 3)),
        "weights of 0": np.zeros((3, 4)),
        "equal weights": np.full((3, 4), 0.1, dtype=np.float32),
        "a weight that is NaN": spoilt,
        "a weight that is infinite": np.where(np.isnan(spoilt), np.inf, spoilt),
    }


def _check_layers(
    statistic: Statistic,
    layers: tuple[AwkwardLayer, ...],
    tolerance: float,
    measure: Callable[[NDArray[np.floating]], StatisticValue],
) -> None:
    """Each layer, and for the finite ones the same again: asked twice, in another order, in float32."""
    rng = np.random.default_rng(0)
    for layer in layers:
        try:
            value = _ask(statistic, layer.what, partial(measure, layer.rows))
        except LayerwiseError as error:
            expect(not layer.is_finite, statistic, f"refuses {layer.what}: {error}; expected None with a reason")
            continue
        again = measure(layer.rows)
        expect(
            is_same(value, again),
            statistic,
            f"gives {value.value}, then {again.value}, when asked twice {layer.what}",
        )
    ordinary = layers[0].rows
    value = measure(ordinary)
    order = rng.permutation(len(ordinary))
    _expect_same(statistic, value, measure(ordinary[order]), tolerance, "when the stimuli come in another order")
    single = ordinary.astype(np.float32)
    exact = measure(single.astype(np.float64))
    _expect_same(
        statistic, exact, measure(single), max(tolerance, 1e-3), "for float32 instead of float64 activations"
    )


def _ask(statistic: Statistic, what: str, question: Callable[[], StatisticValue]) -> StatisticValue:
    """The value, having made sure that it is one."""
    found = ask(statistic, what, question)
    came = f"a {type(found).__name__}"
    expect(
        isinstance(found, StatisticValue),
        statistic,
        f"gives {came} {what}, expected a layerwise.plugin.StatisticValue",
    )
    value = found.value
    if value is None:
        says = bool(found.reason)
        expect(
            says, statistic, f"gives neither a number nor a reason {what}, expected a reason where there is no number"
        )
    else:
        number = isinstance(value, float | int | np.floating | np.integer) and not isinstance(value, bool)
        finite = number and bool(np.isfinite(value))
        expect(finite, statistic, f"gives {value!r} {what}, expected a finite number, or None with a reason")
    vector: Any = found.vector
    is_vector = vector is None or (
        isinstance(vector, np.ndarray) and vector.ndim == 1 and vector.dtype.kind in "fiub"
    )
    expect(is_vector, statistic, f"gives a vector that is none {what}, expected an array (k,) of real numbers")
    return found


def _compute(statistic: Any, subjects: tuple[LayerSummary | Representation | NDArray[Any], ...]) -> StatisticValue:
    before = copy.deepcopy(subjects)
    value: StatisticValue = statistic.compute(*subjects)
    expect(is_same(before, subjects), statistic, "changes what it is given, expected it to be left as it was")
    return value


def _cuts(n_stimuli: int, n_units: int) -> dict[str, Tiles]:
    """Ways to cut a layer into pieces: those that a run uses, small."""
    every, units = slice(0, n_stimuli), slice(0, n_units)
    rows = [slice(start, min(start + 7, n_stimuli)) for start in range(0, n_stimuli, 7)]
    columns = [slice(start, min(start + 5, n_units)) for start in range(0, n_units, 5)]
    pieces = [(row, column) for row in rows for column in columns]
    shuffled = [pieces[index] for index in np.random.default_rng(0).permutation(len(pieces))]
    return {
        "in batches of stimuli": [(row, units) for row in rows],
        "in groups of units": [(every, column) for column in columns],
        "in batches, each in groups of units": pieces,
        "in groups of units, each in batches": [(row, column) for column in columns for row in rows],
        "in pieces in any order": shuffled,
    }


def _stream(statistic: StreamedStatistic, rows: NDArray[np.floating], tiles: Tiles) -> StatisticValue:
    """The statistic of a layer that comes in pieces, from two threads that take turns."""
    state = statistic.start(*rows.shape)
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        for number, tile in enumerate(tiles):
            thread = second if number % 2 else first
            thread.submit(_update, statistic, state, rows, tile).result()
    return statistic.finish(state)


def _update(statistic: StreamedStatistic, state: Any, rows: NDArray[np.floating], tile: tuple[slice, slice]) -> None:
    """Pass a piece on in a buffer that is used again afterwards."""
    stimuli, units = tile
    piece = np.ascontiguousarray(rows[stimuli, units], dtype=np.float32)
    before = piece.copy()
    view = piece.view()
    view.flags.writeable = False
    statistic.update(state, view, stimuli, units)
    expect(is_same(before, piece), statistic, "changes the activations it is given, expected them as they were")
    piece[:] = 7 - 1000.0 * (1 + stimuli.start)  # a view that was kept would see this


def _check_side_by_side(
    statistic: StreamedStatistic, first: NDArray[np.floating], second: NDArray[np.floating], tolerance: float
) -> None:
    """Two layers whose pieces come in turns: what is kept outside a state would be of both."""
    tiles = _cuts(*first.shape)["in batches, each in groups of units"]
    both = [(rows, statistic.start(*rows.shape)) for rows in (first, second)]
    for tile in tiles:
        for rows, state in both:
            _update(statistic, state, rows, tile)
    values = [statistic.finish(state) for _, state in both]
    for (rows, _), value in zip(both, values, strict=True):
        alone = _stream(statistic, rows, tiles)
        _expect_same(statistic, alone, value, tolerance, "when another layer streams beside it")


def _expect_same(
    statistic: Statistic, first: StatisticValue, second: StatisticValue, tolerance: float, when: str
) -> None:
    values = (first.value, second.value)
    if values[0] is None or values[1] is None:
        same = values[0] is values[1]
    else:
        same = is_close(float(values[0]), float(values[1]), tolerance)
    expect(same, statistic, f"goes from {values[0]} to {values[1]} {when}, expected the same")

"""The sums of one chunk, (n, width) float32, by TensorFlow where its tensors are.

Products add up in float32 within blocks of columns, and in float64 between them; everything else is summed in
float64. Before it is multiplied a block is brought near 1 by a power of two, so that squares stay in range.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.partial import PartialSums
from layerwise.core.network.products import are_many
from layerwise.core.network.summary import LayerSummary, concatenate_summaries
from layerwise.plugins.loaders.tensorflow.tensors import DeviceTensor
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow

Tensor: TypeAlias = Any
Vector: TypeAlias = NDArray[np.float64]

BLOCK = 4096
"""Columns whose products add up in float32."""

_CLOSE = 1e-3  # a share of squared lengths below which float32 loses it: `core.network.products.find_close`
_ROWS_COMPARED = 1024
_ROWS_SAMPLED, _COLUMNS_SAMPLED = 8, 128
_N_LIKENESS = 3  # rows of what tells close stimuli, behind those of the summary


def sum_chunk(values: Tensor, *, in_double: bool) -> PartialSums:
    """The sums of a chunk; in float64 after all where float32 would not do for many stimuli."""
    tf = import_tensorflow()
    n_stimuli, width = values.shape
    anchor = tf.reduce_mean(tf.cast(values[0], tf.float64))
    gram = tf.zeros((n_stimuli, n_stimuli), tf.float64)
    likeness, scalars = np.zeros((_N_LIKENESS, n_stimuli)), np.zeros(2)
    parts, references = [], []
    for start in range(0, width, BLOCK):
        products, rows, units, reference = _block()(values[:, start : start + BLOCK], anchor, in_double)
        gram = gram + products
        references.append(reference)
        found, (n_dead, lifetime, variance2, *about) = rows.numpy(), units.numpy()
        likeness += found[-_N_LIKENESS:]
        scalars += about
        parts.append(_summarize(found, min(BLOCK, width - start), float(n_dead), float(lifetime), float(variance2)))
    own, total, along = likeness
    if not in_double:
        gram = tf.linalg.set_diag(gram, tf.constant(own))
    close = _find_close(gram, own, total, along - total * scalars[0] / width, scalars, width)
    is_hard = are_many(close, n_stimuli)
    if is_hard and not in_double:
        return sum_chunk(values, in_double=True)
    if len(close) and not in_double:
        gram = _repeat(gram, close, values, references)
    sample = _sample(values).numpy()
    summary = concatenate_summaries(parts)
    return PartialSums(DeviceTensor(gram), summary, in_double=in_double, is_hard=is_hard, samples=(sample,))


@cache
def _block() -> Callable[..., tuple[Tensor, Tensor, Tensor, Tensor]]:
    """The function of a block, traced once for any shape."""
    tf = import_tensorflow()
    specs = [tf.TensorSpec([None, None], tf.float32), tf.TensorSpec([], tf.float64)]
    traced = {
        in_double: tf.function(
            lambda values, anchor, in_double=in_double: _sum_block(values, anchor, in_double=in_double),
            input_signature=specs,
            autograph=False,
        )
        for in_double in (False, True)
    }

    def sum_block(values: Tensor, anchor: Tensor, in_double: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        found: tuple[Tensor, Tensor, Tensor, Tensor] = traced[in_double](values, anchor)
        return found

    return sum_block


def _sum_block(given: Tensor, anchor: Tensor, *, in_double: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Products, sums over units of each stimulus (11, n), sums over units (5,), and the reference (k,); float64."""
    tf = import_tensorflow()
    values = tf.cast(given, tf.float64)
    reference = values[0] + tf.reduce_mean(values - values[0], axis=0)
    centred = values - reference
    about = reference - anchor
    square = centred * centred
    low = tf.reduce_min(values, axis=1)
    rows = [
        *_sum_moments(values),
        low,
        tf.reduce_max(values, axis=1),
        tf.cast(tf.math.count_nonzero(values, axis=1), tf.float64),
        tf.reduce_sum(tf.abs(values), axis=1),
        tf.reduce_sum(square, axis=1),
        tf.reduce_sum(centred, axis=1),
        tf.linalg.matvec(centred, about),
    ]
    units = _sum_units(values, tf.reduce_sum(square, axis=0), reference, tf.reduce_min(low) < 0)
    scalars = tf.stack([*units, tf.reduce_sum(about), tf.reduce_sum(about * about)])
    return _multiply(centred, in_double=in_double), tf.stack(rows), scalars, reference


def _multiply(centred: Tensor, *, in_double: bool) -> Tensor:
    tf = import_tensorflow()
    if in_double:
        return tf.matmul(centred, centred, transpose_b=True)
    peak = tf.reduce_max(tf.abs(centred))
    exponent = tf.floor(tf.math.log(tf.where(peak > 0, peak, 1.0)) / tf.math.log(tf.constant(2.0, tf.float64)))
    scale = tf.pow(tf.constant(2.0, tf.float64), -exponent)
    near_one = tf.cast(centred * scale, tf.float32)
    return tf.cast(tf.matmul(near_one, near_one, transpose_b=True), tf.float64) / scale / scale


def _sum_moments(values: Tensor) -> list[Tensor]:
    """Mean over units of each stimulus, and sums of squares, third and fourth powers about it."""
    tf = import_tensorflow()
    mean = tf.reduce_mean(values, axis=1, keepdims=True)
    apart = values - mean
    left = tf.reduce_mean(apart, axis=1, keepdims=True)  # by rounding of the first mean
    apart -= left
    square = apart * apart
    powers = [tf.reduce_sum(power, axis=1) for power in (square, square * apart, square * square)]
    return [tf.squeeze(mean + left, 1), *powers]


def _sum_units(values: Tensor, squares: Tensor, reference: Tensor, negative: Tensor) -> list[Tensor]:
    """Dead units, sum of the others' lifetime sparseness, sum of squared variances: `partial.summarize_units`."""
    tf = import_tensorflow()
    n_stimuli = tf.cast(tf.shape(values)[0], tf.float64)
    means = tf.reduce_sum(values, axis=0) / n_stimuli
    variances = tf.maximum(squares / n_stimuli - (reference - means) ** 2, 0.0)
    dead = tf.reduce_all(tf.equal(values, 0), axis=0)
    live = ~dead & (means > 0)
    ratio = 1 / (1 + variances / tf.where(live, means, 1.0) ** 2)
    most = tf.where(n_stimuli > 1, 1 - 1 / n_stimuli, 1.0)
    sparseness = tf.where(live, tf.clip_by_value((1 - ratio) / most, 0.0, 1.0), 0.0)
    unknown = negative | (n_stimuli < 2)
    lifetime = tf.where(unknown, tf.constant(np.nan, tf.float64), tf.reduce_sum(sparseness))
    return [tf.reduce_sum(tf.cast(dead, tf.float64)), lifetime, tf.reduce_sum(variances * variances)]


def _summarize(rows: Vector, width: int, n_dead: float, lifetime: float, variance2: float) -> LayerSummary:
    mean, power2, power3, power4, low, high, nonzeros, absolute = rows[:-_N_LIKENESS]
    return LayerSummary(
        n_features=width,
        mean=mean,
        power2=power2,
        power3=power3,
        power4=power4,
        minimum=low,
        maximum=high,
        n_zeros=width - nonzeros,
        absolute=absolute,
        n_dead=int(n_dead),
        lifetime_sum=lifetime,
        unit_variance2=variance2,
    )


def _find_close(
    gram: Tensor, own: Vector, total: Vector, along: Vector, about: Vector, width: int
) -> NDArray[np.intp]:
    """Stimuli that float32 does not tell from another one or from the mean: `core.network.products.find_close`."""
    tf = import_tensorflow()
    pattern = about[1] - about[0] ** 2 / width
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is reported when a layer is finished
        is_close = total**2 / width + (along**2 / pattern if pattern > 0 else 0) > (1 - _CLOSE) * own
        lengths = tf.constant(own)
        for start in range(0, len(own), _ROWS_COMPARED):
            rows = slice(start, start + _ROWS_COMPARED)
            near = 2 * gram[rows] > (1 - _CLOSE) * (lengths[rows, None] + lengths)
            is_close[rows] |= tf.math.count_nonzero(near, axis=1).numpy() > 1  # each is near itself
    found: NDArray[np.intp] = np.flatnonzero(is_close)
    return found


def _repeat(gram: Tensor, close: NDArray[np.intp], values: Tensor, references: list[Tensor]) -> Tensor:
    """Products of some stimuli in float64, in place of what float32 may have lost of them."""
    tf = import_tensorflow()
    again = tf.zeros((len(close), len(close)), tf.float64)
    for number, reference in enumerate(references):
        some = tf.cast(tf.gather(values[:, number * BLOCK : (number + 1) * BLOCK], close), tf.float64) - reference
        again += tf.matmul(some, some, transpose_b=True)
    places = np.stack(np.meshgrid(close, close, indexing="ij"), axis=-1)
    return tf.tensor_scatter_nd_update(gram, places, again)


def _sample(values: Tensor) -> Tensor:
    """A few activations, evenly spread."""
    sizes = zip(values.shape, (_ROWS_SAMPLED, _COLUMNS_SAMPLED), strict=True)
    rows, columns = (max(1, size // most) for size, most in sizes)
    return import_tensorflow().reshape(values[::rows, ::columns], [-1])

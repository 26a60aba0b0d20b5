"""One pass over a block of activations: all that is wanted of it, compiled, while it is in the processor's cache.

`gather` centres a block and sums what the layer's products, moments and counts need. It is compiled by Numba where
that is installed, to a function that holds no interpreter lock, and kept on disk; NumPy is what it is held to, and
what serves where there is no Numba (five times slower, the numbers the same to the rounding of float32).

A block is read in stripes of columns narrow enough that a stripe of all stimuli stays in the cache between the pass
that finds the mean stimulus and the one that takes it out. Of each stimulus a stripe is summed by itself, in float32
about numbers near its own mean, and added to the rest in float64 (Pebay 2008, in which nothing cancels); so what a
stimulus gives does not depend on the others, nor on where it stands.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from layerwise.core.network.model import Floats

Vector = NDArray[np.float64]

STRIPE = 256
"""Columns that are read twice: of 1,000 stimuli they take 1 MiB, which a core keeps to itself."""

TAME = 2.0**28
"""Float32 holds sums of fourth powers of numbers up to here, and fourth powers of their inverses."""

_PANEL = 32  # rows whose unit sums add up in float32
_MEAN, _POWER2, _POWER3, _POWER4, _ZEROS, _NEGATIVE, _OWN, _TOTAL, _ALONG = range(9)
_N_SUMS = 9


@dataclass(eq=False)
class Gathered:
    """What one pass found of a block of k units and n stimuli.

    Attributes:
        centred: float32 (n, k); the block less the reference, times the scale that was asked for.
        reference: float64 (k,); nearly the mean over stimuli, numbers that float32 holds.
        unit_sums: float64 (k,); sum over stimuli.
        unit_squares: float64 (k,); sum over stimuli of squares about the reference.
        mean: float64 (n,); mean over units.
        powers: float64 (3, n); sums over units of squares, third and fourth powers about the mean.
        minimum: float32 (n,); smallest activation; NaN where one is NaN.
        maximum: float32 (n,); largest activation; NaN where one is NaN.
        n_zeros: float64 (n,); number of activations that are exactly 0.
        negative: float64 (n,); sum of those below 0.
        own: float64 (n,); squared length of each stimulus less the reference.
        total: float64 (n,); sum over units of it.
        along: float64 (n,); its product with the reference less the anchor.
    """

    centred: Floats
    reference: Vector
    unit_sums: Vector
    unit_squares: Vector
    mean: Vector
    powers: Vector
    minimum: Floats
    maximum: Floats
    n_zeros: Vector
    negative: Vector
    own: Vector
    total: Vector
    along: Vector

    @property
    def peak(self) -> float:
        """The size of the largest activation."""
        return float(max(-self.minimum.min(), self.maximum.max()))


def gather(values: Floats, columns: slice, centred: Floats, anchor: float, scale: float = 1.0) -> Gathered:
    """Centre a block of a chunk, and sum all that is wanted of it.

    Args:
        values: float32 (n, width), contiguous; a chunk's activations of all stimuli.
        columns: The block.
        centred: float32 (n, k), each row contiguous; written to.
        anchor: A number near the activations, which sums along the reference are about.
        scale: A power of two that what is centred is multiplied by, where float32 could not hold its squares. Sums
            are those of what is not scaled.
    """
    return choose_pass()(values, columns, centred, anchor, scale)


Pass = Callable[["Floats", slice, "Floats", float, float], Gathered]


def prepare_pass() -> None:
    """Import Numba and load the compiled pass, which takes half a second, before the first block is there."""
    gather(np.zeros((2, 2), np.float32), slice(0, 2), np.empty((2, 2), np.float32), 0.0)


@functools.cache
def choose_pass() -> Pass:
    """The compiled pass, or NumPy's where Numba is not installed or does not work on this machine."""
    kernel = _compile() if has_numba() else None
    return gather_numpy if kernel is None else functools.partial(_gather_compiled, kernel)


def has_numba() -> bool:
    """Whether Numba can be imported; an error of the kernel itself is none of its, and comes out."""
    try:
        importlib.import_module("numba")
    except Exception:  # noqa: BLE001 - it is there for speed alone, and other packages' names and versions break it
        return False
    return True


def gather_numpy(values: Floats, columns: slice, centred: Floats, anchor: float, scale: float) -> Gathered:
    """The same by NumPy, in the same stripes; see `gather`."""
    block = values[:, columns]
    n_stimuli, width = block.shape
    found = _make_room(centred)
    sums = np.zeros((n_stimuli, _N_SUMS))
    low, high = np.full(n_stimuli, np.inf, np.float32), np.full(n_stimuli, -np.inf, np.float32)
    n_before = 0
    for start in range(0, width, STRIPE):
        stripe = slice(start, min(start + STRIPE, width))
        some = block[:, stripe]
        found.unit_sums[stripe] = sum(
            some[i : i + _PANEL].sum(axis=0).astype(np.float64) for i in range(0, n_stimuli, _PANEL)
        )
        found.reference[stripe] = (found.unit_sums[stripe] / n_stimuli).astype(np.float32)
        np.minimum(low, some.min(axis=1), out=low)
        np.maximum(high, some.max(axis=1), out=high)
        found.unit_squares[stripe] = _sum_stripe(
            some, centred[:, stripe], found.reference[stripe], sums, n_before, anchor, scale
        )
        n_before += stripe.stop - stripe.start
    return _sort_out(found, sums, low, high)


def _sum_stripe(
    values: Floats, centred: Floats, reference: Vector, sums: Vector, n_before: int, anchor: float, scale: float
) -> Vector:
    """Add one stripe to the sums of each stimulus; gives its units' squares."""
    count = values.shape[1]
    level = reference.mean()
    about = ((reference - level) * scale).astype(np.float32)
    np.subtract(values, reference.astype(np.float32), out=centred)
    centred *= np.float32(scale)
    total = centred.sum(axis=1).astype(np.float64)
    shift = (total / count).astype(np.float32)
    beside = centred - shift[:, None]
    left = np.vecdot(beside, np.ones(count, np.float32)).astype(np.float64)
    total = left + count * shift.astype(np.float64)
    along_beside = np.vecdot(beside, about).astype(np.float64)
    squares = np.vecdot(beside, beside).astype(np.float64)
    own = np.vecdot(centred, centred).astype(np.float64)
    pattern, rest = _describe_reference(about)
    mean = level + (total / count + rest / count) / scale
    power2 = (squares + 2 * along_beside + pattern - (left + rest) ** 2 / count) / scale**2
    near = mean.astype(np.float32)
    power3, power4 = _sum_powers(values, near)
    power3, power4 = move_powers(mean - near, count, power2, power3, power4)
    along = (along_beside + shift * rest) / scale**2 + total / scale * (level - anchor)
    _merge_moments(sums, n_before, count, mean, power2, power3, power4)
    sums[:, _ZEROS] += np.count_nonzero(values == 0, axis=1)
    sums[:, _NEGATIVE] += np.minimum(values, 0).sum(axis=1)
    sums[:, _OWN] += own / scale**2
    sums[:, _TOTAL] += total / scale
    sums[:, _ALONG] += along
    return np.asarray(np.einsum("ij,ij->j", centred, centred).astype(np.float64) / scale**2)


def _describe_reference(about: Floats) -> tuple[float, float]:
    """Sum of squares and sum of the reference less its mean."""
    exact = about.astype(np.float64)
    return float(exact @ exact), float(exact.sum())


def _sum_powers(values: Floats, near: Floats) -> tuple[Vector, Vector]:
    """Sums of third and fourth powers about `near`, in float64 where float32 could not hold them."""
    apart = values - near[:, None]
    peak = np.abs(apart).max(axis=1)
    wild = (peak > TAME) | ((peak < 1 / TAME) & (peak > 0))
    exact = apart.astype(np.float64) if wild.any() else apart
    square = exact * exact
    third = np.einsum("ij,ij->i", square, exact).astype(np.float64)
    return third, np.einsum("ij,ij->i", square, square).astype(np.float64)


def move_powers(shift: Vector, count: int, power2: Vector, power3: Vector, power4: Vector) -> tuple[Vector, Vector]:
    """Third and fourth powers about the mean, from those about a number that lies `shift` below it.

    Args:
        shift: (n,); the mean less that number.
        count: How many numbers were summed.
        power2: (n,); sum of squares about the mean.
        power3: (n,); sum of third powers about the number.
        power4: (n,); sum of fourth powers about it.
    """
    third = power3 - 3 * shift * power2 - count * shift**3
    return third, power4 - 4 * shift * third - 6 * shift**2 * power2 - count * shift**4


def _merge_moments(
    sums: Vector, n_before: int, count: int, mean: Vector, power2: Vector, power3: Vector, power4: Vector
) -> None:
    """Add the moments of `count` more numbers to those of `n_before` (Pebay 2008, equations 2.1 to 2.4)."""
    n_all = n_before + count
    apart = mean - sums[:, _MEAN]
    first, second = n_before / n_all, count / n_all
    product = apart**2 * n_before * second
    sums[:, _POWER4] += power4 + apart**2 * product * (first * first - first * second + second * second)
    sums[:, _POWER4] += 6 * apart**2 * (first * first * power2 + second * second * sums[:, _POWER2])
    sums[:, _POWER4] += 4 * apart * (first * power3 - second * sums[:, _POWER3])
    sums[:, _POWER3] += power3 + apart * product * (first - second)
    sums[:, _POWER3] += 3 * apart * (first * power2 - second * sums[:, _POWER2])
    sums[:, _POWER2] += power2 + product
    sums[:, _MEAN] += apart * second


def _make_room(centred: Floats) -> Gathered:
    nothing = np.zeros(0)
    reference, unit_sums, unit_squares = np.zeros((3, centred.shape[1]))
    few = nothing.astype(np.float32)
    return Gathered(centred, reference, unit_sums, unit_squares, nothing, nothing, few, few, *([nothing] * 5))


def _sort_out(found: Gathered, sums: Vector, low: Floats, high: Floats) -> Gathered:
    found.mean, found.powers = sums[:, _MEAN].copy(), sums[:, _POWER2 : _POWER4 + 1].T.copy()
    found.minimum, found.maximum = low, high
    found.n_zeros, found.negative = sums[:, _ZEROS].copy(), sums[:, _NEGATIVE].copy()
    found.own, found.total, found.along = (sums[:, i].copy() for i in (_OWN, _TOTAL, _ALONG))
    return found


def _gather_compiled(
    kernel: Any, values: Floats, columns: slice, centred: Floats, anchor: float, scale: float
) -> Gathered:
    n_stimuli, width = centred.shape
    found = _make_room(centred)
    sums = np.zeros((_N_SUMS, n_stimuli))
    keys = np.empty((2, n_stimuli), dtype=np.int32)
    stride = centred.strides[0] // centred.itemsize
    cells = np.lib.stride_tricks.as_strided(centred, ((n_stimuli - 1) * stride + width,), (centred.itemsize,))
    kernel(
        values,
        values.view(np.int32),
        columns.start,
        width,
        cells,
        stride,
        anchor,
        np.float32(scale),
        found.reference,
        found.unit_sums,
        found.unit_squares,
        sums,
        keys,
    )
    return _sort_out(found, sums.T, _read_key(keys[0]), _read_key(keys[1]))


def _read_key(keys: NDArray[np.int32]) -> Floats:
    """Numbers from integers that are ordered as they are."""
    read: Floats = (keys ^ ((keys >> 31) & 0x7FFFFFFF)).view(np.float32)
    return read


def _compile() -> Any:
    """The compiled kernel; Numba must be there."""
    from layerwise.core.runs.streaming.kernel import sum_block

    return sum_block

"""Are the sums that are taken on a device those that NumPy takes?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import cast

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.arrays import Arrays
from layerwise.core.network.partial import PartialSums
from layerwise.core.network.products import Products
from layerwise.core.network.summary import LayerSummary
from layerwise.core.runs.streaming.host_arrays import HostArrays

Rows = NDArray[np.float32]
_N, _WIDTH = 150, 5000  # more than one block of columns, which the last one does not fill


def check_arrays(arrays: Arrays, tolerance: float = 1e-5, seed: int = 0) -> None:
    """Check that a device's arrays keep what they are given, and sum chunks as NumPy does.

    Chunks are ordinary, rectified, with large biases, with stimuli of their own brightness, nearly equal stimuli,
    constant and silent ones, huge and tiny numbers, few units and few stimuli; in float32 and in float64.

    Args:
        arrays: The arrays.
        tolerance: Relative to the largest number of a kind.
        seed: Of the chunks.

    Raises:
        AssertionError: If it is not so; says what.
    """
    _expect(isinstance(arrays.device, str) and bool(arrays.device), "the device has no name")
    _check_copies(arrays, np.random.default_rng(seed))
    host = HostArrays()
    for name, rows in draw_chunks(seed):
        for in_double in (False, True):
            what = f"{name}, in {'float64' if in_double else 'float32'}"
            found = _sum(arrays, rows, in_double=in_double)
            _compare(host.sum_chunk(rows, in_double=in_double), found, what, tolerance)


def draw_chunks(seed: int) -> Iterator[tuple[str, Rows]]:
    """Names and activations, float32 (n, width), of chunks that tell careless sums from careful ones."""
    rng = np.random.default_rng(seed)
    plain = rng.normal(size=(_N, _WIDTH))
    rectified = np.maximum(plain, 0)
    silent = rectified.copy()
    silent[3], silent[:, 7] = 0, 0
    constant = plain.copy()
    constant[5] = 2.5
    near = plain[:1] + 1e-4 * plain
    kinds = {
        "an ordinary chunk": plain,
        "a rectified one": rectified,
        "one with large biases": plain + 1e4 * rng.normal(size=_WIDTH),
        "one whose stimuli differ in brightness": plain + 1e3 * rng.normal(size=(_N, 1)),
        "one whose stimuli are nearly equal": near,
        "one with silent stimuli and units": silent,
        "one with a constant stimulus": constant,
        "one of huge numbers": plain * 1e25,
        "one of tiny numbers": plain * 1e-25,
        "one of few units": plain[:, :10],
        "one of two stimuli": plain[:2],
    }
    for name, rows in kinds.items():
        yield name, np.ascontiguousarray(rows, dtype=np.float32)


def _check_copies(arrays: Arrays, rng: np.random.Generator) -> None:
    rows = rng.normal(size=(6, 40)).astype(np.float32)
    buffer = arrays.empty(6 * 40 + 3)
    place = buffer[3:].reshape(6, 40)
    for start in range(0, 6, 4):
        arrays.write(place[start : start + 4], arrays.send(rows[start : start + 4]))
    _expect(np.array_equal(arrays.fetch(place), rows), "what is written is not what is there")


def _sum(arrays: Arrays, rows: Rows, *, in_double: bool) -> PartialSums:
    place = arrays.empty(rows.size).reshape(rows.shape)
    arrays.write(place, arrays.send(rows))
    sums = arrays.sum_chunk(place, in_double=in_double)
    sums.gram = np.array(arrays.fetch(sums.gram))
    return sums


def _compare(expected: PartialSums, found: PartialSums, what: str, tolerance: float) -> None:
    _expect(found.gram.dtype == np.float64, f"products are {found.gram.dtype} of {what}, expected float64")
    (products, summary), (others, other) = (_finish(sums) for sums in (expected, found))
    pairs = {
        "products": (products.represent(in_double=True).entries, others.represent(in_double=True).entries),
        "lengths": (np.diagonal(products.centred), np.diagonal(others.centred)),
        "norms": (products.norm, others.norm),
    }
    pairs |= {
        field.name: (np.asarray(getattr(summary, field.name)), np.asarray(getattr(other, field.name)))
        for field in fields(LayerSummary)
    }
    for name, (wanted, came) in pairs.items():
        both = np.isnan(wanted) & np.isnan(came)
        size = np.max(np.abs(wanted), initial=0, where=~both)
        apart = np.max(np.abs(np.where(both, 0, came - wanted)), initial=0)
        _expect(bool(apart <= tolerance * size), f"{name} of {what} are off by {apart:.3g}, of {size:.3g}")
    _expect(found.is_hard == expected.is_hard, f"{what}: is_hard is {found.is_hard}, expected {expected.is_hard}")


def _finish(sums: PartialSums) -> tuple[Products, LayerSummary]:
    products, summary = sums.finish("the layer")
    return cast("Products", products), summary  # in tiles are only those of many stimuli


def _expect(is_so: bool, failure: str) -> None:
    if not is_so:
        raise AssertionError(failure)

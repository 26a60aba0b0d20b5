"""The compiled pass and NumPy's give the same of a block, and what they give is right."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise.core.network.partial import PartialSums
from layerwise.core.runs.streaming import passes
from layerwise.core.runs.streaming.chunks import Scratch, scale_of, sum_chunk
from layerwise.core.runs.streaming.host_arrays import HostArrays
from layerwise.core.runs.streaming.passes import Gathered, choose_pass, gather, gather_numpy
from layerwise.testing import check_arrays
from layerwise.testing.engines.arrays import draw_chunks

CHUNKS = dict(draw_chunks(3))
COLUMNS = slice(300, 4396)


def gather_block(rows: np.ndarray, function: passes.Pass) -> Gathered:
    columns = slice(0, rows.shape[1]) if rows.shape[1] < COLUMNS.stop else COLUMNS
    centred = np.empty((len(rows), columns.stop - columns.start), np.float32)
    return function(rows, columns, centred, float(rows[0].mean()), scale_of(float(np.abs(rows).max())))


def sums_of(found: Gathered) -> dict[str, np.ndarray]:
    moments = {f"power {power + 2}": found.powers[power] for power in range(3)}
    names = (
        "mean",
        "minimum",
        "maximum",
        "n_zeros",
        "negative",
        "own",
        "total",
        "along",
        "unit_sums",
        "unit_squares",
    )
    return moments | {name: getattr(found, name) for name in names}


@pytest.mark.parametrize("kind", CHUNKS)
def test_both_passes_give_what_float64_gives(kind: str) -> None:
    rows = CHUNKS[kind]
    for function in (gather, gather_numpy) if choose_pass() is not gather_numpy else (gather_numpy,):
        found = gather_block(rows, lambda *a, f=function: f(*a))
        exact = rows[:, : found.reference.size] if rows.shape[1] < COLUMNS.stop else rows[:, COLUMNS]
        exact = exact.astype(np.float64)
        mean = exact.mean(axis=1, keepdims=True)
        about = found.reference - float(rows[0].mean())
        expected = {f"power {power}": ((exact - mean) ** power).sum(axis=1) for power in (2, 3, 4)}
        expected |= {"mean": mean[:, 0], "minimum": exact.min(axis=1), "maximum": exact.max(axis=1)}
        expected |= {"n_zeros": (exact == 0).sum(axis=1), "negative": np.minimum(exact, 0).sum(axis=1)}
        centred = exact - found.reference
        expected |= {"own": (centred**2).sum(axis=1), "total": centred.sum(axis=1), "along": centred @ about}
        expected |= {"unit_sums": exact.sum(axis=0), "unit_squares": (centred**2).sum(axis=0)}
        for name, value in sums_of(found).items():
            size = np.abs(expected[name]).max()
            spread = np.abs(exact).max() * len(exact[0])  # what is summed, where signs cancel
            limit = 1e-3 * size if name.startswith("power") else 1e-6 * max(size, 1e-1 * spread)
            assert np.abs(value - expected[name]).max() <= limit, name


@pytest.mark.parametrize("kind", CHUNKS)
def test_a_stimulus_gives_the_same_wherever_it_stands(kind: str) -> None:
    rows = CHUNKS[kind]
    order = np.random.default_rng(0).permutation(len(rows))
    centred = np.empty((len(rows), min(4096, rows.shape[1])), np.float32)
    columns = slice(0, centred.shape[1])
    first = gather(rows, columns, centred, 0.0)
    # The mean stimulus is summed in another order: what is about it may differ in its last bits, extremes may not.
    second = gather(np.ascontiguousarray(rows[order]), columns, centred.copy(), 0.0)
    for name in ("minimum", "maximum", "n_zeros", "negative"):
        assert np.array_equal(getattr(first, name)[order], getattr(second, name)), name


def test_not_a_number_and_infinity_are_found() -> None:
    rows = CHUNKS["an ordinary chunk"].copy()
    rows[4, 11], rows[9, 600] = np.nan, -np.inf
    for function in (gather, gather_numpy):
        with np.errstate(invalid="ignore"):
            found = function(rows, slice(0, 4096), np.empty((len(rows), 4096), np.float32), 0.0, 1.0)
        finite = np.isfinite(found.minimum) & np.isfinite(found.maximum)
        assert np.flatnonzero(~finite).tolist() == [4, 9]


def test_the_arrays_of_the_host_keep_what_they_are_given() -> None:
    check_arrays(HostArrays())


def test_the_compiled_pass_is_what_runs_here_and_has_the_constants_of_the_other() -> None:
    from layerwise.core.runs.streaming import kernel

    assert choose_pass() is not gather_numpy  # Numba is installed with Layerwise: else a run is five times slower
    assert kernel._STRIPE == passes.STRIPE  # Numba keeps compiled code by its file, so constants are its own
    assert kernel._PANEL == passes._PANEL
    for name in ("_MEAN", "_POWER2", "_POWER3", "_POWER4", "_ZEROS", "_NEGATIVE", "_OWN", "_TOTAL", "_ALONG"):
        assert getattr(kernel, name) == getattr(passes, name), name


def test_without_numba_numpy_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = CHUNKS["a rectified one"]
    compiled = sum_chunk(rows, Scratch(), in_double=False)

    monkeypatch.setattr(passes, "has_numba", lambda: False)
    choose_pass.cache_clear()
    try:
        assert choose_pass() is gather_numpy
        plain = sum_chunk(rows, Scratch(), in_double=False)
    finally:
        choose_pass.cache_clear()
    assert np.allclose(compiled.gram, plain.gram, atol=1e-5 * np.abs(plain.gram).max())


def test_chunks_merge_to_what_one_chunk_gives() -> None:
    rows = CHUNKS["one with silent stimuli and units"]
    whole = sum_chunk(rows, Scratch(), in_double=True)
    parts = [
        sum_chunk(np.ascontiguousarray(rows[:, a:b]), Scratch(), in_double=True) for a, b in ((0, 900), (900, 5000))
    ]
    merged: PartialSums = parts[0]
    merged.merge(parts[1])
    (products, summary), (others, other) = whole.finish("layer"), merged.finish("layer")
    assert np.allclose(products.centred, others.centred, rtol=1e-12, atol=1e-9)
    for name, value in vars(summary).items():
        assert np.allclose(value, getattr(other, name), rtol=1e-10, equal_nan=True), name

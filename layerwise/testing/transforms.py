"""Does a transform treat each stimulus, or each unit, by itself, and is it as additive as it declares?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.host.kinds import Transform, UnitTransform
from layerwise.core.network.products import represent
from layerwise.testing.expecting import ask, expect, expect_named, is_same

SHAPES = ((4, 4, 6), (5, 3, 2), (9,), (1, 1, 1))


def check_transform(transform: Transform, seed: int = 0) -> None:
    """Check that a transform gives float32 (batch, features), each stimulus by itself, and leaves its input alone.

    Layers of several shapes, batches of one and of several, zeros, constant activations, values that are not finite.
    The number of features must follow from the layer's shape alone, because the run is planned with it. Where it is
    declared `additive`, the Gram matrix of a block must be the sum of those of its branches. A `UnitTransform` must
    moreover give float32 of the same shape for any number of units, each unit by itself.

    Args:
        transform: The transform.
        seed: Of the random activations.

    Raises:
        AssertionError: If it is not so; says what.
    """
    expect_named(transform, Transform)
    additive = getattr(transform, "additive", None)
    expect(isinstance(additive, bool), transform, f"declares additive = {additive!r}, expected True or False")
    rng = np.random.default_rng(seed)
    for shape in SHAPES:
        batch = rng.normal(size=(5, *shape)).astype(np.float32)
        out = _apply(transform, batch, f"for a layer of shape {shape}")
        alone = np.concatenate([_apply(transform, row[None], "for one stimulus") for row in batch])
        by_itself = np.allclose(out, alone, rtol=1e-5, atol=1e-6)
        expect(by_itself, transform, "gives a stimulus other values when others are in its batch")
        _check_values(transform, batch, out.shape[1])
    if additive:
        _check_additive(transform, rng)
    if isinstance(transform, UnitTransform):
        _check_units(transform, rng)


def _check_values(transform: Transform, batch: NDArray[np.float32], n_features: int) -> None:
    awkward = {
        "for zeros": np.zeros_like(batch),
        "for constant activations": np.full_like(batch, 2.5),
        "for negative activations": -np.abs(batch) - 1,
    }
    for what, values in awkward.items():
        out = _apply(transform, values, what)
        expect(
            out.shape[1] == n_features,
            transform,
            f"gives {out.shape[1]} features {what}, expected {n_features} as for others",
        )
    for value in (np.nan, np.inf):
        spoilt = batch.copy()
        spoilt[0].flat[0] = value
        try:
            _apply(transform, spoilt, f"for an activation that is {value}", finite=False)
        except LayerwiseError:
            continue  # a refusal that says why is an answer


def _apply(transform: Transform, batch: NDArray[np.float32], what: str, *, finite: bool = True) -> NDArray[Any]:
    before = batch.copy()
    out: Any = ask(transform, what, lambda: transform.apply(batch))
    expect(
        is_same(before, batch), transform, f"changes the activations it is given {what}, expected them as they were"
    )
    is_array = isinstance(out, np.ndarray) and out.ndim >= 2 and len(out) == len(batch) and out.size > 0
    came = f"shape {out.shape}" if isinstance(out, np.ndarray) else f"a {type(out).__name__}"
    expect(is_array, transform, f"gives {came} {what}, expected ({len(batch)}, features)")
    expect(out.dtype == np.float32, transform, f"gives {out.dtype} {what}, expected float32")
    rows: NDArray[Any] = out.reshape(len(out), -1)
    if finite:
        expect(bool(np.isfinite(rows).all()), transform, f"gives values that are not finite {what}")
        with np.errstate(all="ignore"):
            again = transform.apply(batch).reshape(len(out), -1)
        expect(is_same(rows.copy(), again.copy()), transform, f"gives different values when asked twice {what}")
    return rows


def _check_additive(transform: Transform, rng: np.random.Generator) -> None:
    """A block's raw Gram matrix is the sum of its branches' raw Gram matrices."""
    branches = [rng.normal(size=(6, 4, 4, channels)).astype(np.float32) for channels in (3, 5)]
    block = np.concatenate(branches, axis=-1)
    parts = sum(represent(_apply(transform, branch, "for a branch")).gram() for branch in branches)
    whole = represent(_apply(transform, block, "for a block")).gram()
    scale = max(float(np.abs(whole).max()), 1.0)
    apart = float(np.abs(whole - parts).max()) / scale
    expect(
        apart <= 1e-4,
        transform,
        f"is declared additive, but a block's Gram matrix is {apart:.2g} (relative) off the sum of its branches'",
    )


def _check_units(transform: UnitTransform, rng: np.random.Generator) -> None:
    """Units of all kinds, together and one by one."""
    units = rng.normal(size=(6, 9)).astype(np.float32)
    units[:, 3], units[:, 4], units[:, 5] = 0, 2.5, np.maximum(units[:, 5], 0)
    before = units.copy()

    def change(values: NDArray[np.float32], what: str) -> NDArray[Any]:
        out: Any = ask(transform, what, lambda: transform.apply_units(values))
        is_array = isinstance(out, np.ndarray) and out.shape == values.shape
        came = f"shape {out.shape}" if isinstance(out, np.ndarray) else f"a {type(out).__name__}"
        expect(is_array, transform, f"gives {came} {what}, expected {values.shape}")
        expect(out.dtype == np.float32, transform, f"gives {out.dtype} {what}, expected float32")
        expect(bool(np.isfinite(out).all()), transform, f"gives values that are not finite {what}")
        changed: NDArray[Any] = out
        return changed

    whole = change(units, "for several units, of which two are constant,")
    expect(is_same(before, units), transform, "changes the units it is given, expected them as they were")
    alone = np.concatenate([change(units[:, [unit]], "for one unit") for unit in range(units.shape[1])], axis=1)
    expect(
        np.allclose(whole, alone, rtol=1e-5, atol=1e-6),
        transform,
        "gives a unit other values when others are with it",
    )

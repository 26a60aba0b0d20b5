"""Running functions that take batches of one size only on batches of any size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layerwise.core.network.model import Compiled, CompiledReplaced, Floats


def in_batches(run: CompiledReplaced, size: int) -> CompiledReplaced:
    """A function that hands on `size` stimuli at a time; the last batch is filled up with its last stimulus."""

    def run_all(batch: Floats, replaced: Sequence[Floats]) -> Sequence[Floats]:
        parts = []
        for start in range(0, len(batch), size):
            n_left = len(batch[start : start + size])
            filled, *others = (_fill(rows[start : start + size], size) for rows in (batch, *replaced))
            parts.append([np.asarray(values)[:n_left] for values in run(filled, others)])
        return [np.concatenate(values) for values in zip(*parts, strict=True)]

    return run_all


def without_replaced(run: CompiledReplaced) -> Compiled:
    """The same where no node is replaced."""
    return lambda batch: run(batch, ())


def _fill(rows: Floats, size: int) -> Floats:
    return np.concatenate([rows, np.repeat(rows[-1:], size - len(rows), axis=0)])

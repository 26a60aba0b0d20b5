"""Running functions that take batches of one size only on batches of any size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layerwise.core.network.model import Compiled, Floats


def in_batches(run: Compiled, size: int) -> Compiled:
    """A function that hands on `size` stimuli at a time; the last batch is filled up with its last stimulus."""

    def run_all(batch: Floats) -> Sequence[Floats]:
        parts = []
        for start in range(0, len(batch), size):
            part = batch[start : start + size]
            filled = np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
            parts.append([np.asarray(values)[: len(part)] for values in run(filled)])
        return [np.concatenate(values) for values in zip(*parts, strict=True)]

    return run_all

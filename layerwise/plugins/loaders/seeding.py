"""Building untrained models with reproducible weights, without touching anybody else's random numbers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from layerwise.plugins.loaders.tensorflow_setup import import_keras


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within it, Keras's initial weights follow from the seed; Python's and NumPy's states are put back after."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    import_keras().utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)

"""Ranks."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import rankdata

from layerwise.plugins.ranks import average_ranks

TIED = st.floats(-3, 3, width=16)
ANY = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0])


@given(arrays.arrays(np.float32, st.integers(1, 40), elements=TIED) | arrays.arrays(np.float32, 9, elements=ANY))
def test_ranks_are_those_of_scipy(values):
    assert np.array_equal(average_ranks(values), rankdata(values))


def test_ranks_of_a_strided_vector_are_those_of_its_values():
    values = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    assert np.array_equal(average_ranks(values[:, 1]), rankdata(values[:, 1]))

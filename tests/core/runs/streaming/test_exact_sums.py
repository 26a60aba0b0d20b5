"""What is summed of a stimulus does not depend on its place, nor on the size of its activations."""

from __future__ import annotations

import numpy as np
import pytest
from given_network import stream_given

from layerwise.core.base.errors import LayerwiseError


@pytest.mark.parametrize("n_stimuli", [60, 300])
def test_equal_stimuli_have_equal_means_norms_and_no_distance_wherever_they_stand(n_stimuli):
    rng = np.random.default_rng(0)
    rows = np.maximum(rng.normal(size=(n_stimuli, 5000)), 0).astype(np.float32)
    copies = rng.permutation(n_stimuli)[: n_stimuli // 3 * 2].reshape(2, -1)
    rows[copies[1]] = rows[copies[0]]
    found = stream_given({"layer": rows})["layer"]
    for vector in (found.summary.mean, found.summary.power3, found.summary.minimum, found.summary.absolute):
        assert np.allclose(vector[copies[0]], vector[copies[1]], rtol=1e-14)
    layer = found.products.represent()
    assert np.allclose(layer.norm[copies[0]], layer.norm[copies[1]], rtol=1e-14)
    apart = layer.squared_distances()
    assert apart[copies[0], copies[1]].max() <= 1e-14 * np.median(apart)


@pytest.mark.parametrize("scale", [1e25, 1e-25])
def test_moments_of_numbers_whose_squares_float32_cannot_hold_are_those_of_others_to_scale(scale):
    rows = np.random.default_rng(1).normal(size=(150, 3000)).astype(np.float32)
    plain, scaled = (stream_given({"layer": each})["layer"] for each in (rows, (rows * scale).astype(np.float32)))
    for name, power in (("mean", 1), ("power2", 2), ("power3", 3), ("power4", 4), ("absolute", 1)):
        expected = getattr(plain.summary, name)
        found = getattr(scaled.summary, name) / float(scale) ** power
        assert np.allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max()), name
    assert scaled.summary.n_dead == 0


def test_whole_numbers_are_exact():
    rows = np.random.default_rng(2).integers(0, 3, (140, 2500)).astype(np.float32)
    layer = stream_given({"layer": rows})["layer"].products.represent(in_double=True)
    exact = rows.astype(int)
    squared = ((exact[:, None, :200] - exact[None, :, :200]) ** 2).sum(-1)
    narrow = stream_given({"layer": np.ascontiguousarray(rows[:, :200])})["layer"].products.represent(in_double=True)
    assert np.allclose(narrow.squared_distances(), squared, atol=1e-9)
    assert layer.resolution.activations == 0


def test_an_overflow_is_named_with_layer_and_stimulus():
    rows = np.ones((12, 30), np.float32) * np.arange(12, dtype=np.float32)[:, None]
    rows[7, 3] = np.inf
    with pytest.raises(LayerwiseError, match=r"layer 'layer'.*stimulus 7 are not finite"):
        stream_given({"layer": rows})

"""What is done to pixels, against the definitions that Keras has of the same conventions."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise.core.base.errors import InputError
from layerwise.plugins.loaders.preprocessing import find_preprocessing, fit_channels


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("name", ["tf", "caffe", "torch"])
def test_the_named_conventions_are_those_of_keras(name: str, dtype: type) -> None:
    from keras.applications.imagenet_utils import preprocess_input

    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype(dtype)
    expected = preprocess_input(pixels.astype(np.float32), mode=name)
    found = find_preprocessing(name).apply(pixels)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_pixels_stay_as_they_are_or_fill_the_unit_interval() -> None:
    pixels = np.array([0, 51, 255], np.uint8).reshape(1, 1, 1, 3)
    np.testing.assert_array_equal(find_preprocessing("none").apply(pixels).ravel(), [0, 51, 255])
    np.testing.assert_allclose(find_preprocessing("unit").apply(pixels).ravel(), [0, 0.2, 1], rtol=1e-6)
    np.testing.assert_array_equal(find_preprocessing("inception5h").apply(pixels).ravel(), [-117, -66, 138])


def test_the_pixels_given_are_not_changed() -> None:
    pixels = np.full((1, 2, 2, 3), 9, np.float32)
    for name in ("none", "caffe", "torch"):
        find_preprocessing(name).apply(pixels)
    assert (pixels == 9).all()


def test_a_wrong_name_is_told_near_ones() -> None:
    with pytest.raises(InputError, match="no preprocessing 'cafe'; did you mean caffe"):
        find_preprocessing("cafe")


def test_grey_is_the_luminance_that_pillow_computes() -> None:
    from PIL import Image

    pixels = np.random.default_rng(1).integers(0, 256, (1, 6, 6, 3), dtype=np.uint8)
    grey = fit_channels(pixels, 1)
    assert grey.shape == (1, 6, 6, 1)
    expected = np.asarray(Image.fromarray(pixels[0]).convert("L"), np.float32)
    np.testing.assert_allclose(grey[0, ..., 0], expected, atol=0.51)

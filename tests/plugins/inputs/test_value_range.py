"""What the values of an array run from and to is told by the bulk of them, said, and can be chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from layerwise.core.base.errors import InputError
from layerwise.core.host.kinds import StimulusSource
from layerwise.core.network.stimuli import StimulusSet
from layerwise.plugins.sources.array import ArraySource
from layerwise.plugins.sources.folder import ImageFolderSource

PIXELS = np.random.default_rng(3).integers(0, 256, (6, 8, 8, 3)).astype(np.uint8)


def listed(folder: Path, values: np.ndarray, source: StimulusSource | None = None) -> StimulusSet:
    np.save(folder / "x.npy", values)
    return (source or ArraySource()).open(str(folder / "x.npy"))


def pixels_of(stimuli: StimulusSet) -> np.ndarray:
    return np.stack([stimuli.decode(index, (8, 8), "squash").pixels for index in range(len(stimuli.stimuli))])


UNIT, SIGNED = (PIXELS / 255).astype(np.float32), (PIXELS / 127.5 - 1).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize(("values", "words"), [(UNIT, "0..1"), (SIGNED, "-1..1")])
def test_values_of_the_usual_ranges_become_the_same_pixels(tmp_path, values, words, dtype):
    stimuli = listed(tmp_path, values.astype(dtype))
    np.testing.assert_allclose(pixels_of(stimuli), PIXELS, atol=0.2)
    assert f"values in {words} are taken" in stimuli.notes[0]
    assert f"values in {words} are taken" in stimuli.source


@pytest.mark.parametrize("outlier", [1.02, -0.03, 3.0])
def test_a_value_beyond_does_not_turn_a_set_black(tmp_path, outlier):
    values = UNIT.copy()
    values[2, 3, 3, 1] = outlier
    stimuli = listed(tmp_path, values)
    right = PIXELS.copy()
    right[2, 3, 3, 1] = 255 if outlier > 1 else 0
    np.testing.assert_allclose(pixels_of(stimuli), right, atol=1e-3)
    assert "1 of" in stimuli.notes[0]


def test_a_background_of_zeros_does_not_make_pixels_small(tmp_path):
    values = np.zeros((4, 20, 20), np.float32)
    values[:, 3, 4] = 255
    assert not listed(tmp_path, values).notes


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool])
def test_masks_are_black_and_white(tmp_path, dtype):
    mask = PIXELS > 127
    stimuli = listed(tmp_path, mask.astype(dtype))
    np.testing.assert_array_equal(pixels_of(stimuli), np.where(mask, 255, 0))
    assert "0..1" in stimuli.notes[0]


def test_pixels_in_0_to_255_are_told_nothing_about(tmp_path):
    stimuli = listed(tmp_path, PIXELS.astype(np.float32))
    assert stimuli.notes == ()
    assert stimuli.source.endswith("x.npy")


def test_a_range_that_is_chosen_overrides_what_the_values_say(tmp_path):
    dark = (PIXELS // 200).astype(np.float32)
    np.testing.assert_array_equal(pixels_of(listed(tmp_path, dark, ArraySource().in_range(0, 255))), dark)
    wide = PIXELS.astype(np.uint16) * 257
    np.testing.assert_allclose(pixels_of(listed(tmp_path, wide, ArraySource().in_range(0, 65535))), PIXELS, atol=1e-3)


def test_the_same_values_with_another_range_are_other_stimuli(tmp_path):
    first = listed(tmp_path, UNIT).decode(0, (8, 8), "squash")
    second = listed(tmp_path, UNIT, ArraySource().in_range(0, 255)).decode(0, (8, 8), "squash")
    assert first.content_hash != second.content_hash


def test_image_files_have_no_range_to_choose():
    with pytest.raises(InputError, match="--range is for arrays"):
        ImageFolderSource().in_range(0, 1)


def test_an_array_in_memory_is_decided_on_too():
    adopted = ArraySource().adopt(UNIT)
    assert adopted is not None
    np.testing.assert_allclose(pixels_of(adopted), PIXELS, atol=1e-3)

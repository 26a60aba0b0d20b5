"""Pixels in .npy and .npz files."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from layerwise.core.base.errors import InputError, StimulusError
from layerwise.core.network.pixels import ArrayReader, FileReader
from layerwise.core.network.stimuli import StimulusSet
from layerwise.plugins.sources.array import ArraySource, ArrayStimulusSet
from layerwise.testing import check_source

RNG = np.random.default_rng(0)


def store(folder: Path, array: np.ndarray | None = None, **arrays: np.ndarray) -> str:
    path = folder / ("x.npy" if array is not None else "x.npz")
    if array is not None:
        np.save(path, array)
    else:
        np.savez(path, **arrays)
    return str(path)


def open_array(location: str) -> StimulusSet:
    return ArraySource().open(location)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pixels_of_the_models_size_arrive_as_they_are(tmp_path, dtype):
    pixels = (RNG.random((3, 5, 7, 3)) * 255).astype(dtype)
    listed = open_array(store(tmp_path, pixels))
    for index in range(3):
        decoded = listed.decode(index, (5, 7), "crop").pixels
        assert decoded.dtype == dtype
        assert np.array_equal(decoded, pixels[index])


@pytest.mark.parametrize("shape", [(3, 5, 7), (3, 5, 7, 1)])
def test_greyscale_is_repeated_over_the_channels(tmp_path, shape):
    pixels = RNG.integers(0, 256, shape, dtype=np.uint8)
    decoded = open_array(store(tmp_path, pixels)).decode(2, (5, 7), "squash").pixels
    assert decoded.shape == (5, 7, 3)
    assert np.array_equal(decoded[..., 1], pixels[2].reshape(5, 7))


@pytest.mark.parametrize("dtype", [np.int64, np.uint16])
def test_whole_numbers_of_any_width_become_uint8(tmp_path, dtype):
    pixels = RNG.integers(0, 256, (2, 4, 4), dtype=np.int64).astype(dtype)
    assert open_array(store(tmp_path, pixels)).decode(0, (4, 4), "squash").pixels.dtype == np.uint8


def test_another_size_is_resized_as_pillow_resizes(tmp_path):
    pixels = RNG.integers(0, 256, (2, 20, 30, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(pixels[1]).resize((8, 6), Image.Resampling.BILINEAR)).astype(float)
    whole = open_array(store(tmp_path, pixels)).decode(1, (6, 8), "squash").pixels
    assert np.array_equal(whole, expected)
    fractional = open_array(store(tmp_path, pixels.astype(np.float64))).decode(1, (6, 8), "squash").pixels
    assert fractional.dtype == np.float32
    assert np.abs(fractional - expected).max() <= 1.01


def test_labels_and_names_lie_beside_the_pixels(tmp_path):
    location = store(
        tmp_path, images=np.zeros((2, 4, 4), np.uint8), labels=np.array([7, 8]), names=np.array(["a", "b"])
    )
    listed = open_array(location)
    assert [(s.name, s.label) for s in listed.stimuli] == [("a", "7"), ("b", "8")]
    assert listed.name == "x"


def test_names_are_numbers_of_equal_width_otherwise(tmp_path):
    listed = open_array(store(tmp_path, np.zeros((11, 2, 2), np.uint8)))
    assert [listed.stimuli[index].name for index in (0, 1, 10)] == ["00", "01", "10"]


def test_the_only_array_in_four_dimensions_holds_the_pixels(tmp_path):
    location = store(tmp_path, train=np.zeros((2, 4, 4, 3), np.uint8), masks=np.zeros((2, 4, 4)))
    assert len(open_array(location).stimuli) == 2


def test_a_thumbnail_is_drawn_of_an_array_too(tmp_path):
    decoded = open_array(store(tmp_path, np.full((2, 200, 100, 3), 99.4))).decode(0, (4, 4), "squash")
    assert Image.open(io.BytesIO(decoded.thumbnail)).size == (48, 96)


def test_content_hashes_tell_values_shapes_and_types_apart(tmp_path):
    zeros = np.zeros((2, 4, 4), np.uint8)
    variants = [zeros, zeros + 1, zeros.reshape(2, 2, 8), zeros.astype(np.int8)]
    hashes = {open_array(store(tmp_path, v)).decode(0, (4, 4), "squash").content_hash for v in variants}
    assert len(hashes) == 4


@pytest.mark.parametrize(
    ("value", "reason"), [(np.nan, "not finite"), (300.0, "to 300, expected 0 to 255"), (-1.0, "-1")]
)
def test_values_that_are_no_pixels_are_an_error_of_that_stimulus(tmp_path, value, reason):
    pixels = np.full((2, 4, 4, 3), 9.0)
    pixels[1, 0, 0, 0] = value
    listed = open_array(store(tmp_path, pixels))
    listed.decode(0, (4, 4), "squash")
    with pytest.raises(StimulusError, match=reason):
        listed.decode(1, (4, 4), "squash")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 3, 4, 4), np.uint8), "channels must come last"),
        (np.zeros((8, 8), np.uint8), "has shape"),
        (np.zeros((0, 8, 8), np.uint8), "has shape|cannot read"),
        (np.zeros((8, 9, 3), np.uint8), "one picture"),
        (np.full((2, 4, 4), 1e4), "--range LOW..HIGH"),
        (np.random.default_rng(0).normal(0, 1, (4, 8, 8, 3)), "no pixels in 0..255, 0..1 or -1..1"),
        (np.array(["a", "b"]), "expected pixels"),
        (np.array([{}, {}]), "cannot read"),
    ],
)
def test_an_array_that_holds_no_pixels_is_a_clear_error(tmp_path, array, message):
    with pytest.raises(InputError, match=message):
        open_array(store(tmp_path, array))


def test_an_archive_without_clear_pixels_lists_what_it_holds(tmp_path):
    with pytest.raises(InputError, match=r"holds a \(2,\), b \(3,\); call the pixels one of images"):
        open_array(store(tmp_path, a=np.zeros(2), b=np.zeros(3)))


@pytest.mark.parametrize(
    "arrays", [{"labels": np.zeros(3)}, {"labels": np.zeros(3, int)}, {"names": np.array(["a", "a"])}]
)
def test_labels_and_names_that_do_not_fit_are_an_error(tmp_path, arrays):
    with pytest.raises(InputError, match=r"labels is|the name 'a' occurs 2 times"):
        open_array(store(tmp_path, images=np.zeros((2, 4, 4), np.uint8), **arrays))


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 broken"])
def test_a_broken_file_is_a_clear_error(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="cannot read"):
        open_array(str(tmp_path / name))


def test_a_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_array(str(tmp_path / "gone.npy"))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_pixels_of_the_models_size_stay_in_their_file(tmp_path, suffix, dtype):
    pixels = (RNG.random((6, 5, 7, 3)) * 255).astype(dtype)
    beside = {"labels": np.arange(6), "names": np.array(list("abcdef"))}
    location = store(tmp_path, pixels) if suffix == ".npy" else store(tmp_path, images=pixels, **beside)
    listed = open_array(location)
    stored = listed.find_stored((5, 7))
    assert isinstance(stored, FileReader)
    assert stored.memory_bytes == 0
    assert np.array_equal(stored.read(2, 5), pixels[2:5])
    assert np.array_equal(stored.read(4, 5)[0], listed.decode(4, (5, 7), "squash").pixels)
    assert listed.find_stored((5, 8)) is None


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((2, 4, 4, 3), np.int64),
        np.zeros((2, 4, 4, 3), np.float64),
        np.zeros((2, 4, 4, 3), ">f4"),
        np.zeros((2, 4, 4), np.uint8),
        np.zeros((2, 4, 4, 1), np.uint8),
    ],
)
def test_pixels_that_have_to_be_changed_first_are_decoded(tmp_path, pixels):
    listed = open_array(store(tmp_path, pixels))
    assert listed.find_stored((4, 4)) is None
    assert listed.decode(1, (4, 4), "squash").pixels.shape == (4, 4, 3)


@pytest.mark.parametrize("order", ["C", "F"])
def test_what_does_not_lie_row_by_row_is_read_all_the_same(tmp_path, order):
    pixels = RNG.integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)
    np.save(tmp_path / "x.npy", np.asarray(pixels, order=order))
    np.savez_compressed(tmp_path / "x.npz", images=np.asarray(pixels, order=order))
    for name in ("x.npy", "x.npz"):
        stored = open_array(str(tmp_path / name)).find_stored((5, 7))
        assert stored is not None
        assert np.array_equal(stored.read(1, 3), pixels[1:])


def test_an_archive_that_is_not_what_was_written_is_found_before_it_is_used(tmp_path):
    location = Path(store(tmp_path, images=np.full((3, 50, 50, 3), 9, np.uint8)))
    content = bytearray(location.read_bytes())
    content[len(content) // 2] ^= 1
    location.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot read .*x\.npz.*CRC"):
        open_array(str(location))


def test_a_file_that_ends_early_is_a_clear_error(tmp_path):
    location = Path(store(tmp_path, np.zeros((3, 50, 50, 3), np.uint8)))
    location.write_bytes(location.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"cannot read .*22499 of the 22500 bytes"):
        open_array(str(location))


def test_an_array_in_memory_or_mapped_is_used_without_a_copy(tmp_path):
    pixels = RNG.integers(0, 256, (6, 5, 7, 3), dtype=np.uint8)
    np.save(tmp_path / "x.npy", pixels)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for given in (pixels, pixels[::2], mapped, mapped[2:4]):
        listed = ArraySource().adopt(given)
        assert listed is not None
        stored = listed.find_stored((5, 7))
        assert stored is not None
        assert np.shares_memory(stored.read(0, 2), given)
        assert np.array_equal(stored.read(0, 2), given[:2])
        assert stored.memory_bytes == 0


def test_a_source_whose_stored_pixels_are_others_than_it_decodes_is_found(tmp_path, monkeypatch):
    location = store(tmp_path, RNG.integers(0, 256, (6, 24, 32, 3), dtype=np.uint8))
    check_source(ArraySource(), location)
    other = ArrayReader(np.zeros((6, 24, 32, 3), np.uint8))
    monkeypatch.setattr(ArrayStimulusSet, "find_stored", lambda self, size: other)
    with pytest.raises(AssertionError, match="finds other pixels of stimulus 0 than it decodes"):
        check_source(ArraySource(), location)


@pytest.mark.parametrize(("first", "second"), [("x.npy", "y.npz"), ("x.npz", "y.npy")])
def test_what_a_file_holds_counts_rather_than_its_ending(tmp_path, first, second):
    pixels = RNG.integers(0, 256, (3, 4, 4, 3)).astype(np.uint8)
    store(tmp_path, pixels) if first == "x.npy" else store(tmp_path, images=pixels)
    (tmp_path / first).rename(tmp_path / second)
    listed = open_array(str(tmp_path / second))
    np.testing.assert_array_equal(listed.decode(2, (4, 4), "squash").pixels, pixels[2])


def test_labels_that_are_python_objects_say_what_to_do(tmp_path):
    pixels = RNG.integers(0, 256, (3, 4, 4, 3)).astype(np.uint8)
    with pytest.raises(InputError, match=r"'labels' holds Python objects.*labels.astype\(str\)"):
        open_array(store(tmp_path, images=pixels, labels=np.array(list("abc"), dtype=object)))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.npy")
    with pytest.raises(InputError, match="not a regular file"):
        open_array(str(tmp_path / "x.npy"))


@pytest.mark.parametrize("n_channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_channels_may_come_first_which_is_said(tmp_path, n_channels, suffix):
    pixels = np.random.default_rng(4).integers(0, 256, (3, 9, 7, n_channels), dtype=np.uint8)
    first = np.ascontiguousarray(np.moveaxis(pixels, -1, 1))
    path = tmp_path / f"x.{suffix}"
    if suffix == "npy":
        np.save(path, first)
    else:
        np.savez(path, images=first)
    listed = ArraySource().open(str(path))
    assert listed.find_size() == (9, 7)
    assert f"shape (3, {n_channels}, 9, 7) is taken as channels first" in listed.notes[0]
    adopted = ArraySource().adopt(first)
    for index in range(3):
        mode = {1: "L", 3: "RGB", 4: "RGBA"}[n_channels]
        image = Image.fromarray(pixels[index].squeeze() if n_channels == 1 else pixels[index], mode)
        if n_channels == 4:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        wanted = np.asarray(image.convert("RGB")).astype(int)
        for one in (listed, adopted):
            assert np.abs(one.decode(index, (9, 7), "squash").pixels.astype(int) - wanted).max() <= 1
    if n_channels > 1:
        assert np.array_equal(listed.find_stored((9, 7))[0:1][0], listed.decode(0, (9, 7), "squash").pixels)


def test_transparency_is_laid_over_white_and_of_floats_refused(tmp_path):
    pixels = np.zeros((2, 8, 8, 4), np.uint8)
    pixels[1, ..., 3] = 255
    np.save(tmp_path / "x.npy", pixels)
    listed = ArraySource().open(str(tmp_path / "x.npy"))
    assert listed.notes == ("x: transparency is laid over white",)
    assert [int(listed.decode(i, (8, 8), "squash").pixels.max()) for i in range(2)] == [255, 0]
    np.save(tmp_path / "x.npy", pixels / 255)
    with pytest.raises(InputError, match="has shape"):
        ArraySource().open(str(tmp_path / "x.npy"))

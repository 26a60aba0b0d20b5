"""Image files that decode although part of them is missing are refused; whole ones are not."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from layerwise.core.base.errors import StimulusError
from layerwise.plugins.sources.imaging import decode_file, decode_image

PHOTO = Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 70, 3)).astype(np.uint8))
GREY = Image.new("RGB", (90, 70), (128, 128, 128))


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


JPEGS = [
    {},
    {"progressive": True},
    {"quality": 95, "subsampling": 0},
    {"restart_marker_blocks": 4},
    {"optimize": True},
    {"exif": b"Exif\0\0" + bytes(20)},
]
MODES = ["RGB", "L", "CMYK"]


@pytest.mark.parametrize("options", JPEGS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("part", [0.4, 0.6, 0.9])
def test_a_jpeg_that_is_cut_and_ended_is_refused(mode: str, options: dict[str, object], part: float) -> None:
    data = encode(PHOTO.convert(mode), "JPEG", **options)
    head = data.rindex(b"\xff\xda") if "progressive" not in options else data.index(b"\xff\xda")
    cut = head + int((len(data) - head) * part)
    with pytest.raises(StimulusError):
        decode_image(data[:cut] + b"\xff\xd9")


@pytest.mark.parametrize("options", JPEGS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("image", [PHOTO, GREY], ids=["photo", "grey"])
def test_a_whole_jpeg_is_read(image: Image.Image, mode: str, options: dict[str, object]) -> None:
    data = encode(image.convert(mode), "JPEG", **options)
    for content in (data, data + b"trailing", data + data):
        assert decode_image(content).size == image.size


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_file_whose_end_is_zeros_is_refused(kind: str, part: float) -> None:
    data = encode(PHOTO, kind)
    cut = int(len(data) * part)
    with pytest.raises(StimulusError):
        decode_image(data[:cut] + bytes(len(data) - cut))


def test_a_png_with_one_wrong_byte_is_refused() -> None:
    data = bytearray(encode(PHOTO, "PNG", compress_level=0))
    data[len(data) // 2] ^= 1
    with pytest.raises(StimulusError, match=r"checksum|cannot be decoded"):
        decode_image(bytes(data))


@pytest.mark.parametrize("kind", ["TIFF", "AVIF", "JPEG2000", "MPO", "PNG", "GIF", "WEBP", "BMP"])
@pytest.mark.parametrize("part", [0.2, 0.5, 0.8])
def test_damage_of_any_format_is_that_file_s_error_and_no_other(kind: str, part: float) -> None:
    data = encode(PHOTO, kind)
    place = int(len(data) * part)
    for damaged in (data[:place] + bytes(200) + data[place + 200 :], data[:place] + bytes(len(data) - place)):
        with contextlib.suppress(StimulusError):
            assert decode_image(damaged).size == PHOTO.size
    with pytest.raises(StimulusError):
        decode_image(data[:place])


@pytest.mark.parametrize("kind", ["TIFF", "AVIF", "JPEG2000", "MPO", "PNG", "GIF", "WEBP", "BMP"])
def test_what_pillow_reads_is_read(kind: str) -> None:
    data = encode(PHOTO, kind)
    with Image.open(io.BytesIO(data)) as expected:
        np.testing.assert_array_equal(np.asarray(decode_image(data)), np.asarray(expected.convert("RGB")))


def test_a_tiff_whose_range_is_not_known_is_refused() -> None:
    data = encode(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF")
    with pytest.raises(StimulusError, match="32 bits"):
        decode_image(data)


def test_a_pipe_among_photos_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(StimulusError, match="not a regular file"):
        decode_file(tmp_path / "pipe.jpg", (4, 4), "squash")


def test_a_name_that_no_file_can_have_is_one_clear_line() -> None:
    with pytest.raises(StimulusError, match=r"cannot be the name|No such file"):
        decode_file(Path("a\0b.jpg"), (4, 4), "squash")

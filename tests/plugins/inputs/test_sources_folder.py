"""Image folders: which files, in which order, with which labels and which pixels."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from layerwise.core.base.errors import InputError, StimulusError
from layerwise.core.network.stimuli import StimulusSet
from layerwise.plugins.sources.folder import ImageFolderSource

RED = (200, 30, 40)


def picture(width: int = 12, height: int = 8, colour: tuple[int, ...] | int = RED, mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (width, height), colour)


def save(folder: Path, name: str, image: Image.Image | None = None, **options: object) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    (image or picture()).save(path, **options)
    return path


def open_folder(folder: Path) -> StimulusSet:
    return ImageFolderSource().open(str(folder))


def decode_only(folder: Path, size: tuple[int, int] = (8, 12)) -> np.ndarray:
    listed = open_folder(folder)
    assert len(listed.stimuli) == 1
    return listed.decode(0, size, "squash").pixels


def names(folder: Path) -> list[str]:
    return [stimulus.name for stimulus in open_folder(folder).stimuli]


def labels(folder: Path) -> list[str | None]:
    return [stimulus.label for stimulus in open_folder(folder).stimuli]


def test_numbers_in_names_are_ordered_by_value(tmp_path):
    for name in ("b10.png", "b9.png", "a/2.png", "a/10.png", "A1.png"):
        save(tmp_path, name)
    assert names(tmp_path) == ["a/2.png", "a/10.png", "A1.png", "b9.png", "b10.png"]


def test_hidden_files_and_files_that_are_no_images_are_passed_over(tmp_path):
    save(tmp_path, "kept.PNG", format="PNG")
    save(tmp_path, "._kept.png")
    save(tmp_path, ".cache/hidden.png")
    (tmp_path / "notes.txt").write_text("no image")
    assert names(tmp_path) == ["kept.PNG"]


def test_an_empty_folder_is_a_clear_error(tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(InputError, match=r"no images in .*\.jpg"):
        open_folder(tmp_path)


def test_a_link_back_to_the_folder_ends(tmp_path):
    save(tmp_path, "a/1.png")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert names(tmp_path) == ["a/1.png"]


def test_sub_folders_give_labels(tmp_path):
    for name in ("cat/1.png", "dog/deep/1.png", "stray.png"):
        save(tmp_path, name)
    assert labels(tmp_path) == ["cat", "dog", None]


def test_synsets_in_file_names_give_labels(tmp_path):
    save(tmp_path, "n01440764_tench.JPEG")
    save(tmp_path, "nothing.png")
    assert labels(tmp_path) == ["n01440764", None]


@pytest.mark.parametrize("table", ["name,label\ncat/1.png,lynx\n2.png,wolf\n", "cat/1.png,lynx\n2.png,wolf\n"])
def test_a_labels_table_comes_before_sub_folders(tmp_path, table):
    save(tmp_path, "cat/1.png")
    save(tmp_path, "dog/2.png")
    (tmp_path / "labels.csv").write_text(table)
    assert labels(tmp_path) == ["lynx", "wolf"]


def test_a_labels_table_that_contradicts_itself_names_the_line(tmp_path):
    save(tmp_path, "1.png")
    (tmp_path / "labels.csv").write_text("name,label\n1.png,cat\n1.png,dog\n")
    with pytest.raises(InputError, match=r"labels.csv, line 3: '1.png' has another label already, 'cat'"):
        open_folder(tmp_path)


def test_a_labels_table_of_other_images_is_an_error(tmp_path):
    save(tmp_path, "1.png")
    (tmp_path / "labels.csv").write_text("name,label\nelsewhere.png,cat\n")
    with pytest.raises(InputError, match="names none of the images"):
        open_folder(tmp_path)


@pytest.mark.parametrize("ending", ["png", "gif", "bmp", "webp"])
def test_each_format_gives_its_pixels(tmp_path, ending):
    save(tmp_path, f"x.{ending}", **({"lossless": True} if ending == "webp" else {}))
    pixels = decode_only(tmp_path)
    assert pixels.dtype == np.uint8
    assert (pixels == RED).all()


def test_of_an_animation_the_first_picture_counts(tmp_path):
    frames = [picture(colour=RED), picture(colour=(0, 0, 255))]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:], duration=50)
    assert (decode_only(tmp_path) == RED).all()


def test_greyscale_is_repeated_over_the_channels(tmp_path):
    save(tmp_path, "x.png", picture(colour=77, mode="L"))
    assert (decode_only(tmp_path) == 77).all()


def test_sixteen_bit_greyscale_keeps_its_brightness(tmp_path):
    values = np.linspace(0, 65535, 8 * 12).reshape(8, 12).astype(np.uint16)
    save(tmp_path, "x.png", Image.fromarray(values))
    assert np.array_equal(decode_only(tmp_path)[..., 1], values >> 8)


def test_transparency_is_laid_over_white(tmp_path):
    image = picture(colour=(*RED, 255), mode="RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 6, 8))
    save(tmp_path, "x.png", image)
    pixels = decode_only(tmp_path)
    assert (pixels[:, :6] == 255).all()
    assert (pixels[:, 6:] == RED).all()


def test_a_transparent_palette_is_laid_over_white(tmp_path):
    image = Image.new("P", (12, 8), 1)
    image.putpalette([0, 0, 0, *RED])
    image.paste(0, (0, 0, 6, 8))
    save(tmp_path, "x.gif", image, transparency=0)
    pixels = decode_only(tmp_path)
    assert (pixels[:, :6] == 255).all()
    assert (pixels[:, 6:] == RED).all()


def test_cmyk_is_converted_to_what_pillow_shows(tmp_path):
    save(tmp_path, "x.jpg", picture(colour=(0, 255, 255, 0), mode="CMYK"), quality=100)
    red, green, blue = decode_only(tmp_path).reshape(-1, 3).mean(axis=0)
    assert red > 240
    assert green < 15
    assert blue < 15


def test_exif_rotation_is_applied(tmp_path):
    stored = picture(12, 8, (0, 0, 255))
    stored.paste(RED, (0, 0, 12, 4))  # red on top as stored, on the right once turned clockwise
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path, "x.jpg", stored, exif=exif.tobytes(), quality=100, subsampling=0)
    listed = open_folder(tmp_path)
    decoded = listed.decode(0, (12, 8), "squash")
    assert decoded.pixels[6, 7, 0] > 150
    assert decoded.pixels[6, 0, 2] > 200
    assert Image.open(io.BytesIO(decoded.thumbnail)).size == (8, 12)


def test_squash_changes_the_aspect_ratio_and_crop_takes_the_centre(tmp_path):
    image = picture(30, 10, (0, 0, 0))
    image.paste((255, 255, 255), (10, 0, 20, 10))
    save(tmp_path, "x.png", image)
    listed = open_folder(tmp_path)
    squashed = listed.decode(0, (10, 10), "squash").pixels
    cropped = listed.decode(0, (10, 10), "crop").pixels
    assert (cropped == 255).all()
    assert squashed[5, 0, 0] == 0
    assert squashed[5, 5, 0] == 255


def test_squash_is_bilinear_and_antialiased(tmp_path):
    rng = np.random.default_rng(0)
    original = Image.fromarray(rng.integers(0, 256, (64, 48, 3), dtype=np.uint8))
    save(tmp_path, "x.png", original)
    expected = np.asarray(original.resize((7, 9), Image.Resampling.BILINEAR))
    assert np.array_equal(decode_only(tmp_path, (9, 7)), expected)
    assert abs(float(expected.mean()) - 127.5) < 5


def test_a_thumbnail_is_a_small_jpeg_of_the_whole_picture(tmp_path):
    save(tmp_path, "x.png", picture(400, 200))
    thumbnail = Image.open(io.BytesIO(open_folder(tmp_path).decode(0, (8, 8), "crop").thumbnail))
    assert (thumbnail.format, thumbnail.size) == ("JPEG", (96, 48))


def test_the_content_hash_is_that_of_the_file(tmp_path):
    path = save(tmp_path, "x.png")
    decoded = open_folder(tmp_path).decode(0, (4, 4), "squash")
    assert decoded.content_hash == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("ending", ["jpg", "png", "gif", "bmp", "webp"])
def test_a_truncated_file_is_an_error_and_never_half_grey(tmp_path, ending):
    noise = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    path = save(tmp_path, f"x.{ending}", Image.fromarray(noise))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(StimulusError, match=r"decoded|not an image"):
        decode_only(tmp_path)


@pytest.mark.parametrize(("content", "reason"), [(b"", "is empty"), (b"hello", "is not an image")])
def test_a_file_that_is_no_image_says_so(tmp_path, content, reason):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(StimulusError, match=reason):
        decode_only(tmp_path)


def test_an_image_may_have_as_many_pixels_as_are_allowed(tmp_path):
    save(tmp_path, "x.png", picture(100, 100))
    for allowed, reads in ((9_999, False), (10_000, True)):
        listed = ImageFolderSource().allowing(allowed).open(str(tmp_path))
        if reads:
            assert listed.decode(0, (8, 8), "squash").pixels.shape == (8, 8, 3)
            continue
        with pytest.raises(StimulusError, match=r"has 100 x 100 pixels, .*--max-pixels"):
            listed.decode(0, (8, 8), "squash")


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    save(tmp_path, "x.png", picture(100, 100))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(StimulusError, match="pixels, which are too many"):
        decode_only(tmp_path)

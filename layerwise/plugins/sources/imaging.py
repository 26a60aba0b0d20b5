"""From an image file to upright RGB pixels of a given size, the same way for every source.

Greyscale is repeated over the channels, palettes are looked up, CMYK is converted, transparency is laid over
white, 16-bit greyscale keeps its high byte (as 16-bit colour does), EXIF rotation is applied, and of an
animation or of several pages the first picture counts. Colour profiles are ignored, as the networks' authors did. A
file that is cut or damaged is an error, never a picture that turns grey half-way, as far as its format can tell
(`damage`).

JPEG's built-in shrinking (`Image.draft`) is not used: it would be faster for large photos, but it changes the
pixels that the network sees.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import StimulusError
from layerwise.core.network.stimuli import Decoded, Resize
from layerwise.plugins.sources.damage import check_complete

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "AVIF", "JPEG2000")
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp"}
    | {".tif", ".tiff", ".avif", ".jp2", ".j2k", ".jpx", ".mpo"}
)
MAX_PIXELS = 178_956_970
"""Pixels of an image at most, unless more are allowed: where Pillow stops, since a larger one may be an attack."""
THUMBNAIL_SIDE = 96
_ORIENTATION, _FIRST_TURNED = 0x0112, 5  # of EXIF
THUMBNAIL_QUALITY = 80

_BROKEN_FILE = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError)
_BROKEN_DATA = (struct.error, zlib.error, MemoryError, RuntimeError, ArithmeticError, AssertionError, AttributeError)


def prepare_codecs() -> None:
    """Load Pillow's codecs once, before several threads decode; what is too large is said here, with its name."""
    import warnings

    from PIL import Image

    Image.init()
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def allow_pixels(max_pixels: int) -> None:
    """Let Pillow open images of so many pixels in this process, where that is more than it allows by itself."""
    from PIL import Image

    if max_pixels > MAX_PIXELS and Image.MAX_IMAGE_PIXELS is not None:
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, -(-max_pixels // 2))


@cache
def _known_formats() -> tuple[str, ...]:
    """Those of `FORMATS` that Pillow was built with here; MPO is read as JPEG."""
    from PIL import Image

    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def decode_file(path: Path, size: tuple[int, int], resize: Resize, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode an image file.

    Args:
        path: The file.
        size: (height, width) of the pixels.
        resize: How they are brought to that size, see `resize_image`.
        max_pixels: Pixels that it may have.

    Raises:
        StimulusError: If it is missing, no image, too large, or broken.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise StimulusError("is not a regular file")
        content = path.read_bytes()
    except OSError as error:
        raise StimulusError(error.strerror or type(error).__name__) from error
    except ValueError as error:  # a NUL in its name
        raise StimulusError(f"cannot be the name of a file: {error}") from error
    image = decode_image(content, max_pixels)
    pixels = np.asarray(resize_image(image, size, resize))
    return Decoded(pixels, draw_thumbnail(image), hashlib.sha256(content).hexdigest())


def read_size(path: Path) -> tuple[int, int] | None:
    """Height and width of an image file as it stands upright, from its header; None where it is none."""
    from PIL import Image

    try:
        if not path.is_file():
            return None
        with Image.open(path, formats=_known_formats()) as opened:
            width, height = opened.size
            is_turned = opened.getexif().get(_ORIENTATION, 1) >= _FIRST_TURNED
    except (*_BROKEN_FILE, *_BROKEN_DATA, Image.DecompressionBombError):
        return None
    return (width, height) if is_turned else (height, width)


def decode_image(content: bytes, max_pixels: int = MAX_PIXELS) -> Image:
    """Decode the bytes of an image file to an upright RGB picture of its own size, of `max_pixels` at most.

    Raises:
        StimulusError: If they are no image, too many pixels, or broken.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=_known_formats()) as opened:
            if opened.width * opened.height > max_pixels:
                raise _refuse_size(f"{opened.width} x {opened.height}")
            opened.load()
            check_complete(content, opened)
            ImageOps.exif_transpose(opened, in_place=True)  # most are upright: a copy would be for nothing
            return convert_to_rgb(opened)
    except UnidentifiedImageError as error:
        reason = "is empty" if not content else f"is not an image in one of {', '.join(FORMATS)}"
        raise StimulusError(reason) from error
    except Image.DecompressionBombError as error:
        found = re.search(r"\((\d+) pixels\)", str(error))
        raise _refuse_size(found[1] if found else "too many") from error
    except (*_BROKEN_FILE, *_BROKEN_DATA) as error:
        raise StimulusError(f"cannot be decoded: {error or type(error).__name__}") from error


def _refuse_size(size: str) -> StimulusError:
    return StimulusError(f"has {size} pixels, which are too many: --max-pixels N allows more")


def convert_to_rgb(image: Image) -> Image:
    """A picture in any of Pillow's modes as RGB, transparency over white."""
    from PIL import Image

    if image.mode == "F" or (image.mode == "I" and image.format == "TIFF"):
        raise StimulusError("has pixels of 32 bits, whose range is not known: save them as .npy, and say --range")
    if image.mode.startswith("I"):  # 16 bits
        values = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        return Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


def resize_image(image: Image, size: tuple[int, int], resize: Resize) -> Image:
    """Resize with bilinear interpolation, antialiased.

    Args:
        image: A picture in mode RGB, L or F.
        size: (height, width) wanted.
        resize: `squash` changes the aspect ratio; `crop` keeps it, scales until the picture just covers the
            size, and takes the centre.
    """
    from PIL import Image, ImageOps

    height, width = size
    if image.size == (width, height):
        return image
    if resize == "crop":
        return ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def resize_values(values: NDArray[np.float32], size: tuple[int, int], resize: Resize) -> NDArray[np.float32]:
    """Resize one channel (height, width) of floating-point pixels like `resize_image`, unrounded."""
    from PIL import Image

    return np.asarray(resize_image(Image.fromarray(values), size, resize), dtype=np.float32)


def draw_thumbnail(image: Image) -> bytes:
    """A JPEG of the whole RGB picture, aspect ratio kept, no side longer than 96 pixels; never enlarged."""
    from PIL import Image

    small = image.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BILINEAR)
    written = io.BytesIO()
    small.save(written, "JPEG", quality=THUMBNAIL_QUALITY)
    return written.getvalue()

"""Finding image files that decode although they are damaged.

Decoders fill what is missing with black or grey, and say nothing. PNG has checksums. JPEG has none, but a complete
picture does not change when data are put behind its last block, and one that was cut does.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

from layerwise.core.base.errors import StimulusError

if TYPE_CHECKING:
    from PIL.Image import Image

_PNG_HEADER = 8
_DECISIVE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT"})
_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
_SOS, _EOI = 0xDA, 0xD9
_GREY = frozenset({127, 128})  # what a JPEG decoder puts where it has no data
_MORE = np.random.default_rng(0).integers(0, 255, 512, dtype=np.uint8).tobytes()  # no 255, which begins a marker


def check_complete(content: bytes, image: Image) -> None:
    """See that an image file which was decoded is whole, as far as its format can say.

    Args:
        content: The bytes of the file.
        image: What was decoded, as it lies in the file.

    Raises:
        StimulusError: If it is not.
    """
    if image.format == "PNG":
        _check_png(content)
    elif image.format in ("JPEG", "MPO"):
        _check_jpeg(content, image)


def _check_png(content: bytes) -> None:
    place = _PNG_HEADER
    while place + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        end = place + 12 + length
        if end > len(content):
            break
        if (
            kind in _DECISIVE
            and zlib.crc32(content[place + 4 : end - 4]) != struct.unpack_from(">I", content, end - 4)[0]
        ):
            raise StimulusError(f"is damaged: the checksum of its {kind.decode()} data is wrong")
        if kind == b"IEND":
            return
        place = end
    raise StimulusError("is damaged: it ends before its last chunk")


def _check_jpeg(content: bytes, image: Image) -> None:
    end = _find_end(content)
    if end is None:
        raise StimulusError("is damaged: it ends without an end marker")
    if not _is_suspicious(image):
        return
    from PIL import Image

    longer = content[:end] + _MORE + content[end : end + 2]
    try:
        with Image.open(io.BytesIO(longer), formats=("JPEG",)) as other:
            is_whole = other.tobytes() == image.tobytes()
    except OSError:
        is_whole = False
    if not is_whole:
        raise StimulusError("is damaged: its data end before its last pixel")


def _is_suspicious(image: Image) -> bool:
    """Whether the last pixel is the grey of missing data; or the picture comes in several scans, where it is not."""
    if "progressive" in image.info or "progression" in image.info:
        return True
    last = image.getpixel((image.width - 1, image.height - 1))
    return _GREY.issuperset(last if isinstance(last, tuple) else (last,))


def _find_end(content: bytes) -> int | None:
    """Where the end marker of the first picture in a JPEG file begins."""
    place = 2
    while found := _MARKER.search(content, place):
        marker, place = content[found.end() - 1], found.end()
        if marker == _EOI:
            return place - 2
        if marker == 0x01 or len(content) < place + 2:
            continue
        place += struct.unpack_from(">H", content, place)[0]
    return None

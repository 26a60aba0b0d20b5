"""Small pictures of stimuli that are no pictures: a curve, bars, the words; of several inputs one below the other."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from layerwise.plugins.sources.imaging import THUMBNAIL_SIDE

if TYPE_CHECKING:
    from PIL.Image import Image

_WIDE, _HIGH, _LINE = THUMBNAIL_SIDE, 48, 12
_LETTERS, _N_LINES = 16, 4
_MOST = 3
_INK = (60, 90, 160)
_COLOURS = (_INK, (200, 110, 40), (60, 140, 80), (150, 60, 120))
_FEW = 24  # values that are drawn as bars rather than as a curve


def draw_preview(arrays: Mapping[str, Any]) -> bytes:
    """A PNG of one stimulus: each of its arrays or texts, the first three of them, one below the other.

    Args:
        arrays: By name an array of any shape, or a text.
    """
    from PIL import Image

    parts = [_draw(value) for value in list(arrays.values())[:_MOST]]
    whole = Image.new("RGB", (max(part.width for part in parts), sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height
    whole.thumbnail((THUMBNAIL_SIDE, 2 * THUMBNAIL_SIDE))
    written = io.BytesIO()
    whole.save(written, "PNG")
    return written.getvalue()


def _draw(value: Any) -> Image:
    if isinstance(value, str):
        return _draw_text(value)
    values = np.asarray(value, np.float64)
    if values.ndim == 3 and (values.shape[-1] in (1, 3, 4) or values.shape[0] in (1, 3, 4)):
        return _draw_picture(values if values.shape[-1] in (1, 3, 4) else np.moveaxis(values, 0, -1))
    if values.ndim == 2 and min(values.shape) > len(_COLOURS):
        return _draw_picture(values[..., None])
    return _draw_values(values)


def _draw_picture(values: NDArray[np.float64]) -> Image:
    """The values from their smallest to their largest as grey or colour."""
    from PIL import Image

    low, high = float(values.min()), float(values.max())
    if low >= 0 and 1 < high <= 255:
        low, high = 0.0, 255.0
    scaled = np.rint(255 * (values - low) / (high - low if high > low else 1.0)).astype(np.uint8)
    picture = Image.fromarray(scaled[..., 0] if scaled.shape[-1] == 1 else scaled[..., :3]).convert("RGB")
    picture.thumbnail((_WIDE, _WIDE))
    return picture


def _draw_values(values: NDArray[np.float64]) -> Image:
    """A vector as bars, or a curve where it is long; a series of a few channels as a curve for each."""
    from PIL import Image, ImageDraw

    rows = values.reshape(1, -1) if values.ndim < 2 else values.reshape(-1, values.shape[-1]).T
    if len(rows) > len(_COLOURS):
        rows = rows.T if rows.shape[1] <= len(_COLOURS) else rows.reshape(1, -1)
    low, high = min(0.0, float(rows.min())), max(0.0, float(rows.max()))
    image = Image.new("RGB", (_WIDE, _HIGH), "white")
    pen = ImageDraw.Draw(image)

    def place(value: float) -> float:
        return (_HIGH - 3) * (high - value) / (high - low if high > low else 1.0) + 1

    pen.line([(0, place(0.0)), (_WIDE, place(0.0))], fill=(200, 200, 200))
    if len(rows) == 1 and rows.shape[1] <= _FEW:
        step = _WIDE / rows.shape[1]
        for index, value in enumerate(rows[0]):
            top, bottom = sorted((place(float(value)), place(0.0)))
            pen.rectangle([index * step + 1, top, (index + 1) * step - 1, bottom], fill=_INK)
        return image
    for row, colour in zip(rows, _COLOURS, strict=False):
        chosen = row[:: max(1, len(row) // (2 * _WIDE))]
        across = np.linspace(1, _WIDE - 2, len(chosen))
        pen.line([(x, place(y)) for x, y in zip(across.tolist(), chosen.tolist(), strict=True)], fill=colour)
    return image


def _draw_text(text: str) -> Image:
    import textwrap

    from PIL import Image, ImageDraw, ImageFont

    lines = textwrap.wrap(text, _LETTERS, max_lines=_N_LINES, placeholder=" …") or [""]
    image = Image.new("RGB", (_WIDE, _LINE * len(lines) + 4), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(10)
    for number, line in enumerate(lines):
        pen.text((2, 1 + _LINE * number), line, fill=(30, 30, 30), font=font)
    return image

"""Does a source list stimuli that can be decoded, in any order, at any size, from several threads?"""

from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from layerwise.core.base.errors import InputError, StimulusError
from layerwise.core.host.kinds import StimulusSource
from layerwise.core.network.pixels import StimuliReader
from layerwise.core.network.stimuli import Decoded, Resize, StimulusSet
from layerwise.testing.expecting import ask, expect, expect_named, is_same

SIZES = ((24, 32), (17, 17))
NOWHERE = "no/such/place.not-a-set"
MAX_THUMBNAIL = 512


def check_source(source: StimulusSource, location: str, max_stimuli: int = 6) -> None:
    """Check that a source lists stimuli with unique names and decodes each, whatever the size asked for.

    Pixels are uint8 or float32 of shape (height, width, 3) in 0..255; a thumbnail is a small picture; the content
    hash says what the stimulus is, and so does not depend on size or resize policy; stimuli decode in several threads
    as they do one after the other; where pixels lie already (`find_stored`), they are those that are decoded. A
    location where nothing is, is not accepted, or refused.

    Args:
        source: The source.
        location: A place it can read, such as a folder that the test has made.
        max_stimuli: How many stimuli to decode.

    Raises:
        AssertionError: If it is not so; says what.
    """
    expect_named(source, StimulusSource)
    accepted = ask(source, "when asked whether it accepts a place", lambda: source.accepts(location))
    expect(
        accepted is True, source, f"answers {accepted!r} when asked whether it accepts '{location}', expected True"
    )
    _check_refusals(source)
    stimuli = _open(source, location)
    again = _open(source, location)
    expect(again.stimuli == stimuli.stimuli, source, "lists other stimuli, or another order, when asked twice")
    count = min(len(stimuli.stimuli), max_stimuli)
    decoded = [_decode(source, stimuli, index, SIZES[0], "squash") for index in range(count)]
    for index, item in enumerate(decoded):
        _check_decoded(source, stimuli, index, item)
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda index: _decode(source, stimuli, index, SIZES[0], "squash"), range(count)))
    expect(is_same(decoded, at_once), source, "decodes other values from several threads than from one")
    _check_stored(source, stimuli, decoded)


def _check_stored(source: StimulusSource, stimuli: StimulusSet, decoded: Sequence[Decoded]) -> None:
    own = ask(source, "when asked where pixels of a size lie", lambda: stimuli.find_stored(SIZES[0]))
    if own is None:
        return
    expect(
        isinstance(own, StimuliReader), source, f"finds pixels in a {type(own).__name__}, expected a StimuliReader"
    )
    wanted = (len(stimuli.stimuli), *SIZES[0], 3)
    expect(own.shape == wanted, source, f"finds pixels of shape {own.shape}, expected {wanted}")
    for index, item in enumerate(decoded):
        same = is_same(own.read(index, index + 1)[0], item.pixels)
        expect(same, source, f"finds other pixels of stimulus {index} than it decodes")


def _check_refusals(source: StimulusSource) -> None:
    for text in (NOWHERE, "?"):
        what = f"when asked whether it accepts {text!r}"
        answer = ask(source, what, partial(source.accepts, text))
        expect(isinstance(answer, bool), source, f"answers {answer!r} {what}, expected a bool")
        if answer:
            try:
                ask(source, f"when it opens {text!r}", partial(source.open, text))
            except InputError:
                continue
            expect(False, source, f"accepts and opens {text!r}, where nothing is, expected an InputError")


def _open(source: StimulusSource, location: str) -> StimulusSet:
    found = ask(source, f"when it opens '{location}'", lambda: source.open(location))
    expect(
        isinstance(found, StimulusSet),
        source,
        f"opens a {type(found).__name__}, expected a layerwise.plugin.StimulusSet",
    )
    for name in ("name", "source"):
        value = getattr(found, name, None)
        expect(
            isinstance(value, str) and bool(value), source, f"gives a set whose {name} is {value!r}, expected text"
        )
    names = [stimulus.name for stimulus in found.stimuli]
    expect(len(names) >= 2, source, f"lists {len(names)} stimuli at '{location}', expected at least two")
    twice = sorted({name for name in names if names.count(name) > 1})
    expect(not twice, source, f"lists {twice} twice, expected unique names")
    return found


def _decode(
    source: StimulusSource, stimuli: StimulusSet, index: int, size: tuple[int, int], resize: Resize
) -> Decoded:
    try:
        return ask(source, f"when it decodes stimulus {index}", lambda: stimuli.decode(index, size, resize))
    except StimulusError as error:
        raise AssertionError(f"{source.name} cannot decode '{stimuli.stimuli[index].name}': {error}") from error


def _check_decoded(source: StimulusSource, stimuli: StimulusSet, index: int, first: Any) -> None:
    expect(
        isinstance(first, Decoded), source, f"decodes a {type(first).__name__}, expected a layerwise.plugin.Decoded"
    )
    expect(
        is_same(first, _decode(source, stimuli, index, SIZES[0], "squash")),
        source,
        f"decodes stimulus {index} to other values when asked twice",
    )
    hexadecimal = len(first.content_hash) == 64 and set(first.content_hash) <= set("0123456789abcdef")
    expect(hexadecimal, source, f"gives the content hash {first.content_hash!r}, expected a hex SHA-256")
    _check_thumbnail(source, first.thumbnail)
    policies: tuple[Resize, Resize] = ("squash", "crop")
    for size in SIZES:
        for resize in policies:
            item = _decode(source, stimuli, index, size, resize)
            _check_pixels(source, item.pixels, size)
            same = item.content_hash == first.content_hash
            expect(same, source, "gives a content hash that depends on the size or resize policy asked for")


def _check_pixels(source: StimulusSource, pixels: Any, size: tuple[int, int]) -> None:
    came = (
        f"{pixels.dtype} of shape {pixels.shape}" if isinstance(pixels, np.ndarray) else f"a {type(pixels).__name__}"
    )
    fits = isinstance(pixels, np.ndarray) and pixels.dtype in (np.uint8, np.float32) and pixels.shape == (*size, 3)
    expect(fits, source, f"decodes {came}, expected uint8 or float32 of shape {(*size, 3)}")
    inside = bool(np.isfinite(pixels).all()) and pixels.min() >= 0 and pixels.max() <= 255
    expect(inside, source, f"decodes values from {pixels.min()} to {pixels.max()}, expected 0 to 255")


def _check_thumbnail(source: StimulusSource, thumbnail: bytes) -> None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(thumbnail)) as image:
            kind, size = image.format, image.size
    except (UnidentifiedImageError, TypeError) as error:
        raise AssertionError(f"{source.name} gives a thumbnail that is no picture, expected a JPEG or PNG") from error
    expect(kind in ("JPEG", "PNG"), source, f"gives a thumbnail in {kind}, expected JPEG or PNG")
    expect(
        max(size) <= MAX_THUMBNAIL, source, f"gives a thumbnail of {size} pixels, expected a small one (at most 512)"
    )

"""Decoding a stimulus set: all of it, in parallel, before the network runs.

So a file that cannot be decoded is known before any work is done, and all such files are known at once.
Several threads decode (the decoders release the interpreter lock), a few stimuli ahead of the one that is put in its
place (`keeping`). Pixels that lie somewhere as the network wants them are checked, and stay where they are.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.host.kinds import StimulusSource
from layerwise.core.host.registry import Registered, Registry
from layerwise.core.host.validation import check_array, describe
from layerwise.core.network.pixels import StimuliReader
from layerwise.core.network.stimuli import Decoded, InputSet, LoadedStimuli, Resize, StimulusSet
from layerwise.core.runs.decode.collected import MAX_LISTED, MIN_STIMULI, Progress, collect, fingerprint_stimuli
from layerwise.core.runs.keeping import KeepingBudget, PixelKeeper


def load_stimuli(
    registry: Registry,
    location: str,
    size: tuple[int, int],
    resize: Resize,
    *,
    limit: int | None = None,
    skip_bad: bool = False,
    progress: Progress | None = None,
    budget: KeepingBudget | None = None,
) -> LoadedStimuli:
    """List and decode the stimuli at a location.

    Args:
        registry: Knows the sources.
        location: The PATH argument.
        size: (height, width) the model wants.
        resize: The resize policy.
        limit: Only the first so many stimuli, in the source's order.
        skip_bad: Leave out what cannot be decoded, instead of stopping.
        progress: Called with (number done, number in all) after each stimulus, from the calling thread.
        budget: Memory and disk for decoded stimuli; None for as much memory as it takes.

    Raises:
        InputError: If no source can read the location, stimuli cannot be decoded (all are listed), fewer than two
            are left, or there is no room for them.
        LayerwiseError: If the disk is full.
    """
    source, listed = open_stimuli(registry, location)
    return decode_stimuli(
        source, listed, size, resize, limit=limit, skip_bad=skip_bad, progress=progress, budget=budget
    )


def decode_stimuli(
    source: Registered[StimulusSource],
    listed: StimulusSet,
    size: tuple[int, int],
    resize: Resize,
    *,
    limit: int | None = None,
    skip_bad: bool = False,
    progress: Progress | None = None,
    budget: KeepingBudget | None = None,
) -> LoadedStimuli:
    """Decode the stimuli that a source has listed; as `load_stimuli`.

    Raises:
        InputError: If stimuli cannot be decoded (all are listed), fewer than two are left, or there is no room.
        LayerwiseError: If the disk is full.
    """
    if limit is not None and limit < MIN_STIMULI:
        raise InputError(f"a limit of {limit} leaves nothing to compare: at least {MIN_STIMULI} stimuli are needed")
    stimuli = listed.stimuli[:limit]
    stored = _find_stored(source, listed, size)
    keeper = None if stored is not None else PixelKeeper(len(stimuli), (*size, 3), budget or KeepingBudget())

    def decode(index: int) -> Decoded:
        return _check_decoded(source, source.call(listed.decode, index, size, resize), size)

    return collect(listed, len(stimuli), decode, keeper, stored, resize, skip_bad=skip_bad, progress=progress)


def open_stimuli(
    registry: Registry, location: str, values: tuple[float, float] | None = None, max_pixels: int | None = None
) -> tuple[Registered[StimulusSource], StimulusSet]:
    """The source that reads a location, and what it lists there.

    Args:
        registry: Knows the sources.
        location: The PATH argument.
        values: What is black and what is white; None for what the source finds.
        max_pixels: Pixels that an image may have at most; None for the source's choice.

    Raises:
        InputError: If none can read it.
        PluginError: If what the source lists is no sound set.
    """
    source = in_range(find_source(registry, location), values)
    if max_pixels is not None:
        source = replace(source, offer=source.call(source.offer.allowing, max_pixels))
    return source, check_listing(source, source.call(source.offer.open, location), StimulusSet)


def find_source(registry: Registry, location: str) -> Registered[StimulusSource]:
    """The first source, in order of registration, that accepts a location.

    Raises:
        InputError: If none does.
    """
    if "\0" in location:
        raise InputError(f"{location!r:.200} cannot be a path: it contains NUL")
    sources = registry.all(StimulusSource)
    failures: list[PluginError] = []
    for source in sources:
        try:
            if source.call(source.offer.accepts, location):
                return source
        except PluginError as error:  # the others are asked all the same
            failures.append(error)
            registry.caller.warn(str(error))
    if failures:
        raise failures[0]
    if not Path(location).expanduser().exists():
        raise InputError(f"no such file or folder: {location}")
    known = "; ".join(f"{source.name}: {source.offer.description}" for source in sources)
    raise InputError(f"no stimulus source reads {location} ({known})")


def in_range(source: Registered[StimulusSource], values: tuple[float, float] | None) -> Registered[StimulusSource]:
    """A source that takes values from the first (black) to the second (white); the same one for None.

    Raises:
        InputError: If they are no range, or the source's stimuli have none to choose.
    """
    if values is None:
        return source
    low, high = values
    if not low < high:
        raise InputError(f"a range of values goes from black to white, not from {low:g} to {high:g}")
    return replace(source, offer=source.call(source.offer.in_range, low, high))


def _find_stored(
    source: Registered[StimulusSource], listed: StimulusSet, size: tuple[int, int]
) -> StimuliReader | None:
    """Where the pixels lie already as they would be decoded, if the set says so."""
    stored = source.call(listed.find_stored, size)
    if stored is None:
        return None
    wanted = (len(listed.stimuli), *size, 3)
    if not isinstance(stored, StimuliReader):
        came = f"{source.name}.find_stored returned {describe(stored)}"
        raise PluginError(source.plugin, source.hook, came, "a StimuliReader or None")
    if stored.shape != wanted or stored.dtype not in (np.uint8, np.float32):
        came = f"{source.name}.find_stored found {stored.dtype} of shape {stored.shape}"
        raise PluginError(source.plugin, source.hook, came, f"uint8 or float32 of shape {wanted}")
    return stored


__all__ = ["MAX_LISTED", "MIN_STIMULI", "Progress", "fingerprint_stimuli"]
SetKind = TypeVar("SetKind", bound="StimulusSet | InputSet")


def check_listing(source: Registered[StimulusSource], listed: object, kind: type[SetKind]) -> SetKind:
    """What a source opened or adopted, if it is a set whose names are unique.

    Raises:
        PluginError: If it is not.
    """
    if not isinstance(listed, kind):
        came = f"{source.name}.open returned {describe(listed)}"
        raise PluginError(source.plugin, source.hook, came, f"a {kind.__name__}")
    names = [stimulus.name for stimulus in listed.stimuli]
    if len(set(names)) < len(names):
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise PluginError(source.plugin, source.hook, f"{source.name} lists '{twice}' twice", "unique names")
    return listed


def _check_decoded(source: Registered[StimulusSource], decoded: object, size: tuple[int, int]) -> Decoded:
    if not isinstance(decoded, Decoded):
        came = f"{source.name}.decode returned {describe(decoded)}"
        raise PluginError(source.plugin, source.hook, came, "a Decoded")
    pixels = check_array(source, decoded.pixels, (*size, 3))
    if pixels.dtype not in (np.uint8, np.float32):
        raise PluginError(source.plugin, source.hook, f"{source.name} decoded {describe(pixels)}", "uint8 or float32")
    if pixels.dtype == np.float32 and (pixels.min() < 0 or pixels.max() > 255):
        came = f"{source.name} decoded values from {pixels.min():g} to {pixels.max():g}"
        raise PluginError(source.plugin, source.hook, came, "values from 0 to 255")
    return decoded

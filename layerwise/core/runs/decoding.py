"""Decoding a stimulus set: all of it, in parallel, before the network runs.

So a file that cannot be decoded is known before any work is done, and all such files are known at once.
Several threads decode (the decoders release the interpreter lock), a few stimuli ahead of the one that is put in its
place (`keeping`). Pixels that lie somewhere as the network wants them are checked, and stay where they are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from layerwise.core.base.errors import InputError, PixelRangeError, PluginError, StimulusError
from layerwise.core.base.hashing import hash_texts
from layerwise.core.base.machine import n_cores
from layerwise.core.host.kinds import StimulusSource
from layerwise.core.host.registry import Registered, Registry
from layerwise.core.host.validation import check_array, describe
from layerwise.core.network.pixels import ChosenRows, StimuliReader
from layerwise.core.network.stimuli import Decoded, LoadedStimuli, Resize, Stimulus, StimulusSet
from layerwise.core.runs.keeping import KeepingBudget, PixelKeeper

Progress = Callable[[int, int], None]
MAX_LISTED = 50
MIN_STIMULI = 2
_AHEAD = 2
"""Stimuli that a thread may have decoded or begun while an earlier one is waited for."""


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
    keeper = None if stored is not None else PixelKeeper(len(stimuli), size, budget or KeepingBudget())
    collected = _Collected(keeper)
    try:
        for stimulus, decoded in zip(stimuli, _decode_all(source, listed, len(stimuli), size, resize), strict=True):
            collected.add(stimulus, decoded)
            if progress is not None:
                progress(collected.n_seen, len(stimuli))
        _check_collected(listed, collected, len(stimuli), skip_bad=skip_bad)
        return collected.finish(listed, resize, stored)
    except BaseException:
        collected.close()
        raise


def _check_collected(listed: StimulusSet, collected: _Collected, n_stimuli: int, *, skip_bad: bool) -> None:
    if collected.failures and not skip_bad:
        if len(collected.no_pixels) == len(collected.failures):
            raise _refuse_values(listed.source, collected.no_pixels, n_stimuli)
        raise _refuse_failures(listed.source, collected.failures, n_stimuli)
    count = len(collected.stimuli)
    if count < MIN_STIMULI:
        raise InputError(
            f"{listed.source}: {count} of {n_stimuli} stimuli can be used, at least {MIN_STIMULI} are needed"
        )


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
    return source, check_listing(source, source.call(source.offer.open, location))


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


def fingerprint_stimuli(content_hashes: Sequence[str]) -> str:
    """Identity of an ordered set of stimuli: SHA-256 over the hashes of their content, one a line."""
    return hash_texts(content_hashes)


class _Collected:
    """What has been decoded so far; pixels go to the keeper, where there is one."""

    def __init__(self, keeper: PixelKeeper | None) -> None:
        self.stimuli: list[Stimulus] = []
        self.failures: list[str] = []
        self.no_pixels: list[PixelRangeError] = []
        self._keeper = keeper
        self._indices: list[int] = []
        self._thumbnails: list[bytes] = []
        self._hashes: list[str] = []

    @property
    def n_seen(self) -> int:
        return len(self.stimuli) + len(self.failures)

    def add(self, stimulus: Stimulus, decoded: Decoded | StimulusError) -> None:
        if isinstance(decoded, StimulusError):
            self.failures.append(f"{stimulus.name}: {decoded}")
            self.no_pixels += [decoded] if isinstance(decoded, PixelRangeError) else []
            return
        if self._keeper is not None:
            self._keeper.add(decoded.pixels)
        self._indices.append(self.n_seen)
        self.stimuli.append(stimulus)
        self._thumbnails.append(decoded.thumbnail)
        self._hashes.append(decoded.content_hash)

    def close(self) -> None:
        if self._keeper is not None:
            self._keeper.close()

    def finish(self, listed: StimulusSet, resize: Resize, stored: StimuliReader | None) -> LoadedStimuli:
        return LoadedStimuli(
            name=listed.name,
            source=listed.source,
            stimuli=tuple(self.stimuli),
            pixels=self._find_pixels(stored),
            thumbnails=tuple(self._thumbnails),
            content_hashes=tuple(self._hashes),
            fingerprint=fingerprint_stimuli(self._hashes),
            skipped=tuple(self.failures),
            resize=resize,
            notes=listed.notes,
        )

    def _find_pixels(self, stored: StimuliReader | None) -> StimuliReader:
        if self._keeper is not None:
            return self._keeper.finish()
        assert stored is not None
        return stored if len(self._indices) == stored.shape[0] else ChosenRows(stored, self._indices)


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


def _decode_all(
    source: Registered[StimulusSource], listed: StimulusSet, n_stimuli: int, size: tuple[int, int], resize: Resize
) -> Iterator[Decoded | StimulusError]:
    """Decode in a pool of threads; results come in order, what cannot be decoded as its error.

    Only so many are under way: behind one that takes long, the others would fill the memory.
    """

    def decode(index: int) -> Decoded | StimulusError:
        try:
            return _check_decoded(source, source.call(listed.decode, index, size, resize), size)
        except StimulusError as error:
            return error

    n_threads = n_cores()
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="decode")
    waiting: deque[Future[Decoded | StimulusError]] = deque()
    try:
        for index in range(n_stimuli):
            if len(waiting) > _AHEAD * n_threads:
                yield waiting.popleft().result()
            waiting.append(pool.submit(decode, index))
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def check_listing(source: Registered[StimulusSource], listed: object) -> StimulusSet:
    """What a source opened or adopted, if it is a set whose names are unique.

    Raises:
        PluginError: If it is not.
    """
    if not isinstance(listed, StimulusSet):
        came = f"{source.name}.open returned {describe(listed)}"
        raise PluginError(source.plugin, source.hook, came, "a StimulusSet")
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


def _refuse_values(location: str, no_pixels: Sequence[PixelRangeError], n_stimuli: int) -> InputError:
    """One line: what is wrong is the scale of the values, not so many stimuli."""
    low, high = min(error.low for error in no_pixels), max(error.high for error in no_pixels)
    some = f"{len(no_pixels)} of {n_stimuli} stimuli"
    return InputError(
        f"{location} has values from {low:g} to {high:g}, expected 0 to 255 ({some}); --skip-bad goes on without them"
    )


def _refuse_failures(location: str, failures: Sequence[str], n_stimuli: int) -> InputError:
    lines = list(failures[:MAX_LISTED])
    if len(failures) > MAX_LISTED:
        lines.append(f"and {len(failures) - MAX_LISTED} more")
    head = (
        f"{len(failures)} of {n_stimuli} stimuli at {location} cannot be decoded (--skip-bad goes on without them):"
    )
    return InputError(head, lines)

"""Decoding many stimuli at once, a few ahead, and putting each in its place; all that cannot be decoded is told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from layerwise.core.base.errors import InputError, PixelRangeError, StimulusError
from layerwise.core.base.hashing import hash_texts
from layerwise.core.base.machine import n_cores
from layerwise.core.network.pixels import ChosenRows, StimuliReader
from layerwise.core.network.stimuli import Decoded, InputSet, LoadedStimuli, Resize, Stimulus, StimulusSet
from layerwise.core.runs.keeping import PixelKeeper

Progress = Callable[[int, int], None]
MAX_LISTED = 50
MIN_STIMULI = 2
_AHEAD = 2
"""Stimuli that a thread may have decoded or begun while an earlier one is waited for."""


def collect(
    listed: StimulusSet | InputSet,
    n_stimuli: int,
    decode: Callable[[int], Decoded],
    keeper: PixelKeeper | None,
    stored: StimuliReader | None,
    resize: Resize,
    *,
    skip_bad: bool,
    progress: Progress | None,
) -> LoadedStimuli:
    """Decode the first stimuli of a set in parallel, and put each in its place.

    Args:
        listed: The set.
        n_stimuli: How many of them.
        decode: Decodes one, by its place.
        keeper: Takes them, where they do not lie in `stored` already.
        stored: Where they lie.
        resize: The resize policy, for the record.
        skip_bad: Leave out what cannot be decoded, instead of stopping.
        progress: Called with (number done, number in all) after each.

    Raises:
        InputError: If stimuli cannot be decoded (all are listed), fewer than two are left, or there is no room.
        LayerwiseError: If the disk is full.
    """
    collected = _Collected(keeper)
    try:
        for stimulus, decoded in zip(listed.stimuli[:n_stimuli], _decode_all(decode, n_stimuli), strict=True):
            collected.add(stimulus, decoded)
            if progress is not None:
                progress(collected.n_seen, n_stimuli)
        _check_collected(listed, collected, n_stimuli, skip_bad=skip_bad)
        return collected.finish(listed, resize, stored)
    except BaseException:
        collected.close()
        raise


def _check_collected(
    listed: StimulusSet | InputSet, collected: _Collected, n_stimuli: int, *, skip_bad: bool
) -> None:
    if collected.failures and not skip_bad:
        if len(collected.no_pixels) == len(collected.failures):
            raise _refuse_values(listed.source, collected.no_pixels, n_stimuli)
        raise _refuse_failures(listed.source, collected.failures, n_stimuli)
    count = len(collected.stimuli)
    if count < MIN_STIMULI:
        raise InputError(
            f"{listed.source}: {count} of {n_stimuli} stimuli can be used, at least {MIN_STIMULI} are needed"
        )


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

    def finish(self, listed: StimulusSet | InputSet, resize: Resize, stored: StimuliReader | None) -> LoadedStimuli:
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


def _decode_all(decode_one: Callable[[int], Decoded], n_stimuli: int) -> Iterator[Decoded | StimulusError]:
    """Decode in a pool of threads; results come in order, what cannot be decoded as its error.

    Only so many are under way: behind one that takes long, the others would fill the memory.
    """

    def decode(index: int) -> Decoded | StimulusError:
        try:
            return decode_one(index)
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

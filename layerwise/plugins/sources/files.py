"""What sources of image files share: the set itself, order, labels, and reading CSV."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from layerwise.core.base.errors import InputError, StimulusError
from layerwise.core.network.stimuli import Decoded, Resize, Stimulus, StimulusSet
from layerwise.plugins.sources.imaging import (
    MAX_PIXELS,
    SUFFIXES,
    allow_pixels,
    decode_file,
    prepare_codecs,
    read_size,
)

_SYNSET = re.compile(r"(n[0-9]{8})[_.\-]")


class FileStimulusSet(StimulusSet):
    """Image files in order. `where` says for each where it was listed, as the start of an error's reason."""

    def __init__(
        self,
        location: Path,
        stimuli: Sequence[Stimulus],
        paths: Sequence[Path],
        where: Sequence[str] = (),
        notes: Sequence[str] = (),
        max_pixels: int | None = None,
    ) -> None:
        self.name = location.stem if location.suffix == ".csv" else location.name
        self.source = str(location)
        self.stimuli = tuple(stimuli)
        self.notes = tuple(notes)
        self._paths = tuple(paths)
        self._where = tuple(where)
        self._max_pixels = max_pixels or MAX_PIXELS
        prepare_codecs()
        allow_pixels(self._max_pixels)

    def decode(self, index: int, size: tuple[int, int], resize: Resize) -> Decoded:
        """Read, decode and resize one file; safe to call from several threads."""
        try:
            return decode_file(self._paths[index], size, resize, self._max_pixels)
        except StimulusError as error:
            if not self._where:
                raise
            raise StimulusError(f"{self._where[index]}: {error}") from error

    def find_size(self) -> tuple[int, int] | None:
        """The size that all files say they have; files that cannot be read say nothing."""
        sizes = set()
        for path in self._paths:
            size = read_size(path)
            sizes |= {size} - {None}
            if len(sizes) > 1:
                return None
        return sizes.pop() if sizes else None


def is_image_name(name: str) -> bool:
    """Whether a file name ends like an image."""
    return Path(name).suffix.lower() in SUFFIXES


def readable_name(name: str) -> str:
    """A file name that is valid Unicode, whatever bytes the file system gave."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def natural_key(name: str) -> tuple[tuple[tuple[tuple[int, int, str], ...], ...], str]:
    """Sort key of a relative path: folder by folder, numbers by value, letters without regard to case."""
    parts = []
    for part in name.split("/"):
        pieces = re.split(r"([0-9]+)", part)
        parts.append(tuple((0, int(p), "") if p.isdigit() else (1, 0, p.casefold()) for p in pieces if p))
    return tuple(parts), name


def synset_of(name: str) -> str | None:
    """The ImageNet synset that a file name begins with, if it does."""
    found = _SYNSET.match(name.rsplit("/", 1)[-1])
    return found.group(1) if found else None


def resolve(location: str) -> Path:
    """The absolute path of a PATH argument.

    Raises:
        InputError: If there can be no such path.
    """
    try:
        return Path(location).expanduser().resolve()
    except (ValueError, RuntimeError, OSError) as error:
        raise InputError(f"'{location!r:.200}' cannot be a path: {error}") from error

"""Stimuli: what a source offers, and what the engine has once all of it is decoded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from layerwise.core.network.pixels import StimuliReader

Resize = Literal["squash", "crop"]
_OBJECT_BYTES = 350  # a stimulus, its name, label, thumbnail and hash as Python's objects, beside what they hold


@dataclass(frozen=True, slots=True)
class Stimulus:
    """One stimulus as a source lists it: its name (unique in the set) and, where known, its label."""

    name: str
    label: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """One decoded stimulus.

    Attributes:
        pixels: (height, width, 3), uint8 or float32, in 0..255.
        thumbnail: A small JPEG or PNG for reports.
        content_hash: Hex SHA-256 of the original content (a file's bytes, an array's values), before resizing.
    """

    pixels: NDArray[np.generic]
    thumbnail: bytes
    content_hash: str


class StimulusSet(ABC):
    """An ordered set of stimuli that can be decoded one by one, from several threads.

    Attributes:
        name: A short name for lists and reports.
        source: Where it came from (a path), as recorded.
        stimuli: The stimuli in their order; not yet decoded.
        notes: What was decided about them, or passed over, a line each; told with the plan.
    """

    name: str
    source: str
    stimuli: tuple[Stimulus, ...]
    notes: tuple[str, ...] = ()

    @abstractmethod
    def decode(self, index: int, size: tuple[int, int], resize: Resize) -> Decoded:
        """Decode stimulus `index` at (height, width) = `size`.

        Raises:
            StimulusError: If it cannot be decoded; the message says why, without the name.
        """

    def find_size(self) -> tuple[int, int] | None:
        """Height and width that all stimuli have; None, the default, where they differ or it is not known.

        A model that takes images of any size is run at this one.
        """
        return None

    def find_stored(self, size: tuple[int, int]) -> StimuliReader | None:
        """Where the pixels of all stimuli lie already as `decode` would give them at (height, width) = `size`.

        Such pixels are not kept a second time; stimuli are decoded all the same, to be checked. None, the default,
        where there is no such place.
        """
        del size
        return None


@dataclass(frozen=True, slots=True, eq=False)
class DecodedArrays:
    """One decoded stimulus of a model that takes something else than one picture. Provisional until 1.0.

    Attributes:
        arrays: By the name of each input an array of its shape, or a text.
        preview: A small JPEG or PNG for reports: the picture, a curve, the words.
        content_hash: Hex SHA-256 of the original content.
    """

    arrays: Mapping[str, Any]
    preview: bytes
    content_hash: str


class InputSet(ABC):
    """Stimuli in order for a model that takes something else than one picture. Provisional until 1.0.

    They can be decoded one by one, from several threads.

    Attributes:
        name: A short name for lists and reports.
        source: Where it came from (a path), as recorded.
        stimuli: The stimuli in their order.
        shapes: The shape that all stimuli have, for each input in order; of texts, the letters of the longest one.
        notes: What was decided about them, or passed over, a line each; told with the plan.
    """

    name: str
    source: str
    stimuli: tuple[Stimulus, ...]
    shapes: tuple[tuple[int, ...], ...]
    notes: tuple[str, ...] = ()

    @abstractmethod
    def decode(self, index: int) -> DecodedArrays:
        """Decode stimulus `index`.

        Raises:
            StimulusError: If it cannot be decoded; the message says why, without the name.
        """


@dataclass(frozen=True, eq=False)
class LoadedStimuli:
    """A stimulus set, decoded.

    Attributes:
        name: A short name for lists and reports.
        source: Where it came from.
        stimuli: The stimuli that could be decoded, in order.
        pixels: Reads rows of (n, height, width, 3), uint8 or float32, in 0..255, wherever they lie; for a model that
            takes something else than one picture, rows of the tensor that goes in, float32.
        thumbnails: One small JPEG or PNG each.
        content_hashes: One hex SHA-256 each.
        fingerprint: Hex SHA-256 over `content_hashes` in order: the identity of the set.
        skipped: `name: reason` of each stimulus that was left out because it could not be decoded.
        resize: The resize policy that was applied.
        notes: What was decided about them, or passed over, a line each.
    """

    name: str
    source: str
    stimuli: tuple[Stimulus, ...]
    pixels: StimuliReader
    thumbnails: tuple[bytes, ...]
    content_hashes: tuple[str, ...]
    fingerprint: str
    skipped: tuple[str, ...]
    resize: Resize
    notes: tuple[str, ...] = ()

    @property
    def n_stimuli(self) -> int:
        """Number of stimuli."""
        return len(self.stimuli)

    @property
    def labels(self) -> tuple[str | None, ...]:
        """Label of each stimulus, None where unknown."""
        return tuple(stimulus.label for stimulus in self.stimuli)

    def read(self, start: int, stop: int) -> NDArray[np.generic]:
        """Pixels of stimuli `start` to `stop`: (stop - start, height, width, 3), not to be changed.

        Raises:
            LayerwiseError: If they cannot be read any more.
        """
        return self.pixels.read(start, stop)

    @property
    def memory_bytes(self) -> int:
        """What a run holds of them: pixels that are in memory, thumbnails, names, labels and hashes."""
        words = sum(len(stimulus.name) + len(stimulus.label or "") for stimulus in self.stimuli)
        described = sum(map(len, self.thumbnails)) + words + sum(map(len, self.content_hashes))
        return self.pixels.memory_bytes + described + _OBJECT_BYTES * len(self.stimuli)

"""The demo's stimuli: scikit-learn's handwritten digits, some to learn from and some held out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.writing import replacing

SIZE = 16
N_CLASSES = 10


@dataclass(frozen=True, eq=False)
class Digits:
    """Pictures of digits.

    Attributes:
        pixels: uint8 (n, 16, 16), in 0..255.
        labels: (n,); which digit each is.
        numbers: (n,); place of each in the published data set.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    numbers: NDArray[np.int64]

    def take(self, indices: NDArray[np.int64]) -> Digits:
        """Some of them."""
        return Digits(self.pixels[indices], self.labels[indices], self.numbers[indices])


def load_digits(n_held_out: int, seed: int) -> tuple[Digits, Digits]:
    """The digits to learn from and the held-out ones, which come sorted by label.

    The published pictures have 8 x 8 pixels in 0..16; they are drawn at twice the size, so that two
    poolings leave something to see.
    """
    from PIL import Image
    from sklearn.datasets import load_digits as load_published

    published = load_published()
    drawn = [
        Image.fromarray(np.round(picture * (255 / 16)).astype(np.uint8)).resize(
            (SIZE, SIZE), Image.Resampling.BILINEAR
        )
        for picture in published.images
    ]
    everything = Digits(np.stack([np.asarray(picture) for picture in drawn]), published.target, np.arange(len(drawn)))
    shuffled = np.random.default_rng(seed).permutation(len(drawn))
    held_out, rest = np.sort(shuffled[:n_held_out]), np.sort(shuffled[n_held_out:])
    by_label = held_out[np.argsort(everything.labels[held_out], kind="stable")]
    return everything.take(rest), everything.take(by_label)


def save_stimuli(digits: Digits, path: Path) -> None:
    """Write digits as a stimulus set: an `.npz` with `images`, `labels` and `names`."""
    names = [f"{label}-{number:04d}" for label, number in zip(digits.labels, digits.numbers, strict=True)]
    with replacing(path) as target:
        np.savez_compressed(
            target, images=digits.pixels, labels=digits.labels.astype(np.str_), names=np.array(names, dtype=np.str_)
        )

"""From pixels in 0..255 to the tensor a network was trained on, in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.core.network.model import Floats

LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Weights of red, green and blue in luminance (ITU-R BT.601), as Pillow's `L` mode has them."""


@dataclass(frozen=True)
class Affine:
    """Pixels times `scale` plus `offset`, by channel (the last one for all that follow), in float32.

    Attributes:
        scale: Factor of each channel.
        offset: What is added to each channel then.
        bgr: Whether channels are reversed first.
    """

    scale: tuple[float, ...]
    offset: tuple[float, ...]
    bgr: bool = False


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """What is done to pixels before the network sees them.

    Attributes:
        words: What it does, as it is recorded; part of the model's fingerprint.
        apply: (batch, height, width, channels) in 0..255 to float32 of the same shape.
        affine: The same as numbers, for a device to do; None where it is something else.
    """

    words: str
    apply: Callable[[NDArray[np.generic]], Floats]
    affine: Affine | None = None


def affine(words: str, scale: tuple[float, ...], offset: tuple[float, ...], *, bgr: bool = False) -> Preprocessing:
    """Pixels times `scale` plus `offset`, by channel; channels reversed first where `bgr`."""
    factors, shifts = np.asarray(scale, np.float32), np.asarray(offset, np.float32)

    def apply(pixels: NDArray[np.generic]) -> Floats:
        n_channels = pixels.shape[-1]
        tensor = np.empty(pixels.shape, np.float32)
        for channel in range(n_channels):  # one pass over memory for each, without a float copy in between
            place = min(channel, len(factors) - 1)
            values, out = pixels[..., n_channels - 1 - channel if bgr else channel], tensor[..., channel]
            if factors[place] == 1:
                np.add(values, shifts[place], out=out)
            else:
                np.multiply(values, factors[place], out=out)
                out += shifts[place]
        return tensor

    return Preprocessing(words, apply, Affine(scale, offset, bgr))


AS_GIVEN = affine("values as they are given", (1.0,), (0.0,))
"""What is done to stimuli that are no pictures: nothing."""
_TORCH_MEAN, _TORCH_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CONVENTIONS = {
    "none": affine("pixels as they are, 0..255", (1.0,), (0.0,)),
    "unit": affine("pixels / 255", (1 / 255,), (0.0,)),
    "tf": affine("pixels / 127.5 - 1", (1 / 127.5,), (-1.0,)),
    "caffe": affine("BGR minus (103.939, 116.779, 123.68)", (1.0, 1.0, 1.0), (-103.939, -116.779, -123.68), bgr=True),
    "torch": affine(
        "(RGB / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)",
        tuple(1 / (255 * std) for std in _TORCH_STD),
        tuple(-mean / std for mean, std in zip(_TORCH_MEAN, _TORCH_STD, strict=True)),
    ),
    "inception5h": affine("RGB minus 117", (1.0,), (-117.0,)),
}


def find_preprocessing(name: str) -> Preprocessing:
    """The convention with this name: `none`, `unit`, `tf`, `caffe`, `torch` or `inception5h`.

    Raises:
        InputError: If there is none.
    """
    if name not in _CONVENTIONS:
        raise InputError(f"no preprocessing '{name}'{near_names(name, list(_CONVENTIONS))}")
    return _CONVENTIONS[name]


def choose_preprocessing(asked: str | None, usual: Preprocessing) -> Preprocessing:
    """The convention that was asked for, otherwise the usual one.

    Raises:
        InputError: If there is none of that name.
    """
    return usual if asked is None else find_preprocessing(asked)


def fit_channels(pixels: NDArray[np.generic], n_channels: int) -> NDArray[np.generic]:
    """RGB pixels as the network counts channels: for one channel, their luminance."""
    if pixels.shape[-1] == n_channels:
        return pixels
    grey = pixels.astype(np.float32) @ LUMINANCE
    return grey[..., None]

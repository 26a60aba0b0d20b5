"""Images as people have them in Python, made into what stimulus sources adopt: a path, or pixels and labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError


def as_stimuli(images: object, labels: Sequence[object] | None = None) -> object:
    """What a source adopts or opens.

    Args:
        images: A path; an array, also of a framework; a `tf.data.Dataset`; a list of arrays or PIL images.
        labels: One for each image.

    Raises:
        InputError: If images differ in shape, or labels are given twice.
    """
    given, found = _take_apart(images)
    if labels is None:
        return given if found is None else (given, found)
    if found is not None:
        raise InputError("labels are in the images already: give them once")
    if isinstance(given, str):
        raise InputError("labels of a folder or a file are given in a CSV manifest or beside the array")
    return given, np.asarray(labels)


def _take_apart(images: object) -> tuple[object, NDArray[Any] | None]:
    """Images, and their labels where these are with them."""
    if isinstance(images, str | Path):
        return str(images), None
    if isinstance(images, np.ndarray):
        return images, None
    if isinstance(images, tuple) and len(images) == 2 and np.ndim(images[1]) == 1:
        return _stack(images[0]), np.asarray(images[1])
    if hasattr(images, "as_numpy_iterator") and hasattr(images, "element_spec"):
        return _read_dataset(images)
    return _stack(images), None


def _stack(images: object) -> object:
    """One array of images; what is neither an array nor a list of them is left as it is, for a source to tell."""
    if isinstance(images, np.ndarray) or not (hasattr(images, "__array__") or isinstance(images, list | tuple)):
        return images
    if not isinstance(images, list | tuple):
        return np.asarray(images)
    arrays = [np.asarray(image) for image in images]
    shapes = dict.fromkeys(array.shape for array in arrays)
    if len(shapes) > 1:
        first, second, *_ = shapes
        raise InputError(f"images differ in shape, {first} and {second}: bring them to one size")
    return np.stack(arrays) if arrays else np.empty((0,))


def _read_dataset(dataset: Any) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """All images of a `tf.data.Dataset`, and labels where its elements are pairs; batches are put together.

    Raises:
        InputError: If it has no end, or its elements are something else.
    """
    if int(dataset.cardinality()) == -1:  # tf.data.INFINITE_CARDINALITY
        raise InputError("the dataset has no end: take(n) images of it")
    spec = dataset.element_spec
    paired = isinstance(spec, tuple)
    if paired and len(spec) != 2:
        raise InputError(f"elements of the dataset have {len(spec)} parts: expected are images, or images and labels")
    image_spec = spec[0] if paired else spec
    rank = getattr(getattr(image_spec, "shape", None), "rank", None)
    images: list[NDArray[Any]] = []
    labels: list[NDArray[Any]] = []
    for element in dataset.as_numpy_iterator():
        image, label = element if paired else (element, None)
        is_batch = np.ndim(image) == 4 if rank is None else rank == 4
        images.append(image if is_batch else image[None])
        if label is not None:
            labels.append(_as_words(label, is_batch=is_batch))
    if not images:
        raise InputError("the dataset is empty")
    sizes = dict.fromkeys(batch.shape[1:] for batch in images)
    if len(sizes) > 1:
        first, second, *_ = sizes
        raise InputError(f"images differ in shape, {first} and {second}: bring them to one size")
    return np.concatenate(images), np.concatenate(labels) if labels else None


def _as_words(label: Any, *, is_batch: bool) -> NDArray[Any]:
    """Labels of a batch, a number or a word each; of one-hot vectors, the place of the largest."""
    values = np.asarray(label if is_batch else [label])
    if values.ndim > 1 and values.shape[-1] > 1:
        return np.asarray(values.argmax(axis=-1).reshape(-1))
    flat: Iterable[Any] = values.reshape(-1)
    return np.array([value.decode() if isinstance(value, bytes) else value for value in flat])

"""A model that takes images of any size is run at that of the stimuli, where they agree; what was decided is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from layerwise.core.host.registry import Registry
from layerwise.core.runs.request import RunRequest
from layerwise.core.runs.resolve import resolve_sized_model
from layerwise.plugins import loaders, sources


def decide(stimuli: object) -> tuple[tuple[int, ...], str]:
    import keras
    from keras import layers

    registry = Registry()
    registry.register(loaders, "loaders", "layerwise", "0.1.0")
    registry.register(sources, "sources", "layerwise", "0.1.0")
    image = keras.Input((None, None, 3), name="image")
    network = keras.Model(image, layers.GlobalAveragePooling2D(name="g")(layers.Conv2D(2, 3, name="c")(image)))
    resolved, words = resolve_sized_model(registry, RunRequest(network, stimuli))
    return resolved.model.info.input_shape, words


def test_stimuli_of_one_size_decide() -> None:
    shape, words = decide(np.zeros((3, 20, 30, 3), np.uint8))
    assert shape == (20, 30, 3)
    assert "run at 20 x 30, the size of the stimuli" in words


def test_images_of_several_sizes_do_not(tmp_path: Path) -> None:
    for index, size in enumerate([(30, 20), (30, 20), (31, 20)]):
        Image.new("RGB", size).save(tmp_path / f"{index}.png")
    shape, words = decide(str(tmp_path))
    assert shape == (224, 224, 3)
    assert "run at 224 x 224, because the stimuli differ in size" in words
    (tmp_path / "2.png").unlink()
    assert decide(str(tmp_path))[0] == (20, 30, 3)

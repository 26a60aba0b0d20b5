"""What it costs to record 256 probes after every epoch of a training of realistic length, in processor seconds.

    python benchmarks/recording_overhead.py [--pictures 50000] [--size 32] [--epochs 2]

A small inception network learns from pictures of noise, which cost what any others do. An epoch with the callback is
set beside the same epochs without it, all in one process and in turns; the first recording, which traces the network,
is counted by itself, because it comes once in a training.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np


def build(size: int) -> Any:
    """The demo's network four times as wide, for colour pictures."""
    import keras

    layers = keras.layers

    def block(tensor: Any, widths: tuple[int, int, int, int]) -> Any:
        one, three, five, pool = widths

        def convolve(source: Any, channels: int, kernel: int) -> Any:
            return layers.Conv2D(channels, kernel, padding="same", activation="relu")(source)

        return layers.Concatenate()(
            [
                convolve(tensor, one, 1),
                convolve(convolve(tensor, three // 2, 1), three, 3),
                convolve(convolve(tensor, five // 2, 1), five, 5),
                convolve(layers.MaxPooling2D(3, strides=1, padding="same")(tensor), pool, 1),
            ]
        )

    inputs = keras.Input((size, size, 3))
    tensor = layers.Conv2D(32, 3, padding="same", activation="relu")(layers.Rescaling(1 / 255)(inputs))
    for widths in ((16, 48, 16, 16), (32, 64, 32, 32), (48, 96, 48, 48)):
        tensor = block(layers.MaxPooling2D(2)(tensor), widths)
    tensor = layers.GlobalAveragePooling2D()(tensor)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(tensor))


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=50_000)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--probes", type=int, default=256)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    import layerwise as lw

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (asked.pictures, asked.size, asked.size, 3), dtype=np.uint8)
    labels = rng.integers(0, 10, asked.pictures)
    model = build(asked.size)
    model.compile("adam", "sparse_categorical_crossentropy")
    with tempfile.TemporaryDirectory() as folder:
        recorder = lw.keras.RecordRepresentations(
            (pixels[: asked.probes], labels[: asked.probes]), db=Path(folder) / "history.db", lineage="overhead"
        )
        recorder.set_model(model)

        def timed(work: Any) -> float:
            before = time.process_time()
            work()
            return time.process_time() - before

        def learn() -> None:
            model.fit(pixels, labels, batch_size=64, epochs=1, verbose=0)

        timed(lambda: model.fit(pixels[:640], labels[:640], batch_size=64, epochs=1, verbose=0))  # traces
        first = timed(lambda: recorder.record(0))
        epochs: list[float] = []
        recordings: list[float] = []
        for epoch in range(1, asked.epochs + 1):
            epochs.append(timed(learn))
            recordings.append(timed(partial(recorder.record, epoch)))
        recorder.close()
    learning, recording = statistics.median(epochs), statistics.median(recordings)
    print(f"an epoch of {asked.pictures:,} pictures of {asked.size} x {asked.size}: {learning:.1f} processor seconds")
    print(f"a recording of {asked.probes} probes: {recording:.2f} (the first one, which traces: {first:.1f})")
    print(f"overhead of recording every epoch: {100 * recording / learning:.1f} %")


if __name__ == "__main__":
    main()

"""What a recording costs beside the forward passes of its probes alone, in processor seconds, side by side.

    python benchmarks/recording_passes.py [--networks digits inception mobilenet resnet] [--probes 256] [--rounds 5]

The network is given the probes in the batches of the recording, its output alone is read: that is the forward pass.
A recording has all main layers, all statistics, and is stored in SQLite. Both come in turns in one process; the first
recording, which traces the network and decodes the probes, comes once in a training and is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from recording_overhead import build as build_inception

BATCH_SIZE = 16


def _digits(size: int) -> Any:
    from layerwise.demo.network import build_network

    return build_network(size=size)


def _mobilenet(size: int) -> Any:
    import keras

    return keras.applications.MobileNetV2((size, size, 3), weights=None)


def _resnet(size: int) -> Any:
    import keras

    return keras.applications.ResNet50(input_shape=(size, size, 3), weights=None)


NETWORKS: dict[str, tuple[Callable[[int], Any], int]] = {
    "digits": (_digits, 16),
    "inception": (build_inception, 32),
    "mobilenet": (_mobilenet, 96),
    "mobilenet-224": (_mobilenet, 224),
    "resnet": (_resnet, 96),
    "resnet-224": (_resnet, 224),
}
"""How each is made, and for pictures of which size."""


def measure(model: Any, n_probes: int, n_rounds: int) -> tuple[float, float, int]:
    """Processor seconds of a forward pass and of a recording, medians; and how many layers are recorded."""
    import tensorflow as tf

    import layerwise as lw

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (n_probes, *model.input_shape[1:]), dtype=np.uint8)
    labels = rng.integers(0, model.output_shape[-1], n_probes)
    function = tf.function(partial(model, training=False), reduce_retracing=True)

    def forward() -> None:
        for start in range(0, n_probes, BATCH_SIZE):
            function(tf.constant(pixels[start : start + BATCH_SIZE], tf.float32)).numpy()

    with tempfile.TemporaryDirectory() as folder:
        recorder = lw.keras.RecordRepresentations(
            (pixels, labels), db=Path(folder) / "history.db", lineage="passes", batch_size=BATCH_SIZE
        )
        recorder.set_model(model)
        forward()
        for step in range(2):
            _learn(model)
            recorder.record(step)
        passes, recordings = [], []
        for step in range(2, 2 + n_rounds):
            _learn(model)
            passes.append(_timed(forward))
            recordings.append(_timed(partial(recorder.record, step)))
        with lw.open_history(Path(folder) / "history.db") as history:
            n_layers = len(history.list_layers(recorder.run_ids[0]))
        recorder.close()
    return statistics.median(passes), statistics.median(recordings), n_layers


def _learn(model: Any) -> None:
    """Other weights: a network that has not changed is not stored again."""
    weight = model.trainable_weights[0]
    weight.assign(weight * 1.01)


def _timed(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--probes", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{'network':14} {'pictures':>9} {'layers':>6} {'forward':>9} {'recording':>9} {'passes':>6}")
    for name in asked.networks:
        make, size = NETWORKS[name]
        passes, recording, n_layers = measure(make(size), asked.probes, asked.rounds)
        print(
            f"{name:14} {size:>4} x {size:<3}{n_layers:>6} {passes:>7.3f} s {recording:>7.3f} s "
            f"{recording / passes:>6.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()

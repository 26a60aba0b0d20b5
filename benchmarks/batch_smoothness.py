"""What a batch says of smoothness, beside what 300 held-out digits say: its mean and spread over batches, by size.

python benchmarks/batch_smoothness.py [--seeds 2] [--epochs 4]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from layerwise.demo.digits import load_digits
from layerwise.demo.network import train_network

LAYERS = ("conv0", "maxpool0", "mixed1", "maxpool1", "mixed2", "avgpool", "output")
SIZES = (8, 16, 32, 64, 128)
N_BATCHES = 30


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=4)
    asked = parser.parse_args()
    import keras

    from layerwise.plugins.loaders.keras.losses import measure_smoothness, measure_steps

    def smoothness(tensors: list[np.ndarray]) -> float:
        return float(measure_smoothness(measure_steps(tensors)))

    learned, held_out = load_digits(300, 0)
    pixels = held_out.pixels[..., None].astype(np.float32)
    for seed in range(asked.seeds):
        with tempfile.TemporaryDirectory() as folder:
            network = train_network(learned, Path(folder), asked.epochs, seed)
        inside = keras.Model(network.inputs, [network.get_layer(name).output for name in LAYERS])
        tensors = [pixels, *inside.predict(pixels, batch_size=300, verbose=0)]
        print(f"seed {seed}: all 300 {smoothness(tensors):.3f}", end="")
        rng = np.random.default_rng(0)
        for size in SIZES:
            batches = [rng.permutation(300)[:size] for _ in range(N_BATCHES)]
            found = [smoothness([tensor[batch] for tensor in tensors]) for batch in batches]
            print(f"; {size}: {np.mean(found):.3f} +- {np.std(found, ddof=1):.3f}", end="")
        print()


if __name__ == "__main__":
    main()

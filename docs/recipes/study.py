"""A study of your own: the author's open questions asked of your network and your pictures.

    python study.py pictures.npz                     # arrays `images` (n, height, width, channels) and `labels` (n,)
    python study.py cifar10                          # 50,000 photos, which Keras downloads; hours without a GPU
    python study.py pictures.npz --seeds 2 --epochs 2 --limit 500

Four things to adapt: `load` (what is learned, what is held out), `build` (the network), `make_conditions` (how it is
trained), and the budget. The rest is Layerwise's: every condition is trained once with each seed, every epoch is
recorded, every branch of the trained networks is silenced, and `OUT/report.html` says what the numbers say. Stopped
at any time, the same command goes on with what is missing.
"""

from __future__ import annotations

import argparse
from typing import Any

import keras
import numpy as np

import layerwise as lw
from layerwise.demo.study import Condition, Study, answer, study_in_folder

N_HELD_OUT = 300


def load(what: str, limit: int | None) -> tuple[Any, Any, Any, Any]:
    """Pictures in 0..255 and labels from 0, to learn from and held out."""
    if what == "cifar10":
        (images, labels), (held_out, held_out_labels) = keras.datasets.cifar10.load_data()
        probes, probe_labels = held_out[:N_HELD_OUT], held_out_labels[:N_HELD_OUT, 0]
        images, labels = images[:limit], labels[:limit, 0]
    else:
        with np.load(what) as file:
            images, labels = file["images"], file["labels"].astype(int)
        order = np.random.default_rng(0).permutation(len(images))[:limit]
        n_held_out = min(N_HELD_OUT, len(order) // 4)
        probes, probe_labels = images[order[:n_held_out]], labels[order[:n_held_out]]
        images, labels = images[order[n_held_out:]], labels[order[n_held_out:]]
    return images, labels, probes, probe_labels


def block(tensor: Any, name: str, widths: dict[str, int], without: tuple[str, ...]) -> Any:
    """An inception block; its branches are called `NAME/1x1` and so on in every table."""
    layers = keras.layers

    def convolve(source: Any, channels: int, kernel: int, label: str) -> Any:
        return layers.Conv2D(channels, kernel, padding="same", activation="relu", name=f"{name}_{label}")(source)

    branches = {
        "1x1": lambda: convolve(tensor, widths["1x1"], 1, "1x1"),
        "3x3": lambda: convolve(convolve(tensor, widths["3x3"] // 2, 1, "3x3_reduce"), widths["3x3"], 3, "3x3"),
        "5x5": lambda: convolve(convolve(tensor, widths["5x5"] // 2, 1, "5x5_reduce"), widths["5x5"], 5, "5x5"),
    }
    return layers.Concatenate(name=name)([make() for branch, make in branches.items() if branch not in without])


def build(shape: tuple[int, int, int], n_classes: int, without: tuple[str, ...] = ()) -> Any:
    """The network, untrained and not compiled: a functional Keras model with names for its layers."""
    layers = keras.layers
    inputs = keras.Input(shape, name="input")
    tensor = layers.Rescaling(1 / 255, name="scaled")(inputs)
    tensor = layers.Conv2D(24, 3, padding="same", activation="relu", name="conv0")(tensor)
    for number in (1, 2):
        tensor = layers.MaxPooling2D(2, name=f"maxpool{number}")(tensor)
        tensor = block(
            tensor, f"mixed{number}", {"1x1": 16 * number, "3x3": 32 * number, "5x5": 16 * number}, without
        )
    tensor = layers.GlobalAveragePooling2D(name="avgpool")(tensor)
    tensor = layers.Dense(n_classes, name="logits")(tensor)
    return keras.Model(inputs, layers.Softmax(name="output")(tensor), name="recipe")


def make_conditions(shape: tuple[int, int, int], n_classes: int) -> tuple[Condition, ...]:
    """How the network is trained: the baseline first, then what is set beside it."""

    def plain() -> Any:
        return build(shape, n_classes)

    return (
        Condition("plain", "as it is", plain, "baseline"),
        Condition("no 5x5", "without 5x5 branches", lambda: build(shape, n_classes, ("5x5",)), "without", "*/5x5"),
        Condition(
            "DeCov",
            "with DeCov on avgpool",
            lambda: lw.keras.with_losses(plain(), lw.keras.DeCov(0.1, layers="avgpool")),
        ),
        Condition(
            "smooth",
            "with SmoothDecorrelation",
            lambda: lw.keras.with_losses(plain(), lw.keras.SmoothDecorrelation(0.5)),
        ),
    )


def main() -> None:
    """Carry the study out, or go on with it, and print its answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", help="a .npz file, or cifar10")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--limit", type=int, help="only so many pictures")
    parser.add_argument("--out", default="study")
    asked = parser.parse_args()
    images, labels, probes, probe_labels = load(asked.pictures, asked.limit)
    study = Study(
        name="recipe",
        title=f"A small inception network learns {asked.pictures}",
        conditions=make_conditions(images.shape[1:], int(labels.max()) + 1),
        pixels=images,
        labels=labels,
        probes=probes,
        probe_labels=probe_labels,
        n_epochs=asked.epochs,
        seeds=range(asked.seeds),
    )
    made = study_in_folder(study, folder=asked.out)
    for one in answer(study, made.trainings):
        print("\n".join([one.question, *(f"  {sentence}" for sentence in one.sentences)]))
    print(f"Report: {made.page}")


if __name__ == "__main__":
    main()

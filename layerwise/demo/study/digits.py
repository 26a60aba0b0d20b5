"""The study of the demo's network on handwritten digits: plain, without 5x5 branches, and with two other losses."""

from __future__ import annotations

from typing import Any

from layerwise.demo.digits import load_digits
from layerwise.demo.network import build_network
from layerwise.demo.study.plan import Condition, Study

_SPLIT = 0  # the same digits are held out in every study
_QUICK = {"seeds": 2, "epochs": 3, "held_out": 100}
DECOV_WEIGHT, SMOOTH_WEIGHT = 0.1, 0.5


def make_digits_study(n_seeds: int, n_epochs: int, *, quick: bool = False) -> Study:
    """The plan.

    Args:
        n_seeds: Trainings under each condition.
        n_epochs: Passes over the digits in each.
        quick: Two seeds and three epochs at most, and fewer digits that are analysed.
    """
    if quick:
        n_seeds, n_epochs = min(n_seeds, _QUICK["seeds"]), min(n_epochs, _QUICK["epochs"])
    learned, held_out = load_digits(_QUICK["held_out"] if quick else 300, _SPLIT)
    return Study(
        name="digits study",
        title="A small inception network learns digits, four ways",
        conditions=(
            Condition("plain", "as it is", build_network, "baseline"),
            Condition("no 5x5", "without 5x5 branches", _without_5x5, "without", "*/5x5"),
            Condition("DeCov", f"with DeCov on avgpool (weight {DECOV_WEIGHT})", _with_decov),
            Condition("smooth", f"with SmoothDecorrelation (weight {SMOOTH_WEIGHT})", _with_smoothness),
        ),
        pixels=learned.pixels[..., None],
        labels=learned.labels,
        probes=held_out.pixels[..., None],
        probe_labels=held_out.labels,
        n_epochs=n_epochs,
        seeds=range(n_seeds),
    )


def _without_5x5() -> Any:
    return build_network(without=("5x5",))


def _with_decov() -> Any:
    from layerwise.keras import DeCov, with_losses

    return with_losses(build_network(), DeCov(DECOV_WEIGHT, layers="avgpool"))


def _with_smoothness() -> Any:
    from layerwise.keras import SmoothDecorrelation, with_losses

    return with_losses(build_network(), SmoothDecorrelation(SMOOTH_WEIGHT))

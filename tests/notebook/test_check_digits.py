"""Representations tested like code, on the demo's network: what must pass passes, what must fail fails by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerwise as lw
from layerwise.demo.digits import load_digits
from layerwise.demo.network import train_network
from layerwise.plugins.loaders.tensorflow_setup import import_keras

LAYERS = ("conv0", "mixed1", "mixed2/3x3", "mixed2", "avgpool", "logits", "output")
PLAN = lw.CheckPlan(n_resamples=60)
FINE = lw.CheckPlan(n_resamples=60, margin=1e-9)


@pytest.fixture(scope="module")
def digits() -> Any:
    return load_digits(200, seed=0)


@pytest.fixture(scope="module")
def trained(digits: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    learned = digits[0].take(np.arange(500))
    return train_network(learned, tmp_path_factory.mktemp("trained"), 1, seed=1)


def analyze(model: Any, digits: Any, rows: Any = slice(64), **options: Any) -> lw.Run:
    pixels = digits[1].pixels[rows][..., None]
    return lw.analyze(model, pixels, layers=LAYERS, value_range=(0, 255), progress=False, **options)


@pytest.fixture(scope="module")
def baseline(trained: Any, digits: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("baseline") / "canaries.npz"
    return lw.save_baseline(analyze(trained, digits, batch_size=32), path)


def copy_of(model: Any) -> Any:
    keras = import_keras()
    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    return other


def test_another_batch_size_passes(trained: Any, digits: Any, baseline: Path) -> None:
    found = lw.check(analyze(trained, digits, batch_size=7), baseline, plan=PLAN)
    assert found.passed, found.to_markdown()
    assert [item.layer for item in found.layers] == list(LAYERS)


def test_half_precision_weights_pass_at_2_percent_and_fail_at_a_billionth(
    trained: Any, digits: Any, baseline: Path
) -> None:
    half = copy_of(trained)
    half.set_weights([weights.astype(np.float16).astype(np.float32) for weights in trained.get_weights()])
    run = analyze(half, digits)
    assert lw.check(run, baseline, plan=PLAN).passed
    assert lw.check(run, baseline, plan=FINE).verdict == "fail"


@pytest.mark.parametrize(("silenced", "named"), [("mixed2/3x3", "mixed2/3x3"), ("mixed2/1x1", "mixed2")])
def test_one_branch_silenced_fails_and_is_named_or_its_block_is(
    trained: Any, digits: Any, baseline: Path, silenced: str, named: str
) -> None:
    found = lw.check(analyze(trained, digits, ablate=silenced), baseline, plan=PLAN)
    assert found.verdict == "fail"
    assert found.broken == named
    assert [item.verdict for item in found.layers[:2]] == ["pass", "pass"]


def test_the_same_training_with_another_seed_is_told_apart(digits: Any, baseline: Path, tmp_path: Path) -> None:
    other = train_network(digits[0].take(np.arange(500)), tmp_path, 1, seed=2)
    assert lw.check(analyze(other, digits), baseline, plan=PLAN).verdict == "fail"


@pytest.mark.slow
def test_ten_trainings_with_other_seeds_are_all_told_apart(digits: Any, tmp_path: Path) -> None:
    networks = [train_network(digits[0], tmp_path, 3, seed=seed) for seed in range(11)]
    path = lw.save_baseline(analyze(networks[0], digits), tmp_path / "canaries.npz")
    verdicts = [lw.check(analyze(network, digits), path, plan=PLAN).verdict for network in networks]
    assert verdicts == ["pass", *["fail"] * 10]


def count_false_alarms(model: Any, digits: Any, n_checks: int) -> int:
    """How often an unchanged network fails: other stimuli, another batch size and other resamples each time."""
    rng = np.random.default_rng(0)
    alarms = 0
    for number in range(n_checks):
        rows = rng.choice(200, 32, replace=False)
        runs = [analyze(model, digits, rows, batch_size=size) for size in (32, int(rng.integers(1, 31)))]
        plan = lw.CheckPlan(n_resamples=40, seed=number)
        alarms += lw.check(runs[1], runs[0], plan=plan).verdict != "pass"
    return alarms


def test_an_unchanged_network_raises_no_alarm(trained: Any, digits: Any) -> None:
    assert count_false_alarms(trained, digits, 3) == 0


@pytest.mark.slow
def test_an_unchanged_network_raises_no_alarm_in_200_checks(trained: Any, digits: Any) -> None:
    assert count_false_alarms(trained, digits, 200) == 0

"""A sweep gives of each layer what silencing it alone gives, and says what the output loses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.cli import main
from layerwise.core.base.errors import InputError
from layerwise.core.network.ablating.ablation import Ablation, ablate
from layerwise.core.network.ablating.answers import diverge
from layerwise.core.network.model import LoadRequest
from layerwise.core.runs.ablating.sweep import Sweep, list_each, sweep_ablations
from layerwise.core.runs.request import SilentObserver
from layerwise.demo.digits import load_digits
from layerwise.demo.network import build_network
from layerwise.plugins.loaders.keras.files import KerasFileLoader

keras: Any = pytest.importorskip("keras")
N = 50


class Progress(SilentObserver):
    """Counts what it is told."""

    total = done = 0

    def begin(self, total: int) -> None:
        self.total = total

    def advance(self, count: int, what: str) -> None:
        assert what
        self.done += count


@pytest.fixture(scope="module")
def digits() -> Any:
    return load_digits(N, seed=0)


@pytest.fixture(scope="module")
def network(digits: Any) -> Any:
    keras.utils.set_random_seed(0)
    network = build_network()
    network.compile("adam", "sparse_categorical_crossentropy")
    network.fit(digits[0].pixels[..., None].astype(np.float32), digits[0].labels, epochs=2, verbose=0)
    return network


@pytest.fixture(scope="module")
def model(network: Any) -> Any:
    return KerasFileLoader().adopt(network, LoadRequest("digits"))


@pytest.mark.parametrize("substitute", ["zero", "mean", "shuffle"])
def test_a_variant_of_a_sweep_is_the_model_with_that_layer_silenced(substitute: Any, model: Any, digits: Any) -> None:
    pixels = digits[1].pixels[..., None]
    layers = [layer for layer in model.layers if layer.branch or layer.name == "conv0"]
    ablations = list_each(layers, substitute, seed=3)
    ablations += [
        Ablation(("mixed1/5x5", "mixed2/5x5"), substitute, 3),
        Ablation(("mixed1", "mixed2/1x1"), substitute),
    ]
    labels = [str(label) for label in digits[1].labels]
    progress = Progress()
    intact, effects = sweep_ablations(
        model, ablations, lambda a, b: pixels[a:b], labels, Sweep(n_resamples=200), progress
    )
    whole = model.compile(model.graph.input, [model.graph.output])(model.preprocess(pixels))[0]
    assert np.abs(intact - whole).max() < 1e-6
    right = (whole.argmax(axis=1) == digits[1].labels).mean()
    for effect in effects:
        silenced = ablate(model, effect.ablation, lambda a, b: pixels[a:b], N)
        expected = silenced.compile(model.graph.input, [model.graph.output])(model.preprocess(pixels))[0]
        assert np.abs(effect.outputs - expected).max() < 1e-5, effect.ablation
        lost = right - (expected.argmax(axis=1) == digits[1].labels).mean()
        assert effect.accuracy_lost is not None
        assert effect.accuracy_lost.value == pytest.approx(lost, abs=1e-9)
        assert effect.accuracy_lost.low <= lost <= effect.accuracy_lost.high
        same = (expected.argmax(axis=1) == whole.argmax(axis=1)).mean()
        assert effect.agreement.value == pytest.approx(same)
        assert 0 < effect.share_of_cost < 1
    assert progress.done == progress.total < N * (1 + len(ablations))


def test_variants_share_what_lies_before_them(model: Any, digits: Any) -> None:
    pixels, progress = digits[1].pixels[..., None], Progress()
    late = [layer for layer in model.layers if layer.block == "mixed2" and layer.branch]
    sweep_ablations(model, list_each(late, "zero"), lambda a, b: pixels[a:b], [None] * N, Sweep(), progress)
    assert progress.done < N * (1 + 0.8 * len(late))  # what comes before the second block is computed once


def test_divergence_is_that_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.dirichlet(np.ones(6), size=(2, 30)).astype(np.float32)
    middle = (first.astype(float) + second) / 2
    kl = [(p.astype(float) * np.log2(p.astype(float) / middle)).sum(axis=1) for p in (first, second)]
    assert diverge(first, second) == pytest.approx((kl[0] + kl[1]) / 2, abs=1e-9)
    apart = np.eye(2, dtype=np.float32)
    assert diverge(apart, apart[::-1]) == pytest.approx([1, 1])
    assert diverge(apart, apart) == pytest.approx([0, 0])


def test_without_labels_accuracy_is_unknown_and_the_rest_is_not(model: Any, digits: Any) -> None:
    pixels = digits[1].pixels[..., None]
    _, [effect] = sweep_ablations(
        model, [Ablation(("mixed1",))], lambda a, b: pixels[a:b], [None] * N, Sweep(n_resamples=50)
    )
    assert effect.accuracy_lost is None
    assert effect.divergence is not None
    assert effect.structure is None or -1 <= effect.structure <= 1


def test_pairs_are_each_two(model: Any) -> None:
    late = [layer for layer in model.layers if layer.block == "mixed2" and layer.branch]
    assert len(list_each(late, "zero", pairs=True)) == 4 + 6
    with pytest.raises(InputError, match="none of the layers"):
        list_each([model.layers[0]], "zero")


def test_the_command_ranks_and_says_what_it_cannot(
    network: Any, digits: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network.save(tmp_path / "digits.keras")
    np.savez(tmp_path / "digits.npz", images=digits[1].pixels[..., None], labels=digits[1].labels)
    command = ["ablate", str(tmp_path / "digits.keras"), "--stimuli", str(tmp_path / "digits.npz")]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["effects"]) == 8
    divergences = [effect["divergence_bits"]["value"] for effect in found["effects"]]
    assert divergences == sorted(divergences, reverse=True)
    assert main([*command, "--each", "mixed2/1x1", "--together", "mixed1/5x5", "--together", "mixed2/5x5"]) == 0
    shown = capsys.readouterr().out
    assert "mixed1/5x5, mixed2/5x5" in shown
    assert "mixed2/1x1" in shown
    assert main([*command, "--each", "output"]) == 2
    assert "cannot" in capsys.readouterr().err

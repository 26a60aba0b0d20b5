"""CKA corrected for few units is on average what it would be with all of them: held against direct simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from layerwise.core.analysis.correcting.few_units import correct_for_few_units, u_centred
from layerwise.core.history.records import LayerAddress
from layerwise.core.network.products import represent
from layerwise.plugins import load_plugins

N, LATENT = 40, 6
RNG = np.random.default_rng(3)
HIDDEN = RNG.normal(size=(N, LATENT))
MIX = np.linalg.qr(RNG.normal(size=(LATENT, LATENT)))[0] * np.array([2.0, 1.5, 1.0, 0.5, 0.3, 0.1])


def draw(which: int, n_units: int, rng: Any) -> Any:
    """Units of one of two populations that read the same stimuli differently."""
    weights = rng.normal(size=(LATENT, n_units))
    return np.maximum(HIDDEN @ (MIX if which else np.eye(LATENT)) @ weights + 0.3, 0)


def of_units(values: Any) -> Any:
    """The whole and its halves, U-centred."""
    half = values.shape[1] // 2
    return tuple(u_centred(represent(part)) for part in (values, values[:, :half], values[:, half:]))


def compare(first: Any, second: Any) -> tuple[float, float]:
    parts = [of_units(values) for values in (first, second)]
    corrected, debiased = correct_for_few_units([part[0] for part in parts], [part[1:] for part in parts])
    return float(corrected[0, 1]), float(debiased[0, 1])


def debiased_cka(first: Any, second: Any) -> float:
    """Song et al.'s estimator as it is printed, on activations."""

    def hsic(one: Any, other: Any) -> float:
        n, ones = len(one), np.ones(len(one))
        k, m = one @ one.T, other @ other.T
        np.fill_diagonal(k, 0)
        np.fill_diagonal(m, 0)
        cross = (ones @ k @ ones) * (ones @ m @ ones) / ((n - 1) * (n - 2))
        return float((np.trace(k @ m) + cross - 2 / (n - 2) * ones @ k @ m @ ones) / (n * (n - 3)))

    return hsic(first, second) / np.sqrt(hsic(first, first) * hsic(second, second))


def test_without_halves_it_is_the_debiased_cka_of_song_et_al() -> None:
    rng = np.random.default_rng(0)
    first, second = draw(0, 20, rng), draw(1, 30, rng)
    assert compare(first, second)[1] == pytest.approx(debiased_cka(first, second), abs=1e-9)


def test_its_parts_are_on_average_what_all_units_give() -> None:
    """<K, L> over the roots of <K_a, K_b> and <L_a, L_b>, each averaged over draws of few units."""
    rng = np.random.default_rng(1)
    truth = debiased_cka(draw(0, 20_000, rng), draw(1, 20_000, rng))
    sums = []
    for _ in range(300):
        (whole, *halves), (other, *others) = of_units(draw(0, 24, rng)), of_units(draw(1, 24, rng))
        sums.append([np.sum(whole * other), np.sum(halves[0] * halves[1]), np.sum(others[0] * others[1])])

    def ratio(some: Any) -> Any:
        product, one, two = np.mean(some, axis=0)
        return product / np.sqrt(one * two)

    without_each = np.array([ratio(np.delete(sums, place, axis=0)) for place in range(300)])
    error = np.sqrt(299 * without_each.var())
    assert abs(ratio(sums) - truth) < 3 * error
    assert error < 0.03


@pytest.mark.parametrize(("n_units", "bias", "uncorrected"), [(24, 0.08, -0.1), (48, 0.05, -0.05)])
def test_with_few_units_it_is_off_by_far_less_than_without(n_units: int, bias: float, uncorrected: float) -> None:
    rng = np.random.default_rng(1)
    truth = debiased_cka(draw(0, 20_000, rng), draw(1, 20_000, rng))
    corrected, debiased = np.mean([compare(draw(0, n_units, rng), draw(1, n_units, rng)) for _ in range(100)], axis=0)
    assert abs(corrected - truth) < bias
    assert debiased < truth + uncorrected


def test_the_command_line_corrects_runs_with_halves_and_says_how_to_get_them(tmp_path: Any, capsys: Any) -> None:
    import json

    import layerwise as lw
    from layerwise.cli import main
    from layerwise.testing import make_history
    from layerwise.testing.histories import _DigitsSource, _ToyLoader, make_plugin

    url = make_history(tmp_path / "toy.db", (1.0,), 16)
    words = ["compare", "latest", "--layers", "conv", "--layers", "pool", "--few-units"]
    assert main([*words, "--with", "cka-debiased", "--db", url]) == 2
    assert "--few-units needs a run with `--transform none --transform half-a" in capsys.readouterr().err
    assert main([*words, "--db", url]) == 2
    assert "--few-units corrects cka-debiased, and not rsa-pearson" in capsys.readouterr().err
    registry = load_plugins()
    registry.register(make_plugin(_ToyLoader(), _DigitsSource()), "toy", "toy", "1")
    halves = tmp_path / "halves.db"
    with lw.History(halves, create=True, registry=registry) as history:
        lw.analyze(
            "toy-digits:1.0",
            "toy-digits:16",
            layers=("conv", "pool"),
            transforms=("none", "half-a", "half-b"),
            db=history,
            registry=registry,
            progress=False,
        )
    assert main([*words, "--with", "cka-debiased", "--json", "--db", str(halves)]) == 0
    told = json.loads(capsys.readouterr().out)
    with lw.History(halves) as history:
        plain = np.asarray(history["latest"].compare("cka-debiased"))
        parts = [
            tuple(
                u_centred(history.store.read_representation(LayerAddress(history["latest"].run_id, layer, transform)))
                for transform in ("none", "half-a", "half-b")
            )
            for layer in ("conv", "pool")
        ]
    corrected, debiased = correct_for_few_units([part[0] for part in parts], [part[1:] for part in parts])
    np.testing.assert_allclose(told["matrix"], corrected, atol=1e-12)
    np.testing.assert_allclose(plain, debiased, atol=1e-9)
    assert corrected[0, 1] > debiased[0, 1]

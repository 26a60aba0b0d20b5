"""Geometry statistics on representations whose dimension, spectrum and similarity are known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from layerwise.core.host.kinds import RepresentationStatistic, StatisticValue
from layerwise.core.host.registry import Registered
from layerwise.core.host.validation import check_statistic
from layerwise.core.network.products import represent
from layerwise.core.network.representation import Representation
from layerwise.plugins.statistics import register_statistics
from layerwise.plugins.statistics.spectrum import fit_power_law

OFFERS = {offer.name: offer for offer in register_statistics() if isinstance(offer, RepresentationStatistic)}


def ask(name: str, rows: np.ndarray | Representation) -> StatisticValue:
    """A statistic's value, checked as the engine checks it."""
    representation = rows if isinstance(rows, Representation) else represent(rows)
    offer = Registered(OFFERS[name], "statistics", "layerwise", "1", "register_statistics")
    return check_statistic(offer, OFFERS[name].compute(representation))


def embed(points: np.ndarray, n_features: int = 60, seed: int = 0) -> np.ndarray:
    """Points in few dimensions, turned into activations of many units without changing any distance."""
    axes = np.linalg.qr(np.random.default_rng(seed).normal(size=(n_features, n_features)))[0]
    return points @ axes[: points.shape[1]]


def with_spectrum(values: np.ndarray, n_stimuli: int) -> np.ndarray:
    """Activations whose column-centred Gram matrix has these eigenvalues."""
    start = np.random.default_rng(1).normal(size=(n_stimuli, len(values)))
    left = np.linalg.qr(start - start.mean(axis=0))[0]
    return embed(left * np.sqrt(values), 2 * len(values))


@pytest.mark.parametrize("dimension", [1, 2, 3, 5])
@pytest.mark.parametrize("kind", ["cube", "gaussian", "sphere"])
def test_the_intrinsic_dimension_is_that_of_the_surface(dimension: int, kind: str) -> None:
    rng = np.random.default_rng(dimension)
    values = []
    for _ in range(6):
        points = rng.uniform(size=(250, dimension)) if kind == "cube" else rng.normal(size=(250, dimension))
        if kind == "sphere":  # curved in one dimension more
            points = rng.normal(size=(250, dimension + 1))
            points /= np.linalg.norm(points, axis=1, keepdims=True)
        values.append(ask("intrinsic-dimension", embed(points)).value)
    assert np.mean(values) == pytest.approx(dimension, rel=0.15)


def test_the_intrinsic_dimension_is_that_of_its_definition() -> None:
    rows = np.random.default_rng(3).normal(size=(50, 7))
    distances = np.sort(cdist(rows, rows), axis=1)
    ratio = np.sort(np.log(distances[:, 2] / distances[:, 1]))
    share = -np.log(1 - np.arange(1, 51) / 50, where=np.arange(1, 51) < 50, out=np.zeros(50))
    slope = np.linalg.lstsq(ratio[:45, None], share[:45], rcond=None)[0].item()
    assert ask("intrinsic-dimension", rows).value == pytest.approx(slope, rel=1e-4)


def test_a_stimulus_that_comes_twice_counts_once() -> None:
    rows = embed(np.random.default_rng(4).normal(size=(40, 3)))
    doubled = np.vstack([rows, rows[:7], rows[:2]])
    once, twice = ask("intrinsic-dimension", rows), ask("intrinsic-dimension", doubled)
    assert twice.value == pytest.approx(once.value, rel=1e-3)
    assert (once.reason, twice.reason) == ("", "9 stimuli have the activations of another one and are left out")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (np.ones((12, 4)), "1 stimuli have activations of their own, 10 are needed"),
        (np.eye(12), "the two nearest neighbours of every stimulus are equally far"),
        (np.random.default_rng(0).normal(size=(9, 4)), "9 stimuli have activations of their own, 10 are needed"),
    ],
)
def test_an_intrinsic_dimension_that_is_undefined_says_why(rows: np.ndarray, reason: str) -> None:
    answer = ask("intrinsic-dimension", rows)
    assert (answer.value, answer.reason) == (None, reason)


@settings(deadline=None, max_examples=20)
@given(exponent=st.floats(0.2, 3.0), scale=st.sampled_from([1e-6, 1.0, 1e6]))
def test_the_power_law_exponent_is_that_of_the_spectrum(exponent: float, scale: float) -> None:
    values = np.arange(1.0, 80.0) ** -exponent * scale
    answer = ask("power-law-exponent", with_spectrum(values, 90))
    assert answer.value == pytest.approx(exponent, abs=1e-2)
    assert answer.vector is not None
    assert answer.vector[0] == 10
    assert 19 <= answer.vector[1] <= 39
    assert answer.vector[2] == pytest.approx(1, abs=1e-3)


def test_the_fit_weights_each_octave_alike() -> None:
    ranks = np.arange(10.0, 41.0)
    values = np.exp(np.random.default_rng(0).normal(size=50) * 0.1) * np.arange(1.0, 51.0) ** -1.3
    slope = np.polyfit(np.log(ranks), np.log(values[9:40]), 1, w=np.sqrt(1 / ranks))[0]
    assert fit_power_law(values, 10, 40)[0] == pytest.approx(-slope, rel=1e-9)


def test_a_flat_spectrum_has_exponent_zero_and_few_stimuli_have_none() -> None:
    assert ask("power-law-exponent", with_spectrum(np.ones(60), 70)).value == pytest.approx(0, abs=1e-3)
    answer = ask("power-law-exponent", np.random.default_rng(0).normal(size=(38, 90)))
    assert (answer.value, answer.reason) == (None, "there are 37 dimensions, and the fit needs 38")


@pytest.mark.parametrize("n_dimensions", [1, 4, 20])
def test_isotropic_dimensions_are_counted(n_dimensions: int) -> None:
    rows = with_spectrum(np.ones(n_dimensions), 30)
    for name in ("effective-rank", "participation-ratio"):
        assert ask(name, rows).value == pytest.approx(n_dimensions, rel=1e-4)
    spectrum = ask("eigenspectrum", rows)
    assert spectrum.vector is not None
    assert spectrum.vector == pytest.approx(np.full(n_dimensions, 1 / n_dimensions), rel=1e-3)


@given(seed=st.integers(0, 99), n_stimuli=st.integers(2, 12), n_features=st.integers(2, 12))
def test_effective_rank_is_between_participation_ratio_and_the_rank(
    seed: int, n_stimuli: int, n_features: int
) -> None:
    rows = np.random.default_rng(seed).gamma(0.5, size=(n_stimuli, n_features))
    ratio, effective = ask("participation-ratio", rows).value, ask("effective-rank", rows).value
    assert ratio is not None
    assert effective is not None
    assert 1 - 1e-6 <= ratio <= effective + 1e-3
    assert effective <= min(n_stimuli - 1, n_features) + 1e-6


@pytest.mark.parametrize("name", sorted(OFFERS))
@pytest.mark.parametrize("rows", [np.ones((1, 3)), np.zeros((12, 3)), np.full((12, 1), 2.0)])
def test_representations_without_structure_have_a_reason_instead_of_a_number(name: str, rows: np.ndarray) -> None:
    answer = ask(name, rows)
    assert answer.value is None
    assert answer.reason


def test_constant_stimuli_are_left_out_of_correlations_and_counted() -> None:
    rows = np.random.default_rng(0).normal(size=(6, 30))
    rows[2] = 4
    answer = ask("mean-correlation", rows)
    rest = np.corrcoef(np.delete(rows, 2, axis=0))
    assert answer.value == pytest.approx(rest[np.triu_indices(5, 1)].mean(), abs=1e-6)
    assert answer.reason == "1 of 6 stimuli have constant activations and are left out"


@pytest.mark.parametrize("name", sorted(OFFERS))
def test_the_order_of_the_stimuli_does_not_matter(name: str) -> None:
    rows = np.random.default_rng(0).normal(size=(45, 60))
    turned = ask(name, rows[np.random.default_rng(1).permutation(45)]).value
    assert turned == pytest.approx(ask(name, rows).value, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("share", [1e-3, 1e-6])
def test_the_spread_of_correlations_of_nearly_equal_stimuli_has_its_digits(share):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=200) + share * rng.normal(size=(12, 200))
    apart = rows - rows.mean(axis=1, keepdims=True)
    apart /= np.linalg.norm(apart, axis=1, keepdims=True)
    expected = (((apart[:, None] - apart) ** 2).sum(axis=2) / 2)[np.triu_indices(12, 1)].std()
    assert ask("std-correlation", rows).value == pytest.approx(expected, rel=1e-6)

"""Statistics against SciPy and NumPy on the raw activations and weights."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from layerwise.core.host.kinds import (
    ActivationStatistic,
    JointStatistic,
    RepresentationStatistic,
    Statistic,
    WeightStatistic,
)
from layerwise.core.host.registry import Registered
from layerwise.core.host.validation import check_statistic
from layerwise.core.network.products import represent
from layerwise.core.network.summary import LayerSummary
from layerwise.plugins.statistics import register_statistics

OFFERS: dict[str, Statistic] = {offer.name: offer for offer in register_statistics()}
EXPECTED = {
    "mean", "std", "minimum", "maximum", "kurtosis", "fraction-zero", "dead-units", "fraction-dead",
    "sparseness-population", "sparseness-lifetime", "hoyer", "participation-ratio", "effective-rank", "eigenspectrum",
    "power-law-exponent", "intrinsic-dimension", "mean-correlation", "std-correlation", "decov",
    "weight-mean", "weight-std", "weight-quantiles", "weight-kurtosis", "weight-fraction-near-zero", "weight-norm",
    "weight-histogram",
}  # fmt: skip


def summarise(rows: np.ndarray) -> LayerSummary:
    """The summary of activations held in memory, straight from its definition."""
    rows = np.asarray(rows, dtype=np.float64)
    mean = rows.mean(axis=1)
    apart = rows - mean[:, None]
    live = (rows != 0).any(axis=0)
    lifetime = np.nan if (rows < 0).any() else sum(treves_rolls(column) for column in rows.T[live])
    powers = [(apart**k).sum(axis=1) for k in (2, 3, 4)]
    return LayerSummary(
        rows.shape[1], mean, *powers, rows.min(axis=1), rows.max(axis=1), (rows == 0).sum(axis=1).astype(float),
        np.abs(rows).sum(axis=1), int((~live).sum()), float(lifetime), float((rows.var(axis=0) ** 2).sum()),
    )  # fmt: skip


def treves_rolls(responses: np.ndarray) -> float:
    density = responses.mean() ** 2 / (responses**2).mean()
    return float((1 - density) / (1 - 1 / len(responses)))


def hoyer(values: np.ndarray) -> float:
    root = np.sqrt(len(values))
    return float((root - np.abs(values).sum() / np.linalg.norm(values)) / (root - 1))


def ask(name: str, rows: np.ndarray):
    """A statistic's value, checked as the engine checks it."""
    offer = OFFERS[name]
    if isinstance(offer, ActivationStatistic):
        value = offer.compute(summarise(rows))
    elif isinstance(offer, JointStatistic):
        value = offer.compute(summarise(rows), represent(rows))
    elif isinstance(offer, RepresentationStatistic):
        value = offer.compute(represent(rows))
    else:
        assert isinstance(offer, WeightStatistic)
        value = offer.compute(rows)
    return check_statistic(Registered(offer, "statistics", "layerwise", "1", "register_statistics"), value)


def rectified(offset: float = 0.0) -> np.ndarray:
    return np.maximum(np.random.default_rng(5).normal(size=(9, 40)), 0) + offset


def upper(rows: np.ndarray) -> np.ndarray:
    return np.corrcoef(rows)[np.triu_indices(len(rows), 1)]


def decov(rows: np.ndarray) -> float:
    covariance = np.cov(rows.T, bias=True)
    return float((np.linalg.norm(covariance) ** 2 - np.linalg.norm(np.diagonal(covariance)) ** 2) / 2)


def singular_values(rows: np.ndarray) -> np.ndarray:
    return np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)[:-1]


def effective_rank(rows: np.ndarray) -> float:
    return float(np.exp(scipy.stats.entropy(singular_values(rows))))


DIRECT = {
    "mean": np.mean,
    "std": np.std,
    "minimum": np.min,
    "maximum": np.max,
    "kurtosis": lambda rows: scipy.stats.kurtosis(rows, axis=None),
    "fraction-zero": lambda rows: (rows == 0).mean(),
    "dead-units": lambda rows: (rows == 0).all(axis=0).sum(),
    "fraction-dead": lambda rows: (rows == 0).all(axis=0).mean(),
    "sparseness-population": lambda rows: np.mean([treves_rolls(row) for row in rows]),
    "sparseness-lifetime": lambda rows: np.mean([treves_rolls(column) for column in rows.T if column.any()]),
    "hoyer": lambda rows: np.mean([hoyer(row) for row in rows]),
    "participation-ratio": lambda rows: np.trace(np.cov(rows.T)) ** 2 / (np.cov(rows.T) ** 2).sum(),
    "effective-rank": effective_rank,
    "eigenspectrum": lambda rows: singular_values(rows)[0] ** 2 / (singular_values(rows) ** 2).sum(),
    "mean-correlation": lambda rows: upper(rows).mean(),
    "std-correlation": lambda rows: upper(rows).std(),
    "decov": decov,
    "weight-mean": np.mean,
    "weight-std": np.std,
    "weight-quantiles": np.median,
    "weight-kurtosis": lambda rows: scipy.stats.kurtosis(rows, axis=None),
    "weight-fraction-near-zero": lambda rows: (np.abs(rows) < 0.01 * np.abs(rows).max()).mean(),
    "weight-norm": np.linalg.norm,
    "weight-histogram": np.size,
}


def test_all_standard_statistics_are_registered():
    assert set(OFFERS) == EXPECTED
    assert set(DIRECT) == EXPECTED - {"power-law-exponent", "intrinsic-dimension"}  # which need more stimuli


@pytest.mark.parametrize("name", sorted(DIRECT))
@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_a_statistic_is_what_numpy_and_scipy_say(name, offset):
    rows = rectified(offset)
    rows[:, 7] = 0
    assert ask(name, rows).value == pytest.approx(float(DIRECT[name](rows)), rel=1e-5)


@pytest.mark.parametrize("name", ["sparseness-population", "sparseness-lifetime"])
def test_treves_rolls_is_undefined_for_negative_activations(name):
    answer = ask(name, np.array([[1.0, -1.0], [2.0, 3.0]]))
    assert (answer.value, answer.reason) == (None, "some activations are negative")


@pytest.mark.parametrize("name", ["sparseness-population", "sparseness-lifetime", "hoyer"])
def test_sparseness_of_a_silent_layer_is_undefined(name):
    assert ask(name, np.zeros((3, 4))).reason == "all activations are zero"


def test_stimuli_that_activate_nothing_are_left_out_and_counted():
    rows = rectified()
    rows[2] = 0
    answer = ask("sparseness-population", rows)
    expected = [treves_rolls(row) for row in np.delete(rows, 2, axis=0)]
    assert answer.value == pytest.approx(np.mean(expected))
    assert answer.reason == "1 of 9 stimuli activate nothing and are left out"
    assert np.flatnonzero(np.isnan(answer.vector)).tolist() == [2]


def test_dead_units_are_left_out_of_lifetime_sparseness_and_counted():
    rows = rectified()
    rows[:, :3] = 0
    assert ask("sparseness-lifetime", rows).reason == "3 of 40 units are dead and are left out"


@pytest.mark.parametrize("name", ["sparseness-population", "hoyer"])
def test_sparseness_runs_from_all_alike_to_a_single_unit(name):
    assert ask(name, np.full((2, 8), 3.0)).value == pytest.approx(0)
    assert ask(name, np.eye(8)[:2]).value == pytest.approx(1)
    assert ask(name, np.ones((2, 1))).reason == "there is only one unit"


@given(arrays.arrays(np.float64, (4, 6), elements=st.floats(0, 100).map(lambda x: round(x, 3))))
def test_sparseness_stays_between_0_and_1(rows):
    for name in ("sparseness-population", "sparseness-lifetime", "hoyer"):
        value = ask(name, rows).value
        assert value is None or -1e-6 <= value <= 1 + 1e-6


def test_kurtosis_of_equal_activations_is_undefined():
    assert ask("kurtosis", np.full((3, 4), 0.1)).reason == "all activations are equal"


@pytest.mark.parametrize("name", sorted(name for name in OFFERS if not name.startswith("weight-")))
def test_activations_that_are_not_finite_never_give_a_silent_number(name):
    rows = rectified()
    rows[1, 1] = np.nan
    with np.errstate(invalid="ignore"):
        answer = ask(name, rows)
    counts = {"fraction-zero", "dead-units", "fraction-dead"}
    assert name in counts or answer.value is None or "not finite" in answer.reason


def test_the_participation_ratio_counts_the_dimensions():
    axes = np.kron(np.eye(4), [[1.0], [-1.0]])
    rows = np.hstack([axes, -axes])
    assert ask("participation-ratio", rows).value == pytest.approx(4, rel=1e-6)
    assert ask("participation-ratio", rows[:2]).value == pytest.approx(1, rel=1e-6)
    assert ask("participation-ratio", np.ones((3, 5))).reason == "all stimuli have the same activations"


def test_the_participation_ratio_counts_constant_stimuli_in():
    rows = rectified()
    rows[3] = 0
    assert ask("participation-ratio", rows).value == pytest.approx(DIRECT["participation-ratio"](rows), rel=1e-5)


def test_the_histogram_is_counts_followed_by_edges():
    weights = np.random.default_rng(0).normal(size=(3, 3, 10)).astype(np.float32)
    vector = ask("weight-histogram", weights).vector
    assert vector.shape == (129,)
    assert vector[:64].sum() == weights.size
    assert (vector[64], vector[-1]) == (weights.min(), weights.max())
    assert np.array_equal(vector[:64], np.histogram(weights, bins=vector[64:])[0])


def test_the_quantiles_are_those_that_the_documentation_names():
    weights = np.arange(101.0)
    assert np.allclose(ask("weight-quantiles", weights).vector, [1, 5, 25, 50, 75, 95, 99])


@pytest.mark.parametrize("weights", [np.zeros(5), np.full((2, 2), 1e30), np.array([3.0]), np.full(7, 0.1)])
def test_tensors_of_equal_weights_have_every_statistic_but_kurtosis(weights):
    values = {name: ask(name, weights).value for name in OFFERS if name.startswith("weight-")}
    assert [name for name, value in values.items() if value is None] == ["weight-kurtosis"]
    assert ask("weight-histogram", weights).vector[:64].sum() == weights.size


def test_the_histogram_counts_all_weights_even_where_they_hardly_differ():
    weights = np.array([0.1, np.nextafter(0.1, 1)])
    assert ask("weight-histogram", weights).vector[:64].sum() == 2


@pytest.mark.parametrize(("weights", "reason"), [(np.array([]), "empty"), (np.array([1, np.inf]), "not finite")])
def test_weights_without_numbers_say_why(weights, reason):
    for name in OFFERS:
        if name.startswith("weight-"):
            assert reason in ask(name, weights).reason

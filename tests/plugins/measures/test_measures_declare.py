"""What every built-in comparator and metric declares of itself, and what is known of them on known cases."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise.core.base.errors import InputError
from layerwise.core.network.products import represent
from layerwise.plugins.comparators import register_comparators
from layerwise.plugins.metrics import register_metrics
from layerwise.testing import check_comparator, check_metric

COMPARATORS = {comparator.name: comparator for comparator in register_comparators()}
METRICS = {metric.name: metric for metric in register_metrics()}
EVERY = pytest.mark.parametrize("name", sorted(COMPARATORS))


def ask(name, x, y, **settings):
    comparator = COMPARATORS[name].configured(**settings)
    return comparator.compare(comparator.prepare(represent(x)), comparator.prepare(represent(y)))


@EVERY
def test_a_comparator_is_what_it_declares(name):
    check_comparator(COMPARATORS[name], seed=11)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_metric_is_what_it_declares(name):
    check_metric(METRICS[name])


@EVERY
def test_settings_other_than_the_defaults_keep_the_range_and_the_symmetry(name):
    comparator = COMPARATORS[name]
    other = {"variance": 0.7, "rank": 3, "k": 4, "sigma": 0.4, "alpha": 1.0, "folds": 3, "penalty": 0.1}
    settings = {item.name: other[item.name] for item in comparator.parameters if item.name in other}
    configured = comparator.configured(**settings)
    assert configured.changed == settings
    low, high = comparator.value_range
    rng = np.random.default_rng(2)
    states = [configured.prepare(represent(rng.normal(size=(30, p)))) for p in (7, 9)]
    value = configured.compare(*states)
    assert low is None or value >= low
    assert high is None or value <= high
    if comparator.symmetric:
        assert configured.compare(*states[::-1]) == pytest.approx(value, abs=1e-9)


@EVERY
def test_identical_layers_are_as_alike_as_can_be(name):
    rows = np.random.default_rng(5).normal(size=(40, 12))
    if name in {"cycle-knn", "linear-predictivity"}:
        pytest.skip("a layer does not predict itself perfectly across folds, nor does every neighbour find back")
    kind, (_, highest) = COMPARATORS[name].kind, COMPARATORS[name].value_range
    assert ask(name, rows, rows.copy()) == pytest.approx(highest if kind == "similarity" else 0, abs=1e-6)


NOISE_MEAN_ZERO = ("cka-debiased", "rv2", "rsa-pearson", "rsa-spearman", "rsa-rho-a", "rsa-kendall")


@pytest.mark.parametrize("name", NOISE_MEAN_ZERO)
def test_independent_noise_is_unrelated(name):
    """500 stimuli, 2000 units: the standard deviation over draws is 2 / n in theory, or less."""
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(500, 2000)) for _ in range(2))
    bound = 0.006 if name == "rv2" else 0.012
    assert abs(ask(name, x, y)) < bound + (1 / 499 if name == "rv2" else 0)


def test_biased_cka_of_noise_is_what_theory_says_and_it_warns():
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(40, 500)) for _ in range(2))
    assert ask("cka", x, y) == pytest.approx(500 / (500 + 40), abs=0.01)
    assert abs(ask("cka-debiased", x, y)) < 0.05
    comparator = COMPARATORS["cka"]
    state = comparator.prepare(represent(x))
    assert "an unrelated layer like it would score 0.93" in comparator.warn(represent(x), state)
    few_dimensions = represent(rng.normal(size=(400, 5)))
    assert comparator.warn(few_dimensions, comparator.prepare(few_dimensions)) == ""


def test_neighbours_of_noise_agree_by_chance():
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(300, 50)) for _ in range(2))
    assert ask("mutual-knn", x, y, k=30) == pytest.approx(30 / 299, abs=0.01)


@pytest.mark.parametrize("name", ["svcca", "cca-mean", "pwcca", "eigenspace-overlap"])
def test_as_many_units_as_stimuli_make_directions_meaningless_and_it_warns(name):
    rng = np.random.default_rng(0)
    wide, narrow = represent(rng.normal(size=(30, 200))), represent(rng.normal(size=(200, 20)))
    comparator = COMPARATORS[name]
    assert "directions" in (text := comparator.warn(wide, comparator.prepare(wide))) or "dimensions" in text
    assert comparator.warn(narrow, comparator.prepare(narrow)) == ""
    if name in {"cca-mean", "pwcca"}:
        other = represent(rng.normal(size=(30, 200)))
        assert comparator.compare(comparator.prepare(wide), comparator.prepare(other)) == 1


def test_uniformity_warns_where_only_the_diagonal_counts():
    comparator, far = (
        COMPARATORS["uniformity-difference"],
        represent(100 * np.random.default_rng(0).normal(size=(9, 9))),
    )
    assert "only the diagonal counts" in comparator.warn(far, comparator.prepare(far))


def test_pwcca_is_of_the_first_layer_towards_the_second():
    rng = np.random.default_rng(1)
    shared, own = rng.normal(size=(60, 2)), rng.normal(size=(60, 2))
    big_shared, big_own = np.hstack([10 * shared, own]), np.hstack([shared, rng.normal(size=(60, 2))])
    forward, back = ask("pwcca", big_shared, big_own), ask("pwcca", big_own, big_shared)
    assert forward > back + 0.1
    assert ask("pwcca-symmetric", big_shared, big_own) == pytest.approx((forward + back) / 2)


def test_predictivity_is_high_one_way_and_low_the_other():
    rng = np.random.default_rng(1)
    rich = rng.normal(size=(100, 20))
    poor = rich[:, :2]
    assert ask("linear-predictivity", rich, poor, alpha=1e-6) > 0.99
    assert ask("linear-predictivity", poor, rich, alpha=1e-6) < 0.3


DEFINED_WITHOUT_DIFFERENCES = {
    "rsm-norm-difference",
    "concentricity-difference",
    "uniformity-difference",
    "magnitude-difference",
}


@pytest.mark.parametrize("name", sorted(set(COMPARATORS) - DEFINED_WITHOUT_DIFFERENCES))
def test_a_layer_that_does_the_same_with_all_stimuli_is_refused(name):
    rows, flat = np.random.default_rng(3).normal(size=(20, 6)), np.full((20, 6), 2.0)
    with pytest.raises(InputError, match=r"same activations|equally|constant activations"):
        ask(name, flat, rows)


@EVERY
def test_a_constant_stimulus_is_no_obstacle_to_measures_of_the_gram_matrix(name):
    x, y = (np.random.default_rng(seed).normal(size=(20, 6)) for seed in (3, 4))
    x[2] = 1.5
    assert np.isfinite(ask(name, x, y))


def test_a_stimulus_of_zeros_has_no_direction_and_is_told_so():
    x, y = (np.random.default_rng(seed).normal(size=(20, 6)) for seed in (3, 4))
    x[2] = 0
    for name in ("mutual-knn", "second-order-cosine", "concentricity-difference"):
        with pytest.raises(InputError, match="1 of 20 stimuli"):
            ask(name, x, y)


@pytest.mark.parametrize("name", ["mutual-knn", "imd", "cknna"])
def test_neighbours_need_more_stimuli_than_neighbours(name):
    with pytest.raises(InputError, match="needs more than k = 5 stimuli, here are 5; set a smaller `k`"):
        ask(name, np.eye(5), np.eye(5), k=5)


def test_cknna_refuses_a_distance_as_its_kernel():
    comparator = COMPARATORS["cknna"].with_metric(METRICS["euclidean"])
    with pytest.raises(InputError, match="needs a similarity"):
        comparator.prepare(represent(np.random.default_rng(0).normal(size=(20, 6))))


def test_neighbours_by_a_distance_and_by_the_similarity_it_comes_from_are_the_same():
    x, y = (np.random.default_rng(seed).normal(size=(25, 9)) for seed in (3, 4))
    found = []
    for metric in ("cosine", "angular"):
        comparator = COMPARATORS["rank-similarity"].with_metric(METRICS[metric])
        found.append(comparator.compare(*(comparator.prepare(represent(rows)) for rows in (x, y))))
    assert found[0] == found[1]

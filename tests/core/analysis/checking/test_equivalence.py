"""An equivalence test is wrong as seldom as it says, and tells what it could: held against formulas and truths."""

from __future__ import annotations

import math

import numpy as np
import pytest
from check_simulation import ChangedNetwork, measure_check
from scipy import stats

from layerwise.core.analysis.checking.equivalence import Standing, decide, place
from layerwise.core.analysis.inference.generic import replicate
from layerwise.core.analysis.measure import find_measure
from layerwise.core.network.products import represent
from layerwise.plugins import load_plugins

RSA = find_measure(load_plugins(), "rsa-pearson")


def replicates_of(seed: int = 0, n: int = 24, noise: float = 0.3):
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(n, 12))
    layers = [represent(first), represent(first + noise * rng.normal(size=(n, 12)))]
    return replicate(RSA, layers, 80, seed).select((np.array([0]), np.array([1])))


def test_p_values_are_those_of_two_one_sided_t_tests_on_fishers_scale() -> None:
    found, limit = replicates_of(), 0.8
    standing = place(found, limit, "similarity", 0.9).standing
    assert standing is not None
    z, resampled, left_out = (np.arctanh(x) for x in (found.estimate[0], found.resampled[:, 0], found.left_out[:, 0]))
    n = len(left_out)
    jackknife = (n - 1) / n * ((left_out - left_out.mean()) ** 2).sum()
    c, d = 2 + 1 / (n - 1), 3.0
    pairs = (resampled.var(ddof=1) - jackknife) / (d - c)
    variance = jackknife - c * pairs + pairs
    t = (z - math.atanh(limit)) / math.sqrt(variance)
    assert standing.p_beyond() == pytest.approx(stats.t.sf(t, standing.freedom), rel=1e-9)
    assert standing.p_within() == pytest.approx(stats.t.cdf(t, standing.freedom), rel=1e-9)


def test_the_interval_agrees_with_the_test_at_its_ends() -> None:
    found = replicates_of()
    placed = place(found, 0.8, "similarity", 0.9)
    assert placed.low is not None
    assert placed.low < float(found.estimate[0]) < placed.high
    at_low = place(found, placed.low, "similarity", 0.9).standing
    at_high = place(found, placed.high, "similarity", 0.9).standing
    assert at_low is not None
    assert at_high is not None
    assert at_low.p_beyond() == pytest.approx(0.05, rel=1e-6)
    assert at_high.p_within() == pytest.approx(0.05, rel=1e-6)


def test_a_layer_that_has_not_changed_at_all_passes_at_any_margin() -> None:
    layer = represent(np.random.default_rng(1).normal(size=(20, 12)))
    same = replicate(RSA, [layer, layer], 40, 0).select((np.array([0]), np.array([1])))
    for margin in (1e-6, 0.02, 0.5):
        standing = place(same, 1 - margin, "similarity", 0.9).standing
        assert standing is not None
        assert decide([standing], 0.05)[0].verdict == "pass"


def test_verdicts_are_corrected_for_all_layers_as_holm_says() -> None:
    gaps = [2.9, 2.2, -3.5, 0.1]
    standings = [Standing(gap, 1.0, 0.0, 1e9, 50) for gap in gaps]
    within = stats.norm.sf(gaps)
    order = np.argsort(within)
    corrected = np.empty(4)
    corrected[order] = np.minimum(1, np.maximum.accumulate(within[order] * [4, 3, 2, 1]))
    found = decide(standings, 0.05)
    np.testing.assert_allclose([item.p_pass for item in found], corrected, rtol=1e-6)
    assert [item.verdict for item in found] == ["pass", "pass", "fail", "undecided"]
    alone = decide([standings[1]], 0.012)[0].verdict, decide(standings, 0.012)[1].verdict
    assert alone == ("undecided", "undecided")
    assert decide([standings[1]], 0.02)[0].verdict == "pass"  # 0.0139 by itself, 0.0417 among four


def test_as_many_stimuli_as_it_asks_for_would_tell() -> None:
    standing = Standing(gap=0.1, stimuli=0.02, pairs=0.005, freedom=40, n_stimuli=50)
    needed = standing.stimuli_to_settle(0.05)
    assert needed is not None
    wanted = stats.t.ppf(0.95, 40)
    errors = [math.sqrt(0.02 * 50 / n + 0.005 * (50 / n) ** 2) for n in (needed - 1, needed)]
    assert wanted * errors[0] > 0.1 >= wanted * errors[1]


def test_no_number_of_stimuli_is_named_at_the_margin_itself() -> None:
    assert Standing(0.0, 0.02, 0.0, 40, 50).stimuli_to_settle(0.05) is None
    assert Standing(1e-6, 0.02, 0.0, 40, 50).stimuli_to_settle(0.05) is None


def test_a_distance_passes_below_its_limit_and_fails_above_it() -> None:
    distance = find_measure(load_plugins(), "angular-procrustes")
    rng = np.random.default_rng(2)
    first = rng.normal(size=(24, 12))
    layers = [represent(first), represent(first + 0.1 * rng.normal(size=(24, 12)))]
    found = replicate(distance, layers, 60, 0).select((np.array([0]), np.array([1])))
    for limit, verdict in ((0.5, "pass"), (0.02, "fail")):
        standing = place(found, limit, "distance", 0.9).standing
        assert standing is not None
        assert decide([standing], 0.05)[0].verdict == verdict


def test_at_the_margin_it_is_wrong_about_as_seldom_as_it_says() -> None:
    network = ChangedNetwork(n_layers=2)
    truths = network.find_truths(RSA, n_stimuli=300, n_draws=4)
    rates = measure_check(RSA, network, truths, 1.0, 24, 20, n_resamples=40)
    assert rates.any_pass <= 0.2  # of 20 checks at 0.05 more than 4 are wrong in 1 of 400 cases
    assert rates.any_fail <= 0.2


@pytest.mark.slow
@pytest.mark.parametrize("n_stimuli", [32, 64])
def test_200_checks_at_the_margin_are_wrong_in_at_most_5_percent(n_stimuli: int) -> None:
    network = ChangedNetwork(n_layers=10)
    truths = network.find_truths(RSA)
    rates = measure_check(RSA, network, truths, 1.0, n_stimuli, 200, n_resamples=100)
    assert rates.any_pass <= 0.09  # 0.05 and 2.6 standard errors of 200
    assert rates.any_fail <= 0.09


@pytest.mark.slow
def test_half_the_margin_passes_and_twice_the_margin_fails_with_128_stimuli() -> None:
    network = ChangedNetwork(n_layers=10)
    truths = network.find_truths(RSA)
    assert measure_check(RSA, network, truths, 0.5, 128, 60, n_resamples=100).layers_pass > 0.9
    assert measure_check(RSA, network, truths, 2.0, 128, 60, n_resamples=100).layers_fail > 0.9

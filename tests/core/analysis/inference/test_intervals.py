"""Intervals: known values, the correction of the variance, scales, and what is said where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from layerwise.core.analysis.inference.intervals import METHODS, Percentile, Sample, find_method, make_intervals
from layerwise.core.analysis.inference.replicates import Replicates
from layerwise.core.analysis.inference.scales import Scale, choose_scale
from layerwise.core.base.errors import InputError


def normal_replicates(centre: float = 0.0, spread: float = 1.0, n: int = 999) -> Replicates:
    """Replicates at the quantiles of a normal distribution, and a jackknife of 50 groups with that variance."""
    shape = stats.norm.ppf((np.arange(n) + 0.5) / n)
    groups = stats.norm.ppf((np.arange(50) + 0.5) / 50)
    groups *= spread / np.sqrt(49 / 50 * (groups @ groups))
    return Replicates(np.array([centre]), (centre + spread * shape)[:, None], (centre + groups)[:, None], 50)


@pytest.mark.parametrize("name", METHODS)
def test_without_bias_skewness_or_pair_noise_all_methods_agree(name):
    (found,) = make_intervals(normal_replicates(0.3, 0.1), METHODS[name])
    assert found.low == pytest.approx(0.3 - 0.196, abs=0.008)
    assert found.high == pytest.approx(0.3 + 0.196, abs=0.008)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("centre", [0.0, 1.0, -1.96])
def test_the_p_value_is_one_minus_the_level_of_the_interval_that_ends_at_zero(name, centre):
    replicates = normal_replicates(centre)
    (found,) = make_intervals(replicates, METHODS[name])
    assert found.p is not None
    if centre == 0:
        assert found.p > 0.98
        return
    (touching,) = make_intervals(replicates, METHODS[name], 1 - found.p)
    end = touching.low if centre > 0 else touching.high
    assert end == pytest.approx(0, abs=0.05)


def test_bca_follows_scipy_on_the_mean_of_skewed_data():
    data = np.random.default_rng(0).exponential(size=40)
    draws = np.random.default_rng(1).integers(40, size=(4000, 40))
    left_out = (data.sum() - data) / 39
    replicates = Replicates(np.array([data.mean()]), data[draws].mean(axis=1)[:, None], left_out[:, None], 40)
    (found,) = make_intervals(replicates, METHODS["bca"])
    expected = stats.bootstrap((data,), np.mean, n_resamples=4000, method="BCa", random_state=2).confidence_interval
    assert found.low == pytest.approx(expected.low, abs=0.02)
    assert found.high == pytest.approx(expected.high, abs=0.03)


@pytest.mark.parametrize(
    ("kernel", "factors"),
    [("stimuli", (1.0, 1.0)), ("pairs", (3.0, 2.0))],
    ids=["variance from stimuli", "variance from pairs"],
)
def test_resamples_and_jackknife_count_the_pairs_three_and_two_times_and_the_correction_once(kernel, factors):
    rng = np.random.default_rng(0)
    n, (first, second) = 40, np.triu_indices(40, 1)
    truth = 4 / n if kernel == "stimuli" else 1 / len(first)
    found = []
    for _ in range(150):
        effect = rng.normal(size=n)
        values = effect[first] + effect[second] if kernel == "stimuli" else rng.normal(size=len(first))
        counts = rng.multinomial(n, np.full(n, 1 / n), size=200)
        weights = counts[:, first] * counts[:, second]
        resampled = (weights @ values) / weights.sum(axis=1)
        own = np.bincount(first, values, n) + np.bincount(second, values, n)
        left_out = (values.sum() - own) / (len(first) - (n - 1))
        sample = Sample(values.mean(), resampled, left_out, 3.0, 2.0 + 1 / (n - 1))
        found.append((resampled.var(ddof=1), sample.jackknife_variance, sum(sample.variance_parts)))
    resampled, jackknife, corrected = np.mean(found, axis=0) / truth
    assert resampled == pytest.approx(factors[0], rel=0.2)
    assert jackknife == pytest.approx(factors[1], rel=0.15)
    assert corrected == pytest.approx(1, rel=0.25)


def test_subsets_are_stretched_to_the_spread_of_as_many_stimuli_as_there_are():
    rng = np.random.default_rng(0)
    data = rng.normal(size=60)
    subsets = np.array([rng.permutation(60)[:38] for _ in range(4000)])
    left_out = (data.sum() - data) / 59
    replicates = Replicates(np.array([data.mean()]), data[subsets].mean(axis=1)[:, None], left_out[:, None], 60, 38)
    (found,) = make_intervals(replicates, METHODS["percentile"])
    error = data.std(ddof=1) / np.sqrt(60)
    assert found.low == pytest.approx(data.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(data.mean() + 1.96 * error, abs=0.15 * error)


@pytest.mark.parametrize("name", METHODS)
def test_an_interval_of_a_correlation_stays_within_its_range(name):
    replicates = replace(normal_replicates(0.97, 0.005), value_range=(-1.0, 1.0))
    (found,) = make_intervals(replicates, METHODS[name], 0.9999)
    assert found.low is not None
    assert found.high is not None
    assert -1 < found.low < 0.97 < found.high < 1
    if name in ("corrected", "jackknife"):
        assert 0.97 - found.low > found.high - 0.97


@pytest.mark.parametrize("name", METHODS)
def test_a_number_that_never_varies_has_an_interval_of_no_width(name):
    replicates = Replicates(np.ones(1), np.ones((50, 1)), np.ones((20, 1)), 20, value_range=(-1.0, 1.0))
    (found,) = make_intervals(replicates, METHODS[name])
    assert (found.low, found.high) == (1.0, 1.0)


def test_what_is_undefined_has_no_interval_and_a_reason():
    whole = normal_replicates()
    undefined = replace(whole, estimate=np.array([np.nan]))
    often = replace(whole, resampled=np.where(np.arange(999)[:, None] < 200, np.nan, whole.resampled))
    without = replace(whole, left_out=np.where(np.arange(50)[:, None] == 3, np.nan, whole.left_out))
    reasons = [make_intervals(item, METHODS["corrected"])[0] for item in (undefined, often, without)]
    assert all(item.low is None and item.high is None for item in reasons)
    assert "itself is undefined" in reasons[0].reason
    assert "200 of 999 resamples" in reasons[1].reason
    assert "1 of 50 times" in reasons[2].reason
    assert make_intervals(without, METHODS["percentile"])[0].low is not None


def test_few_undefined_resamples_are_passed_over():
    whole = normal_replicates()
    seldom = replace(whole, resampled=np.where(np.arange(999)[:, None] % 50 == 7, np.nan, whole.resampled))
    (found,) = make_intervals(seldom, METHODS["percentile"])
    assert found.low == pytest.approx(-1.96, abs=0.1)


def test_intervals_come_in_the_order_of_the_numbers():
    one = normal_replicates()
    shift = np.arange(6.0).reshape(2, 3)
    several = replace(
        one,
        estimate=shift,
        resampled=one.resampled[:, :, None] + shift,
        left_out=one.left_out[:, :, None] + shift,
    )
    middles = [(item.low + item.high) / 2 for item in make_intervals(several, METHODS["corrected"])]
    assert np.allclose(middles, shift.ravel())


@pytest.mark.parametrize("level", [0, 1, 95, -0.5])
def test_a_level_is_between_0_and_1(level):
    with pytest.raises(InputError, match="between 0 and 1"):
        make_intervals(normal_replicates(), METHODS["bca"], level)


def test_an_unknown_method_lists_the_known_ones():
    with pytest.raises(InputError, match=r"no interval method 'percentil'.*percentile"):
        find_method("percentil")


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 1.0), (0.0, None), (None, 1.0), (None, None)])
def test_a_scale_is_undone_exactly_and_keeps_the_order(low, high):
    scale = Scale(low, high)
    values = np.linspace(-3 if low is None else low + 0.01, 3 if high is None else high - 0.01, 21)
    stretched = scale.stretch(values)
    assert np.allclose(scale.shrink(stretched), values)
    assert (np.diff(stretched) > 0).all()


def test_fisher_s_z_is_the_scale_of_a_correlation():
    assert np.allclose(Scale(-1, 1).stretch(np.array([0.5])), np.arctanh(0.5))


def test_numbers_at_an_end_of_the_range_keep_their_own_scale():
    assert choose_scale((0.0, 1.0), np.array([0.5, 1.0])) is None
    assert choose_scale((0.0, 1.0), np.array([0.5, np.nan])) == Scale(0.0, 1.0)


@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, None)])
def test_numbers_that_only_rounding_keeps_from_an_end_are_at_it(value_range):
    end = value_range[1] or value_range[0]
    inside = np.array([0.2, 0.5])
    assert choose_scale(value_range, inside) == Scale(*value_range)
    assert choose_scale(value_range, inside, np.array([end + (1e-16 if end == 0 else -2e-16)])) is None


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("rounding", [0.0, 2e-16])
def test_a_number_that_no_resample_changes_has_an_interval_of_no_width(name, rounding):
    resampled = 1 - rounding * (np.arange(40) % 2)
    replicates = Replicates(np.array([1.0]), resampled[:, None], np.ones((12, 1)), 12, value_range=(-1.0, 1.0))
    (found,) = make_intervals(replicates, METHODS[name])
    assert (found.low, found.high) == pytest.approx((1, 1), abs=1e-9)
    assert not found.reason


def test_an_interval_without_finite_ends_says_so():
    class Endless(Percentile):
        def interval(self, sample, level):
            return 0.0, 1e6

    rng = np.random.default_rng(0)
    resampled, left_out = rng.uniform(1, 2, size=(40, 1)), rng.uniform(1, 2, size=(12, 1))
    (found,) = make_intervals(Replicates(np.array([1.5]), resampled, left_out, 12, 0, (0.0, None)), Endless())
    assert (found.low, found.high) == (None, None)
    assert "no finite ends" in found.reason


def test_numbers_made_from_a_matrix_get_intervals_too():
    rng = np.random.default_rng(0)
    matrices = Replicates(rng.normal(size=(3, 3)), rng.normal(size=(50, 3, 3)), rng.normal(size=(20, 3, 3)), 20)
    names, found = matrices.map(lambda matrix: {"trace": float(np.trace(matrix)), "corner": float(matrix[0, 2])})
    assert names == ("trace", "corner")
    assert np.allclose(found.resampled[:, 0], np.trace(matrices.resampled, axis1=1, axis2=2))
    assert np.allclose(found.left_out[:, 1], matrices.left_out[:, 0, 2])


def test_differences_are_taken_resample_by_resample():
    rng = np.random.default_rng(0)
    both = Replicates(rng.normal(size=2), rng.normal(size=(50, 2)), rng.normal(size=(20, 2)), 20)
    change = both.select((np.array([0]),)).minus(both.select((np.array([1]),)))
    assert np.allclose(change.resampled[:, 0], both.resampled[:, 0] - both.resampled[:, 1])
    assert change.value_range == (None, None)

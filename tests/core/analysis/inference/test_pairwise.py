"""The fast way gives what the slow one gives: duplicated stimuli written out, pairs of copies left out."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise.core.analysis.inference import pairwise
from layerwise.core.analysis.inference.every_pair import compare_every_pair
from layerwise.core.analysis.inference.generic import permute, replicate
from layerwise.core.analysis.inference.pairwise import PairTable, find_pairs, find_place, tabulate
from layerwise.core.analysis.inference.resampling import draw_multiplicities, draw_permutation
from layerwise.core.network.products import represent

N = 16


def make_layers(gaps: bool) -> list:
    rng = np.random.default_rng(1)
    activations = [rng.normal(size=(N, 25)) for _ in range(3)]
    activations[1] += activations[0]
    activations[2][:, :5] = 0  # ties do not matter, but shall be there
    if gaps:
        activations[1][4] = 3.0
        activations[2][[4, 9]] = 0.0
    return [represent(item) for item in activations]


def table_of(measure, layers):
    table = tabulate(measure, layers)
    assert table is not None
    return table


def correlate_written_out(layers, stimuli) -> np.ndarray:
    """The measure for a list of stimuli with repetitions, pairs of a stimulus with itself left out."""
    first, second = np.triu_indices(len(stimuli), 1)
    different = stimuli[first] != stimuli[second]
    rows = [item.correlation[np.ix_(stimuli, stimuli)][first, second][different].astype(float) for item in layers]
    matrix = np.eye(len(rows))
    for i, one in enumerate(rows):
        for j, other in enumerate(rows):
            both = np.isfinite(one) & np.isfinite(other)
            matrix[i, j] = np.corrcoef(one[both], other[both])[0, 1]
    return matrix


@pytest.mark.parametrize("gaps", [False, True], ids=["complete", "with constant stimuli"])
class TestAgainstTheSlowWay:
    def test_all_stimuli(self, rsa, gaps):
        layers = make_layers(gaps)
        assert np.allclose(table_of(rsa, layers).correlate(), compare_every_pair(rsa, layers), atol=1e-7)

    def test_resamples_with_pairs_of_copies_left_out(self, rsa, gaps):
        layers = make_layers(gaps)
        for number in range(5):
            counts = draw_multiplicities(N, number, 0)
            expected = correlate_written_out(layers, np.repeat(np.arange(N), counts))
            assert np.allclose(table_of(rsa, layers).reweight(counts), expected, atol=1e-7)

    def test_one_stimulus_left_out(self, rsa, gaps):
        layers = make_layers(gaps)
        found = table_of(rsa, layers).leave_out()
        for stimulus in range(N):
            rest = np.delete(np.arange(N), stimulus)
            expected = compare_every_pair(rsa, [layer.take(rest) for layer in layers])
            assert np.allclose(found[stimulus], expected, atol=1e-6)

    def test_permutations(self, rsa, gaps):
        layers = make_layers(gaps)
        found = table_of(rsa, layers).permute(3, seed=5)
        for number in range(3):
            order = draw_permutation(N, number, 5)
            for i, layer in enumerate(layers):
                expected = [compare_every_pair(rsa, [layer.take(order), other])[0, 1] for other in layers]
                assert np.allclose(found[number, i], expected, atol=1e-6)


def test_single_precision_is_precise_enough(rsa, monkeypatch):
    layers = make_layers(gaps=False)
    exact = table_of(rsa, layers).resample(20, 0)
    monkeypatch.setattr("layerwise.core.analysis.inference.pairwise._SINGLE_ABOVE", 0)
    assert np.abs(table_of(rsa, layers).resample(20, 0) - exact).max() < 2e-6


def test_copies_in_a_resample_do_not_make_unrelated_layers_alike(rsa):
    rng = np.random.default_rng(3)
    layers = [represent(rng.normal(size=(30, 50))) for _ in range(2)]
    found = replicate(rsa, layers, 200, 0).select((np.array([0]), np.array([1])))
    copies = [np.repeat(np.arange(30), draw_multiplicities(30, number, 0)) for number in range(200)]
    naive = [compare_every_pair(rsa, [layer.take(chosen) for layer in layers])[0, 1] for chosen in copies]
    assert abs(found.resampled.mean() - found.estimate[0]) < 0.03
    assert np.mean(naive) > 0.3  # what they would do


def test_a_layer_without_a_defined_measure_leaves_the_others_alone(rsa):
    layers = make_layers(gaps=False)
    flat = represent(np.ones((N, 5)))
    found, alone = replicate(rsa, [*layers[:2], flat], 10, 0), replicate(rsa, layers[:2], 10, 0)
    assert np.isnan(found.estimate[2]).all()
    assert np.isnan(found.resampled[:, :, 2]).all()
    assert np.allclose(found.resampled[:, :2, :2], alone.resampled)


def test_the_number_of_threads_changes_nothing(rsa, monkeypatch):
    layers = make_layers(gaps=False)
    monkeypatch.setattr("layerwise.core.analysis.parallel.n_cores", lambda: 3)
    many = replicate(rsa, layers, 30, 0)
    monkeypatch.setattr("layerwise.core.analysis.parallel.n_cores", lambda: 1)
    one = replicate(rsa, layers, 30, 0)
    assert np.array_equal(many.resampled, one.resampled)
    assert np.array_equal(many.left_out, one.left_out)


def test_more_resamples_begin_with_the_same_ones(rsa):
    layers = make_layers(gaps=False)
    assert np.array_equal(replicate(rsa, layers, 30, 0).resampled[:10], replicate(rsa, layers, 10, 0).resampled)


def test_other_layers_beside_it_change_no_interval(rsa):
    layers = make_layers(gaps=False)
    assert np.allclose(
        replicate(rsa, layers, 10, 0).resampled[:, :2, :2], replicate(rsa, layers[:2], 10, 0).resampled, atol=1e-12
    )


def test_ranks_are_permuted_fast_but_drawn_anew_for_each_resample(registry):
    from layerwise.core.analysis.measure import find_measure

    measure = find_measure(registry, "rsa-spearman")
    layers = make_layers(gaps=False)
    assert replicate(measure, layers, 5, 0).subset_size > 0
    estimate, fast = permute(measure, layers, 4, 0)
    with_gaps = [layers[0], make_layers(gaps=True)[1]]
    assert with_gaps[1].constant.size == 1
    assert np.isfinite(permute(measure, with_gaps, 4, 0)[1]).all()
    order = draw_permutation(N, 0, 0)
    assert np.allclose(
        fast[0, 0, 1], compare_every_pair(measure, [layers[0].take(order), layers[1]])[0, 1], atol=1e-6
    )
    assert np.allclose(estimate, compare_every_pair(measure, layers), atol=1e-6)


@pytest.mark.parametrize("n_stimuli", [2, 3, 7])
def test_the_pairs_of_a_stimulus_are_found_without_looking_at_all_of_them(n_stimuli):
    first, second = np.triu_indices(n_stimuli, 1)
    assert np.array_equal(find_place(first, second, n_stimuli), np.arange(len(first)))
    for stimulus in range(n_stimuli):
        expected = np.flatnonzero((first == stimulus) | (second == stimulus))
        assert np.array_equal(find_pairs(stimulus, n_stimuli), expected)


def test_a_table_knows_which_stimuli_each_pair_is_of():
    table = PairTable(1, 6)
    assert np.array_equal((table.first, table.second), np.triu_indices(6, 1))


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("stretch", [1, 7, 10_000])
def test_sums_in_stretches_are_those_over_all_pairs(rsa, monkeypatch, gaps, stretch):
    whole = table_of(rsa, make_layers(gaps))
    monkeypatch.setattr(pairwise, "_STRETCH", stretch)
    cut = table_of(rsa, make_layers(gaps))
    assert np.allclose(whole.correlate(), cut.correlate(), atol=1e-12)
    assert np.allclose(whole.resample(5, 0), cut.resample(5, 0), atol=1e-12)
    assert np.allclose(whole.permute(5, 0), cut.permute(5, 0), atol=1e-12)
    assert np.allclose(whole.leave_out(), cut.leave_out(), atol=1e-12)


@pytest.mark.parametrize(("blur", "is_defined"), [(0.0, True), (0.01, False)])
def test_a_resample_in_which_scores_differ_by_less_than_is_known_has_no_correlation(blur, is_defined):
    """Of two stimuli that are far apart, one is not drawn: what is left of the layer is rounding."""
    rng = np.random.default_rng(0)
    table = PairTable(2, 6)
    far = (table.first == 0).astype(np.float64)
    for layer in range(2):
        table.put(layer, far + 1e-3 * rng.normal(size=len(far)), blur)
    assert np.isfinite(table.correlate()).all()
    without = np.array([0, 2, 1, 1, 1, 1])
    assert np.isfinite(table.reweight(without)[0, 1]) == is_defined
    assert np.isfinite(table.leave_out(1)[0, 0, 1]) == is_defined

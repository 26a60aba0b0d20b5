"""Which pairs of stimuli two layers see differently, held against counting them one by one."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr

from layerwise.core.history.records import LayerAddress
from layerwise.core.network.representation import strict_upper
from layerwise.plugins.sections.stimuli import changes, explorer
from layerwise.report.atlas import PairExplorer, PairMeasure
from layerwise.report.content import Choice, ReportContext

SIMILARITY = PairMeasure("pearson", "", "similarity")
DISTANCE = PairMeasure("euclidean", "", "distance")


@pytest.fixture
def context(fake) -> ReportContext:
    """One run of 40 stimuli, with two blocks."""
    history = fake.MadeHistory()
    return ReportContext((fake.add_run(history, n_stimuli=40),), history, fake.make_registry())


def places_of(matrix, sign: int) -> dict[tuple[int, int], float]:
    """Pair by pair: where it lies between the least and the most alike one."""
    pairs = {
        (i, j): sign * float(matrix[i, j])
        for i, j in combinations(range(len(matrix)), 2)
        if np.isfinite(matrix[i, j])
    }
    low, high = min(pairs.values(), default=0.0), max(pairs.values(), default=0.0)
    return {pair: (value - low) / (high - low) for pair, value in pairs.items()} if high > low else {}


def gains_left(first, second, listed) -> list[float]:
    """By going through all pairs for each that is listed: the largest gain of those that share no stimulus."""
    gains = {pair: second[pair] - first[pair] for pair in first.keys() & second.keys()}
    found: list[float] = []
    for taken in [*listed, None]:
        found.append(max(gains.values(), default=0.0))
        gains = {pair: gain for pair, gain in gains.items() if taken and not set(pair) & set(taken)}
    return found


def random_matrix(rng, n: int, n_values: int, lost: int) -> np.ndarray:
    matrix = rng.integers(-n_values, n_values + 1, (n, n)) / n_values
    matrix = np.triu(matrix, 1) + np.triu(matrix, 1).T + np.eye(n)
    gone = rng.choice(n, lost, replace=False)
    matrix[gone, :] = matrix[:, gone] = np.nan
    return matrix.astype(np.float32)


@given(st.integers(3, 14), st.integers(0, 2**32 - 1), st.sampled_from([2, 5, 1000]), st.booleans(), st.booleans())
@settings(max_examples=60)
def test_the_pairs_that_changed_most_are_those_that_counting_finds(n, seed, n_values, gaps, apart) -> None:
    rng = np.random.default_rng(seed)
    measure, sign = (DISTANCE, -1) if apart else (SIMILARITY, 1)
    matrices = [random_matrix(rng, n, n_values, int(gaps) * (n > 4)) for _ in range(2)]
    first, second = (changes.place_pairs(matrix, measure) for matrix in matrices)
    found = changes.compare_pairs(first, second, (3, 5))
    counted = [places_of(matrix, sign) for matrix in matrices]
    for changed, start, end in ((found.joined, *counted), (found.parted, *reversed(counted))):
        gains = [abs(pair.places[1] - pair.places[0]) for pair in changed]
        *largest, left = gains_left(start, end, [(pair.first, pair.second) for pair in changed])
        assert gains == pytest.approx(largest, abs=1e-6)
        assert len(changed) == changes.N_CHANGED or left <= 1e-6
        seen = [place for pair in changed for place in (pair.first, pair.second)]
        assert len(seen) == len(set(seen))
    for pair in (*found.joined, *found.parted):
        place = (pair.first, pair.second)
        assert pair.first < pair.second
        assert pair.values == (matrices[0][place], matrices[1][place])
        assert pair.places == pytest.approx((counted[0][place], counted[1][place]), abs=1e-6)
    assert found.layers == (3, 5)


def test_many_pairs_are_searched_as_thoroughly_as_few() -> None:
    rng = np.random.default_rng(1)
    first, second = (changes.place_pairs(random_matrix(rng, 90, 10**6, 0), SIMILARITY) for _ in range(2))
    gain = second.places - first.places
    order = np.argsort(-gain, kind="stable")
    expected = changes._each_once(order, 90, 12)
    assert changes.find_changed(gain, 90, 12) == expected


def test_one_odd_stimulus_is_listed_once() -> None:
    rng = np.random.default_rng(2)
    first = random_matrix(rng, 30, 1000, 0) * 0.1
    second = first.copy()
    second[4, :] = second[:, 4] = 0.9
    found = changes.compare_pairs(
        changes.place_pairs(first, SIMILARITY), changes.place_pairs(second, SIMILARITY), (0, 1)
    )
    assert sum(4 in (pair.first, pair.second) for pair in found.joined) == 1
    assert 4 in (found.joined[0].first, found.joined[0].second)


@pytest.mark.parametrize("lost", [0, 3])
def test_the_correlation_is_pearson_s_over_the_pairs_that_both_define(lost) -> None:
    rng = np.random.default_rng(3)
    matrices = [random_matrix(rng, 20, 1000, lost) for _ in range(2)]
    placed = [changes.place_pairs(matrix, SIMILARITY) for matrix in matrices]
    found = changes.compare_all_pairs(list(enumerate(placed)))[0]
    first, second = (strict_upper(matrix).astype(float) for matrix in matrices)
    both = np.isfinite(first) & np.isfinite(second)
    assert found.n_pairs == both.sum()
    assert found.correlation == pytest.approx(pearsonr(first[both], second[both]).statistic, abs=1e-7)


def test_a_layer_in_which_all_pairs_are_alike_has_no_correlation_and_nothing_undefined_is_listed() -> None:
    rng = np.random.default_rng(4)
    flat = np.full((8, 8), 0.3, dtype=np.float32)
    nothing = np.full((8, 8), np.nan, dtype=np.float32)
    other = changes.place_pairs(random_matrix(rng, 8, 100, 0), SIMILARITY)
    same = changes.compare_pairs(changes.place_pairs(flat, SIMILARITY), other, (0, 1))
    assert (same.correlation, same.n_pairs, same.parted, same.joined) == (None, 28, (), ())
    empty = changes.compare_pairs(changes.place_pairs(nothing, SIMILARITY), other, (0, 1))
    assert (empty.correlation, empty.n_pairs, empty.parted, empty.joined) == (None, 0, (), ())


def test_the_places_of_pairs_are_those_of_the_upper_triangle() -> None:
    for n in (2, 3, 7, 30):
        rows, columns = changes.pair_of(np.arange(n * (n - 1) // 2), n)
        np.testing.assert_array_equal((rows, columns), np.triu_indices(n, 1))


def test_all_layers_are_held_against_each_other_in_order_of_computation(context) -> None:
    run = context.runs[0]
    figure = explorer.Explorer().build(context).figures[0]
    assert isinstance(figure.content, PairExplorer)
    names = [matrix.name for matrix in figure.content.atlas.matrices]
    order = {layer.name: layer.position for layer in context.history.list_layers(run.id)}
    assert len(figure.content.pairs) == len(names) * (len(names) - 1) // 2
    for pair in figure.content.pairs[::7]:
        first, second = (names[place] for place in pair.layers)
        assert order[first] < order[second]
        values = [
            strict_upper(context.history.read_representation(LayerAddress(run.id, name)).correlation).astype(float)
            for name in (first, second)
        ]
        assert pair.correlation == pytest.approx(np.corrcoef(*values)[0, 1], abs=1e-6)
    assert [names[place] for place in figure.content.start] == ["input", "output"]


def test_the_pairs_listed_are_those_of_the_metric_that_is_asked_for(context) -> None:
    run = context.runs[0]
    asked = replace(context, choice=Choice(metric="squared-euclidean"), memory={})
    pair = next(p for p in explorer.query_pairs(asked, run) if p.joined)
    names = [layer.name for layer, _ in explorer.read_matrices(asked, run)]
    matrices = [
        explorer.shown_metric(asked).offer.compute(
            context.history.read_representation(LayerAddress(run.id, names[i]))
        )
        for i in pair.layers
    ]
    changed = pair.joined[0]
    expected = [matrix[changed.first, changed.second] for matrix in matrices]
    assert changed.values == pytest.approx(expected, rel=1e-6)


def test_without_input_and_output_the_first_and_the_last_layer_come_first(fake) -> None:
    history = fake.MadeHistory()
    run = fake.add_run(history, n_stimuli=12, layers=fake.make_layers()[1:-1])
    context = ReportContext((run,), history, fake.make_registry())
    content = explorer.Explorer().build(context).figures[0].content
    assert isinstance(content, PairExplorer)
    assert [content.atlas.matrices[place].name for place in content.start] == ["conv0", "avgpool0"]


def test_one_layer_or_two_stimuli_cannot_be_looked_at_closer(fake) -> None:
    for n_stimuli, layers in ((20, fake.make_layers()[:1]), (2, None)):
        history = fake.MadeHistory()
        run = fake.add_run(history, n_stimuli=n_stimuli, layers=layers)
        assert not explorer.Explorer().applies(ReportContext((run,), history, fake.make_registry()))


def test_of_very_many_layers_the_main_ones_can_be_chosen(monkeypatch, context) -> None:
    monkeypatch.setattr(explorer, "N_LAYERS_MOST", 5)
    figure = explorer.Explorer().build(context).figures[0]
    assert {place for pair in figure.content.pairs for place in pair.layers} <= set(range(5)) | set(
        figure.content.start
    )
    assert "The first 5 layers can be chosen" in figure.method


def test_a_constant_stimulus_is_in_no_pair_that_is_listed(context) -> None:
    run = context.runs[0]
    rows = np.random.default_rng(0).normal(size=(40, 30))
    rows[7] = 3.0
    context.history.rewrite_layer(run.id, "conv1", rows)
    place = [layer.name for layer, _ in explorer.read_matrices(context, run)].index("conv1")
    for pair in explorer.query_pairs(context, run):
        if place in pair.layers:
            assert pair.n_pairs == 39 * 38 // 2
            assert all(7 not in (p.first, p.second) for p in (*pair.parted, *pair.joined))

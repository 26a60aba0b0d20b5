"""Every measure on layers that are hard: right to 1e-4, or it says that its resolution does not determine it.

What is right is computed from the activations, in float64 and from the definitions (`tests/reference`). Layers are
represented in memory, and by running a network that gives them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from exact_measures import MEASURES
from exact_pairs import DISTANCES, find_values
from given_network import AMPLE
from hard_layers import KINDS, draw_pair
from hypothesis import example, given, settings
from hypothesis import strategies as st
from judging import Answers, Pair, list_questions, list_wrong

from layerwise.core.host.kinds import Comparator, Metric
from layerwise.core.host.registry import Registry
from layerwise.core.network.representation import Representation
from layerwise.core.network.resolution import SURE
from layerwise.plugins import load_plugins

TURNED = 300  # units at most of layers that are made by turning them


@cache
def registry() -> Registry:
    return load_plugins()


def names_of(kind: type[Comparator] | type[Metric]) -> set[str]:
    return {found.name for found in registry().all(kind) if found.distribution == "layerwise"}


def test_what_is_right_is_known_of_every_comparator_and_metric() -> None:
    lacking = sorted(names_of(Comparator) - MEASURES.keys())
    assert not lacking, f"write the definition of {', '.join(lacking)} in tests/reference/exact_measures.py"
    lacking = sorted(names_of(Metric) - DISTANCES.keys())
    assert not lacking, f"write the definition of {', '.join(lacking)} in tests/reference/exact_pairs.py"


def represent(pair: Pair) -> Answers:
    return Answers.represent(registry(), pair)


def run(pair: Pair) -> Answers:
    return Answers.run(registry(), pair, AMPLE)


def run_in_little_memory(pair: Pair) -> Answers:
    return Answers.run(registry(), pair)


Way = Callable[[Pair], Answers]


def widths_of(kinds: tuple[str, str], widths: tuple[int, int]) -> tuple[int, int]:
    first, second = (
        min(width, TURNED) if kind.startswith("steep") else width for kind, width in zip(kinds, widths, strict=True)
    )
    return first, second


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_comparator_is_right_or_flagged(kind: str) -> None:
    pair = draw_pair((kind, "signed"), 16, (24, 5), seed=7)
    assert list_wrong(run(pair), list(list_questions(registry()))) == []


@settings(max_examples=10)
@example(("binary", "outlier 1e4"), 8, (3, 1), "angular", represent, 0)  # angles that are half a turn
@given(
    kinds=st.tuples(st.sampled_from(sorted(KINDS)), st.sampled_from(sorted(KINDS))),
    n_stimuli=st.integers(8, 24),
    widths=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    metric=st.sampled_from(sorted(DISTANCES)),
    way=st.sampled_from([represent, run]),
    seed=st.integers(0, 9999),
)
def test_few_stimuli_are_right_or_flagged(
    kinds: tuple[str, str],
    n_stimuli: int,
    widths: tuple[int, int],
    metric: str,
    way: Way,
    seed: int,
) -> None:
    pair = draw_pair(kinds, n_stimuli, widths, seed)
    assert list_wrong(way(pair), list(list_questions(registry(), [metric]))) == []


@pytest.mark.slow
@settings(max_examples=150)
@given(
    kinds=st.tuples(st.sampled_from(sorted(KINDS)), st.sampled_from(sorted(KINDS))),
    n_stimuli=st.sampled_from([8, 24, 60, 128, 129, 170]),
    widths=st.tuples(*[st.sampled_from([1, 2, 3, 20, 100, 170, 600, 3000, 20_000])] * 2),
    metric=st.sampled_from(sorted(DISTANCES)),
    way=st.sampled_from([represent, run, run_in_little_memory]),
    seed=st.integers(0, 9999),
)
def test_any_layers_are_right_or_flagged(
    kinds: tuple[str, str],
    n_stimuli: int,
    widths: tuple[int, int],
    metric: str,
    way: Way,
    seed: int,
) -> None:
    pair = draw_pair(kinds, n_stimuli, widths_of(kinds, widths), seed)
    assert list_wrong(way(pair), list(list_questions(registry(), [metric]))) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(kind for kind in KINDS if not kind.startswith("steep")))
def test_layers_of_many_units_are_right_or_flagged(kind: str) -> None:
    pair = draw_pair((kind, "ordinary"), 24, (200_000, 900), seed=3)
    assert list_wrong(run(pair), list(list_questions(registry()))) == []


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("n_stimuli", [24, pytest.param(140, marks=pytest.mark.slow)])
def test_every_entry_of_every_metric_is_right_or_known_to_be_off(kind: str, n_stimuli: int) -> None:
    pair = draw_pair(
        (kind, kind), n_stimuli, (30, 30) if n_stimuli == 24 else (widths_of((kind, kind), (3000, 5))), 5
    )
    answers = run(pair)
    for metric in registry().all(Metric):
        if metric.distribution == "layerwise":
            layer = (answers.ranked if metric.name == "spearman" else answers.plain)["x"]
            check_metric(metric.offer, layer, pair[0].given.rows)


@pytest.mark.parametrize("kind", ["outlier 1e4", "offset 1e3", "bright 1e3", "signed"])
@pytest.mark.parametrize("name", ["angular", "cosine", "correlation-distance", "euclidean", "squared-euclidean"])
def test_what_an_entry_of_few_units_is_off_by_is_within_what_is_said(kind: str, name: str) -> None:
    for width in (1, 2):  # of one unit, angles are nothing or half a turn
        pair = draw_pair((kind, kind), 24, (width, width), 5)
        layer, metric = represent(pair).plain["x"], registry().get(Metric, name).offer
        with np.errstate(all="ignore"):
            right = find_values(pair[0].given.rows, name)
            matrix = np.asarray(metric.compute(layer), dtype=np.float64)
            errors = metric.errors(layer, matrix)[np.triu_indices(24, 1)]
        found = matrix[np.triu_indices(24, 1)]
        known = np.isfinite(right) & np.isfinite(found)
        off = np.abs(found - right) - 1e-14 * np.abs(right)
        assert (off[known] <= 2 * SURE * errors[known]).all(), width


def check_metric(metric: Metric, layer: Representation, rows: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        right = find_values(rows, metric.name)
        matrix = np.asarray(metric.compute(layer), dtype=np.float64)
        errors = metric.errors(layer, matrix)
    upper = np.triu_indices(len(rows), 1)
    found, error = matrix[upper], errors[upper]
    assert np.array_equal(np.isfinite(found), np.isfinite(right)), metric.name
    off = np.abs(found - right)
    wrong = np.isfinite(right) & (off > 1e-4 * np.abs(right)) & (off > 2 * SURE * error)
    assert not wrong.any(), (metric.name, found[wrong][:3], right[wrong][:3], error[wrong][:3])

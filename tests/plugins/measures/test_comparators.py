"""RSA against NumPy and SciPy on the activations themselves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from layerwise.core.base.errors import InputError
from layerwise.core.network.products import represent
from layerwise.core.network.representation import Representation
from layerwise.plugins.comparators import register_comparators

COMPARATORS = {comparator.name: comparator for comparator in register_comparators()}
DIRECT = {
    "rsa-pearson": lambda x, y: np.corrcoef(x, y)[0, 1],
    "rsa-spearman": lambda x, y: spearmanr(x, y).statistic,
}
NAMES = pytest.mark.parametrize("name", sorted(DIRECT))


def layers(n_stimuli: int = 14) -> list[np.ndarray]:
    """Activations of three layers that have something in common."""
    rng = np.random.default_rng(8)
    common = rng.normal(size=(n_stimuli, 5))
    return [common @ rng.normal(size=(5, p)) + rng.normal(size=(n_stimuli, p)) for p in (20, 33, 8)]


def triangle(rows: np.ndarray) -> np.ndarray:
    return np.corrcoef(rows)[np.triu_indices(len(rows), k=1)]


def value(name: str, first: Representation, second: Representation) -> float:
    comparator = COMPARATORS[name]
    return comparator.compare(comparator.prepare(first), comparator.prepare(second))


@NAMES
def test_rsa_is_the_correlation_of_the_strict_upper_triangles(name):
    first, second, _ = layers()
    expected = DIRECT[name](triangle(first), triangle(second))
    assert value(name, represent(first), represent(second)) == pytest.approx(expected, abs=1e-5)


@NAMES
def test_unrelated_layers_score_near_nothing(name):
    rng = np.random.default_rng(0)
    first, second = (represent(rng.normal(size=(60, 300))) for _ in range(2))
    assert abs(value(name, first, second)) < 0.1


@NAMES
def test_all_pairs_at_once_are_the_pairs_one_by_one(name):
    comparator = COMPARATORS[name]
    rows = layers()
    rows[1][3] = 1.0  # constant: undefined pairs in one of the layers
    states = [comparator.prepare(represent(item)) for item in rows]
    at_once = comparator.compare_all(states, states)
    singly = [[comparator.compare(first, second) for second in states] for first in states]
    whole = np.ix_([0, 2], [0, 2])
    assert np.allclose(at_once[whole], np.array(singly)[whole], atol=1e-12)
    assert np.isnan(at_once[1]).all()  # left to `compare`, which leaves out what is undefined
    assert np.isfinite(singly).all()
    assert np.allclose(comparator.compare_all(states[:1], states[2:]), at_once[:1, 2:], atol=1e-12)


@NAMES
def test_a_layer_is_identical_to_itself_and_never_more(name):
    for rows in layers():
        itself = value(name, represent(rows), represent(rows))
        assert 1 - 1e-12 < itself <= 1.0


@NAMES
def test_pairs_that_are_undefined_in_either_layer_are_left_out(name):
    first, second, _ = layers()
    first[2], second[5] = 0.0, 7.0
    rest = [index for index in range(14) if index not in (2, 5)]
    expected = DIRECT[name](triangle(first[rest]), triangle(second[rest]))
    assert value(name, represent(first), represent(second)) == pytest.approx(expected, abs=1e-5)


@NAMES
def test_what_a_comparator_declares_to_be_invariant_to_is_true(name):
    comparator = COMPARATORS[name]
    first, second, _ = layers()
    reference = value(name, represent(first), represent(second))
    order = np.random.default_rng(1).permutation(14)
    changed = {
        "isotropic-scaling": (3.7 * first, second),
        "stimulus-permutation": (first[order], second[order]),
    }
    assert comparator.invariant_to == set(changed)
    for left, right in changed.values():
        assert value(name, represent(left), represent(right)) == pytest.approx(reference, abs=1e-5)
    assert comparator.symmetric
    assert value(name, represent(second), represent(first)) == pytest.approx(reference, abs=1e-12)


@NAMES
def test_rotations_and_translations_are_rightly_not_declared(name):
    first, second, _ = layers()
    reference = value(name, represent(first), represent(second))
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(20, 20)))[0]
    for changed in (first @ rotation, first + 10 * np.arange(20)):
        assert abs(value(name, represent(changed), represent(second)) - reference) > 1e-3


@NAMES
def test_too_few_stimuli_are_refused_with_the_reason(name):
    rows = layers(4)[0]
    with pytest.raises(InputError, match=r"at least 3 stimuli, here are 2$"):
        COMPARATORS[name].prepare(represent(rows[:2]))
    rows[:2] = 1
    with pytest.raises(InputError, match=r"here are 2 \(2 of 4 have constant activations\)"):
        COMPARATORS[name].prepare(represent(rows))


@NAMES
def test_a_layer_that_finds_all_pairs_alike_is_refused(name):
    rows = np.eye(4)
    with pytest.raises(InputError, match="all pairs of stimuli are equally similar"):
        COMPARATORS[name].prepare(represent(rows))


@NAMES
def test_layers_with_too_little_in_common_are_refused_or_nan_in_the_table(name):
    first, second, _ = layers(6)
    first[:3], second[3:] = 0, 0
    comparator = COMPARATORS[name]
    states = [comparator.prepare(represent(rows)) for rows in (first, second)]
    with pytest.raises(InputError, match="fewer than three pairs"):
        comparator.compare(*states)
    assert np.isnan(comparator.compare_all(states, states)[0, 1])

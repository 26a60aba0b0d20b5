"""Draws of stimuli: what they are, and that a seed decides them whatever else is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise.core.analysis.inference.resampling import (
    MAX_GROUPS,
    check_n_stimuli,
    draw_multiplicities,
    draw_permutation,
    draw_subset,
    leave_out_groups,
    subset_size,
)
from layerwise.core.base.errors import InputError


def test_multiplicities_add_up_to_the_number_of_stimuli():
    drawn = np.array([draw_multiplicities(30, number, 0) for number in range(200)])
    assert (drawn.sum(axis=1) == 30).all()
    assert drawn.min() == 0
    assert abs(drawn.var() - 1) < 0.1  # of a binomial number with mean 1


@pytest.mark.parametrize("n_stimuli", [4, 5, 10, 500])
def test_a_subset_has_no_stimulus_twice_and_leaves_some_out(n_stimuli):
    subset = draw_subset(n_stimuli, 3, 0)
    assert len(set(subset.tolist())) == len(subset) == subset_size(n_stimuli) < n_stimuli - 1
    assert (np.diff(subset) > 0).all()


def test_a_permutation_has_every_stimulus_once():
    assert sorted(draw_permutation(17, 5, 0).tolist()) == list(range(17))


@pytest.mark.parametrize("draw", [draw_multiplicities, draw_subset, draw_permutation])
def test_the_seed_and_the_number_decide_a_draw(draw):
    assert np.array_equal(draw(40, 7, 1), draw(40, 7, 1))
    assert not np.array_equal(draw(40, 7, 1), draw(40, 8, 1))
    assert not np.array_equal(draw(40, 7, 1), draw(40, 7, 2))


@pytest.mark.parametrize("n_stimuli", [4, 99, 100, 101, 250])
def test_every_stimulus_is_left_out_once(n_stimuli):
    kept = list(leave_out_groups(n_stimuli, 0))
    left_out = [set(range(n_stimuli)) - set(rest.tolist()) for rest in kept]
    assert len(kept) == min(n_stimuli, MAX_GROUPS)
    assert sorted(stimulus for group in left_out for stimulus in group) == list(range(n_stimuli))


@pytest.mark.parametrize("n_stimuli", [0, 1, 3])
def test_few_stimuli_are_refused_in_one_line(n_stimuli):
    with pytest.raises(InputError, match=f"at least 4 stimuli, here are {n_stimuli}"):
        check_n_stimuli(n_stimuli)

"""What each branch explains, against ordinary least squares on the vectors themselves, and on constructed cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.analysis.importance import measure_importance
from layerwise.core.analysis.importance_run import apportion_run
from layerwise.core.base.errors import InputError
from layerwise.core.network.layers import Layer
from layerwise.core.network.representation import Representation

RNG = np.random.default_rng(11)
NAMES = ("1x1", "3x3", "5x5", "pool")


def r_squared(target: np.ndarray, predictors: np.ndarray) -> float:
    """R^2 of ordinary least squares with an intercept, from residuals."""
    design = np.column_stack([np.ones(len(target)), *predictors])
    residual = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
    return 1 - residual.var() / target.var()


def residual(target: np.ndarray, predictors: np.ndarray) -> np.ndarray:
    design = np.column_stack([np.ones(len(target)), *predictors])
    return target - design @ np.linalg.lstsq(design, target, rcond=None)[0]


def mixtures(n_branches: int, n_pairs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Branches that have something in common, and a target made of some of them."""
    rng = np.random.default_rng(seed)
    branches = rng.normal(size=(n_branches, n_pairs)) + rng.normal(size=n_pairs)
    return branches, rng.normal(size=n_branches) @ branches + rng.normal(size=n_pairs) * 2


@given(n_branches=st.integers(1, 5), n_pairs=st.integers(12, 60), seed=st.integers(0, 999))
def test_every_number_is_that_of_ordinary_least_squares(n_branches, n_pairs, seed):
    branches, target = mixtures(n_branches, n_pairs, seed)
    found = measure_importance(NAMES[:n_branches] if n_branches < 5 else "abcde", branches, target)
    whole = r_squared(target, branches)
    assert found.explained == pytest.approx(whole, abs=1e-9)
    for index, branch in enumerate(found.branches):
        siblings = np.delete(branches, index, axis=0)
        unique = whole - r_squared(target, siblings)
        assert branch.unique == pytest.approx(unique, abs=1e-9)
        assert branch.share == pytest.approx(unique / whole, abs=1e-6)
        partial = np.corrcoef(residual(target, siblings), residual(branches[index], siblings))[0, 1]
        assert branch.partial == pytest.approx(partial, abs=1e-6)
        assert branch.correlation == pytest.approx(np.corrcoef(target, branches[index])[0, 1])
        assert branch.tolerance == pytest.approx(1 - r_squared(branches[index], siblings), abs=1e-9)
    assert found.shared == pytest.approx(found.explained - sum(b.unique for b in found.branches))
    assert found.warning == ""


def test_of_independent_branches_each_unique_part_is_its_squared_correlation():
    start = RNG.normal(size=(200, 3))
    branches = np.linalg.qr(start - start.mean(axis=0))[0].T
    target = branches.T @ [3.0, 2.0, 1.0]
    found = measure_importance("abc", branches, target)
    assert found.explained == pytest.approx(1)
    assert [branch.unique for branch in found.branches] == pytest.approx([9 / 14, 4 / 14, 1 / 14], abs=1e-6)
    assert found.shared == pytest.approx(0, abs=1e-6)


def test_a_branch_that_is_the_target_gives_all_that_its_unrelated_siblings_do_not():
    branches = RNG.normal(size=(4, 20000))
    found = measure_importance(NAMES, branches, 5 + 2 * branches[2])
    assert found.explained == pytest.approx(1)
    assert found.branches[2].share == pytest.approx(1, abs=1e-3)
    assert found.branches[2].partial == pytest.approx(1)
    for index in (0, 1, 3):
        assert found.branches[index].unique == pytest.approx(0, abs=1e-9)
        assert found.branches[index].partial is None
        assert found.branches[index].reason == "the siblings explain the target completely"


def test_an_unrelated_branch_gives_nothing():
    branches, target = mixtures(3, 20000, 1)
    found = measure_importance(NAMES, np.vstack([branches, RNG.normal(size=20000)]), target)
    assert found.branches[3].unique < 1e-3
    assert abs(found.branches[3].partial) < 0.03


def test_two_branches_that_are_the_same_share_everything_and_it_is_said():
    branches, target = mixtures(3, 400, 2)
    found = measure_importance(NAMES, np.vstack([branches, 3 * branches[1] - 1]), target)
    assert found.explained == pytest.approx(r_squared(target, branches), abs=1e-9)
    assert found.warning == "the branches are nearly collinear (3x3, pool): what they share cannot be told apart"
    for index in (1, 3):
        branch = found.branches[index]
        assert (branch.unique, branch.share, branch.partial) == (0, 0, None)
        assert branch.reason == "the siblings together are the same as this branch"
    alone = measure_importance("abc", branches, target)
    assert found.branches[0].unique == pytest.approx(alone.branches[0].unique, abs=1e-9)


def test_a_branch_that_only_removes_noise_is_a_suppressor_with_a_negative_shared_part():
    signal, noise = RNG.normal(size=(2, 5000))
    found = measure_importance("ab", [signal + noise, noise], signal)
    assert found.branches[1].correlation == pytest.approx(0, abs=0.05)
    assert found.branches[1].unique == pytest.approx(0.5, abs=0.05)
    assert found.branches[1].partial == pytest.approx(-1)
    assert found.shared < -0.3


def test_pairs_that_are_undefined_somewhere_are_left_out():
    branches, target = mixtures(3, 50, 3)
    holed, short = branches.copy(), target.copy()
    holed[1, :7], short[40:44] = np.nan, np.nan
    kept = np.r_[7:40, 44:50]
    found = measure_importance("abc", holed, short)
    assert found.n_pairs == len(kept)
    assert found == measure_importance("abc", branches[:, kept], target[kept])


def test_a_single_branch_has_no_siblings():
    branches, target = mixtures(1, 30, 4)
    found = measure_importance("a", branches, target)
    assert found.branches[0].unique == found.explained
    assert found.branches[0].partial == pytest.approx(found.branches[0].correlation)
    assert found.shared == 0


@pytest.mark.parametrize(
    ("branches", "target", "reason"),
    [
        (np.ones((2, 9)), np.arange(9.0), "a finds all pairs of stimuli equally similar"),
        (np.eye(2, 9), np.ones(9), "the target finds all pairs of stimuli equally similar"),
        (np.eye(2, 3), np.arange(3.0), "3 pairs of stimuli are defined everywhere, 4 are needed for 2 branches"),
        (np.full((2, 9), np.nan), np.arange(9.0), "0 pairs of stimuli are defined everywhere"),
    ],
)
def test_what_cannot_be_explained_says_why(branches, target, reason):
    with pytest.raises(InputError, match=reason):
        measure_importance("ab", branches, target)


@pytest.mark.parametrize("metric", ["pearson", "squared-euclidean"])
@pytest.mark.parametrize("pool", ["different", "flat"])
def test_layers_that_are_not_held_whole_are_explained_in_the_same_way(fake, monkeypatch, metric, pool):
    generator = np.random.default_rng(4)
    rows = {name: generator.normal(size=(150, 20)).astype(np.float32) for name in NAMES}
    rows["3x3"][[2, 90]] = 1  # constant
    rows["out"] = rows["1x1"] + rows["3x3"]
    if pool == "flat":
        rows["pool"] = np.full((150, 4), 3.0)
    layers = [
        Layer(name, name, "conv", (3,), index, block="b" if name in NAMES else None, branch=name)
        for index, name in enumerate(rows)
    ]
    history, registry = fake.MadeHistory(), fake.make_registry()
    run = fake.add_rows(history, "run1", rows, layers)
    whole = apportion_run(registry, history, run, targets=("out", "1x1"), metric=metric)
    monkeypatch.setattr("layerwise.core.analysis.importance_run.MOST_WHOLE", 149)
    monkeypatch.setattr(Representation, "_fill", None)  # nobody makes a matrix
    panels = apportion_run(registry, history, run, targets=("out", "1x1"), metric=metric)
    assert len(panels) == 2
    for ours, theirs in zip(panels, whole, strict=True):
        assert (ours.block, ours.target, ours.reason) == (theirs.block, theirs.target, theirs.reason)
        assert (ours.result is None) == (pool == "flat")
        if ours.result is not None:
            assert ours.result.n_pairs == theirs.result.n_pairs
            assert ours.result.explained == pytest.approx(theirs.result.explained, rel=1e-9)
            for one, other in zip(ours.result.branches, theirs.result.branches, strict=True):
                assert one.reason == other.reason
                assert (one.correlation, one.unique, one.partial) == pytest.approx(
                    (other.correlation, other.unique, other.partial), abs=1e-9
                )

"""What is stored of each checkpoint, read back over time; changes, profiles, and two trainings aligned."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from layerwise.core.analysis.profile_run import profile_run
from layerwise.core.analysis.training.changes import ask_changes
from layerwise.core.analysis.training.checkpoints import read_training
from layerwise.core.analysis.training.course import read_course
from layerwise.core.analysis.training.profiles import ask_profiles
from layerwise.core.analysis.training.time_alignment import align_trainings, compare_checkpoints
from layerwise.core.base.errors import InputError
from layerwise.core.base.provider import Provider
from layerwise.core.history.records import Accuracy, LayerAddress, StatisticResult, WeightResult

BUILT_IN = Provider("layerwise:built-in", "0.1.0")
SHARES = {"conv0": [0, 0.6, 1, 1], "conv1": [0, 0.3, 0.8, 1], "output": [0, 0.2, 0.5, 1]}


def test_statistics_values_and_weights_come_back_checkpoint_by_checkpoint(fake) -> None:
    history = fake.MadeHistory()
    layers = fake.make_layers(n_hidden=1, n_blocks=0)
    for step in (1, 0):
        more = {"lineage": "a", "step": step, "accuracy": Accuracy(0.5 + step / 10, 0.9, 12)}
        tags = {"loss": f"{1 - step / 4}", "note": "in words"}
        fake.add_run(history, f"run{step}", 12, layers=layers, pictures=False, tags=tags, **more)
        kernel = WeightResult(
            "conv0/kernel", "conv0", (3, 3), 0, (StatisticResult("weight-std", BUILT_IN, 1.0 + step),)
        )
        history.rewrite_weights(f"run{step}", [kernel])
    training = read_training(history, "a")
    course = read_course(history, training, history.list_layers("run1"))
    assert course.steps == (0, 1)
    assert set(course.value_names) == {"loss", "top-1", "top-5"}
    assert course.value("loss").tolist() == [1.0, 0.75]
    assert course.value("top-1").tolist() == [0.5, 0.6]
    stored = {
        (s.layer, s.result.name): s.result.value
        for s in history.read_statistics("run0")
        if s.result.value is not None
    }
    ratios = course.statistic("participation-ratio")
    assert ratios.shape == (2, len(layers))
    assert ratios[0].tolist() == [stored[layer.name, "participation-ratio"] for layer in layers]
    assert np.isnan(course.statistic("sparseness-population")[0, 0])  # undefined in the input
    assert course.weight_statistic("weight-std").tolist() == [[1.0], [2.0]]
    assert course.tensors == ("conv0/kernel",)
    assert np.isnan(course.statistic("no such")).all()


def test_a_change_is_what_is_missing_to_equality_with_the_checkpoint_before(made_training, question) -> None:
    history = made_training(SHARES)
    asked = question(history)
    found = ask_changes(asked).values
    assert np.isnan(found[0]).all()
    kept = {(c.first, c.second): c.value for c in history.comparisons}
    for row in range(1, 4):
        for column, layer in enumerate(SHARES):
            pair = LayerAddress(f"mine{row - 1}", layer), LayerAddress(f"mine{row}", layer)
            assert found[row, column] == 1 - kept[pair]
    assert found[3, 0] == pytest.approx(0, abs=1e-6)
    distances = ask_changes(question(history, comparator="angular-procrustes")).values
    assert (distances[1:] >= 0).all()
    assert distances[1, 0] > 0.1


def test_the_profiles_are_those_of_the_runs(made_training, question, registry) -> None:
    history = made_training(SHARES)
    asked = question(history)
    for run, profile in zip(asked.training.runs, ask_profiles(asked), strict=True):
        assert profile.smoothness == profile_run(registry, history, run, asked.measure).smoothness


def brute_force_cost(distances: np.ndarray) -> float:
    """The smallest cost of all monotone paths, each cell counted once for each row and column it moves on."""
    n_rows, n_columns = distances.shape
    best = np.inf
    for n_steps in range(max(n_rows, n_columns) - 1, n_rows + n_columns - 1):
        for moves in itertools.product(((0, 1), (1, 0), (1, 1)), repeat=n_steps):
            places = list(itertools.accumulate(moves, lambda at, by: (at[0] + by[0], at[1] + by[1]), initial=(0, 0)))
            if places[-1] == (n_rows - 1, n_columns - 1):
                cost = 2 * distances[0, 0] + sum(
                    sum(m) * distances[p] for m, p in zip(moves, places[1:], strict=True)
                )
                best = min(best, cost)
    return float(best) / (n_rows + n_columns)


def test_a_slow_training_is_aligned_with_a_fast_one_at_the_cheapest_of_all_paths(made_training, question) -> None:
    pace = [0, 0.25, 0.5, 0.75, 1]
    history = made_training(dict.fromkeys(SHARES, pace), "slow")
    made_training({name: [0, 0.5, 1] for name in SHARES}, "fast", history, steps=[0, 10, 20])
    asked = question(history, "slow")
    found = align_trainings(asked, read_training(history, "fast"))
    assert found.layers == ("conv0", "conv1", "output")
    assert {(0, 0), (2, 10), (4, 20)} <= set(found.steps)
    assert found.cost == pytest.approx(brute_force_cost(1 - found.matrix), abs=1e-12)
    assert found.cost <= found.even_cost + 1e-12


def test_a_training_is_aligned_with_itself_for_nothing(made_training, question) -> None:
    asked = question(made_training(SHARES))
    found = align_trainings(asked, asked.training)
    assert found.steps == ((0, 0), (1, 1), (2, 2), (3, 3))
    assert found.cost == pytest.approx(0, abs=1e-6)


def test_a_late_start_bends_the_path(made_training, question) -> None:
    history = made_training({name: [0, 0, 0, 0.5, 1] for name in SHARES}, "late")
    made_training({name: [0, 0.5, 1, 1, 1] for name in SHARES}, "early", history)
    found = align_trainings(question(history, "late"), read_training(history, "early"))
    assert (3, 1) in found.steps
    assert found.alignment.bend == pytest.approx(0.5)
    assert found.cost < 0.01 < found.even_cost


def test_the_matrix_is_the_mean_over_layers_that_both_checkpoints_have(made_training, question) -> None:
    history = made_training({**SHARES, "conv1": [0, None, 0.8, 1]})
    asked = question(history)
    both = compare_checkpoints(asked, asked.training, ["conv0", "conv1"])
    single = [compare_checkpoints(asked, asked.training, [name]) for name in ("conv0", "conv1")]
    assert np.isnan(single[1][1]).all()
    np.testing.assert_allclose(both[1], single[0][1])
    np.testing.assert_allclose(both[0, [0, 2, 3]], np.mean([one[0, [0, 2, 3]] for one in single], axis=0))


def test_trainings_of_other_stimuli_or_other_layers_are_not_aligned(made_training, question) -> None:
    history = made_training(SHARES)
    made_training({"dense": [0, 1]}, "strange", history)
    made_training(SHARES, "elsewhere", history, stimuli_fingerprint="9" * 64)
    with pytest.raises(InputError, match="'mine' and 'strange' have no layers of the same names"):
        align_trainings(question(history), read_training(history, "strange"))
    with pytest.raises(InputError, match="only runs on the same stimuli can be compared"):
        align_trainings(question(history), read_training(history, "elsewhere"))

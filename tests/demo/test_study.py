"""What a study may be relied on for: that it goes on where it stopped, and that it says no more than its numbers."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.history.baselines import find_baseline
from layerwise.core.history.records import LayerAddress, RunFilter
from layerwise.demo.study import Condition, Study, answer, carrying_out, study_in_folder
from layerwise.demo.study.answers import Estimate, estimate, tell_difference
from layerwise.demo.study.charts import weights_over_training
from layerwise.demo.study.training import SPARSENESS, WEIGHT_SPREAD, WEIGHT_TAILS, ZEROS, Moment, Training
from layerwise.storage import open_store

keras: Any = pytest.importorskip("keras")


def make_network(without: tuple[str, ...] = ()) -> Any:
    layers = keras.layers
    inputs = keras.Input((8, 8, 1), name="input")
    branches = {
        "1x1": lambda: layers.Conv2D(3, 1, activation="relu", name="mixed_1x1")(inputs),
        "5x5": lambda: layers.Conv2D(2, 5, padding="same", activation="relu", name="mixed_5x5")(inputs),
        "3x3": lambda: layers.Conv2D(3, 3, padding="same", activation="relu", name="mixed_3x3")(inputs),
    }
    tensor = layers.Concatenate(name="mixed")([make() for name, make in branches.items() if name not in without])
    tensor = layers.GlobalAveragePooling2D(name="avgpool")(tensor)
    return keras.Model(inputs, layers.Softmax(name="output")(layers.Dense(3, name="logits")(tensor)))


def make_study(**changes: Any) -> Study:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    pixels = (rng.integers(0, 60, (60, 8, 8, 1)) + 60 * labels[:, None, None, None]).astype(np.uint8)
    study = Study(
        "small study",
        "A small study",
        (
            Condition("plain", "as it is", make_network, "baseline"),
            Condition("no 5x5", "without 5x5 branches", lambda: make_network(("5x5",)), "without", "*/5x5"),
        ),
        pixels[:40],
        labels[:40],
        pixels[40:],
        labels[40:],
        n_epochs=1,
        seeds=range(2),
    )
    return replace(study, **changes)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("study")
    return study_in_folder(make_study(), folder=folder), folder


def test_every_training_is_measured_from_what_is_stored_of_it(done: Any) -> None:
    made, _ = done
    assert [(one.condition, one.seed) for one in made.trainings] == [
        ("plain", 0), ("no 5x5", 0), ("plain", 1), ("no 5x5", 1),
    ]  # fmt: skip
    with open_store(made.database, read_only=True) as store:
        for training in made.trainings:
            runs = store.list_runs(RunFilter(lineage=f"small study, {training.condition}, seed {training.seed}"))
            assert sorted((run.step, run.id) for run in runs) == [
                (moment.epoch, moment.run_id) for moment in training.moments
            ]
            assert {run.id: run.accuracy.top1 for run in runs} == {
                moment.run_id: moment.accuracy for moment in training.moments
            }
        last = made.trainings[0].last
        assert made.trainings[0].layers[-1] == "logits"  # where the way through a network ends
        distances = [
            store.read_representation(LayerAddress(last.run_id, layer)).correlation_distances()
            for layer in made.trainings[0].layers
        ]
    pairs = np.triu_indices(20, 1)
    correlations = np.corrcoef([distance[pairs] for distance in distances])
    np.testing.assert_allclose(last.steps, 1 - np.diagonal(correlations, 1), atol=1e-6)


def test_what_the_baseline_loses_without_a_branch_is_what_keras_says(done: Any) -> None:
    made, _ = done
    study, training = make_study(), made.trainings[0]
    assert set(training.accuracy_lost) == {"mixed/1x1", "mixed/3x3", "mixed/5x5"}
    model = carrying_out.train(study, study.conditions[0], training.seed, "sqlite://")
    kernel, bias = model.get_layer("mixed_5x5").get_weights()

    def accuracy() -> float:
        return float((model.predict(study.probes, verbose=0).argmax(axis=1) == study.probe_labels).mean())

    intact = accuracy()
    model.get_layer("mixed_5x5").set_weights([0 * kernel, 0 * bias])
    assert intact == pytest.approx(training.last.accuracy)
    assert training.accuracy_lost["mixed/5x5"] == pytest.approx(intact - accuracy())


def test_the_network_without_each_branch_is_a_run_that_names_the_trained_one_as_its_baseline(done: Any) -> None:
    made, _ = done
    with open_store(made.database, read_only=True) as store:
        for training in made.trainings:
            assert set(training.variants) == set(training.accuracy_lost)
            for name, run_id in training.variants.items():
                run = store.find_run(run_id)
                assert (run.origin, run.lineage, run.tags["ablated"]) == ("ablated", None, name)
                assert find_baseline(store, run).id == training.last.run_id
                assert run.accuracy.top1 == pytest.approx(training.last.accuracy - training.accuracy_lost[name])


def test_the_distribution_of_weights_over_training_is_kept_and_shown(done: Any) -> None:
    made, _ = done
    study, training = make_study(), made.trainings[0]
    kernel = carrying_out.train(study, study.conditions[0], 0, "sqlite://").get_layer("mixed_3x3").get_weights()[0]
    assert training.last.quantiles["mixed/3x3/kernel"] == pytest.approx(
        np.quantile(kernel, [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]), abs=1e-6
    )
    assert "How the weights are distributed" in made.page.read_text(encoding="utf-8")
    frame = weights_over_training(study, made.trainings, "plain")
    found = frame.filter(pl.col("tensor") == "mixed/3x3/kernel", pl.col("epoch") == 1).row(0)[2:]
    both = [one.last.quantiles["mixed/3x3/kernel"] for one in made.trainings if one.condition == "plain"]
    assert found == pytest.approx(np.mean(both, axis=0))


def test_a_study_that_was_stopped_goes_on_with_what_is_missing(
    done: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: Counter[tuple[str, int]] = Counter()
    train = carrying_out.train

    def train_or_stop(study: Study, condition: Condition, seed: int, database: str) -> Any:
        begun[condition.name, seed] += 1
        model = train(study, condition, seed, database)
        if begun["plain", 1] == 1 and seed == 1:  # all of it is recorded, and nothing is measured
            raise KeyboardInterrupt
        return model

    monkeypatch.setattr(carrying_out, "train", train_or_stop)
    with pytest.raises(KeyboardInterrupt):
        study_in_folder(make_study(), folder=tmp_path)
    assert not (tmp_path / "report.html").exists()
    made = study_in_folder(make_study(), folder=tmp_path)
    assert begun == {("plain", 0): 1, ("no 5x5", 0): 1, ("plain", 1): 2, ("no 5x5", 1): 1}
    for ours, straight in zip(made.trainings, done[0].trainings, strict=True):  # as if nothing had happened
        assert ours.accuracy_lost == straight.accuracy_lost
        assert [moment.steps for moment in ours.moments] == [moment.steps for moment in straight.moments]
    with open_store(made.database, read_only=True) as store:
        # what was recorded before it stopped is there once, and each variant, three of plain and two of no 5x5
        assert (store.count_runs(), store.count_runs(RunFilter(origin="ablated"))) == (18, 10)
    study_in_folder(make_study(), folder=tmp_path)
    assert sum(begun.values()) == 5


def test_another_plan_in_the_same_folder_is_trained_anew(done: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> Any:
        raise LayerwiseError("training")

    monkeypatch.setattr(carrying_out, "train", never)
    assert study_in_folder(make_study(), folder=done[1]).trainings == done[0].trainings
    for changed in (
        make_study(n_epochs=2),
        make_study(labels=np.roll(make_study().labels, 1)),
        make_study(conditions=(Condition("plain", "", lambda: make_network(("1x1",)), "baseline"),)),
    ):
        with pytest.raises(LayerwiseError, match="training"):
            study_in_folder(changed, folder=done[1])


def test_a_damaged_file_of_a_training_is_made_anew(done: Any, tmp_path: Path) -> None:
    kept = carrying_out.Kept(tmp_path)
    training = done[0].trainings[0]
    kept.write(training, "mine")
    assert kept.read("plain", 0, "mine") == training
    assert kept.read("plain", 0, "another") is None
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text()[:100])
    assert kept.read("plain", 0, "mine") is None
    file.write_text(json.dumps({"digest": "mine", "training": {"moments": []}}))
    assert kept.read("plain", 0, "mine") is None


def test_a_training_that_was_not_recorded_is_an_error_that_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying_out, "train", lambda *_: None)
    with open_store(f"sqlite:///{tmp_path / 'layerwise.db'}", create=True):
        pass
    with pytest.raises(LayerwiseError, match="'small study, plain, seed 0', epoch 0 is not in the history"):
        study_in_folder(make_study(), folder=tmp_path)


def test_the_page_has_the_answers_and_loads_nothing(done: Any) -> None:
    text = done[0].page.read_text(encoding="utf-8")
    for one in answer(make_study(), done[0].trainings):
        assert one.question in text
    assert "This section could not be made" not in text
    assert 'src="http' not in text


def make_training(condition: str, seed: int, accuracy: float, smoothness: float, lost: float) -> Training:
    def moment(epoch: int) -> Moment:
        statistics = {SPARSENESS: (0.5 + 0.1 * epoch,), ZEROS: (0.3,)}
        weights = {WEIGHT_SPREAD: (0.1,), WEIGHT_TAILS: (0.0 - epoch + 0.01 * seed,)}
        steps = (0.1, 0.2) if epoch else (0.2, 0.1)
        smooth = smoothness if epoch else 0.2 + 0.01 * seed
        return Moment(epoch, "x", accuracy, smooth, steps, statistics, weights, {})

    n_parameters = 80 if condition == "no 5x5" else 100
    lost_all = {"*/5x5": lost} if condition == "plain" else {}
    return Training(condition, seed, ("input", "a", "output"), n_parameters, (moment(0), moment(1)), lost_all, {})


def say(differences: dict[str, tuple[float, float]], lost: float = 0.2) -> str:
    """All sentences of three seeds: plain is 0.9 accurate and 0.5 smooth, the others differ from it by so much."""
    study = make_study()
    smooth = Condition("smooth", "smoothly", make_network, "loss")
    study = replace(study, conditions=(*study.conditions, smooth), seeds=range(3))
    trainings = []
    for seed in range(3):
        wobble = 0.01 * (seed - 1)
        trainings.append(make_training("plain", seed, 0.9, 0.5, lost + wobble))
        for name in ("no 5x5", "smooth"):
            accuracy, smoothness = differences.get(name, (0.0, 0.0))
            trainings.append(make_training(name, seed, 0.9 + accuracy + wobble, 0.5 + smoothness + wobble, 0))
    return "\n".join(sentence for one in answer(study, trainings) for sentence in one.sentences)


@pytest.mark.parametrize(
    ("differences", "lost", "expected"),
    [
        (
            {},
            0.2,
            "So they are used; that a network which never had them does worse, these seeds do not show.",
        ),
        ({"no 5x5": (-0.1, 0)}, 0.2, "So they are used, and what they do is not learned otherwise"),
        ({"no 5x5": (-0.1, 0)}, 0.0, "silencing them shows no loss, and yet learning goes worse without them"),
        ({}, 0.0, "So neither silencing them nor learning without them shows a loss."),
        ({"smooth": (0.1, 0.2)}, 0, "So here the decorrelation is smoother, and better"),
        ({"smooth": (-0.1, 0.2)}, 0, "So here the decorrelation is smoother, and worse"),
        (
            {"smooth": (0.0, 0.2)},
            0,
            "is smoother, and whether that is better or worse, these seeds do not show",
        ),
        ({"smooth": (0.1, 0.0)}, 0, "these seeds do not show that it makes the decorrelation smoother"),
        ({"smooth": (0.1, -0.2)}, 0, "So it made the decorrelation less smooth"),
        ({}, 0, "Smoothness after learning is higher than before: +0.290"),
        ({}, 0, "Before learning the largest step is from input to a, in 3 of 3 trainings."),
        ({}, 0, "After learning the largest step is from a to output, in 3 of 3 trainings."),
        ({}, 0, "It has 20 % fewer parameters."),
    ],
)
def test_the_answers_come_out_as_the_numbers_do(differences: Any, lost: float, expected: str) -> None:
    assert expected in say(differences, lost)


def test_an_interval_is_student_s_over_seeds() -> None:
    from scipy import stats

    values = [0.1, 0.4, 0.2, 0.35]
    found = estimate(values)
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(values), low, high))
    assert estimate([0.3]) == Estimate(0.3, None, None, 1)
    assert math.isnan(estimate([math.nan]).mean)
    assert "nobody knows what chance did" in tell_difference("Accuracy", estimate([0.3]), "plain")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"conditions": ()}, "first of kind 'baseline'"),
        ({"conditions": (Condition("a", "", make_network, "loss"),)}, "first of kind 'baseline'"),
        ({"labels": np.zeros(3, dtype=int)}, "one label for each picture"),
    ],
)
def test_a_plan_that_makes_no_sense_is_one_line(changes: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        make_study(**changes)

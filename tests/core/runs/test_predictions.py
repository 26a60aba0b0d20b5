"""Top five and accuracy."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise.core.network.model import ModelInfo
from layerwise.core.runs.predictions import measure_accuracy, top_predictions

NAMES = ("tench, Tinca tinca", "great white shark", "crane", "T-shirt", "crane, bird", "bow tie", "cab")
IDS = ("n00", "n01", "n02", "n03", "n04", "n05", "n06")


def info(names: tuple[str, ...] = NAMES, ids: tuple[str, ...] = IDS) -> ModelInfo:
    return ModelInfo("m", "s", "f", (4, 4, 3), "none", "squash", 1, class_names=names, class_ids=ids)


def one_hot(*classes: int) -> np.ndarray:
    rows = np.tile(np.linspace(0.01, 0.07, 7, dtype=np.float32), (len(classes), 1))
    rows[np.arange(len(classes)), classes] = 0.9
    return rows


def test_the_five_most_probable_classes_come_in_order():
    predictions = top_predictions(one_hot(2, 0), info())
    assert [p.class_index for p in predictions] == [2, 6, 5, 4, 3, 0, 6, 5, 4, 3]
    assert [p.rank for p in predictions] == [1, 2, 3, 4, 5] * 2
    assert predictions[5].position == 1
    assert predictions[5].class_name == "tench, Tinca tinca"
    assert predictions[5].probability == pytest.approx(0.9)


def test_equally_probable_classes_come_by_index_and_fewer_than_five_are_all_listed():
    predictions = top_predictions(np.full((1, 3), 1 / 3), info(("a", "b", "c"), ()))
    assert [(p.rank, p.class_name) for p in predictions] == [(1, "a"), (2, "b"), (3, "c")]


def test_names_that_do_not_fit_the_outputs_are_not_used():
    assert top_predictions(one_hot(0), info(("a", "b")))[0].class_name is None


def test_probabilities_that_are_not_finite_give_no_predictions():
    rows = one_hot(1, 2)
    rows[0, 3] = np.nan
    assert {p.position for p in top_predictions(rows, info())} == {1}


@pytest.mark.parametrize(
    ("label", "right_class"),
    [
        ("n03", 3),
        ("great_white_shark", 1),
        ("Tench", 0),
        ("tinca tinca", 0),
        ("tench, Tinca tinca", 0),
        ("t shirt", 3),
        ("crane", 2),
        ("crane", 4),
        ("5", 5),
    ],
)
def test_a_label_finds_its_class_by_identifier_name_synonym_or_index(label, right_class):
    accuracy = measure_accuracy(one_hot(right_class), [label], info())
    assert accuracy is not None
    assert (accuracy.top1, accuracy.top5, accuracy.n_labelled) == (1.0, 1.0, 1)


def test_accuracy_is_over_the_stimuli_whose_label_is_known():
    rows = one_hot(2, 0, 0, 1, 1)
    accuracy = measure_accuracy(rows, ["n02", "n05", "n01", None, "unheard of"], info())
    assert accuracy is not None
    assert accuracy.n_labelled == 3
    assert accuracy.top1 == pytest.approx(1 / 3)  # n02 first
    assert accuracy.top5 == pytest.approx(2 / 3)  # n05 among the five, n01 is not


def test_a_name_that_is_a_number_comes_before_an_index():
    shifted = info(tuple(str(9 - index) for index in range(7)), ())
    accuracy = measure_accuracy(one_hot(0), ["9"], shifted)
    assert accuracy is not None
    assert accuracy.top1 == 1.0


@pytest.mark.parametrize("labels", [[None], ["unheard of"], ["7"], ["-1"], ["²"]])
def test_where_no_label_names_a_class_there_is_no_accuracy(labels):
    assert measure_accuracy(one_hot(0), labels, info()) is None

"""`import layerwise as lw`: from a live model and images to answers, with the numbers of the command line."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerwise as lw
from layerwise.plugins import load_plugins

RNG = np.random.default_rng(5)
IMAGES = RNG.integers(0, 256, (24, 8, 8, 1), dtype=np.uint8)
LABELS = np.arange(24) % 4


@pytest.fixture(scope="module")
def model() -> Any:
    """A small classifier; random weights, a fixed seed."""
    from layerwise.plugins.loaders.tensorflow_setup import import_keras

    keras = import_keras()
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3, activation="relu", name="conv"),
            keras.layers.Flatten(),
            keras.layers.Dense(6, activation="relu", name="hidden"),
            keras.layers.Dense(4, activation="softmax", name="classes"),
        ]
    )


@pytest.fixture(scope="module")
def run(model: Any) -> lw.Run:
    """One analysis, in memory."""
    return lw.analyze(model, IMAGES, labels=LABELS, layers="all", lineage="mine", step=1, checkpoint="first")


def activations(model: Any, layer: str) -> np.ndarray[Any, Any]:
    """What Keras says that a layer is, (n, units)."""
    from layerwise.plugins.loaders.tensorflow_setup import import_keras

    keras = import_keras()
    part = keras.Model(model.inputs, model.get_layer(layer).output)
    return np.asarray(part.predict(IMAGES.astype(np.float32), batch_size=16, verbose=0), np.float64).reshape(24, -1)


def test_similarities_are_those_of_the_models_own_activations(model: Any, run: lw.Run) -> None:
    expected = np.corrcoef(activations(model, "conv"))
    assert np.asarray(run.similarity("conv")) == pytest.approx(expected, abs=1e-5)


def test_a_matrix_is_asked_by_names(run: lw.Run) -> None:
    found = run.similarity("conv")
    assert found.sel("03", "07") == found.values[3, 7]
    assert found.sel(row="03")["07"] == found.sel(column="03")["07"] == found.values[3, 7]
    with pytest.raises(lw.InputError, match="there is no '3' here"):
        found.sel("3", "07")


def test_layers_are_compared_as_two_arrays_are(model: Any, run: lw.Run) -> None:
    table = run.compare("cka-debiased")
    value = lw.cka_debiased(activations(model, "conv"), activations(model, "hidden"))
    assert table.sel("conv", "hidden") == pytest.approx(value, abs=1e-5)
    assert table.rows == run.layers


def test_several_measures_come_as_a_dictionary(run: lw.Run) -> None:
    both = run.compare("cka", "rsa-spearman", layers="main")
    assert list(both) == ["cka", "rsa-spearman"]
    assert np.array_equal(both["cka"].values, run.compare("cka", layers="main").values)


def test_a_run_in_memory_is_compared_with_one_in_a_file(model: Any, run: lw.Run, tmp_path: Path) -> None:
    stored = lw.analyze(model, IMAGES, layers="all", db=tmp_path / "h.db")
    across = run.compare("rsa-pearson", other=stored)
    assert np.allclose(across.values, run.compare("rsa-pearson").values)
    assert np.allclose(stored.compare("rsa-pearson", other=run).values, across.values)


def test_nothing_of_a_comparison_across_histories_is_written(model: Any, run: lw.Run, tmp_path: Path) -> None:
    stored = lw.analyze(model, IMAGES, layers="all", db=tmp_path / "h.db")
    stored.compare("cka", other=run)
    assert stored.history.query("SELECT count(*) AS n FROM comparisons")["n"].item() == 0


def test_a_layer_and_a_lineage_can_be_the_other_side(model: Any, run: lw.Run) -> None:
    assert run.compare("cka", other="conv").columns == ("conv",)
    later = lw.analyze(
        model, IMAGES, labels=LABELS, layers="all", lineage="mine", step=2, checkpoint="second", db=run.history
    )
    table = later.compare("cka", other="lineage:mine")
    assert table.columns == ("first", "second")
    assert np.allclose(table.values, 1)
    with pytest.raises(lw.InputError, match="there is no lineage 'mein'; did you mean mine"):
        run.compare("cka", other="lineage:mein")


def test_the_same_call_twice_is_one_run(model: Any, tmp_path: Path) -> None:
    runs = [lw.analyze(model, IMAGES, db=tmp_path / "h.db") for _ in range(2)]
    assert runs[0].run_id == runs[1].run_id
    assert len(runs[1].history) == 1


def test_a_layer_is_silenced_while_the_model_is_there(model: Any, run: lw.Run, tmp_path: Path) -> None:
    without = run.ablate("conv")
    assert np.asarray(without.similarity("input")) == pytest.approx(np.asarray(run.similarity("input")))
    assert np.isnan(without.compare("rsa-pearson", other="conv").values).any()
    lw.analyze(model, IMAGES, db=tmp_path / "h.db")
    with lw.History(tmp_path / "h.db") as history, pytest.raises(lw.InputError, match="keeps no network"):
        history["latest"].ablate("conv")


def test_accuracy_and_predictions_are_the_models(model: Any, run: lw.Run) -> None:
    predicted = activations(model, "classes").argmax(axis=1)
    assert run.accuracy == pytest.approx(float((predicted == LABELS).mean()))
    first = run.predictions().filter(rank=1)
    assert first["class_index"].to_list() == predicted.tolist()
    assert first["label"].to_list() == [str(label) for label in LABELS]


def test_images_come_as_people_have_them(model: Any, run: lw.Run) -> None:
    import tensorflow as tf
    from PIL import Image

    pairs = tf.data.Dataset.from_tensor_slices((IMAGES, tf.one_hot(LABELS, 4)))
    pictures = [Image.fromarray(image[..., 0]) for image in IMAGES]
    given = {"dataset": pairs, "batches": pairs.batch(7), "tensor": tf.constant(IMAGES), "pictures": pictures}
    found = {name: lw.analyze(model, images, layers="all") for name, images in given.items()}
    for one in found.values():
        assert np.array_equal(one.similarity("conv").values, run.similarity("conv").values)
    assert found["dataset"].labels == found["batches"].labels == run.labels
    assert found["tensor"].labels == (None,) * 24


def test_an_endless_dataset_is_refused(model: Any) -> None:
    import tensorflow as tf

    with pytest.raises(lw.InputError, match="has no end"):
        lw.analyze(model, tf.data.Dataset.from_tensor_slices(IMAGES).repeat())


def test_what_was_decided_about_images_is_a_warning(model: Any) -> None:
    with pytest.warns(lw.RunWarning, match=r"values in 0\.\.1 are taken as pixels"):
        lw.analyze(model, (IMAGES / np.float32(255)).astype(np.float32))


@pytest.mark.parametrize("given", [{"labels": [1, 2]}, {"layers": "nothing-like-it"}, {"transforms": ["no-such"]}])
def test_a_call_that_makes_no_sense_leaves_no_file(model: Any, tmp_path: Path, given: dict[str, Any]) -> None:
    with pytest.raises(lw.InputError):
        lw.analyze(model, IMAGES, db=tmp_path / "h.db", **given)
    assert list(tmp_path.iterdir()) == []


def test_a_history_lists_runs_and_lineages(model: Any, run: lw.Run) -> None:
    history = run.history
    assert history["latest"].run_id in [one.run_id for one in history]
    assert [one.record.step for one in history.lineage("mine")] == sorted(
        one.record.step or 0 for one in history.runs(lineage="mine")
    )
    frame = history.runs(lineage="mine").to_polars()
    assert frame["run_id"][0] == run.run_id
    with pytest.raises(lw.InputError, match="there is no run 'zzz'"):
        history["zzz"]


def test_profiles_orders_and_statistics_are_labelled(run: lw.Run) -> None:
    profile = run.profile()
    assert profile.layers[0] == run.layers[0]
    assert profile.to_polars()["layer"].to_list() == list(profile.layers)
    order = run.reorder(by="output", method="label")
    assert sorted(order.positions) == list(range(24))
    assert [run.labels[at] for at in order.positions] == sorted(str(label) for label in LABELS)
    statistics = run.statistics()
    mean = statistics.filter(layer="hidden", statistic="mean")["value"].item()
    assert np.isfinite(mean)


def test_everything_shows_itself(run: lw.Run, tmp_path: Path) -> None:
    table = run.compare("rsa-pearson")
    for shown in (run, table, run.similarity("conv"), run.profile(), run.reorder()):
        assert "<svg" in shown._repr_html_()
        assert "\n" not in repr(shown)
    assert run.run_id in run.history._repr_html_()
    assert "<html" in run.report(tmp_path / "r.html").read_text()
    assert "vega-lite" in run.figure("layer-matrix").to_dict()["$schema"]


def test_a_frame_has_a_line_for_each_pair(run: lw.Run) -> None:
    table = run.compare("rsa-pearson")
    frame = table.to_polars()
    assert frame.columns == ["layer", "other layer", "similarity"]
    row = frame.filter(layer="conv", **{"other layer": "hidden"})
    assert row["similarity"].item() == table.sel("conv", "hidden")


def test_several_threads_ask_one_run(run: lw.Run) -> None:
    barrier = threading.Barrier(4)
    expected = run.compare("rsa-pearson").values
    found: list[Any] = []

    def ask(measure: str) -> None:
        barrier.wait()
        found.append((measure, run.compare(measure).values, run.similarity("conv").values))

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("rsa-pearson", "cka", "procrustes", "cka")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(np.array_equal(values, expected) for name, values, _ in found if name == "rsa-pearson")


def test_every_built_in_comparator_takes_two_arrays() -> None:
    from layerwise.core.host.kinds import Comparator
    from layerwise.notebook import measures

    names = {offer.name.replace("-", "_") for offer in load_plugins().all(Comparator)}
    assert names == set(measures.__all__) - {"compare", "MeasureWarning"}
    first, second = RNG.normal(size=(40, 12)), RNG.normal(size=(40, 15))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lw.MeasureWarning)
        values = {name: getattr(lw, name)(first, second) for name in names}
    assert all(np.isfinite(value) for value in values.values())


def test_cka_of_two_arrays_is_its_formula_and_warns() -> None:
    first, second = RNG.normal(size=(12, 50)), RNG.normal(size=(12, 80))
    x, y = (array - array.mean(axis=0) for array in (first, second))
    expected = np.linalg.norm(x.T @ y) ** 2 / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y)
    with pytest.warns(lw.MeasureWarning, match="biased by few stimuli"):
        assert lw.cka(first, second) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (np.ones((3, 2)), np.ones((4, 2)), "first array has 3 rows and the second 4"),
        (np.ones(3), np.ones((3, 2)), r"first array has shape \(3,\)"),
        (np.eye(3), np.array([[1, np.nan], [0, 1], [1, 1]]), "second array: activations of stimulus 0"),
        (np.eye(3), "words", "second array holds no numbers"),
    ],
)
def test_arrays_that_cannot_be_compared_are_refused(first: Any, second: Any, why: str) -> None:
    with pytest.raises(lw.InputError, match=why):
        lw.compare(first, second, "cka")


def test_a_run_with_landmarks_says_what_its_answers_are_of(model: Any) -> None:
    few = lw.analyze(model, IMAGES, layers="all", landmarks=8)
    found = few.compare("cka-debiased")
    assert np.isfinite(np.asarray(found)).all()
    assert "of pairs with the first 8 of 24 stimuli, the landmarks" in found.warnings
    with pytest.raises(lw.InputError, match="its first 8 stimuli alone"):
        few.similarity("conv")

"""DeCov and equal steps of decorrelation as losses of a Keras training: what they measure, and what they do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerwise as lw
from layerwise.core.analysis.profile import measure_profile, measure_smoothness
from layerwise.core.base.errors import InputError
from layerwise.core.history.records import RunFilter
from layerwise.demo.digits import load_digits
from layerwise.demo.network import build_network
from layerwise.plugins.loaders.keras import losses
from layerwise.storage import open_store

keras: Any = pytest.importorskip("keras")
tf: Any = pytest.importorskip("tensorflow")
LAYERS = ["input", "conv0", "maxpool0", "mixed1", "maxpool1", "mixed2", "avgpool", "logits", "output"]


def make_layers(n: int = 12, dtype: str = "float64") -> list[np.ndarray]:
    """A way of five layers of n stimuli, each a noisy, rectified map of the one before, the second one of images."""
    rng = np.random.default_rng(2)
    rows = [rng.normal(size=(n, 48))]
    for width in (36, 30, 20, 10):
        mapped = rows[-1] @ rng.normal(size=(rows[-1].shape[1], width)) / 6
        rows.append(np.maximum(mapped, 0) + 0.1 * rng.normal(size=(n, width)))
    rows[1] = rows[1].reshape(n, 3, 3, 4)
    return [row.astype(dtype) for row in rows]


def profile_of(layers: list[np.ndarray]) -> tuple[np.ndarray, float]:
    """Steps and smoothness as the definitions have them, with NumPy."""
    pairs = np.triu_indices(len(layers[0]), 1)
    distances = [1 - np.corrcoef(layer.reshape(len(layer), -1))[pairs] for layer in layers]
    profile = measure_profile([str(k) for k in range(len(layers))], np.corrcoef(distances), "similarity")
    return profile.steps[1:], profile.smoothness


def test_steps_and_smoothness_are_those_of_a_profile() -> None:
    layers = make_layers()
    steps, smoothness = profile_of(layers)
    np.testing.assert_allclose(losses.measure_steps(layers), steps, rtol=1e-9)
    assert float(losses.measure_smoothness(losses.measure_steps(layers))) == pytest.approx(smoothness, rel=1e-9)
    assert float(losses.measure_smoothness(np.array([0.0, 3.0, 1.0]))) == pytest.approx(
        measure_smoothness([0.0, 3.0, 1.0])
    )


@pytest.mark.parametrize("which", [0, 1, 4])
def test_decov_is_half_the_squared_covariances_between_units(which: int) -> None:
    layer = make_layers()[which]
    covariance = np.cov(layer.reshape(len(layer), -1).T, bias=True)
    expected = ((covariance**2).sum() - (np.diag(covariance) ** 2).sum()) / 2
    assert float(losses.measure_decov(layer)) == pytest.approx(expected, rel=1e-9)


def check_gradient(loss: Any, arrays: list[np.ndarray]) -> None:
    """The gradient against central differences, in a few random directions of all arrays together."""
    tensors = [tf.Variable(array) for array in arrays]
    with tf.GradientTape() as tape:
        value = loss(tensors)
    gradients = [np.asarray(each) for each in tape.gradient(value, tensors)]
    rng = np.random.default_rng(5)
    for _ in range(4):
        ways = [rng.normal(size=array.shape) for array in arrays]
        ahead, behind = (
            float(loss([array + sign * 1e-5 * way for array, way in zip(arrays, ways, strict=True)]))
            for sign in (1, -1)
        )
        along = sum((gradient * way).sum() for gradient, way in zip(gradients, ways, strict=True))
        assert along == pytest.approx((ahead - behind) / 2e-5, rel=1e-5, abs=1e-9)
        assert along != 0


def test_the_gradient_of_smoothness_agrees_with_finite_differences() -> None:
    check_gradient(lambda layers: 1 - losses.measure_smoothness(losses.measure_steps(layers)), make_layers())


def test_the_gradient_of_decov_agrees_with_finite_differences() -> None:
    check_gradient(lambda layers: losses.measure_decov(layers[0]), make_layers()[1:2])


@pytest.mark.parametrize("n", [1, 2])
def test_a_batch_of_one_or_two_says_nothing_of_smoothness(n: int) -> None:
    tensors = [tf.Variable(layer) for layer in make_layers(n, "float32")]
    with tf.GradientTape() as tape:
        value = 1 - losses.measure_smoothness(losses.measure_steps(tensors))
    assert float(value) == pytest.approx(0, abs=1e-6)
    assert all(np.allclose(each, 0, atol=1e-6) for each in tape.gradient(value, tensors))


def test_stimuli_that_are_constant_in_a_layer_leave_the_gradient_finite() -> None:
    layers = make_layers(6, "float32")
    layers[3][:] = 0
    tensors = [tf.Variable(layer) for layer in layers]
    with tf.GradientTape() as tape:
        value = losses.measure_smoothness(losses.measure_steps(tensors))
    assert np.isfinite(float(value))
    assert all(np.isfinite(each).all() for each in tape.gradient(value, tensors))


def compile_quietly(model: Any, **options: Any) -> Any:
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", **options)
    return model


@pytest.fixture(scope="module")
def digits() -> Any:
    learned, held_out = load_digits(100, seed=0)
    return learned, held_out


def pixels_of(digits: Any) -> np.ndarray:
    return digits.pixels[..., None].astype(np.float32)


def test_the_loss_of_a_model_is_its_own_and_what_was_put_on_it(digits: Any) -> None:
    model = build_network()
    pixels, labels = pixels_of(digits[1])[:40], digits[1].labels[:40]
    own = compile_quietly(model).evaluate(pixels, labels, batch_size=40, verbose=0)
    both = lw.keras.with_losses(
        model, lw.keras.SmoothDecorrelation(0.5), lw.keras.DeCov(2.0, layers=["avgpool", "conv0"])
    )
    total = compile_quietly(both).evaluate(pixels, labels, batch_size=40, verbose=0)
    inside = keras.Model(model.inputs, [model.inputs[0], *(model.get_layer(name).output for name in LAYERS[1:])])
    tensors = dict(zip(LAYERS, inside.predict(pixels, batch_size=40, verbose=0), strict=True))
    _, smoothness = profile_of(list(tensors.values()))
    decov = sum(float(losses.measure_decov(tensors[name])) for name in ("avgpool", "conv0"))
    assert total == pytest.approx(own + 0.5 * (1 - smoothness) + 2.0 * decov, rel=1e-4)
    assert both.count_params() == model.count_params()
    np.testing.assert_array_equal(both.predict(pixels, verbose=0), model.predict(pixels, verbose=0))


def in_sequence() -> Any:
    return keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(12, activation="relu"),
            lw.keras.DeCov(100),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


class OwnModel(keras.Model):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        super().__init__()
        self.parts = [
            keras.layers.Flatten(),
            *(keras.layers.Dense(size, activation="relu") for size in (20, 12, 10)),
        ]
        self.smooth = lw.keras.SmoothDecorrelation(0.5)

    def call(self, inputs: Any) -> Any:
        found = [inputs / 255]
        for part in self.parts:
            found.append(part(found[-1]))
        return keras.ops.softmax(self.smooth(found))


@pytest.mark.parametrize("make", [in_sequence, OwnModel])
def test_sequential_and_subclassed_models_train_with_a_loss_among_their_layers(make: Any, digits: Any) -> None:
    keras.utils.set_random_seed(1)
    model = compile_quietly(make())
    pixels, labels = pixels_of(digits[0])[:70], digits[0].labels[:70]
    model.fit(pixels, labels, batch_size=32, verbose=0)  # the last batch has six
    own = keras.losses.sparse_categorical_crossentropy(labels, model.predict(pixels, verbose=0))
    total = model.evaluate(pixels, labels, batch_size=70, verbose=0)
    assert total > float(np.mean(own)) + 1e-4  # which has nothing added


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_losses_are_computed_in_float32_under_mixed_precision(policy: str, digits: Any) -> None:
    keras.mixed_precision.set_global_policy(policy)
    try:
        model = lw.keras.with_losses(build_network(), lw.keras.SmoothDecorrelation(0.5))
        compile_quietly(model)
        model.fit(pixels_of(digits[0])[:64], digits[0].labels[:64], batch_size=32, verbose=0)
        found = model(pixels_of(digits[1])[:8])
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert found.dtype == getattr(tf, policy.removeprefix("mixed_"))  # handed on as it came
    assert [loss.dtype for loss in model.losses] == [tf.float32]


def test_a_model_is_saved_with_its_losses_and_analysed_as_without_them(digits: Any, tmp_path: Path) -> None:
    from layerwise.cli import main

    model = build_network()
    lossy = lw.keras.with_losses(model, lw.keras.SmoothDecorrelation(0.5), lw.keras.DeCov(0.1, layers="avgpool"))
    model.save(tmp_path / "plain.keras")
    lossy.save(tmp_path / "lossy.keras")
    loaded = keras.saving.load_model(tmp_path / "lossy.keras")
    found = [layer for layer in loaded.layers if isinstance(layer, losses.RepresentationLoss)]
    assert [(layer.weight, layer.layers) for layer in found] == [(0.5, ("main",)), (0.1, ("avgpool",))]
    np.savez(tmp_path / "probes.npz", images=digits[1].pixels[:30, ..., None])
    database = f"sqlite:///{tmp_path / 'history.db'}"
    for name in ("plain", "lossy"):
        command = ["run", str(tmp_path / f"{name}.keras"), "--stimuli", str(tmp_path / "probes.npz")]
        assert main([*command, "--lineage", name, "--db", database, "--json"]) == 0
    with open_store(database, read_only=True) as store:
        (plain,), (with_losses,) = (store.list_runs(RunFilter(lineage=name)) for name in ("plain", "lossy"))
        assert [layer.name for layer in store.list_layers(plain.id)] == [
            layer.name for layer in store.list_layers(with_losses.id)
        ]
    assert plain.model.fingerprint == with_losses.model.fingerprint


def test_a_file_with_losses_is_read_where_nothing_of_layerwise_was_imported(tmp_path: Path) -> None:
    import subprocess
    import sys

    path = tmp_path / "lossy.keras"
    lw.keras.with_losses(build_network(), lw.keras.DeCov(0.1, layers="avgpool")).save(path)
    said = subprocess.run(
        [sys.executable, "-m", "layerwise", "layers", str(path), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert "decov" not in said.stdout.lower()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: lw.keras.DeCov(-1.0), "must not be negative"),
        (lambda: lw.keras.with_losses(build_network(), lw.keras.DeCov(1, layers="nothing")), "picks no layer"),
        (
            lambda: lw.keras.with_losses(
                build_network(), lw.keras.SmoothDecorrelation(1, layers=["conv0", "mixed1"])
            ),
            "needs 3 layers, and conv0, mixed1 are chosen",
        ),
        (lambda: lw.keras.SmoothDecorrelation(1)([np.zeros((4, 3)), np.zeros((4, 2))]), "needs 3 layers"),
        (lambda: lw.keras.with_losses(in_sequence(), lw.keras.DeCov(1, layers="logits")), "lies inside another one"),
        (lambda: lw.keras.with_losses(OwnModel(), lw.keras.DeCov(1)), "not a functional or sequential model"),
    ],
)
def test_what_cannot_work_is_one_line(make: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        make()


def train_and_record(loss: Any, seed: int, digits: Any, folder: Path, epochs: int) -> tuple[float, float]:
    """Smoothness, and DeCov of `avgpool`, on held-out digits after a training, from what the history has of it."""
    from layerwise.core.analysis.profile_run import profile_run
    from layerwise.plugins import load_plugins

    keras.utils.set_random_seed(seed)
    model = build_network()
    if loss is not None:
        model = lw.keras.with_losses(model, loss)
    compile_quietly(model)
    database, lineage = folder / "history.db", f"{type(loss).__name__} {seed}"
    probes = digits[1].pixels[..., None], digits[1].labels
    recorder = lw.keras.RecordRepresentations(probes, every=[10**6], db=database, lineage=lineage)
    learned = digits[0]
    recorder.set_model(model)
    model.fit(pixels_of(learned), learned.labels, batch_size=32, epochs=epochs, verbose=0)
    assert recorder.record(epochs)
    recorder.close()
    with open_store(f"sqlite:///{database}") as store:
        (run,) = store.list_runs(RunFilter(lineage=lineage))
        profile = profile_run(load_plugins(), store, run, "rsa-pearson")
        (decov,) = (
            found.result.value
            for found in store.read_statistics(run.id)
            if (found.result.name, found.layer) == ("decov", "avgpool")
        )
    return profile.smoothness, decov


def compare_trainings(seeds: range, digits: Any, folder: Path, epochs: int) -> tuple[np.ndarray, np.ndarray]:
    """How much more smoothness, and what share of DeCov, each loss leaves; (n_seeds,) each."""
    more, share = [], []
    for seed in seeds:
        plain = train_and_record(None, seed, digits, folder, epochs)
        smooth = train_and_record(lw.keras.SmoothDecorrelation(0.5), seed, digits, folder, epochs)
        decov = train_and_record(lw.keras.DeCov(0.1, layers="avgpool"), seed, digits, folder, epochs)
        more.append(smooth[0] - plain[0])
        share.append(decov[1] / plain[1])
    return np.array(more), np.array(share)


def test_training_with_them_smooths_held_out_digits_and_decorrelates_units(digits: Any, tmp_path: Path) -> None:
    more, share = compare_trainings(range(1), digits, tmp_path, epochs=2)
    assert more.min() > 0.1
    assert share.max() < 0.1


@pytest.mark.slow
def test_so_they_do_whatever_the_seed(digits: Any, tmp_path: Path) -> None:
    more, share = compare_trainings(range(1, 5), digits, tmp_path, epochs=3)
    assert more.min() > 0.1
    assert share.max() < 0.05

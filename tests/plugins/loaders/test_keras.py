"""What a user may rely on when loading Keras models: files, applications, and models built in memory."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import InputError, LayerwiseError, PluginError
from layerwise.core.network.model import LoadRequest
from layerwise.plugins.loaders.description import ModelDescription
from layerwise.plugins.loaders.keras.model import KerasModel
from layerwise.plugins.loaders.preprocessing import find_preprocessing
from layerwise.plugins.loaders.seeding import seeded


def wrap(network: Any) -> KerasModel:
    return KerasModel(network, ModelDescription("test", "memory", find_preprocessing("none")))


def names_of(model: Any) -> list[str]:
    return [layer.name for layer in model.layers]


def test_a_keras_file_gives_what_keras_gives(
    load: Any, keras_file: Path, small_network: Any, pixels: np.ndarray
) -> None:
    model = load(keras_file)
    (output,) = model.compile("image", ["classes"])(model.preprocess(pixels))
    np.testing.assert_allclose(output, small_network.predict(pixels.astype(np.float32), verbose=0), atol=1e-6)


def test_a_softmax_inside_the_last_layer_leaves_its_logits_to_be_had(
    load: Any, keras_file: Path, pixels: np.ndarray
) -> None:
    model = load(keras_file)
    logits, output = model.compile("image", ["logits", "classes"])(model.preprocess(pixels))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(output, exponentials / exponentials.sum(axis=1, keepdims=True), atol=1e-6)
    assert {layer.name: layer.role for layer in model.layers}["logits"] == "logits"
    assert model.info.has_probabilities


def test_splitting_the_softmax_off_leaves_the_network_as_it_was(small_network: Any) -> None:
    wrap(small_network)
    assert small_network.get_layer("classes").activation.__name__ == "softmax"


def test_the_layers_of_a_keras_file_are_its_own_and_its_branches(load: Any, keras_file: Path) -> None:
    branches = ["block/1x1", "b_reduce", "block/3x3", "c_pool", "block/pool"]
    expected = ["image", "stem", "stem_norm", "stem_relu", *branches, "block", "average", "logits", "classes"]
    assert names_of(load(keras_file)) == expected


def test_any_batch_size_goes_through_the_function_compiled_once(
    loader_named: Any, keras_file: Path, pixels: np.ndarray
) -> None:
    model = loader_named("keras-file").load(LoadRequest(str(keras_file)))
    function = model.compile("image", ["block", "classes"])
    assert model.compile("image", ["block", "classes"]) is function
    tensor = model.preprocess(pixels)
    whole = function(tensor)
    for size in (1, 3):
        for part, all_of_it in zip(function(tensor[:size]), whole, strict=True):
            assert part.shape[0] == size
            np.testing.assert_allclose(part, all_of_it[:size], rtol=1e-4, atol=1e-5)


def test_a_start_that_does_not_decide_the_outputs_is_refused(load: Any, keras_file: Path) -> None:
    with pytest.raises(PluginError, match="cannot be computed from 'b_reduce' alone"):
        load(keras_file).compile("b_reduce", ["block"])


def test_weights_carry_the_names_of_their_layers(load: Any, keras_file: Path, small_network: Any) -> None:
    model = load(keras_file)
    weights = {tensor.name: tensor for tensor in model.weights()}
    assert weights["block/3x3/kernel"].layer == "block/3x3"
    assert weights["stem_norm/moving_mean"].values.shape == (6,)
    assert model.info.n_parameters == small_network.count_params()
    np.testing.assert_array_equal(weights["logits/kernel"].values, small_network.get_layer("classes").kernel.numpy())


def test_models_inside_a_model_are_laid_out_layer_by_layer() -> None:
    import keras
    from keras import layers

    inner_source = keras.Input((6, 6, 2))
    inner = keras.Model(
        inner_source, layers.ReLU(name="relu")(layers.Conv2D(4, 3, name="conv")(inner_source)), name="body"
    )
    tail = keras.Sequential([layers.Flatten(name="flat"), layers.Dense(3, name="dense")], name="tail")
    source = keras.Input((6, 6, 3), name="image")
    network = keras.Model(source, tail(inner(layers.Conv2D(2, 1, name="first")(source))))
    model = wrap(network)
    assert names_of(model) == ["image", "first", "body/conv", "body/relu", "tail/dense"]
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype(np.float32)
    (output,) = model.compile("image", ["tail/dense"])(images)
    np.testing.assert_allclose(output, network.predict(images, verbose=0), atol=1e-5)


def test_a_layer_that_is_called_twice_is_two_nodes_with_one_set_of_weights() -> None:
    import keras
    from keras import layers

    source = keras.Input((6, 6, 3), name="image")
    shared = layers.Conv2D(3, 1, name="shared")
    network = keras.Model(source, shared(layers.ReLU(name="relu")(shared(source))))
    model = wrap(network)
    assert names_of(model) == ["image", "shared", "relu", "shared:1"]
    assert [tensor.name for tensor in model.weights()] == ["shared/kernel", "shared/bias"]


def build_unnamed() -> Any:
    import keras
    from keras import layers, ops

    keras.utils.set_random_seed(1)
    x = source = keras.Input((6, 6, 3))
    for _ in range(2):
        x = layers.Activation("relu")(layers.Conv2D(3, 1)(x))
    return keras.Model(source, layers.GlobalAveragePooling2D()(ops.add(x, source)))


def test_names_that_keras_numbers_per_process_come_out_the_same_every_time() -> None:
    first, second = wrap(build_unnamed()), wrap(build_unnamed())
    assert names_of(first) == names_of(second)
    assert names_of(first)[:5] == ["input_layer", "conv2d", "activation", "conv2d_1", "activation_1"]
    assert first.info.fingerprint == second.info.fingerprint


def test_a_fingerprint_changes_with_weights_architecture_and_preprocessing(load: Any, keras_file: Path) -> None:
    network = build_unnamed()
    before = wrap(network).info.fingerprint
    network.layers[1].set_weights([weight + 1 for weight in network.layers[1].get_weights()])
    assert wrap(network).info.fingerprint != before
    assert load(keras_file).info.fingerprint != load(keras_file, preprocessing="unit").info.fingerprint
    kept = {setting: wrap(build_pool(setting)).info.fingerprint for setting in ("same", "valid")}
    assert kept["same"] != kept["valid"]


def build_pool(padding: str) -> Any:
    import keras

    source = keras.Input((4, 4, 3))
    return keras.Model(source, keras.layers.MaxPooling2D(2, 2, padding)(source))


def save_with_lambda(path: Path) -> Path:
    import keras

    source = keras.Input((4, 4, 3))
    keras.Model(source, keras.layers.Lambda(lambda x: x * 2, name="doubler")(source)).save(path)
    return path


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_code_in_a_file_is_refused_until_it_is_allowed(load: Any, tmp_path: Path, suffix: str) -> None:
    path = save_with_lambda(tmp_path / f"code{suffix}")
    with pytest.raises(InputError, match=r"doubler.*--allow-unsafe"):
        load(path)
    model = load(path, allow_unsafe=True)
    image = np.ones((1, 4, 4, 3), np.float32)
    assert model.compile(model.graph.input, [model.graph.output])(image)[0].max() == 2


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_h5_files_of_a_whole_model_load(load: Any, tmp_path: Path, small_network: Any, keras_file: Path) -> None:
    path = tmp_path / "small.h5"
    small_network.save(path)
    assert names_of(load(path)) == names_of(load(keras_file))


def test_other_weights_can_be_laid_over_a_model(
    load: Any, tmp_path: Path, keras_file: Path, small_network: Any
) -> None:
    import keras

    other = keras.models.clone_model(small_network)
    other.save_weights(tmp_path / "other.weights.h5")
    model = load(keras_file, weights=str(tmp_path / "other.weights.h5"))
    values = {tensor.name: tensor.values for tensor in model.weights()}
    np.testing.assert_array_equal(values["stem/kernel"], other.get_layer("stem").kernel.numpy())


def damage(path: Path, name: str) -> bytes:
    if name == "half.keras":
        return path.read_bytes()[: path.stat().st_size // 2]
    return b"no model at all"


@pytest.mark.parametrize("name", ["half.keras", "text.keras", "text.h5"])
def test_a_damaged_file_is_one_clear_line(load: Any, tmp_path: Path, keras_file: Path, name: str) -> None:
    (tmp_path / name).write_bytes(damage(keras_file, name))
    with pytest.raises(InputError, match=f"{name} is not a Keras model file, or is damaged") as caught:
        load(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_an_archive_without_weights_is_one_clear_line(load: Any, tmp_path: Path, keras_file: Path) -> None:
    path = tmp_path / "bare.keras"
    with zipfile.ZipFile(keras_file) as whole, zipfile.ZipFile(path, "w") as bare:
        bare.writestr("config.json", whole.read("config.json"))
        bare.writestr("metadata.json", whole.read("metadata.json"))
    with pytest.raises(InputError, match=r"cannot load .*bare\.keras"):
        load(path)


def test_missing_files_and_weights_files_say_what_to_do(load: Any, tmp_path: Path, small_network: Any) -> None:
    with pytest.raises(InputError, match=r"no model file .*absent\.keras"):
        load(tmp_path / "absent.keras")
    small_network.save_weights(tmp_path / "some.weights.h5")
    with pytest.raises(InputError, match="give the file with --weights"):
        load(tmp_path / "some.weights.h5")


def test_a_model_that_was_never_built_is_refused() -> None:
    import keras

    with pytest.raises(InputError, match="was never built"):
        wrap(keras.Sequential([keras.layers.Dense(2)]))


def test_an_input_of_any_size_is_taken_as_a_photo_of_224() -> None:
    import keras

    source = keras.Input((None, None, 3), name="image")
    model = wrap(keras.Model(source, keras.layers.Conv2D(2, 3, strides=2, name="conv")(source)))
    assert model.info.input_shape == (224, 224, 3)
    assert model.layers[-1].shape == (111, 111, 2)


def test_a_greyscale_network_is_shown_the_luminance() -> None:
    import keras

    source = keras.Input((2, 2, 1))
    model = wrap(keras.Model(source, keras.layers.Flatten()(source)))
    pixels = np.zeros((1, 2, 2, 3), np.uint8)
    pixels[..., 1] = 100
    np.testing.assert_allclose(model.preprocess(pixels), np.full((1, 2, 2, 1), 58.7), rtol=1e-6)


def test_dropout_and_batch_normalisation_are_in_inference_mode() -> None:
    import keras
    from keras import layers

    source = keras.Input((4, 4, 3), name="image")
    model = wrap(
        keras.Model(source, layers.Dropout(0.9, name="drop")(layers.BatchNormalization(name="norm")(source)))
    )
    image = np.full((2, 4, 4, 3), 5, np.float32)
    (output,) = model.compile("image", ["drop"])(image)
    np.testing.assert_allclose(output, image, rtol=1e-3)


def test_every_application_is_known_by_either_spelling(loader_named: Any) -> None:
    loader = loader_named("keras-applications")
    assert {"inception_v3", "resnet50", "mobilenet_v2", "vgg16", "efficientnet_b0"} <= set(loader.known_models())
    assert all(loader.accepts(name) for name in ("InceptionV3", "inception_v3", "ResNet50V2", "NASNetMobile"))
    assert not loader.accepts("googlenet")


def test_an_untrained_application_is_the_same_for_the_same_seed(load: Any) -> None:
    prints = [load("mobilenet_v2", weights="none", seed=seed).info.fingerprint for seed in (1, 1, 2)]
    assert prints[0] == prints[1] != prints[2]


def test_building_with_a_seed_leaves_other_random_numbers_alone() -> None:
    python_state, numpy_state = random.getstate(), np.random.get_state()[1].copy()
    with seeded(1):
        random.random()
    assert random.getstate() == python_state
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)


def test_applications_preprocess_as_their_module_does(load: Any) -> None:
    import keras

    model = load("MobileNetV2", weights="none")
    pixels = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
    expected = keras.applications.mobilenet_v2.preprocess_input(pixels.astype(np.float32))
    np.testing.assert_array_equal(model.preprocess(pixels), expected)
    assert model.info.resize == "crop"
    assert model.info.source == "untrained, seed 0"


def test_an_application_takes_imagenet_weights_where_nothing_is_said_and_fetching_brings_them(
    loader_named: Any, load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    asked: list[Any] = []

    def refuse(weights: Any) -> None:
        asked.append(weights)
        raise ValueError("no way to the server")

    monkeypatch.setattr(keras.applications, "MobileNetV2", refuse)
    with pytest.raises(
        LayerwiseError, match=r"--weights FILE takes a file's, --weights none analyses random weights"
    ):
        load("mobilenet_v2")
    with pytest.raises(LayerwiseError, match="no way to the server"):
        loader_named("keras-applications").fetch("MobileNetV2")
    assert asked == ["imagenet", "imagenet"]


def test_weights_that_cannot_be_fetched_are_one_clear_line(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    def refuse(**_: Any) -> None:
        raise ValueError("URL fetch failure on https://example.org/weights.h5: None -- unreachable\nand more")

    monkeypatch.setattr(keras.applications, "MobileNetV2", refuse)
    with pytest.raises(
        LayerwiseError, match="cannot fetch the imagenet weights of mobilenet_v2: URL fetch"
    ) as caught:
        load("mobilenet_v2", weights="imagenet")
    assert "\n" not in str(caught.value)


def test_weights_of_another_network_are_one_clear_line(load: Any, tmp_path: Path, small_network: Any) -> None:
    small_network.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(InputError, match=r"other\.weights\.h5 does not fit mobilenet") as caught:
        load("mobilenet_v2", weights=str(tmp_path / "other.weights.h5"))
    assert "\n" not in str(caught.value)


def test_inception_v3_has_its_nested_blocks(load: Any) -> None:
    model = load("inception_v3", weights="none")
    layers = {layer.name: layer for layer in model.layers}
    expected = {
        "mixed0": "1x1 5x5 3x3dbl pool",
        "mixed3": "3x3 3x3dbl pool",
        "mixed4": "1x1 7x7 7x7_2 pool",
        "mixed8": "3x3 7x7 pool",
        "mixed9": "1x1 3x3 3x3_2 3x3dbl 3x3dbl_2 pool",
        "mixed10": "1x1 3x3 3x3_2 3x3dbl 3x3dbl_2 pool",
    }
    for block, labels in expected.items():
        assert layers[block].parts == tuple(f"{block}/{label}" for label in labels.split())
        assert sum(layers[part].n_features for part in layers[block].parts) == layers[block].n_features
    assert layers["mixed10/pool"].op == "activation"
    assert layers["mixed8/pool"].op == "pool"


@pytest.mark.parametrize(
    ("name", "main"),
    [
        ("vgg16", "block1_conv1 block1_conv2 block1_pool fc1 fc2 predictions"),
        ("resnet50", "conv1_relu pool1_pool conv2_block1_out conv5_block3_out avg_pool predictions"),
        ("densenet121", "conv1_relu pool1 conv2_block6_concat pool2_pool conv5_block16_concat avg_pool predictions"),
        ("efficientnet_b0", "stem_activation block2b_add top_activation avg_pool predictions"),
        ("mobilenet_v2", "Conv1_relu block_2_add out_relu predictions"),
    ],
)
def test_the_main_layers_of_other_architectures_are_the_ends_of_their_steps(load: Any, name: str, main: str) -> None:
    model = load(name, weights="none")
    found = [layer.name for layer in model.layers if layer.is_main]
    assert set(main.split()) <= set(found)
    assert not [layer for layer in found if layer.endswith(("_pad", "_bn", "_BN", "flatten", "dropout"))] or name in (
        "mobilenet_v2",
        "efficientnet_b0",
    )
    assert [layer.role for layer in model.layers].count("logits") == 1

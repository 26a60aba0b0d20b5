"""What a user may rely on when loading GoogLeNet: its layers, its weights, and clear words for damaged files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from layerwise.core.base.errors import InputError
from layerwise.core.network.layer_naming import derive_layers
from layerwise.plugins.loaders.caffe import _message_class, read_caffemodel
from layerwise.plugins.loaders.googlenet_layers import MAIN, build_googlenet, caffe_names

PUBLISHED = (
    "input conv2d0 maxpool0 conv2d1 conv2d2 maxpool1 mixed3a mixed3b maxpool4 mixed4a mixed4b mixed4c mixed4d "
    "mixed4e maxpool10 mixed5a mixed5b avgpool0 logits output"
)


@pytest.fixture(scope="module")
def untrained(load: Any) -> Any:
    return load("googlenet", weights="none")


@pytest.fixture(scope="module")
def blobs() -> dict[str, list[np.ndarray]]:
    """Blobs as Caffe lays them out, for every layer of the network, and for an auxiliary head."""
    random = np.random.default_rng(0)
    network = build_googlenet()
    found = {}
    for name, theirs in caffe_names().items():
        kernel = network.get_layer(name).kernel.numpy()
        shape = kernel.shape[::-1] if kernel.ndim == 2 else kernel.transpose(3, 2, 0, 1).shape
        found[theirs] = [random.normal(0, 0.05, shape).astype("<f4"), random.normal(0, 0.1, shape[0]).astype("<f4")]
    found["loss1/classifier"] = [np.zeros((7, 7), "<f4"), np.zeros(7, "<f4")]
    return found


def write_caffemodel(path: Path, blobs: dict[str, list[np.ndarray]], *, legacy: bool = False) -> Path:
    net = _message_class()()
    for name, arrays in blobs.items():
        layer = (net.layers if legacy else net.layer).add(name=name.encode())
        for array in arrays:
            if legacy:
                num, channels, height, width = (1,) * (4 - array.ndim) + array.shape
                blob = layer.blobs.add(num=num, channels=channels, height=height, width=width)
            else:
                blob = layer.blobs.add()
                blob.shape.dim.extend(array.shape)
            blob.data.append(array.tobytes())
    path.write_bytes(net.SerializeToString())
    return path


@pytest.fixture(scope="module")
def caffemodel(blobs: dict[str, list[np.ndarray]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_caffemodel(tmp_path_factory.mktemp("caffe") / "random.caffemodel", blobs)


def weights_of(model: Any) -> dict[str, np.ndarray]:
    return {tensor.name: tensor.values for tensor in model.weights()}


def test_the_main_layers_are_those_of_the_published_analysis_and_the_logits(untrained: Any) -> None:
    assert [layer.name for layer in untrained.layers if layer.is_main] == PUBLISHED.split()


def test_walking_the_graph_finds_the_published_layers_too(untrained: Any) -> None:
    assert tuple(layer.name for layer in derive_layers(untrained.graph) if layer.is_main) == MAIN


def test_every_module_has_four_branches_that_add_up(untrained: Any) -> None:
    layers = {layer.name: layer for layer in untrained.layers}
    blocks = [layer for layer in untrained.layers if layer.parts]
    assert len(blocks) == 9
    for block in blocks:
        assert block.parts == tuple(f"{block.name}/{label}" for label in ("1x1", "3x3", "5x5", "pool"))
        assert sum(layers[part].n_features for part in block.parts) == block.n_features
    assert layers["mixed4c/5x5"].shape == (14, 14, 64)


def test_logits_are_main_beside_the_output(untrained: Any) -> None:
    (logits,) = [layer for layer in untrained.layers if layer.role == "logits"]
    assert (logits.name, logits.is_main, logits.shape) == ("logits", True, (1000,))


def test_the_network_is_cut_after_each_pool(untrained: Any) -> None:
    assert {"maxpool1", "maxpool4", "maxpool10", "mixed4c"} <= set(untrained.graph.cut_points())


def test_untrained_weights_follow_from_the_seed(load: Any, untrained: Any) -> None:
    assert load("googlenet", weights="none", seed=0).info.fingerprint == untrained.info.fingerprint
    assert load("googlenet", weights="none", seed=1).info.fingerprint != untrained.info.fingerprint
    assert load("googlenet", weights="none", seed=1).info.source == "untrained, seed 1"


def test_pixels_become_bgr_minus_the_mean(untrained: Any) -> None:
    pixels = np.zeros((1, 224, 224, 3), np.uint8)
    pixels[...] = (200, 150, 110)
    np.testing.assert_array_equal(untrained.preprocess(pixels)[0, 0, 0], [6, 33, 77])
    np.testing.assert_array_equal(untrained.preprocess(pixels.astype(np.float32)), untrained.preprocess(pixels))
    assert untrained.info.preprocessing == "BGR minus (104, 117, 123)"


def test_caffe_weights_are_laid_out_as_keras_has_them(load: Any, caffemodel: Path, blobs: dict[str, Any]) -> None:
    weights = weights_of(load("googlenet", weights=str(caffemodel)))
    kernel, bias = blobs["inception_4c/5x5"]
    np.testing.assert_array_equal(weights["mixed4c/5x5/kernel"], kernel.transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(weights["mixed4c/5x5/bias"], bias)
    np.testing.assert_array_equal(weights["logits/kernel"], blobs["loss3/classifier"][0].T)
    assert len(weights) == 2 * len(caffe_names())


def test_the_older_format_with_four_dimensions_gives_the_same(
    load: Any, caffemodel: Path, blobs: dict[str, Any], tmp_path: Path
) -> None:
    old = write_caffemodel(tmp_path / "old.caffemodel", blobs, legacy=True)
    fingerprints = [load("googlenet", weights=str(path)).info.fingerprint for path in (caffemodel, old)]
    assert fingerprints[0] == fingerprints[1]


def test_weights_saved_by_keras_give_the_same_network(load: Any, caffemodel: Path, tmp_path: Path) -> None:
    from layerwise.plugins.loaders.googlenet import fill_weights

    network = build_googlenet()
    fill_weights(network, read_caffemodel(caffemodel), caffemodel)
    expected = load("googlenet", weights=str(caffemodel)).info.fingerprint
    for name in ("net.weights.h5", "net.keras"):
        (network.save_weights if "weights" in name else network.save)(tmp_path / name)
        assert load("googlenet", weights=str(tmp_path / name)).info.fingerprint == expected
    names = [layer.name for layer in load(tmp_path / "net.keras").layers if layer.is_main]
    assert names == PUBLISHED.split()


def without(blobs: dict[str, Any]) -> dict[str, Any]:
    return {name: arrays for name, arrays in blobs.items() if name != "inception_4c/5x5"}


def misshapen(blobs: dict[str, Any]) -> dict[str, Any]:
    kernel, bias = blobs["inception_4c/5x5"]
    return {**blobs, "inception_4c/5x5": [kernel[:, :, :3], bias]}


def without_bias(blobs: dict[str, Any]) -> dict[str, Any]:
    return {**blobs, "inception_4c/5x5": blobs["inception_4c/5x5"][:1]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without, r"layer 'inception_4c/5x5' has 0 blobs"),
        (without_bias, r"layer 'inception_4c/5x5' has 1 blobs"),
        (misshapen, r"'inception_4c/5x5' has blobs of shape \(64, 24, 3, 5\) .* expected \(64, 24, 5, 5\)"),
    ],
)
def test_a_missing_or_misshapen_blob_is_named(
    load: Any, blobs: dict[str, Any], tmp_path: Path, change: Callable[[Any], Any], message: str
) -> None:
    path = write_caffemodel(tmp_path / "wrong.caffemodel", change(blobs))
    with pytest.raises(InputError, match=message) as caught:
        load("googlenet", weights=str(path))
    assert "\n" not in str(caught.value)


def test_damaged_files_are_one_clear_line(load: Any, caffemodel: Path, tmp_path: Path) -> None:
    content = caffemodel.read_bytes()
    wrong = {"cut": content[: len(content) // 2], "text": b"not a network at all", "empty": b""}
    for name, damaged in wrong.items():
        path = tmp_path / f"{name}.caffemodel"
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=f"{name}.caffemodel is not a Caffe model") as caught:
            load("googlenet", weights=str(path))
        assert "\n" not in str(caught.value)


def test_a_blob_with_fewer_values_than_its_shape_is_named(load: Any, tmp_path: Path) -> None:
    net = _message_class()()
    blob = net.layer.add(name=b"conv1/7x7_s2").blobs.add()
    blob.shape.dim.extend((64, 3, 7, 7))
    blob.data.append(np.zeros(10, "<f4").tobytes())
    (tmp_path / "few.caffemodel").write_bytes(net.SerializeToString())
    with pytest.raises(InputError, match=r"'conv1/7x7_s2' has shape \(64, 3, 7, 7\) but 10 values"):
        load("googlenet", weights=str(tmp_path / "few.caffemodel"))


def test_a_missing_weights_file_is_named(load: Any) -> None:
    with pytest.raises(InputError, match=r"no weights file 'absent\.caffemodel'"):
        load("googlenet", weights="absent.caffemodel")


def test_class_names_are_found_beside_the_weights_or_named(load: Any, caffemodel: Path, tmp_path: Path) -> None:
    path = tmp_path / caffemodel.name
    path.write_bytes(caffemodel.read_bytes())
    assert load("googlenet", weights=str(path)).info.class_names == ()
    lines = [f"n{index:08d} thing {index}, other word" for index in range(1000)]
    (tmp_path / "synset_words.txt").write_text("\n".join(lines))
    info = load("googlenet", weights=str(path)).info
    assert (info.class_names[7], info.class_ids[7]) == ("thing 7", "n00000007")
    (tmp_path / "few.txt").write_text("one\ntwo\n")
    with pytest.raises(InputError, match=r"few\.txt names 2 classes, but the model has 1000 outputs"):
        load("googlenet", weights=str(path), class_names=str(tmp_path / "few.txt"))


def test_local_response_normalisation_is_caffes() -> None:
    from layerwise.plugins.loaders.keras.layers import LocalResponseNormalization

    x = np.random.default_rng(0).normal(0, 50, (2, 3, 3, 9)).astype(np.float32)
    windows = [np.sum(x[..., max(0, c - 2) : c + 3] ** 2, axis=-1) for c in range(9)]
    expected = x / (1 + 1e-4 / 5 * np.stack(windows, axis=-1)) ** 0.75
    np.testing.assert_allclose(np.asarray(LocalResponseNormalization()(x)), expected, rtol=1e-5)


def test_pools_round_up_and_the_first_convolution_pads_three(untrained: Any) -> None:
    image = np.random.default_rng(1).normal(0, 50, (1, 224, 224, 3)).astype(np.float32)
    first, pooled = untrained.compile("input", ["conv2d0", "maxpool0"])(image)
    kernel = weights_of(untrained)["conv2d0/kernel"]
    corner = max(0.0, float(np.sum(image[0, :4, :4, :] * kernel[3:, 3:, :, 5])))
    assert first[0, 0, 0, 5] == pytest.approx(corner, rel=1e-4, abs=1e-3)
    assert pooled[0, -1, -1, 5] == first[0, 110:, 110:, 5].max()
    assert pooled[0, 0, 0, 5] == first[0, :3, :3, 5].max()


@pytest.mark.data
@pytest.mark.slow
def test_the_real_network_recognises_the_real_photos(load: Any, data_dir: Path) -> None:
    model = load("googlenet", weights=str(data_dir / "googlenet" / "bvlc_googlenet.caffemodel"))
    classify = model.compile("input", ["output"])
    ranks = []
    photos = sorted((data_dir / "imagenet500").glob("*.JPEG"))
    for photo in photos:
        squashed = Image.open(photo).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
        (output,) = classify(model.preprocess(np.asarray(squashed)[None]))
        right = model.info.class_ids.index(photo.name.split("_")[0])
        ranks.append(int((output[0] > output[0, right]).sum()))
    assert len(ranks) == 500
    assert np.mean(np.array(ranks) < 1) >= 0.74
    assert np.mean(np.array(ranks) < 5) >= 0.92

"""torchvision and timm by name: neither is needed, and what each says of its networks is used.

CI has neither, so that stand-ins with the same functions take their places here.
"""

from __future__ import annotations

import sys
import textwrap
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from layerwise.plugin import InputError, LayerwiseError

from layerwise_torch.loaders import TorchvisionLoader
from layerwise_torch.zoo_names import list_torchvision


class Entry:
    """Published weights of a network, as torchvision describes them."""

    def __init__(self, name):
        self.name = name
        self.meta = {"categories": list("abcdefghij")}

    def __str__(self):
        return f"Small_Weights.{self.name}"

    def transforms(self):
        return SimpleNamespace(crop_size=[32], resize_size=[36], mean=[0.4, 0.5, 0.6], std=[0.2, 0.2, 0.25])


@pytest.fixture
def torchvision(monkeypatch, network):
    """A stand-in for `torchvision.models` with one network, `small`."""
    import small

    first, second = Entry("V1"), Entry("V2")

    class Weights(list):
        DEFAULT = second

    def get_model(name, weights=None):
        if weights is first:
            raise OSError("no way to the server\nat all")
        return network if weights is second else small.Inception()

    models = ModuleType("torchvision.models")
    models.list_models = lambda: ["small", "smaller"]
    models.get_model_weights = lambda name: Weights([first, second])
    models.get_model = get_model
    package = ModuleType("torchvision")
    package.models, package.__version__ = models, "9.9"
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)


@pytest.fixture
def timm(monkeypatch, network):
    """A stand-in for timm with one network, `small`."""
    import small

    package = ModuleType("timm")
    package.__version__ = "8.8"
    package.is_model = lambda name: name == "small"
    package.list_models = lambda: ["small", "smaller"]
    package.create_model = lambda name, pretrained: network if pretrained else small.Inception()
    config = {"input_size": (3, 32, 32), "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "crop_mode": "center"}
    package.data = SimpleNamespace(resolve_model_data_config=lambda network: config)
    monkeypatch.setitem(sys.modules, "timm", package)


def test_published_weights_bring_their_preprocessing_and_their_classes(torchvision, load, values, pixels):
    model = load("torchvision:small", weights="imagenet")
    assert model.info.source == "torchvision Small_Weights.V2"
    assert model.info.class_names == tuple("abcdefghij")
    assert model.info.resize == "crop"
    assert model.info.has_probabilities
    assert model.info.versions["torchvision"] == "9.9"
    wanted = (pixels / 255 - [0.4, 0.5, 0.6]) / [0.2, 0.2, 0.25]
    np.testing.assert_allclose(model.preprocess(pixels), wanted, atol=1e-5)
    assert load("torchvision:small", weights="V2").info.fingerprint == model.info.fingerprint


def test_without_weights_the_network_is_untrained_and_the_size_that_of_the_default_ones(torchvision, load):
    model = load("torchvision:small", seed=4)
    assert model.info.source == "untrained torchvision small, seed 4"
    assert load("torchvision:small", weights="none", seed=4).info.fingerprint == model.info.fingerprint
    assert model.info.input_shape == (32, 32, 3)
    assert model.info.class_names == ()
    assert model.info.fingerprint != load("torchvision:small", seed=5).info.fingerprint


def test_weights_from_a_file_go_into_named_networks_too(torchvision, load, state_file, values):
    model = load("torchvision:small", weights=str(state_file))
    plain = load("torch:small:Inception@mean=0.4/0.5/0.6,std=0.2/0.2/0.25", weights=str(state_file))
    np.testing.assert_allclose(values(model, "fc")["fc"], values(plain, "fc")["fc"], atol=1e-5)


def test_wrong_names_and_failing_downloads_are_one_line(torchvision, load):
    with pytest.raises(InputError, match="torchvision has no network 'smal'; did you mean small"):
        load("torchvision:smal")
    with pytest.raises(InputError, match=r"torchvision has no weights 'V3' for small; did you mean V"):
        load("torchvision:small", weights="V3")
    with pytest.raises(LayerwiseError, match=r"cannot make torchvision's small: no way to the server$"):
        load("torchvision:small", weights="V1")


def test_timm_networks_follow_its_data_configuration(timm, load, pixels):
    model = load("timm:small", weights="pretrained")
    assert model.info.source == "timm small, published weights"
    np.testing.assert_allclose(model.preprocess(pixels), pixels / 127.5 - 1, atol=1e-5)
    assert (model.info.resize, model.info.versions["timm"]) == ("crop", "8.8")
    assert load("timm:small").info.source == "untrained timm small, seed 0"
    with pytest.raises(InputError, match="timm has no network 'smal'; did you mean small"):
        load("timm:smal")


def test_a_package_that_does_not_work_with_this_pytorch_says_so(monkeypatch, tmp_path, load):
    (tmp_path / "timm.py").write_text("raise RuntimeError('operator does not exist')\n")
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match="timm does not work with this PyTorch: RuntimeError: operator"):
        load("timm:resnet50")


def test_torchvisions_classifiers_are_listed_from_its_source(monkeypatch, tmp_path):
    folder = tmp_path / "torchvision" / "models"
    folder.mkdir(parents=True)
    (tmp_path / "torchvision" / "__init__.py").write_text("raise RuntimeError('is not imported')\n")
    (folder / "some.py").write_text(
        textwrap.dedent("""
            @register_model()
            @handle_legacy_interface(weights=("pretrained", Some_Weights.IMAGENET1K_V1))
            def some18(*, weights=None):
                pass

            @register_model(name="other_50")
            @handle_legacy_interface(
                weights=("pretrained", Some_Weights.IMAGENET1K_V1),
            )
            def other(*, weights=None):
                pass

            def helper():
                pass
        """)
    )
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    list_torchvision.cache_clear()
    try:
        assert list(TorchvisionLoader().known_models()) == ["torchvision:other_50", "torchvision:some18"]
    finally:
        list_torchvision.cache_clear()
    assert TorchvisionLoader().accepts("torchvision:some18")

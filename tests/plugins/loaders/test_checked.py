"""Every loader that Layerwise brings along passes the check that authors of loaders are given."""

from __future__ import annotations

import pytest

from layerwise.core.host.kinds import ModelLoader
from layerwise.core.network.model import LoadRequest
from layerwise.core.runs.loading import find_loader
from layerwise.testing import check_loader

TOLERANCE = 1e-3  # frameworks choose other algorithms for other batches


@pytest.mark.parametrize("fixture", ["keras_file", "saved_model", "frozen_graph"])
def test_a_loader_of_files_passes(fixture, loaders, request):
    path = str(request.getfixturevalue(fixture))
    loader = find_loader(loaders, path).offer
    check_loader(loader, LoadRequest(path, preprocessing="unit"), tolerance=TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["googlenet", "mobilenet_v2"])
def test_a_loader_of_names_passes(name, loaders):
    loader = find_loader(loaders, name).offer
    check_loader(loader, LoadRequest(name, weights="none"), tolerance=TOLERANCE, max_nodes=6)


def test_a_loader_of_modules_passes(loaders, keras_file, tmp_path):
    path = tmp_path / "nets_of_mine.py"
    path.write_text(f"import keras\ndef build():\n    return keras.saving.load_model({str(keras_file)!r})\n")
    model = f"keras:{path}:build"
    check_loader(find_loader(loaders, model).offer, LoadRequest(model, preprocessing="unit"), tolerance=TOLERANCE)


def test_a_loader_of_what_takes_no_picture_passes(loaders, tmp_path):
    import keras
    from keras import layers

    tokens = keras.Input((6,), dtype="int32", name="tokens")
    facts = keras.Input((3,), name="facts")
    words = layers.Flatten(name="flat")(layers.Embedding(9, 4, name="words")(tokens))
    joined = layers.Concatenate(name="joined")([words, layers.Dense(4, name="known")(facts)])
    keras.Model([tokens, facts], layers.Dense(3, name="out")(joined)).save(tmp_path / "two.keras")
    loader = find_loader(loaders, str(tmp_path / "two.keras")).offer
    check_loader(loader, LoadRequest(str(tmp_path / "two.keras")), tolerance=TOLERANCE)


def test_these_are_all_the_loaders_there_are(loaders, keras_file, saved_model, frozen_graph):
    asked = [str(keras_file), str(saved_model), str(frozen_graph), "googlenet", "mobilenet_v2", "keras:nets:build"]
    checked = {find_loader(loaders, model).name for model in asked}
    assert checked == {offer.name for offer in loaders.all(ModelLoader)}

"""Configurations of Keras that name what does more than compute are refused before Keras sees them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layerwise.core.base.errors import InputError
from layerwise.plugins.loaders.vetting.keras_configs import check_config


def layer(name: str, module: str | None, config: object = None, **more: object) -> dict[str, object]:
    return {"class_name": name, "module": module, "config": {"name": "x"} if config is None else config, **more}


CODE = {
    "a Lambda": layer("Lambda", "keras.layers"),
    "a Lambda of an old file": {"class_name": "Lambda", "config": {"name": "x"}},
    "a lambda inside a layer": layer(
        "Dense", "keras.layers", {"activation": {"class_name": "__lambda__", "config": {}}}
    ),
    "a SavedModel elsewhere": layer("TFSMLayer", "keras.layers", {"name": "x", "filepath": "/evil"}),
    "a module of PyTorch": layer("TorchModuleWrapper", "keras.layers"),
    "a download": layer("function", "keras.utils", "get_file"),
    "a way to load models": layer("function", "keras.saving", "load_model"),
    "a way to load inside": layer("function", "keras.src.saving.saving_lib", "load_model"),
    "a data set": layer("Sequence", "keras.utils"),
    "a built-in class": layer("type", "builtins"),
    "words in a file": layer("StringLookup", "keras.layers", {"name": "x", "vocabulary": "/etc/passwd"}),
    "words on a server": layer("TextVectorization", "keras.layers", {"vocabulary": "http://10.0.0.1/"}),
}
PLAIN = {
    "a layer": layer("Dense", "keras.layers", registered_name=None),
    "a model of Keras 2": layer("Functional", "keras.src.engine.functional"),
    "an operation": layer("Add", "keras.src.ops.numpy"),
    "a policy": layer("DTypePolicy", "keras"),
    "an activation": layer("function", "builtins", "relu"),
    "a function of Keras": layer("function", "keras.activations", "silu"),
    "an old layer": {"class_name": "Dense", "config": {"name": "x"}},
    "words": layer("StringLookup", "keras.layers", {"name": "x", "vocabulary": ["a", "b"]}),
    "what was brought along": layer("Mine", "my_module", registered_name="my>Mine"),
}


@pytest.mark.parametrize("name", CODE)
def test_what_acts_is_refused_and_named(name: str) -> None:
    with pytest.raises(InputError, match=r"m\.keras holds code \(.*\), which loading it would run: .*--allow-unsafe"):
        check_config({"config": {"layers": [CODE[name]]}}, Path("m.keras"), {"Mine"})


@pytest.mark.parametrize("name", PLAIN)
def test_what_computes_is_let_through(name: str) -> None:
    check_config({"config": {"layers": [PLAIN[name]]}}, Path("m.keras"), {"Mine"})


@pytest.mark.parametrize("module", ["antigravity", "os", "my_module.layers"])
def test_a_module_that_is_not_keras_is_never_imported(module: str) -> None:
    with pytest.raises(InputError, match="needs the class 'Strange', which Keras does not know: --import FILE"):
        check_config([layer("Strange", module)], Path("m.keras"), {"Mine"})


def test_a_file_is_refused_before_anything_of_it_has_run(
    load: Callable[..., Any], tmp_path: Path, keras_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil_module.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w')\nclass Strange: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    with zipfile.ZipFile(keras_file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    config["config"]["layers"].append(layer("Strange", "evil_module"))
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(tmp_path / "evil.keras", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match="needs the class 'Strange'"):
        load(tmp_path / "evil.keras")
    assert not (tmp_path / "mark").exists()

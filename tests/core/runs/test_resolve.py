"""Models and stimuli are taken as names and paths, and as objects that are there already."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import ModelLoader
from layerwise.core.host.registry import Registry
from layerwise.core.network.model import LoadRequest, Model
from layerwise.core.runs.prepared import prepare_run
from layerwise.core.runs.request import RunRequest, SilentObserver
from layerwise.core.runs.resolve import resolve_model, resolve_stimuli
from layerwise.core.runs.run import execute_run
from layerwise.plugins import load_plugins
from layerwise.storage import open_store


class Network:
    """A framework's model, as it lies in somebody's notebook."""


class Adopting(ModelLoader):
    name = "adopting"
    description = "takes networks"

    def __init__(self, made: Any) -> None:
        self.made = made

    def accepts(self, model: str) -> bool:
        return False

    def load(self, request: Any) -> Any:
        raise NotImplementedError

    def adopt(self, model: object, request: LoadRequest) -> Any:
        self.asked = request
        return self.made if isinstance(model, Network) else None


def make_registry(*loaders: ModelLoader) -> Registry:
    registry = load_plugins()
    registry.register(SimpleNamespace(register_model_loaders=hookimpl(lambda: list(loaders))), "p", "dist", "1")
    return registry


def test_a_live_model_and_decoded_stimuli_are_analysed_like_files(toy, tmp_path: Path):
    model, stimuli = toy.ToyModel(), toy.make_stimuli(8)
    with open_store(f"sqlite:///{tmp_path}/h.db") as store:
        prepared = prepare_run(RunRequest(model, stimuli, layers=("all",)), load_plugins(), SilentObserver())
        outcome = execute_run(prepared, store, SilentObserver())
        record = store.find_run(outcome.run_id)
    assert (record.model.name, record.stimuli_name, record.n_stimuli) == ("toy", "noise", 8)
    assert record.loader.name == "layerwise:given"


def test_a_framework_s_model_goes_to_the_loader_that_adopts_it(toy):
    registry = make_registry(Adopting(toy.ToyModel()))
    resolved = resolve_model(registry, RunRequest(Network(), ""))
    assert resolved.loader.name == "dist:adopting"
    assert isinstance(resolved.model, Model)


def test_what_is_said_of_a_framework_s_model_reaches_its_loader(toy):
    loader = Adopting(toy.ToyModel())
    resolve_model(make_registry(loader), RunRequest(Network(), "", class_names="names.txt", preprocessing="unit"))
    assert loader.asked == LoadRequest("Network", class_names="names.txt", preprocessing="unit")


def test_what_a_loader_adopts_is_checked_as_what_it_loads(toy):
    with pytest.raises(PluginError, match="adopting returned a str, expected a Model"):
        resolve_model(make_registry(Adopting("no model")), RunRequest(Network(), ""))


def test_an_object_that_nobody_adopts_is_told_in_one_line(toy):
    with pytest.raises(InputError, match=r"no loader knows what to do with a .*Network: give a model, its name"):
        resolve_model(load_plugins(), RunRequest(Network(), ""))
    with pytest.raises(InputError, match="no stimulus source knows what to do with a dict"):
        resolve_stimuli(load_plugins(), RunRequest("", {}), toy.ToyModel())


def test_a_model_that_does_not_hold_together_is_the_user_s_mistake(toy):
    model = toy.ToyModel()
    model.layers = ()
    with pytest.raises(InputError, match="the model given is a model without layers"):
        resolve_model(load_plugins(), RunRequest(model, ""))


def test_an_array_of_pixels_is_a_stimulus_set(toy):
    pixels = np.random.default_rng(0).integers(0, 256, (11, 20, 20, 3), dtype=np.uint8)
    loaded = resolve_stimuli(load_plugins(), RunRequest("", pixels, limit=3), toy.ToyModel())
    assert loaded.pixels.shape == (3, toy.SIDE, toy.SIDE, 3)
    assert [stimulus.name for stimulus in loaded.stimuli] == ["00", "01", "02"]


def test_pixels_that_are_none_are_told_of_as_in_a_file(toy):
    values = np.linspace(-50, 50, 4 * 8 * 8 * 3).reshape(4, 8, 8, 3)
    with pytest.raises(InputError, match=r"the array of stimuli has values from -50 to 50, which are no pixels"):
        resolve_stimuli(load_plugins(), RunRequest("", values), toy.ToyModel())


def test_decoded_stimuli_of_another_size_are_refused(toy):
    stimuli = toy.make_stimuli(4)
    model = toy.ToyModel()
    model.info = type(model.info)(**{**vars(model.info), "input_shape": (5, 6, 3)})
    with pytest.raises(InputError, match=r"decoded at 12 x 12 pixels, but the model takes 5 x 6"):
        resolve_stimuli(load_plugins(), RunRequest("", stimuli), model)


def test_a_limit_takes_the_first_of_decoded_stimuli_which_are_another_set_then(toy):
    stimuli = toy.make_stimuli(6)
    some = resolve_stimuli(load_plugins(), RunRequest("", stimuli, limit=3), toy.ToyModel())
    assert (some.n_stimuli, some.pixels.shape[0], len(some.thumbnails)) == (3, 3, 3)
    assert some.fingerprint != stimuli.fingerprint
    with pytest.raises(InputError, match="at least 2 are needed"):
        resolve_stimuli(load_plugins(), RunRequest("", stimuli, limit=1), toy.ToyModel())

"""Plugins that fail in the middle of a run: what can go on does, and what is finished is kept."""

from __future__ import annotations

import re

import pytest

STATISTIC = """
import numpy as np
from layerwise.plugin import {base}, StatisticValue, hookimpl

class Odd({base}):
    name = "odd"
    description = "odd"
    def start(self, n_stimuli, n_features): return []
    def update(self, state, activations, stimuli, units): pass
    def finish(self, state): return StatisticValue(1.0)
    def compute(self, {arguments}): return StatisticValue(1.0)
    {body}

@hookimpl
def register_statistics(): return [Odd()]
"""
KINDS = {
    "ActivationStatistic": "summary",
    "RepresentationStatistic": "representation",
    "JointStatistic": "summary, representation",
    "WeightStatistic": "weights",
}


def statistic(base: str, body: str) -> str:
    return STATISTIC.format(base=base, arguments=KINDS.get(base, "nothing"), body=body)


def stored_statistics(command_line, name: str = "odd") -> list[dict[str, object]]:
    table = "weight_statistics" if name == "odd-weights" else "statistics"
    return command_line("query", f"SELECT * FROM {table} WHERE name = 'odd'", "--format", "json").json


@pytest.mark.parametrize("base", list(KINDS))
@pytest.mark.parametrize(
    ("returned", "came"),
    [
        ("raise ValueError('oh')", "odd.compute raised ValueError: oh"),
        ("return 3", "odd returned int 3, expected a StatisticValue"),
        ("return StatisticValue(float('nan'))", "odd returned float nan, expected a finite number, or None with a"),
        ("return StatisticValue(None)", "no number and no reason"),
        ("raise SystemExit(7)", "odd.compute raised SystemExit: 7"),
    ],
)
def test_a_statistic_that_fails_has_a_reason_in_place_of_a_number_and_the_run_finishes(
    site, toy, command_line, base, returned, came
):
    site.install("lw_bad", statistic(base, f"def compute(self, *given): {returned}"))
    said = toy("--json")
    assert said.code == 0, said.err
    assert said.json["status"] == "finished"
    assert len(re.findall(r"layerwise: plugin 'lw_bad' \(register_statistics\)", said.err)) == 1
    assert came in said.err
    found = stored_statistics(command_line, "odd-weights" if base == "WeightStatistic" else "odd")
    assert found
    assert all(row["value"] is None and came in row["reason"] for row in found)
    assert {row["provider_name"] for row in found} == {"lw_bad:odd"}


@pytest.mark.parametrize(
    ("body", "came"),
    [
        ("def start(self, *given): raise ValueError('oh')", "odd.start raised ValueError: oh"),
        ("def update(self, *given): raise ValueError('oh')", "odd.update raised ValueError: oh"),
        ("def finish(self, state): raise ValueError('oh')", "odd.finish raised ValueError: oh"),
        ("def finish(self, state): return 1.0", "odd returned float 1.0, expected a StatisticValue"),
        ("def update(self, state, activations, *more): activations *= 2", "is not to be changed: copy it first"),
    ],
)
def test_a_streamed_statistic_that_fails_does_not_stop_the_run(site, command_line, toy, body, came):
    site.install("lw_bad", statistic("StreamedStatistic", body))
    said = command_line("run", "toy", "--stimuli", "digits:", "--layers", "all", "--json")
    assert said.code == 0, said.err
    assert came in said.err
    rows = stored_statistics(command_line)
    assert all(row["value"] is None and came in row["reason"] for row in rows)
    assert len(rows) == 10


@pytest.mark.parametrize(
    ("base", "change"),
    [
        ("ActivationStatistic", "given[0].mean[:] = 0"),
        ("RepresentationStatistic", "given[0].entries[0, 0] = 0"),
        ("RepresentationStatistic", "given[0].deviation.sort()"),
        ("JointStatistic", "np.fill_diagonal(given[1].entries, 0)"),
        ("WeightStatistic", "given[0].sort(axis=0)"),
    ],
)
def test_a_statistic_that_changes_what_it_is_given_is_stopped_and_nothing_is_changed(site, toy, base, change):
    before = toy("--json").json["run_id"]
    site.install("lw_bad", statistic(base, f"def compute(self, *given): {change}"))
    said = toy("--json", "--force")
    assert said.json["run_id"] != before
    assert "what a plugin is given belongs to all, and is not to be changed: copy it first" in said.err


TRANSFORM = """
import numpy as np
from layerwise.plugin import Transform, hookimpl

class Odd(Transform):
    name = "odd"
    description = "odd"
    additive = False
    def apply(self, activations):
        rows = activations.reshape(len(activations), -1)
        {body}

@hookimpl
def register_transforms(): return [Odd()]
"""


@pytest.mark.parametrize(
    ("body", "came"),
    [
        ("raise ValueError('oh')", "odd.apply raised ValueError: oh"),
        ("return None", "odd returned NoneType None, expected an array of real numbers with shape (2, n_features)"),
        (
            "return rows[:1]",
            "odd returned an array of float32 with shape (1, 192), expected an array of real numbers",
        ),
        ("return rows * np.nan", "values that are not finite"),
        ("return rows.astype(complex)", "odd returned an array of complex128"),
        ("activations[:] = 0; return rows", "is not to be changed: copy it first"),
        ("return rows if len(rows) == 2 else rows[:, :3]", "expected an array of real numbers with shape (16, "),
    ],
)
def test_a_transform_that_fails_ends_the_run_with_its_name(site, toy, body, came):
    site.install("lw_bad", TRANSFORM.format(body=body))
    said = toy("--transform", "odd", "--json")
    assert said.code == 1
    assert said.out == ""
    assert "plugin 'lw_bad' (register_transforms): " in said.err
    assert came in said.err


def test_transforms_of_one_name_from_two_plugins_are_not_mixed_in_one_run(site, toy, command_line):
    for name in ("lw_one", "lw_two"):
        site.install(name, TRANSFORM.format(body="return rows"))
    said = toy("--transform", "lw_one:odd", "--transform", "lw_two:odd")
    assert said.code == 2
    assert "one run cannot have transform lw_two:odd and lw_one:odd: they are called alike" in said.err
    first = toy("--transform", "lw_one:odd", "--transform", "lw_one:odd", "--json").json
    second = toy("--transform", "lw_two:odd", "--json").json
    assert first["status"] == second["status"] == "finished"
    assert first["run_id"] != second["run_id"]


LOADER = """
import numpy as np
from layerwise.plugin import ModelLoader, hookimpl
from layerwise.testing import ToyModel

class Odd(ToyModel):
    {model}

class Loader(ModelLoader):
    name = "odd"
    description = "odd"
    def accepts(self, model): {accepts}
    def load(self, request): {load}

@hookimpl
def register_model_loaders(): return [Loader()]
"""


def loader(model: str = "pass", accepts: str = "return model == 'odd'", load: str = "return Odd()") -> str:
    return LOADER.format(model=model, accepts=accepts, load=load)


@pytest.mark.parametrize(
    ("source", "came"),
    [
        (loader(load="raise ValueError('oh')"), "odd.load raised ValueError: oh"),
        (loader(load="return 'a model'"), "odd returned a str, expected a Model"),
        (loader("def compile(self, *given): raise ValueError('oh')"), "odd.compile raised ValueError: oh"),
        (
            loader("def compile(self, start, outputs): return lambda tensor: 1 / 0"),
            "raised ZeroDivisionError: division by zero",
        ),
        (
            loader("def compile(self, start, outputs): return lambda tensor: []"),
            "returned 0 tensors, expected 9 arrays",
        ),
        (
            loader(
                "def compile(self, start, outputs): return lambda tensor: "
                "[np.zeros((len(tensor), 7), np.float32) for _ in outputs]"
            ),
            "an array of float32 with shape (16, 7), expected an array of float32 with shape (16, 8, 8, ",
        ),
        (loader("def preprocess(self, pixels): return pixels"), "preprocess returned an array of uint8"),
        (loader("def weights(self): yield 3"), "weights gave int 3, expected WeightTensors"),
    ],
)
def test_a_loader_that_fails_or_gives_a_model_that_does_is_named(site, toy, command_line, source, came):
    site.install("lw_bad", source)
    said = command_line("run", "odd", "--stimuli", "digits:", "--layers", "all", "--json")
    assert said.code == 1
    assert "plugin 'lw_bad' (register_model_loaders): " in said.err
    assert came in said.err


def test_a_loader_that_fails_when_asked_what_it_accepts_keeps_no_other_from_loading(site, toy, command_line):
    site.install("a_bad", loader(accepts="raise ValueError('oh')"))
    said = command_line("run", "toy", "--stimuli", "digits:", "--json")
    assert said.code == 0, said.err
    assert "plugin 'a_bad' (register_model_loaders): odd.accepts" in said.err


ENGINE = """
from layerwise.plugin import Engine, hookimpl
import layerwise.plugins.engines

class Odd(Engine):
    name = "odd"
    description = "odd"
    def stream(self, job, sink):
        {body}

@hookimpl
def register_engines(): return [Odd()]
"""


@pytest.mark.parametrize(
    ("body", "came", "n_stored"),
    [
        ("raise OSError('the cluster is gone')", "odd.stream raised OSError: the cluster is gone", 0),
        ("pass", "odd.stream returned without 10 of 10 layers (input, conv, pool, block/1x1, block/3x3, ...)", 0),
        ("sink.layer_finished('input')", "odd.stream raised AttributeError", 0),
        (
            "kept = sink.layer_finished\n"
            "        sink.layer_finished = lambda one: one.target.layer.name == 'output' or kept(one)\n"
            "        layerwise.plugins.engines.register_engines()[0].stream(job, sink)",
            "odd.stream returned without 1 of 10 layers (output)",
            9,
        ),
    ],
)
def test_an_engine_that_fails_or_forgets_layers_ends_the_run_and_the_others_are_kept(
    site, toy, command_line, body, came, n_stored
):
    site.install("lw_bad", ENGINE.format(body=body))
    said = toy("--engine", "odd", "--json")
    assert said.code == 1
    assert f"plugin 'lw_bad' (register_engines): {came}" in said.err
    run = command_line("runs", "--json").json[0]
    assert (run["status"], run["n_layers"]) == ("failed", n_stored)


HALF = """
        kept, n_layers = sink.layer_finished, []
        def finish(layer):
            n_layers.append(layer)
            if {fails} and len(n_layers) > 4: raise ValueError('half-way')
            kept(layer)
        sink.layer_finished = finish
        layerwise.plugins.engines.register_engines()[0].stream(job, sink)
"""


def test_layers_finished_before_a_plugin_failed_are_kept_and_the_run_goes_on_when_it_works(site, toy, command_line):
    site.install("lw_half", ENGINE.format(body=HALF.format(fails=True)))
    said = toy("--engine", "odd", "--json")
    assert said.code == 1
    assert "plugin 'lw_half' (register_engines): odd.stream raised ValueError: half-way" in said.err
    run = command_line("runs", "--json").json[0]
    assert (run["status"], run["n_layers"]) == ("failed", 4)
    assert "lw_half" in run["error"]
    site.install("lw_half", ENGINE.format(body=HALF.format(fails=False)))
    again = toy("--engine", "odd", "--json")
    assert again.code == 0, again.err
    assert again.json["run_id"] == run["run_id"]
    assert "4 layers are stored already" in again.err


SELECTOR = """
from layerwise.plugin import LayerSelector, hookimpl

class Odd(LayerSelector):
    name = "odd"
    description = "odd"
    def select(self, argument, layers): {body}

@hookimpl
def register_layer_selectors(): return [Odd()]
"""


@pytest.mark.parametrize(
    ("body", "came"),
    [
        ("raise ValueError('oh')", "odd.select raised ValueError: oh"),
        ("return None", "odd returned NoneType None, expected a sequence of the layers it was given"),
        ("return ['input']", "odd returned str 'input', expected a sequence of the layers it was given"),
        ("layers.clear()", "odd.select raised AttributeError"),
    ],
)
@pytest.mark.parametrize("command", ["run", "compare"])
def test_a_selector_that_fails_is_named(site, toy, command_line, command, body, came):
    site.install("lw_bad", SELECTOR.format(body=body))
    call = ("run", "toy", "--stimuli", "digits:") if command == "run" else ("compare", "latest")
    said = command_line(*call, "--layers", "odd:1", "--json")
    assert said.code == 1
    assert f"plugin 'lw_bad' (register_layer_selectors): {came}" in said.err


SOURCE = """
import numpy as np
from layerwise.plugin import Decoded, Stimulus, StimulusSet, StimulusSource, hookimpl

class Odd(StimulusSet):
    name = "odd"
    source = "odd"
    stimuli = tuple(Stimulus(str(number)) for number in range(4))
    def decode(self, index, size, resize):
        {decode}

class Source(StimulusSource):
    name = "odd"
    description = "odd"
    def accepts(self, location): return location == "odd:"
    def open(self, location): {open}

@hookimpl
def register_stimulus_sources(): return [Source()]
"""


@pytest.mark.parametrize(
    ("opened", "decoded", "came"),
    [
        ("raise ValueError('oh')", "pass", "odd.open raised ValueError: oh"),
        ("return ['a.jpg']", "pass", "odd.open returned a list, expected a StimulusSet"),
        ("return Odd()", "raise ValueError('oh')", "odd.decode raised ValueError: oh"),
        ("return Odd()", "return None", "odd.decode returned NoneType None, expected a Decoded"),
        (
            "return Odd()",
            "return Decoded(np.zeros((2, 2, 3), np.uint8), b'', 'x')",
            "an array of uint8 with shape (2, 2, 3), expected an array of real numbers with shape (8, 8, 3)",
        ),
        (
            "return Odd()",
            "return Decoded(np.full((8, 8, 3), np.nan, np.float32), b'', 'x')",
            "values that are not finite",
        ),
    ],
)
def test_a_source_that_fails_is_named(site, toy, command_line, opened, decoded, came):
    site.install("lw_bad", SOURCE.format(open=opened, decode=decoded))
    said = command_line("run", "toy", "--stimuli", "odd:", "--json")
    assert said.code == 1
    assert "plugin 'lw_bad' (register_stimulus_sources): " in said.err
    assert came in said.err

"""A run keeps the whole output, in the precision asked for, and says so where it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from layerwise.core.history.memory import MemoryHistory
from layerwise.core.history.outputs import Outputs
from layerwise.core.runs import predictions
from layerwise.core.runs.prepared import prepare_run
from layerwise.core.runs.request import RunRequest, SilentObserver
from layerwise.core.runs.run import execute_run
from layerwise.plugins import load_plugins
from layerwise.testing.toy import ToyModel

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)


class Hearing(SilentObserver):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


def run(history: MemoryHistory, **asked: Any) -> tuple[Outputs | None, list[str]]:
    heard = Hearing()
    toy = ToyModel()
    height, width, _ = toy.info.input_shape
    request = RunRequest(toy, PIXELS[:, :height, :width], force=True, **asked)
    found = execute_run(prepare_run(request, load_plugins(), heard), history, heard)
    return history.read_outputs(found.run_id), heard.messages


def expected() -> Any:
    toy = ToyModel()
    height, width, _ = toy.info.input_shape
    tensor = toy.preprocess(PIXELS[:, :height, :width])
    return toy.compile(toy.graph.input, [toy.graph.output])(tensor)[0]


def test_the_output_is_kept_whole() -> None:
    found, _ = run(MemoryHistory())
    assert found is not None
    assert found.values.dtype == np.float32
    assert np.abs(found.values - expected()).max() < 1e-6
    assert (found.answers() == expected().argmax(axis=1)).all()


def test_it_is_kept_in_half_precision_or_not_at_all_where_that_is_asked_for() -> None:
    found, _ = run(MemoryHistory(), outputs="float16")
    assert found is not None
    assert found.values.dtype == np.float16
    assert np.abs(found.values.astype(float) - expected()).max() < 1e-3 * max(1, np.abs(expected()).max())
    assert run(MemoryHistory(), outputs="none") == (None, [])


def test_an_output_that_is_too_large_is_told_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "MOST_BYTES", 100)
    found, said = run(MemoryHistory())
    assert found is None
    assert any("is not kept whole" in line for line in said)


def test_probabilities_are_those_of_the_scale() -> None:
    rows = np.random.default_rng(1).dirichlet(np.ones(5), 4)
    plain = Outputs("output", rows.astype(np.float32), "probabilities")
    logs = replace(plain, values=np.log(rows).astype(np.float32), scale="log-probabilities")
    for one in (plain, logs):
        found = one.probabilities()
        assert found is not None
        assert np.abs(found - rows).max() < 1e-6
    assert replace(plain, scale="values").probabilities() is None

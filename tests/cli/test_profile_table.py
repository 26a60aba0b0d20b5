"""Profiles of runs whose layers differ, side by side on relative depth."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from layerwise.cli.commands.ask.profile import _print, summarise
from layerwise.core.analysis.profile import measure_profile


def chain(n_layers: int, undefined: int | None = None) -> np.ndarray:
    places = np.linspace(0, 1, n_layers)
    matrix = 1 - np.abs(places[:, None] - places[None, :])
    if undefined is not None:
        matrix[undefined, :] = matrix[:, undefined] = np.nan
    return matrix


def run(name: str) -> SimpleNamespace:
    return SimpleNamespace(id=name * 8, model=SimpleNamespace(name=name, title=name))


@pytest.fixture
def measure() -> SimpleNamespace:
    return SimpleNamespace(name="toy", provider=SimpleNamespace(name="mine:toy", version="1"))


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_runs_of_different_layers_are_shown_in_tenths_of_the_depth(capsys, measure):
    profiles = [measure_profile([f"l{i}" for i in range(n)], chain(n), "similarity") for n in (4, 6)]
    _print(list(zip([run("a"), run("b")], profiles, strict=True)), measure)
    table = rows(capsys.readouterr().out)[2:13]
    assert [float(row[0]) for row in table] == pytest.approx(np.linspace(0, 1, 11), abs=1e-9)
    for row in table:  # both change evenly: what is done is the depth, similarity to the input the rest
        depth = float(row[0])
        assert [float(cell) for cell in row[1:]] == pytest.approx([1 - depth, depth, depth] * 2, abs=1e-3)


def test_an_undefined_layer_is_a_gap_and_the_reason_is_said(capsys, measure):
    profile = measure_profile("abcd", chain(4, undefined=1), "similarity")
    _print([(run("a"), profile)], measure)
    said = capsys.readouterr().out
    assert rows(said)[3] == ["b", "0.33"]
    assert "the step from a to b is undefined" in said
    assert "smoothness" not in said


def test_the_sentence_names_smoothness_the_largest_share_and_the_crossing():
    matrix = np.array([[1, 0.9, 0.2], [0.9, 1, 0.3], [0.2, 0.3, 1]])
    said = summarise(measure_profile("abc", matrix, "similarity"))
    assert said.startswith("smoothness 0.45")
    assert "88% of all change from b to c" in said
    assert "crosses between b and c (depth 0.71)" in said

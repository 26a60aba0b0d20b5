"""The recommended measures are asked together, and a sentence says where they disagree."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from layerwise.cli import main
from layerwise.core.analysis.choose import find_measures
from layerwise.core.analysis.measures.recommended import Answer, describe_disagreement, find_disagreement
from layerwise.plugins import load_plugins
from layerwise.testing import make_history

PAIRS = list(combinations(range(5), 2))


def symmetric(values: Any) -> Any:
    matrix = np.eye(5)
    for pair, value in zip(PAIRS, values, strict=True):
        matrix[pair] = matrix[pair[::-1]] = value
    return matrix


def test_the_word_stands_for_the_four() -> None:
    found = find_measures(load_plugins(), ["recommended", "cka"])
    assert [one.name for one in found] == ["cka-debiased", "angular-procrustes", "mutual-knn", "rsa-pearson", "cka"]


def test_measures_that_order_pairs_alike_agree_also_where_one_is_a_distance() -> None:
    values = np.linspace(0.1, 0.9, 10)
    answers = [Answer("a", "similarity", symmetric(values)), Answer("b", "distance", symmetric(1 - values**3))]
    found = find_disagreement(answers, PAIRS)
    assert found is not None
    assert found.lowest == pytest.approx(1.0)
    assert found.gap == 0
    assert describe_disagreement(found, "vwxyz", 2).startswith("The 2 measures order pairs of layers alike")


def test_the_pair_that_two_measures_see_most_differently_is_named() -> None:
    values = np.linspace(0.1, 0.9, 10)
    moved = values.copy()
    moved[2] = 0.95
    answers = [Answer("a", "similarity", symmetric(values)), Answer("b", "similarity", symmetric(moved))]
    found = find_disagreement(answers, PAIRS)
    assert found is not None
    assert found.pair == PAIRS[2]
    assert (found.above, found.below) == (("b", 1.0), ("a", pytest.approx(2 / 9)))
    said = describe_disagreement(found, "vwxyz", 2)
    assert said.startswith(
        "The 2 measures disagree most about v and y: b finds them more alike than 100% of all pairs"
    )


def test_undefined_pairs_are_left_out_and_few_pairs_have_no_order() -> None:
    values = np.linspace(0.1, 0.9, 10)
    gaps = values.copy()
    gaps[:6] = np.nan
    assert find_disagreement([Answer("a", "similarity", symmetric(x)) for x in (values, gaps)], PAIRS) is None
    assert find_disagreement([Answer("a", "similarity", symmetric(values))], PAIRS) is None


def test_the_command_line_asks_all_four_and_says_so(tmp_path: Any, capsys: Any) -> None:
    url = make_history(tmp_path / "toy.db", (1.0,), 20)
    assert main(["compare", "latest", "--with", "recommended", "--layers", "main", "--db", url]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1].startswith("The 4 measures")


def test_shape_distances_warn_where_unrelated_layers_would_look_near() -> None:
    from layerwise.core.network.products import represent
    from layerwise.plugins.comparators.shapes import AngularProcrustes, find_chance

    rng = np.random.default_rng(0)
    shape = AngularProcrustes()
    for n_units in (4, 100):
        layer, other = (represent(rng.normal(size=(60, n_units))) for _ in range(2))
        first, second = shape.prepare(layer), shape.prepare(other)
        assert find_chance(first) == pytest.approx(np.cos(shape.compare(first, second)), abs=0.1)
        said = shape.warn(layer, first)
        assert bool(said) == (n_units == 100)
        assert not said or f"up to a cosine of {find_chance(first):.2f}" in said

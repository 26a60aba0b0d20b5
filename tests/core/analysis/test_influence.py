"""Which stimuli a comparison hangs on, held against the measure computed anew; how many would settle a difference."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from layerwise.cli import main
from layerwise.core.analysis.inference.from_history import ask_differences
from layerwise.core.analysis.inference.generic import replicate
from layerwise.core.analysis.influence.stimuli import find_influence
from layerwise.core.analysis.measure import find_measure
from layerwise.core.history.intervals import IntervalPlan
from layerwise.core.history.records import LayerAddress
from layerwise.core.network.products import represent
from layerwise.plugins import load_plugins
from layerwise.testing import make_history

REGISTRY = load_plugins()
N = 16
A, B, C = (LayerAddress("run", name) for name in "abc")


class Layers:
    """As much of a history as is asked here."""

    def __init__(self, outlier: float = 0.0, n: int = N) -> None:
        rng = np.random.default_rng(2)
        self.values = {name: rng.normal(size=(n, 9)) for name in "abc"}
        self.values["c"] = self.values["a"] + 0.8 * rng.normal(size=(n, 9))
        for name in "ab":
            self.values[name][3] += outlier
        self.layers = {name: represent(values) for name, values in self.values.items()}

    def find_run(self, run: str) -> Any:
        return SimpleNamespace(id=run, stimuli_fingerprint="s", n_stimuli=len(self.values["a"]), n_landmarks=None)

    def list_stimuli(self, run: str) -> Any:
        return [SimpleNamespace(name=f"{place}.jpg") for place in range(len(self.values["a"]))]

    def read_representations(self, addresses: Any) -> list[Any]:
        return [self.layers[address.layer] for address in addresses]

    def read_representation(self, address: Any) -> Any:
        return self.layers[address.layer]


def rsa(one: Any, other: Any) -> float:
    upper = np.triu_indices(len(one), 1)
    return float(np.corrcoef(np.corrcoef(one)[upper], np.corrcoef(other)[upper])[0, 1])


def test_subtracting_a_stimulus_is_computing_without_it() -> None:
    history: Any = Layers()
    found = find_influence(history, find_measure(REGISTRY, "rsa-pearson"), A, B)
    a, b = history.values["a"], history.values["b"]
    expected = [rsa(np.delete(a, i, axis=0), np.delete(b, i, axis=0)) for i in range(N)]
    assert found.by_subtraction
    assert found.value == pytest.approx(rsa(a, b))
    np.testing.assert_allclose(found.without, expected, atol=1e-9)
    n = len(expected)
    assert found.standard_error == pytest.approx(np.sqrt((n - 1) / n * ((expected - np.mean(expected)) ** 2).sum()))


@pytest.mark.parametrize("name", ["cka", "mutual-knn"])
def test_other_measures_are_computed_without_each(name: str) -> None:
    history: Any = Layers()
    measure = find_measure(REGISTRY, name, {"k": 3} if name == "mutual-knn" else None)
    found = find_influence(history, measure, A, B)
    rest = np.delete(np.arange(N), 5)
    states = [measure.prepare(represent(history.values[layer][rest])) for layer in "ab"]
    assert not found.by_subtraction
    assert found.without[5] == pytest.approx(measure.compare(*states), abs=1e-9)


def test_a_stimulus_that_carries_a_score_comes_first_and_without_it_the_score_falls() -> None:
    history: Any = Layers(outlier=40.0)
    found = find_influence(history, find_measure(REGISTRY, "cka"), A, B)
    assert found.order[0] == 3
    assert found.names[found.order[0]] == "3.jpg"
    assert found.shift[3] > 0.2
    assert found.peeled[0] == (1, pytest.approx(found.without[3]))
    assert [n_out for n_out, _ in found.peeled] == [1, 2]  # no more than a fifth


def test_with_as_many_stimuli_as_are_needed_the_interval_just_excludes_zero() -> None:
    history: Any = Layers(n=24)
    measure = find_measure(REGISTRY, "rsa-pearson")
    plan = IntervalPlan(60, 0, "corrected", 0.95)
    found = ask_differences(history, measure, [((A, C), (A, B))], plan)[0]
    ends = replicate(measure, history.read_representations([A, C, B]), 60, 0)
    change = ends.select((np.array([0]), np.array([1]))).minus(ends.select((np.array([0]), np.array([2]))))
    assert found.value == pytest.approx(float(change.estimate[0]))
    assert found.n_needed is not None
    left_out = change.left_out[:, 0]
    jackknife = 23 / 24 * ((left_out - left_out.mean()) ** 2).sum()
    c = 2 + 1 / 23
    pairs = (change.resampled[:, 0].var(ddof=1) - jackknife) / (3 - c)
    a, b = jackknife - c * pairs, pairs

    def half_width(n: int) -> float:
        return float(np.sqrt(a * 24 / n + max(b, 0) * (24 / n) ** 2))

    ratio = half_width(found.n_needed) / half_width(found.n_needed - 1)
    assert ratio < 1
    freedom_bound = stats.norm.ppf(0.975) * half_width(found.n_needed)
    assert freedom_bound <= abs(found.value)
    assert found.interval.low is not None
    assert (found.n_needed <= 24) == (found.interval.low > 0)


def test_the_command_line_names_the_stimuli(tmp_path: Any, capsys: Any) -> None:
    url = make_history(tmp_path / "toy.db", (1.0,), 20)
    words = ["compare", "latest", "--layers", "logits", "--layers", "output", "--influence", "--db", url]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["influence"]
    assert len(told["without"]) == 20
    assert told["most"][0]["change"] == pytest.approx(max((one["change"] for one in told["most"]), key=abs))
    assert main(words) == 0
    said = capsys.readouterr().out
    assert told["most"][0]["stimulus"] in said
    assert "Without the" in said
    assert main(["compare", "latest", "--influence", "--db", url]) == 2
    assert "--influence is of one comparison: name two layers with --layers" in capsys.readouterr().err

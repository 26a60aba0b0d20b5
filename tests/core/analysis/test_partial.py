"""With layers taken out: RSA as partial correlation by least squares, CKA as Cui et al. compute it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy.stats import rankdata

import layerwise as lw
from layerwise.cli import main
from layerwise.core.analysis.deconfounding.partial import share_explained, take_out
from layerwise.core.analysis.inference.every_pair import compare_every_pair
from layerwise.core.analysis.measure import find_measure
from layerwise.core.base.errors import InputError
from layerwise.core.network.products import represent
from layerwise.plugins import load_plugins
from layerwise.testing import make_history

REGISTRY = load_plugins()
N = 24


@pytest.fixture(scope="module")
def layers() -> list[Any]:
    """Two layers that read an input of their own way, the input, and another layer."""
    rng = np.random.default_rng(6)
    first = rng.normal(size=(N, 10))
    other = rng.normal(size=(N, 12))
    one = first @ rng.normal(size=(10, 20)) + rng.normal(size=(N, 20)) + 2
    two = first @ rng.normal(size=(10, 15)) + 0.3 * other @ rng.normal(size=(12, 15)) + rng.normal(size=(N, 15))
    return [one, two, first, other]


def residual(values: Any, out: list[Any]) -> Any:
    design = np.column_stack([np.ones(len(values)), *out])
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


@pytest.mark.parametrize("n_out", [1, 2])
@pytest.mark.parametrize("name", ["rsa-pearson", "rsa-spearman"])
def test_rsa_is_the_partial_correlation_by_least_squares_on_pairs(layers: list[Any], name: str, n_out: int) -> None:
    found = take_out(compare_every_pair(find_measure(REGISTRY, name), list(map(represent, layers[: 2 + n_out]))), 2)
    upper = np.triu_indices(N, 1)
    pairs = [np.corrcoef(values)[upper] for values in layers]
    if name == "rsa-spearman":
        pairs = [rankdata(values) for values in pairs]
    left = [residual(values, pairs[2 : 2 + n_out]) for values in pairs[:2]]
    assert found[0, 1] == pytest.approx(np.corrcoef(*left)[0, 1], abs=1e-6)
    assert found[0, 0] == pytest.approx(1.0)


def test_cka_is_that_of_gram_matrices_from_which_the_inputs_is_regressed_out(layers: list[Any]) -> None:
    found = take_out(compare_every_pair(find_measure(REGISTRY, "cka"), list(map(represent, layers[:3]))), 2)
    centred = [values - values.mean(axis=0) for values in layers[:3]]
    grams = [(values @ values.T).ravel() for values in centred]
    left = [residual(gram, [grams[2]]) for gram in grams[:2]]
    assert found[0, 1] == pytest.approx(
        left[0] @ left[1] / np.linalg.norm(left[0]) / np.linalg.norm(left[1]), abs=1e-6
    )


def test_what_shares_the_input_alone_shares_nothing_without_it() -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(size=(200, 10)) * np.linspace(3, 0.3, 10)
    ways = [first @ np.linalg.qr(rng.normal(size=(60, 10)))[0].T + 0.5 * rng.normal(size=(200, 60)) for _ in range(2)]
    matrix = compare_every_pair(find_measure(REGISTRY, "cka-debiased"), [represent(x) for x in (*ways, first)])
    assert matrix[0, 1] > 0.8
    assert abs(take_out(matrix, 2)[0, 1]) < 0.1
    assert share_explained(matrix, 2) == pytest.approx(matrix[:2, 2] ** 2)


def test_nothing_is_left_of_a_layer_that_is_taken_out_itself() -> None:
    matrix = np.array([[1.0, 0.5, 1.0], [0.5, 1.0, 0.5], [1.0, 0.5, 1.0]])
    assert np.isnan(take_out(matrix, 2)[0]).all()
    assert take_out(matrix, 2)[1, 1] == pytest.approx(1.0)


def test_the_command_line_python_and_intervals_agree(tmp_path: Any, capsys: Any) -> None:
    url = make_history(tmp_path / "toy.db", (1.0, 0.0), 20)
    words = ["compare", "toy@0", "--with", "cka", "--layers", "main", "--partial", "input", "--db", url]
    assert main([*words, "--json", "--bootstrap", "30"]) == 0
    told = json.loads(capsys.readouterr().out)
    with lw.History(url) as history:
        run = history["toy@0"]
        found = np.asarray(run.compare("cka", layers="main", partial="input"))
        other = run.compare("cka", other=history["toy@1"], layers=("logits",), partial=f"{run.run_id}:input")
    np.testing.assert_allclose(np.array(told["matrix"], dtype=float), found, atol=1e-12)
    assert told["partial"][0]["layer"] == "input"
    inside = np.array(told["low"], dtype=float) <= found + 1e-9
    assert inside[np.isfinite(found)].all()
    assert other.shape == (1, 1)
    assert main(words) == 0
    assert "Taken out of both layers: input" in capsys.readouterr().out


def test_what_is_no_correlation_of_vectors_is_refused(tmp_path: Any, capsys: Any) -> None:
    url = make_history(tmp_path / "toy.db", (1.0,), 12)
    assert main(["compare", "latest", "--with", "mutual-knn", "--partial", "input", "--db", url]) == 2
    assert "which mutual-knn is not; there are: rsa-pearson" in capsys.readouterr().err
    assert main(["compare", "latest", "--partial", "inputs", "--db", url]) == 2
    assert "no layer 'inputs'" in capsys.readouterr().err
    with lw.History(url) as history, pytest.raises(InputError, match="no run"):
        history["latest"].compare(partial="nothing:input")

"""`lw.calibrate` and `compare --calibrated`: the same scores, and the best pair as such."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import layerwise as lw
from layerwise.cli import main
from layerwise.core.base.errors import InputError
from layerwise.testing import make_history


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_history(tmp_path_factory.mktemp("toy") / "toy.db", (1.0, 0.0), 20)


def test_scores_are_between_chance_and_agreement_and_the_same_on_the_command_line(url: str, capsys: Any) -> None:
    import json

    words = ["compare", "toy@0", "--with", "cka", "--layers", "main", "--calibrated", "--permutations", "40"]
    assert main([*words, "--json", "--db", url]) == 0
    told = json.loads(capsys.readouterr().out)["calibrated"]
    with lw.History(url) as history:
        found = lw.calibrate(history["toy@0"], measure="cka", layers="main", n_permutations=40)
        plain = np.asarray(history["toy@0"].compare("cka", layers="main"))
    scores = np.asarray(found.scores)
    off = ~np.eye(len(scores), dtype=bool)
    np.testing.assert_allclose(np.array(told["scores"], dtype=float)[off], scores[off], atol=1e-12)
    assert np.isnan(np.diagonal(scores)).all()
    assert (scores[off] >= 0).all()
    assert (scores[off] <= plain[off] + 1e-9).all()
    expected = (plain - np.asarray(found.thresholds)) / (1 - np.asarray(found.thresholds))
    np.testing.assert_allclose(scores[off], np.clip(expected, 0, 1)[off], atol=1e-6)
    assert found.best is not None
    assert told["best"]["score"] == pytest.approx(found.best.score)
    assert told["best"]["n_searched"] == len(scores) * (len(scores) - 1) // 2


def test_of_two_runs_the_best_pair_is_across_them(url: str, capsys: Any) -> None:
    with lw.History(url) as history:
        one, other = history["toy@0"], history["toy@1"]
        found = lw.calibrate(one, other, layers=("logits", "output"), n_permutations=40)
        assert found.scores.shape == (2, 2)
        assert found.best is not None
        assert {found.best.first.run_id, found.best.second.run_id} == {one.run_id, other.run_id}
        assert found.best.n_searched == 4
        with pytest.raises(InputError, match="where no other is given"):
            lw.calibrate(one, one)
    code = main(
        ["compare", "toy@0", "toy@1", "--layers", "output", "--calibrated", "--permutations", "40", "--db", url]
    )
    said = capsys.readouterr().out
    assert code == 0
    assert "Most alike of 1 pairs:" in said
    assert "by chance, calibrated" in said


def test_show_has_calibrated_columns_of_main_layers(url: str, capsys: Any) -> None:
    import json

    assert main(["show", "toy@0", "--calibrated", "--json", "--db", url]) == 0
    told = {one["layer"]: one for one in json.loads(capsys.readouterr().out)["calibrated"]}
    with lw.History(url) as history:
        run = history["toy@0"]
        found = lw.calibrate(run, layers="main")
        scores, names = np.asarray(found.scores), list(found.scores.rows)
    assert list(told) == names
    assert told[names[2]]["step"] == pytest.approx(scores[2, 1], abs=1e-9)
    assert told[names[2]]["to_output"] == pytest.approx(scores[2, names.index("logits")], abs=1e-9)
    assert told[names[0]]["step"] is None
    assert main(["show", "toy@0", "--calibrated", "--db", url]) == 0
    lines = capsys.readouterr().out.splitlines()
    head = next(line for line in lines if line.startswith("layer"))
    assert head.split("  ")[-1].strip() == "step, cal."

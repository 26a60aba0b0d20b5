"""A network with random weights is never analysed without a word, and is told from a trained one in every list."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from layerwise.core.history.records import RunRecord
from layerwise.plugins.sections.shared.grouping import model_names
from layerwise.report.page import title_of
from layerwise.report.queries import run_label
from layerwise.storage import open_store


@pytest.fixture
def two(fake) -> tuple[RunRecord, RunRecord]:
    """A trained and an untrained run of one network, in `layerwise.db` of the current folder."""
    untrained = replace(fake.make_model(), source="untrained, seed 0", fingerprint="0" * 64)
    with open_store("sqlite:///layerwise.db", create=True) as store:
        return fake.add_run(store), fake.add_run(store, model=untrained)


def test_runs_and_show_tell_which_run_is_untrained(two, cli) -> None:
    lines = cli("runs").out.splitlines()
    assert sum("googlenet (untrained)" in line for line in lines) == 1
    assert "googlenet (untrained, seed 0)" in cli("show", two[1].id).out


def test_reports_and_labels_tell_which_run_is_untrained(two) -> None:
    trained, untrained = two
    assert title_of([untrained]).startswith("googlenet (untrained) on ")
    assert run_label(untrained).startswith("googlenet (untrained), run ")
    assert model_names([untrained]) == {untrained.id: "googlenet (untrained)"}
    assert "untrained" not in title_of([trained])


def test_googlenet_without_weights_is_refused_with_three_ways_out(cli, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LAYERWISE_CACHE", str(tmp_path))
    np.save("photos.npy", np.zeros((4, 8, 8, 3), np.uint8))
    for more in ((), ("--dry-run",)):
        said = cli("run", "googlenet", "--stimuli", "photos.npy", *more)
        assert said.code == 2
        assert all(word in said.err for word in ("models fetch googlenet", "--weights FILE", "--weights none"))


def test_random_weights_are_told_before_the_plan_and_after_the_run(cli) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    np.save("photos.npy", pixels)
    line = ("run", "googlenet", "--weights", "none", "--stimuli", "photos.npy", "--layers", "input,output")
    said = cli(*line, "--dry-run")
    assert said.code == 0
    assert "googlenet has random weights (untrained, seed 0)" in said.err
    said = cli(*line)
    assert said.code == 0, said.err
    assert "googlenet has random weights (untrained, seed 0)" in said.err
    assert "random weights (untrained, seed 0)" in said.out.replace("weights are random", "random weights")
    assert "(untrained, seed 0)" in cli(*line).out, "a stored answer says it too"


def test_layers_of_a_named_network_need_no_weights(cli, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LAYERWISE_CACHE", str(tmp_path))
    assert "mixed4c" in cli("layers", "googlenet", "--layers", "main").out


def test_models_fetch_says_what_cannot_be_fetched(cli) -> None:
    said = cli("models", "fetch", "googlenett")
    assert said.code == 2
    assert "did you mean googlenet" in said.err

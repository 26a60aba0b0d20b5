"""A check compares each layer with its own former self, on the baseline's stimuli in the baseline's order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerwise as lw
from layerwise.core.base.errors import InputError
from layerwise.core.history.memory.history import MemoryHistory
from layerwise.core.history.records import LayerResult, RunHeader
from layerwise.core.network.layers import Layer
from layerwise.core.network.products import represent
from layerwise.interchange.baselines.baselines import _describe, join_baseline
from layerwise.interchange.baselines.files import BaselineFile, BaselineStimulus, write_baseline

N = 20
RNG = np.random.default_rng(5)
BASE = {name: RNG.normal(size=(N, 15)) for name in ("conv", "block", "out")}
PLAN = lw.CheckPlan(n_resamples=60)


def header_of(layers: Any, order: Any) -> RunHeader:
    listed = tuple(Layer(name, name, "conv", (15,), place) for place, name in enumerate(layers))
    stimuli = tuple(BaselineStimulus(f"{i}.jpg", None, f"{i:064x}") for i in order)
    file = BaselineFile("net", "net.keras", "id", "photos", "none", listed, stimuli, (), {})
    return _describe(Path("net"), file)


def make_run(layers: dict[str, Any], order: Any = range(N), history: MemoryHistory | None = None) -> Any:
    """A run of these layers on stimuli in this order, by their numbers."""
    history = history or MemoryHistory()
    claim = history.begin_run(header_of(layers, order), force=True)
    for name, values in layers.items():
        history.save_layer(claim, LayerResult(name, "none", represent(values[list(order)])))
    history.finish_run(claim, {})
    return history, history.find_run(claim.run_id)


def check(now: dict[str, Any], order: Any = range(N), before: Any = range(N), **plan: Any) -> Any:
    from layerwise.core.analysis.checking.check_run import check_run
    from layerwise.core.analysis.measure import find_measure
    from layerwise.plugins import load_plugins

    registry = load_plugins()
    history, baseline = make_run(BASE, before)
    _, run = make_run(now, order, history)
    measure = find_measure(registry, plan.pop("measure", "rsa-pearson"))
    return check_run(registry, history, measure, run, baseline, lw.CheckPlan(**{"n_resamples": 60, **plan}))


def noisy(share: float) -> dict[str, Any]:
    return BASE | {"block": BASE["block"] + share * np.random.default_rng(1).normal(size=(N, 15))}


def test_a_layer_that_changed_is_named_and_those_that_did_not_pass() -> None:
    found = check(noisy(3.0))
    assert [item.verdict for item in found.layers] == ["pass", "fail", "pass"]
    assert found.verdict == "fail"
    assert found.broken.layer == "block"
    assert found.layers[0].value == pytest.approx(1.0, abs=1e-9)


def test_what_cannot_be_told_is_undecided_and_says_how_many_stimuli_would_tell() -> None:
    found = check(noisy(0.3), margin=0.05)
    block = found.layers[1]
    assert block.verdict == "undecided"
    assert block.low < 1 - 0.05 < block.high
    assert block.n_needed is None or block.n_needed > N
    assert found.verdict == "undecided"


def test_one_branch_silenced_fails_as_undefined() -> None:
    found = check(BASE | {"block": np.zeros((N, 15))})
    assert found.broken.layer == "block"
    assert "defined in the baseline alone" in found.broken.reason


def test_a_layer_that_is_missing_fails_and_one_that_is_new_is_noted() -> None:
    now = {"conv": BASE["conv"], "out": BASE["out"], "extra": BASE["out"]}
    found = check(now)
    assert found.broken.layer == "block"
    assert "no such layer" in found.broken.reason
    assert any("1 layers of the run are not in the baseline" in note for note in found.notes)


def test_other_measures_have_margins_in_their_own_unit() -> None:
    found = check(noisy(3.0), measure="angular-procrustes", margin=0.2, n_resamples=30)
    assert [item.verdict for item in found.layers] == ["pass", "fail", "pass"]
    assert found.layers[0].expected == pytest.approx(0.0, abs=1e-6)


def test_missing_stimuli_are_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"lacks 2 of the baseline's 20 stimuli \(18\.jpg, 19\.jpg\)"):
        check(BASE, range(N - 2))


def test_stimuli_in_another_order_are_refused() -> None:
    order = [1, 0, *range(2, N)]
    with pytest.raises(InputError, match=r"in another order, from '1\.jpg' on"):
        check(BASE, order)


def test_a_run_on_more_stimuli_is_checked_on_those_of_the_baseline() -> None:
    found = check(noisy(3.0), range(N), before=range(0, N, 2))
    assert found.n_stimuli == 10
    assert found.notes == ("checked on the baseline's 10 stimuli of the run's 20",)
    assert found.layers[0].value == pytest.approx(1.0, abs=1e-9)
    assert found.broken.layer == "block"


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"margin": 0.0}, "a positive number"),
        ({"margin": 2.0}, "as wide as all values"),
        ({"alpha": 0.6}, "between 0 and 0.5"),
        ({"n_resamples": 5}, "at least 20 resamples"),
        ({"transform": "rank"}, "the baseline is of 'none' activations"),
        ({"selectors": ("nothing",)}, "nothing"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(plan: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        check(BASE, **plan)


def test_a_baseline_file_and_the_run_it_was_made_of_give_the_same_verdicts(tmp_path: Path) -> None:
    from layerwise.core.analysis.checking.check_run import check_run
    from layerwise.core.analysis.measure import find_measure
    from layerwise.plugins import load_plugins

    registry = load_plugins()
    measure = find_measure(registry, "rsa-pearson")
    history, run = make_run(noisy(3.0))
    layers = tuple(Layer(name, name, "conv", (15,), place) for place, name in enumerate(BASE))
    stimuli = tuple(BaselineStimulus(f"{i}.jpg", None, f"{i:064x}") for i in range(N))
    found = tuple(represent(values) for values in BASE.values())
    write_baseline(tmp_path / "c.npz", BaselineFile("net", "s", "id", "photos", "none", layers, stimuli, found, {}))
    joined, baseline = join_baseline(history, str(tmp_path / "c.npz"))
    by_file = check_run(registry, joined, measure, run, baseline, PLAN)
    by_run = check(noisy(3.0))
    assert [item.verdict for item in by_file.layers] == [item.verdict for item in by_run.layers]
    for one, other in zip(by_file.layers, by_run.layers, strict=True):
        assert one.value == pytest.approx(other.value, abs=1e-6)
        assert one.low == pytest.approx(other.low, abs=1e-5)


def test_a_layer_that_is_rounding_alone_is_undecided_rather_than_failed() -> None:
    flat = np.full((N, 15), 1000.0, dtype=np.float32)
    rng = np.random.default_rng(3)
    noise = [(rng.integers(-1, 2, size=(N, 15)) * np.float32(1000 * 2.0**-23)).astype(np.float32) for _ in range(2)]
    from layerwise.core.analysis.checking.check_run import check_run
    from layerwise.core.analysis.measure import find_measure
    from layerwise.plugins import load_plugins

    registry = load_plugins()
    history, baseline = make_run(BASE | {"block": flat + noise[0]})
    _, run = make_run(BASE | {"block": flat + noise[1]}, history=history)
    found = check_run(registry, history, find_measure(registry, "rsa-pearson"), run, baseline, PLAN)
    assert found.layers[1].verdict in ("undecided", "skipped")
    assert found.verdict == "undecided" or found.layers[1].verdict == "skipped"

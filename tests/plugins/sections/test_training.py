"""Reports on a training: what the numbers of each checkpoint are, and what is drawn of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from polars.testing import assert_frame_equal

from layerwise.core.analysis.profile_run import profile_run
from layerwise.core.base.provider import Provider
from layerwise.core.history.records import LayerAddress, StatisticResult, WeightResult
from layerwise.plugins.sections.layers.weights import query_ridges
from layerwise.plugins.sections.training import charts as training_charts
from layerwise.plugins.sections.training import queries as training
from layerwise.plugins.sections.training import section as checkpoints
from layerwise.report.content import Alternatives, Choice, ReportContext

STEPS = ["step 0", "step 1", "step 2", "step 3"]
BUILT_IN = Provider("layerwise:built-in", "0.1.0")


@pytest.fixture
def context(fake) -> ReportContext:
    """Four checkpoints of one training, given in the wrong order, and a run that is none of them."""
    history = fake.MadeHistory()
    runs = [
        fake.add_run(history, f"run{step}", 30, learned=step / 3, lineage="digits", step=step)
        for step in (2, 0, 3, 1)
    ]
    other = fake.add_run(history, "other", 12, stimuli_fingerprint="t" * 64)
    return ReportContext((*runs, other), history, fake.make_registry())


@pytest.fixture
def found(context) -> training.Training:
    """The training among the runs."""
    groups = checkpoints.find_trainings(context.runs).groups
    assert len(groups) == 1
    return training.name_checkpoints(groups[0])


def rsa(context: ReportContext, first: LayerAddress, second: LayerAddress) -> float:
    """An independent computation of the published measure."""
    rows = [context.history.read_representation(where).correlation.astype(float) for where in (first, second)]
    triangle = np.triu_indices(len(rows[0]), 1)
    return float(np.corrcoef(rows[0][triangle], rows[1][triangle])[0, 1])


def test_checkpoints_come_in_the_order_of_their_steps_with_every_layer_s_three_similarities(context, found) -> None:
    assert list(found.names) == STEPS
    frame = training.query_training(context, found)
    assert frame["checkpoint"].unique(maintain_order=True).to_list() == STEPS
    assert frame["index"].unique(maintain_order=True).to_list() == [0, 1, 2, 3]
    for row in frame.to_dicts():
        run = f"run{row['index']}"
        here = LayerAddress(run, row["layer"])
        assert row["input"] == pytest.approx(rsa(context, here, LayerAddress(run, "input")), abs=1e-6)
        assert row["output"] == pytest.approx(rsa(context, here, LayerAddress(run, "output")), abs=1e-6)
        assert row["final"] == pytest.approx(rsa(context, here, LayerAddress("run3", row["layer"])), abs=1e-6)


def test_a_layer_that_the_last_checkpoint_lacks_has_no_final_state(context, found, fake) -> None:
    context.history.drop_layer("run3", "conv1")
    frame = training.query_training(context, found)
    lost = frame.filter(layer="conv1")
    assert lost["checkpoint"].to_list() == STEPS[:3]
    assert lost["final"].null_count() == 3
    assert frame.filter(layer="conv2")["final"].null_count() == 0


def test_layers_that_only_later_checkpoints_have_are_put_where_they_belong(fake) -> None:
    history = fake.MadeHistory()
    runs = [
        fake.add_run(history, f"run{step}", 12, layers=fake.make_layers(n_hidden=1 + 3 * step, n_blocks=0), step=step)
        for step in range(2)
    ]
    mixed = ReportContext(tuple(runs), history, fake.make_registry())
    frame = training.query_training(mixed, training.name_checkpoints(mixed.runs))
    layers = frame["layer"].unique(maintain_order=True).to_list()
    assert layers == ["input", "conv0", "conv1", "conv2", "conv3", "avgpool0", "output"]
    columns = training_charts.draw_training(frame, "final", checkpoints.find_scale(mixed)).to_dict()["layer"][0]
    assert columns["encoding"]["x"]["scale"]["domain"] == ["step 0", "step 1"]


def test_many_stimuli_are_compared_with_the_last_checkpoint_part_by_part(context, found, monkeypatch) -> None:
    whole = training.query_training(context, found)
    context.history.forget_results()
    monkeypatch.setattr(training, "N_VALUES_AT_ONCE", 1)
    assert_frame_equal(training.query_training(context, found), whole, abs_tol=1e-12)


def test_checkpoints_of_the_same_name_stay_apart(fake) -> None:
    history = fake.MadeHistory()
    runs = tuple(fake.add_run(history, f"run{i}", 12, lineage="a", checkpoint="last") for i in range(2))
    assert training.name_checkpoints(runs).names == ("1: last", "2: last")


def test_the_section_applies_to_a_mix_with_two_checkpoints_but_not_to_one(context) -> None:
    section = checkpoints.Checkpoints()
    assert section.applies(context)
    alone = ReportContext(context.runs[-2:], context.history, context.registry)
    assert [run.id for run in alone.runs] == ["run1", "other"]
    assert not section.applies(alone)


def test_a_training_has_all_its_figures(context) -> None:
    section = checkpoints.Checkpoints().build(context)
    assert [figure.name for figure in section.figures] == [
        "alarms",
        "accuracy",
        "settling",
        "profiles",
        "training-final",
        "training-input",
        "training-output",
        "layer-matrices",
        "course",
        "first-last",
        "dimensions",
        "sparseness",
        "histograms",
    ]


def test_two_trainings_are_told_apart(context, fake) -> None:
    for step in range(2):
        fake.add_run(context.history, f"more{step}", 30, lineage="letters", step=step)
    both = replace(context, runs=tuple(context.history.list_runs()))
    figures = checkpoints.Checkpoints().build(both).figures
    names = [figure.name for figure in figures]
    assert len(set(names)) == len(names) == 26
    assert names[-1] == "time-alignment"
    assert {figure.title.rpartition(" · ")[2] for figure in figures[:-1]} == {"digits", "letters"}


def test_the_transition_in_numbers_is_that_of_each_profile(context, found) -> None:
    frame = training.query_course(context, found)
    assert frame["checkpoint"].unique(maintain_order=True).to_list() == STEPS
    for name, run in zip(STEPS, found.runs, strict=True):
        profile = profile_run(context.registry, context.history, run, "rsa-pearson")
        values = dict(frame.filter(checkpoint=name).select("series", "value").iter_rows())
        assert values["smoothness"] == profile.smoothness
        assert values.get("crossing") == (profile.crossings[0].depth if profile.crossings else None)


def test_a_distance_without_an_end_still_shows_a_training(context, found) -> None:
    chosen = replace(context, choice=Choice(comparator="rsa-cosine"))
    assert training.query_training(chosen, found)["final"].null_count() == 0
    unbounded = replace(context, choice=Choice(comparator="imd"))
    section = checkpoints.Checkpoints().build(unbounded)
    assert "Distance to the input, over training" in [figure.title for figure in section.figures]


def weigh(context: ReportContext, run_id: str, std: float) -> None:
    result = StatisticResult("weight-std", BUILT_IN, std)
    bias = WeightResult("conv0/bias", "conv0", (8,), 0, (StatisticResult("weight-std", BUILT_IN, 9.0),))
    kernel = WeightResult("conv0/kernel", "conv0", (3, 3, 8, 8), 1, (result,))
    context.history.rewrite_weights(run_id, [kernel, bias])


def test_the_spread_of_weights_is_counted_in_doublings_since_the_start(context, found) -> None:
    for run_id, std in (("run0", 0.1), ("run1", 0.2), ("run2", 0.05), ("run3", 0.0)):
        weigh(context, run_id, std)
    frame = training.query_weight_statistics(context, found).filter(series="weight-std")
    assert "conv0/bias" not in frame["row"].to_list()
    assert frame.filter(row="conv0")["value"].to_list() == [0.0, pytest.approx(1.0), pytest.approx(-1.0), None]
    figures = {figure.name: figure for figure in checkpoints.Checkpoints().build(context).figures}
    assert isinstance(figures["weights"].content, Alternatives)
    assert [figure.name for figure in figures["weights"].content.figures] == ["weight-std"]
    assert "histograms" not in figures


def test_sparseness_over_training_is_the_stored_one(context, found) -> None:
    frame = training.query_sparseness_over(context, found)
    stored = {
        (s.layer, s.result.value) for s in context.history.read_statistics("run2") if s.result.name == "fraction-zero"
    }
    shown = frame.filter(column="step 2", series="share of zeros").select("row", "value").iter_rows()
    assert set(shown) <= stored
    assert frame["column"].unique(maintain_order=True).to_list() == STEPS


@pytest.mark.parametrize(("count", "most", "expected"), [(3, 9, [0, 1, 2]), (10, 4, [0, 3, 6, 9]), (5, 0, [0, 4])])
def test_checkpoints_are_thinned_out_evenly(count, most, expected) -> None:
    assert list(training.spread_evenly(count, most)) == expected


def data_of(spec: dict, column: str) -> list[dict]:
    """The data of a chart that has such a column."""
    return next(rows for rows in spec["datasets"].values() if column in rows[0])


def test_the_slider_goes_over_all_checkpoints_and_starts_at_the_last(context, found) -> None:
    figures = {figure.name: figure for figure in checkpoints.Checkpoints().build(context).figures}
    for name in ("profiles", "histograms"):
        spec = figures[name].content.drawing.to_dict()
        slider = next(param for param in spec["params"] if param["name"] == "at")
        assert slider["value"] == 3
        assert slider["bind"] == {"input": "range", "min": 0, "max": 3, "step": 1, "name": "checkpoint "}


def test_the_moving_histograms_are_those_of_each_checkpoint(context, found) -> None:
    ridges = [query_ridges(context, run) for run in found.runs]
    spec = training_charts.draw_moving_ridges(ridges, list(found.names)).to_dict()
    drawn = data_of(spec, "height")
    assert len(drawn) == sum(one.frame.height for one in ridges)
    second = [row["height"] for row in drawn if row["index"] == 1]
    np.testing.assert_allclose(second, ridges[1].frame["height"].to_numpy(), atol=5e-4)

"""Figures of a training on when layers settle, what grows, and how two trainings are aligned: the numbers behind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from layerwise.core.analysis.training.settling import ask_settling
from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.history.records import LayerAddress
from layerwise.plugins.sections.training import alignment, growth, settling
from layerwise.plugins.sections.training import section as checkpoints
from layerwise.plugins.sections.training.queries import name_checkpoints
from layerwise.report.by_name import draw_figure
from layerwise.report.content import Choice, ReportContext, Table

LAYERS = 10


@pytest.fixture
def context(fake) -> ReportContext:
    """Five checkpoints of `digits` and three of `letters`, on the same stimuli."""
    history = fake.MadeHistory()
    made = [("digits", step, step / 4) for step in range(5)] + [("letters", step, step / 2) for step in range(3)]
    runs = [
        fake.add_run(history, f"{name}{step}", 30, learned=learned, lineage=name, step=step)
        for name, step, learned in made
    ]
    return ReportContext(tuple(runs), history, fake.make_registry())


def trainings(context: ReportContext) -> list:
    return [name_checkpoints(runs) for runs in checkpoints.find_trainings(context.runs).groups]


def rows_of(chart, column: str) -> list[dict]:
    """The data of a chart that has such a column."""
    return next(rows for rows in chart.to_dict()["datasets"].values() if column in rows[0])


def test_settling_is_drawn_as_it_is_asked_for(context) -> None:
    digits = trainings(context)[0]
    found = settling.query_settling(context, digits)
    plain = ask_settling(settling.ask(context, digits))
    assert [one.index for one in found.settled] == [one.index for one in plain.settled]
    assert found.bands
    frame = settling.settling_frame(found, digits)
    assert frame["layer"].to_list() == list(found.layers)
    for row, one in zip(frame.to_dicts(), found.settled, strict=True):
        assert row["checkpoint"] == f"step {one.step}"
        assert (row["low"], row["high"]) == (f"step {one.low}", f"step {one.high}")
        assert row["state"] == settling.STATES[one.is_last]
    drawn = rows_of(settling.draw_settling(frame, digits.names), "state")
    assert [row["layer"] for row in drawn] == list(found.layers)
    assert settling.query_settling(context, digits) is found  # found once for all sections


def test_no_intervals_are_drawn_where_none_are_wanted_or_they_would_take_long(context, monkeypatch) -> None:
    digits = trainings(context)[0]
    none = replace(context, choice=Choice(n_resamples=0), memory={})
    assert settling.query_settling(none, digits).bands == ()
    monkeypatch.setattr(settling, "N_DRAWN_MOST", 10)
    assert settling.query_settling(replace(context, memory={}), digits).bands == ()
    asked = replace(context, choice=Choice(n_resamples=20), memory={})
    assert settling.query_settling(asked, digits).bands


def test_a_measure_without_an_end_has_no_settling_and_no_alignment(context) -> None:
    unbounded = replace(context, choice=Choice(comparator="imd"), memory={})
    digits, _ = trainings(unbounded)
    assert settling.query_settling(unbounded, digits) is None
    names = [figure.name for figure in checkpoints.Checkpoints().build(unbounded).figures]
    assert "settling" not in names
    assert "layer-matrices" in names


def test_the_order_is_put_into_words(context) -> None:
    found = settling.query_settling(context, trainings(context)[0])
    for order, low, high, words in (
        (0.9, 0.7, 0.95, "is 0.90 (95% from 0.70 to 0.95): the network settles from the bottom up"),
        (-0.9, -0.95, -0.7, "the network settles from the top down"),
        (0.2, -0.3, 0.6, "neither from the bottom up nor from the top down"),
    ):
        interval = replace(found.order_interval, low=low, high=high)
        assert words in settling.describe_order(replace(found, order=order, order_interval=interval))
    assert "settled at once" in settling.describe_order(replace(found, order=float("nan")))


def test_the_moving_matrices_are_the_comparisons_of_each_checkpoint(context) -> None:
    digits = trainings(context)[0]
    layers, names, frame = growth.query_moving_matrices(context, digits)
    assert names == list(digits.names)
    assert frame.height == 5 * len(layers) ** 2
    kept = {(c.first, c.second): c.value for c in context.history.comparisons}
    for row in frame.filter(checkpoint="step 2").to_dicts():
        if row["row"] != row["column"]:
            pair = LayerAddress("digits2", row["row"]), LayerAddress("digits2", row["column"])
            assert row["value"] == kept[pair] if pair in kept else kept[pair[::-1]]
    chart = growth.draw_moving_matrices(layers, frame, checkpoints.find_scale(context)).to_dict()
    slider = next(param for param in chart["params"] if param["name"] == "at")
    assert (slider["value"], slider["bind"]["max"]) == (4, 4)


def test_of_many_checkpoints_some_matrices_are_shown_evenly_spaced(context, monkeypatch) -> None:
    monkeypatch.setattr(growth, "N_CELLS_MOST", 3 * LAYERS**2)
    digits = trainings(context)[0]
    layers, names, _ = growth.query_moving_matrices(context, digits)
    assert len(layers) <= LAYERS
    assert names[0] == "step 0"
    assert names[-1] == "step 4"
    assert len(names) < 5


def test_statistics_over_time_are_the_stored_ones(context) -> None:
    digits = trainings(context)[0]
    course = growth.query_course_stored(context, digits)
    assert list(growth.list_statistics(course)) == list(growth.STATISTICS)
    chart = growth.draw_statistic(course, digits.names, "participation-ratio")
    drawn = {(row["row"], row["column"]): row["value"] for row in rows_of(chart, "value")}
    for item in context.history.read_statistics("digits3"):
        if item.result.name == "participation-ratio" and item.layer in course.names:
            assert drawn[item.layer, "step 3"] == item.result.value


def test_alarms_are_a_table_and_only_there_where_there_are_any(context) -> None:
    digits = trainings(context)[0]
    alarms = growth.query_alarms(context, digits)
    table = growth.tabulate_alarms(alarms)
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == [alarm.kind for alarm in alarms]
    figures = checkpoints.Checkpoints().build(context).figures
    assert ("alarms" in [figure.name for figure in figures]) == bool(alarms)


def test_two_trainings_on_the_same_stimuli_are_aligned(context) -> None:
    first, second = trainings(context)
    found = alignment.query_alignment(context, first, second)
    assert found.matrix.shape == (5, 3)
    chart = alignment.draw_alignment(found, first, second, checkpoints.find_scale(context))
    cells = rows_of(chart, "value")
    assert len(cells) == 15
    np.testing.assert_allclose([cell["value"] for cell in cells], found.matrix.ravel())
    words = alignment.describe_alignment(found, first, second)
    assert words.startswith(f"Along the best path (boxed) the two differ by {found.cost:.3f} on average")


def test_trainings_on_other_stimuli_are_not_aligned(context, fake) -> None:
    for step in range(2):
        fake.add_run(context.history, f"far{step}", 12, lineage="far", step=step, stimuli_fingerprint="9" * 64)
    wider = replace(context, runs=tuple(context.history.list_runs()), memory={})
    first, *_, far = trainings(wider)
    assert alignment.query_alignment(wider, first, far) is None


@pytest.mark.parametrize("name", ["settling", "checkpoints-layers", "checkpoints-dimension"])
def test_the_figures_have_names_of_their_own(context, name) -> None:
    one = replace(context, runs=context.runs[:5], memory={})
    assert draw_figure(name, one).content.drawing is not None


def test_two_trainings_make_a_figure_and_one_does_not(context) -> None:
    assert draw_figure("time-alignment", context).title == "digits and letters, aligned in time"
    with pytest.raises(LayerwiseError, match="checkpoints of two lineages on the same stimuli needed"):
        draw_figure("time-alignment", replace(context, runs=context.runs[:5], memory={}))
    with pytest.raises(InputError, match="2 given"):
        draw_figure("time-alignment", replace(context, runs=context.runs[:2], memory={}))

"""Reports across models and across stimulus sets: the numbers, against independent computation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from layerwise.core.history.records import LayerAddress
from layerwise.plugins.sections.models import counterparts, stimulus_sets
from layerwise.plugins.sections.models import differences as model_differences
from layerwise.plugins.sections.models import section as models
from layerwise.plugins.sections.overview import compared
from layerwise.plugins.sections.shared import overlays
from layerwise.plugins.sections.shared.grids import difference_bounds, write_value
from layerwise.plugins.sections.shared.grouping import find_models, model_names, set_names
from layerwise.report.content import Alternatives, Chart, Choice, Facts, Figure, ReportContext, SideBySide, Table
from layerwise.report.scale import find_scale


@pytest.fixture
def context(fake) -> ReportContext:
    """Three models of different depth on the same stimuli; the first also on others."""
    history = fake.MadeHistory()
    template = fake.make_model()
    small, large = fake.make_layers(n_hidden=1, n_blocks=1), fake.make_layers(n_hidden=4, n_blocks=2)
    wanted = [("one", small, "s"), ("two", large, "s"), ("three", small, "s"), ("one", small, "t")]
    runs = [
        fake.add_run(
            history,
            f"run{index}",
            24 if stimuli == "s" else 18,
            layers=layers,
            seed=index,
            model=replace(template, name=name, fingerprint=name),
            stimuli_fingerprint=stimuli * 64,
            stimuli_name=f"set {stimuli}",
        )
        for index, (name, layers, stimuli) in enumerate(wanted)
    ]
    return ReportContext(tuple(runs), history, fake.make_registry())


def rsa(context: ReportContext, first: LayerAddress, second: LayerAddress) -> float:
    """An independent computation of the published measure."""
    rows = [context.history.read_representation(where).correlation.astype(float) for where in (first, second)]
    triangle = np.triu_indices(len(rows[0]), 1)
    return float(np.corrcoef(rows[0][triangle], rows[1][triangle])[0, 1])


def query(context: ReportContext) -> model_differences.ModelGroup:
    return model_differences.query_models(context, find_models(context.runs).groups[0])


def test_every_two_models_are_compared_layer_by_layer(context) -> None:
    group = query(context)
    assert [pair.names for pair in group.pairs] == [("one", "two"), ("one", "three"), ("two", "three")]
    for pair in group.pairs:
        assert pair.matrix.shape == (len(pair.rows), len(pair.columns))
        for i, row in enumerate(pair.rows):
            for j, column in enumerate(pair.columns):
                there = LayerAddress(pair.runs[0].id, row), LayerAddress(pair.runs[1].id, column)
                assert pair.matrix[i, j] == pytest.approx(rsa(context, *there), abs=1e-6)


def test_of_many_models_the_first_is_held_against_each_other(context, monkeypatch) -> None:
    everything = query(context).pairs
    monkeypatch.setattr(counterparts, "N_ALL_PAIRS", 2)
    pairs = query(context).pairs
    assert [pair.names for pair in pairs] == [("one", "two"), ("one", "three")]
    for pair, same in zip(pairs, everything[:2], strict=True):
        np.testing.assert_allclose(pair.matrix, same.matrix, atol=1e-12)


def test_each_layer_s_counterpart_is_the_most_similar_layer_of_the_other_model(context) -> None:
    group = query(context)
    found = group.counterparts.filter(pl.col("series") != counterparts.SAME_LAYER)
    for row in found.to_dicts():
        pair = next(pair for pair in group.pairs if pair.title == row["pair"])
        matrix, names = pair.matrix, pair.columns
        if row["series"] == pair.names[0]:
            values = matrix[pair.rows.index(row["layer"])]
        else:
            values, names = matrix[:, pair.columns.index(row["layer"])], pair.rows
        assert row["value"] == values.max()
        assert row["counterpart"] == names[int(values.argmax())]
        assert row["place"] == pytest.approx(names.index(row["counterpart"]) / (len(names) - 1))
    assert found.height == sum(len(pair.rows) + len(pair.columns) for pair in group.pairs)


def test_models_with_the_same_layers_are_held_against_each_other_name_by_name(context) -> None:
    group = query(context)
    same = group.counterparts.filter(series=counterparts.SAME_LAYER)
    assert same["pair"].unique().to_list() == ["one and three"]
    for row in same.to_dicts():
        assert row["counterpart"] == row["layer"]
        there = LayerAddress("run0", row["layer"]), LayerAddress("run2", row["layer"])
        assert row["value"] == pytest.approx(rsa(context, *there), abs=1e-6)


def test_of_distances_the_counterpart_is_the_nearest(context) -> None:
    group = query(replace(context, choice=Choice(comparator="procrustes")))
    pair = group.pairs[0]
    first = group.counterparts.filter(pair=pair.title, series="one")
    assert first["value"].to_list() == pair.matrix.min(axis=1).tolist()
    odd = group.differences[0].odd["one"]
    assert odd[2] == first["value"].max()


def test_the_odd_layer_is_the_one_with_the_poorest_counterpart(context) -> None:
    group = query(context)
    for found in group.differences:
        for name in found.pair.names:
            layers = group.counterparts.filter(pair=found.pair.title, series=name)
            assert found.odd[name][2] == layers["value"].min()


def test_profiles_are_overlaid_by_relative_depth(context) -> None:
    overlay = query(context).overlay
    for series, frame in overlay.group_by("series", maintain_order=True):
        run = next(run for run in context.runs if run.model.name == series[0])
        assert frame["depth"].to_list() == pytest.approx(np.linspace(0, 1, frame.height).tolist())
        for row in frame.to_dicts():
            here = LayerAddress(run.id, row["layer"])
            assert row["input"] == pytest.approx(rsa(context, LayerAddress(run.id, "input"), here), abs=1e-6)
            assert row["output"] == pytest.approx(rsa(context, here, LayerAddress(run.id, "output")), abs=1e-6)


def test_the_widest_gap_is_found_between_layers_too() -> None:
    overlay = pl.DataFrame(
        {
            "series": ["a"] * 3 + ["b"] * 2,
            "layer": list("xyzxz"),
            "depth": [0.0, 0.5, 1.0, 0.0, 1.0],
            "input": [1.0, 0.0, 0.0, 1.0, 0.5],
            "output": [0.0, 0.1, 1.0, None, 1.0],
        }
    )
    gap = overlays.find_gap(overlay, "a", "b")
    assert (gap.end, gap.depth) == ("the input", 0.5)
    assert gap.values == pytest.approx((0.0, 0.75))
    assert gap.size == pytest.approx(0.75)
    assert overlays.find_gap(overlay.with_columns(pl.lit(None, pl.Float64).alias("input")), "a", "b") is None


def test_two_models_get_large_numbers_and_three_a_table(context) -> None:
    three = {figure.name: figure for figure in models.Models().build(context).figures}
    assert list(three) == ["models", "differences", "layers", "profiles", "counterparts"]
    assert isinstance(three["differences"].content, Table)
    assert len(three["differences"].content.rows) == 3
    pair_only = models.Models().build(replace(context, runs=context.runs[:2])).figures
    assert pair_only[-1].name == "poorest"
    assert [row[0] for row in pair_only[-1].content.rows] == ["one"] * 4 + ["two"] * 4
    two = pair_only[1]
    assert isinstance(two.content, Facts)
    facts = {fact.label: fact.value for fact in two.content.facts}
    pair = query(replace(context, runs=context.runs[:2])).pairs[0]
    assert facts["best path"] == f"{pair.alignment.mean:.2f}"
    assert facts["bend of the path"] == f"{pair.alignment.bend:.0%}"


def test_the_matrix_of_two_models_carries_its_numbers_and_boxes_its_path(context) -> None:
    pair = query(context).pairs[0]
    spec = counterparts.draw_pair(pair, find_scale(context)).to_dict()
    cells = next(rows for rows in spec["datasets"].values() if "value" in rows[0])
    assert [cell["value"] for cell in cells] == pytest.approx(pair.matrix.ravel().tolist())
    boxes = [layer["data"]["values"] for layer in spec["layer"] if "step" in str(layer.get("data", ""))]
    path = [(pair.rows.index(box["row"]), pair.columns.index(box["column"])) for box in boxes[0]]
    assert tuple(path) == pair.alignment.path


def test_a_model_without_layers_in_common_words_says_so() -> None:
    matrix = np.full((2, 2), np.nan)
    pair = counterparts.ModelPair(
        (None, None), ("a", "b"), ["x", "y"], ["x", "y"], matrix, counterparts.align_layers(matrix)
    )
    assert counterparts.query_counterparts([pair], "similarity").is_empty()
    assert model_differences.describe_path(pair, None) == "No layer of one can be compared with a layer of the other."


def test_sections_apply_to_what_they_can_compare(context, fake) -> None:
    alone = replace(context, runs=context.runs[:1])
    sets = replace(context, runs=(context.runs[0], context.runs[3]))
    two = replace(context, runs=context.runs[:2])
    applying = {
        name: [one.applies(case) for case in (context, alone, sets, two)]
        for name, one in (
            ("models", models.Models()),
            ("sets", stimulus_sets.StimulusSets()),
            ("compared", compared.Compared()),
        )
    }
    assert applying == {
        "models": [True, False, False, True],
        "sets": [True, False, True, False],
        "compared": [True, False, False, False],
    }


def test_what_is_compared_is_said_of_every_run_and_of_two_that_fit_nothing(context) -> None:
    table = compared.tabulate_runs(context)
    assert table.columns == ("run", "of", "stimuli", "across models", "across stimulus sets")
    assert [row[3] for row in table.rows[:3]] == ["with run1, run2", "with run0, run2", "with run0, run1"]
    assert [row[4] for row in table.rows] == [
        "with run3",
        *["– its model was analysed on no other stimuli"] * 2,
        "with run0",
    ]
    strangers = replace(context, runs=context.runs[2:])
    assert compared.Compared().applies(strangers)
    table = compared.tabulate_runs(strangers)
    assert table.columns[3:] == ("across models", "over training", "across stimulus sets")
    assert all(cell.startswith("–") for row in table.rows for cell in row[3:])


def test_the_same_model_on_two_sets_is_held_against_itself(context) -> None:
    runs = (context.runs[0], context.runs[3])
    (pair,) = stimulus_sets.query_sets(context, runs, set_names(runs))
    assert pair.names == ("set s", "set t")
    for run, matrix in zip(runs, pair.matrices, strict=True):
        for i, row in enumerate(pair.layers):
            for j, column in enumerate(pair.layers):
                there = LayerAddress(run.id, row), LayerAddress(run.id, column)
                assert matrix[i, j] == pytest.approx(rsa(context, *there), abs=1e-6)
    above = [(i, j) for i in range(len(pair.layers)) for j in range(i + 1, len(pair.layers))]
    first, second = ([matrix[cell] for cell in above] for matrix in pair.matrices)
    assert pair.agreement == pytest.approx(np.corrcoef(first, second)[0, 1])
    assert pair.n_cells == len(above)
    facts = {fact.label: fact.value for fact in stimulus_sets.list_facts(pair)}
    gaps = np.abs(np.subtract(second, first))
    assert facts["mean difference"] == f"{gaps.mean():.3f}"
    assert facts["largest difference"] == f"{gaps.max():.3f}"
    assert stimulus_sets.largest_difference(pair) == above[int(gaps.argmax())]


def test_only_layers_that_both_sets_have_are_compared(context) -> None:
    context.history.drop_layer("run3", "conv0")
    runs = (context.runs[0], context.runs[3])
    (pair,) = stimulus_sets.query_sets(context, runs, set_names(runs))
    assert "conv0" not in pair.layers
    assert pair.matrices[0].shape == pair.matrices[1].shape == (len(pair.layers),) * 2


@given(arrays(np.float64, (5, 5), elements=st.floats(-1, 1, allow_subnormal=False)))
def test_a_matrix_agrees_with_itself_and_opposes_its_negative(matrix) -> None:
    agreement, n_cells = stimulus_sets.correlate_cells(matrix, matrix)
    opposed, _ = stimulus_sets.correlate_cells(matrix, -matrix)
    assert n_cells == 10
    if agreement is None:  # all cells are equal
        assert np.ptp(matrix[np.triu_indices(5, 1)]) < 1e-100
    else:
        assert agreement == pytest.approx(1)
        assert opposed == pytest.approx(-1)


def test_undefined_cells_are_left_out_of_the_agreement() -> None:
    matrix = np.random.default_rng(0).normal(size=(4, 4))
    hole = matrix.copy()
    hole[0, 1] = np.nan
    assert stimulus_sets.correlate_cells(matrix, hole) == (pytest.approx(1), 5)
    assert stimulus_sets.correlate_cells(matrix, np.full((4, 4), np.nan)) == (None, 0)
    assert stimulus_sets.correlate_cells(matrix, np.ones((4, 4))) == (None, 6)


def test_three_sets_are_chosen_from_a_list_and_two_are_not(context, fake) -> None:
    model = context.runs[0].model
    third = fake.add_run(
        context.history, "run9", 18, layers=context.history.list_layers("run0"), seed=9, model=model,
        stimuli_fingerprint="v" * 64, stimuli_name="set v",
    )  # fmt: skip
    two = stimulus_sets.StimulusSets().build(replace(context, runs=(context.runs[0], context.runs[3])))
    three = stimulus_sets.StimulusSets().build(replace(context, runs=(context.runs[0], context.runs[3], third)))
    names = ["sets", "agreement", "matrices", "difference", "profiles"]
    assert [figure.name for figure in two.figures] == [figure.name for figure in three.figures] == names
    assert isinstance(two.figures[2].content, SideBySide)
    assert isinstance(two.figures[3].content, Chart)
    assert isinstance(three.figures[2].content, Alternatives)
    assert [figure.title for figure in three.figures[3].content.figures] == ["set s and set t", "set s and set v"]


def names_within(figures: tuple[Figure, ...]) -> list[str]:
    """Names of figures, those inside others too."""
    found = []
    for figure in figures:
        found.append(figure.name)
        if isinstance(figure.content, SideBySide | Alternatives):
            found += names_within(figure.content.figures)
    return found


def test_two_groups_of_models_are_told_apart(context, fake) -> None:
    other = replace(context.runs[1].model, name="four", fingerprint="four")
    fake.add_run(context.history, "run8", 18, seed=8, model=other, stimuli_fingerprint="t" * 64, stimuli_name="set t")
    both = replace(context, runs=tuple(context.history.list_runs()))
    section = models.Models().build(both)
    names = names_within(section.figures)
    assert len(set(names)) == len(names)
    assert {figure.title.rpartition(" · on ")[2] for figure in section.figures} == {"set s", "set t"}


@pytest.mark.parametrize("comparator", ["cka", "procrustes", "imd", "pwcca"])
def test_every_section_is_drawn_with_whatever_measure_is_chosen(context, comparator) -> None:
    chosen = replace(context, choice=Choice(comparator=comparator))
    for section in (models.Models(), stimulus_sets.StimulusSets()):
        built = section.build(chosen)
        assert len(built.figures) == 5
        assert all(comparator in figure.method for figure in built.figures)


def test_a_difference_of_nothing_still_has_a_scale() -> None:
    assert difference_bounds([0.0, 0.0]).high == 1.0
    assert difference_bounds([]).high == 1.0
    assert difference_bounds([-0.4, np.nan, 0.1]).low == -0.4


def test_models_are_called_by_their_names(context) -> None:
    assert list(model_names(context.runs[:3]).values()) == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [(0.4567, 2, "0.46"), (0.0, 2, "0.00"), (0.0001234, 2, "0.00012"), (-0.004, 3, "-0.004"), (12.3456, 3, "12.346")],
)
def test_small_numbers_are_not_written_as_nothing(value, digits, written) -> None:
    assert write_value(value, digits) == written


def test_numbers_that_have_no_room_are_not_written_into_cells(context) -> None:
    chosen = replace(context, choice=Choice(comparator="imd"))
    pair = query(chosen).pairs[0]
    tiny = replace(pair, matrix=pair.matrix / pair.matrix.max() / 1000)
    marks = [str(layer["mark"]) for layer in counterparts.draw_pair(tiny, find_scale(chosen)).to_dict()["layer"]]
    assert not any("text" in mark for mark in marks)

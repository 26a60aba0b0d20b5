"""Reports on branches: which there are, what is compared of them, and how it is drawn."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from layerwise.core.history.records import LayerAddress
from layerwise.plugins.sections.branches import importance, queries
from layerwise.plugins.sections.branches import section as branches
from layerwise.plugins.sections.maps import layer_map
from layerwise.report.content import Alternatives, ReportContext
from layerwise.report.scale import find_scale


@pytest.fixture
def context(fake) -> ReportContext:
    """One run of 40 stimuli, with three blocks."""
    history = fake.MadeHistory()
    run = fake.add_run(history, n_stimuli=40, layers=fake.make_layers(n_blocks=3))
    return ReportContext((run,), history, fake.make_registry())


def rsa(context: ReportContext, first: str, second: str) -> float:
    """An independent computation of the published measure."""
    run = context.runs[0].id
    rows = [
        context.history.read_representation(LayerAddress(run, name)).correlation.astype(float)
        for name in (first, second)
    ]
    triangle = np.triu_indices(len(rows[0]), 1)
    return float(np.corrcoef(rows[0][triangle], rows[1][triangle])[0, 1])


def test_the_two_found_in_the_middle_of_googlenet_are_mixed4c_and_mixed4d() -> None:
    blocks = [f"mixed{name}" for name in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")]
    found = [queries.Block(name, ()) for name in blocks]
    assert [block.name for block in queries.middle_blocks(found)] == ["mixed4c", "mixed4d"]
    assert [block.name for block in queries.middle_blocks(found[:1])] == ["mixed3a"]
    assert list(branches.list_views(found))[4] == "mixed4c and mixed4d"
    assert list(branches.list_views(found))[-1] == "All blocks"
    assert list(branches.list_views(found[:2])) == ["mixed3a and mixed3b"]
    assert list(branches.list_views(found[:1])) == ["mixed3a"]


def test_the_branch_with_the_largest_kernel_is_marked_unless_two_are_alike(fake) -> None:
    def widest(*labels: str) -> str | None:
        layer = fake.make_layers()[0]
        made = tuple(type(layer)(f"b/{label}", "n", "conv", (1,), 0, branch=label) for label in labels)
        found = queries.Block("b", made).widest
        return found.branch if found else None

    assert widest("1x1", "3x3", "5x5", "pool") == "5x5"
    assert widest("1x1", "7x7", "3x3dbl") == "7x7"
    assert widest("1x1", "3x3", "3x3dbl") is None
    assert widest("pool", "a", "1x1") is None


def test_the_branch_matrix_runs_from_input_over_the_branches_to_output(context, fake) -> None:
    found = queries.query_branch_matrix(context, context.runs[0])
    assert found.names == ["input", *(f"mixed3{block}/{arm}" for block in "bc" for arm in fake.ARMS), "output"]
    for cell in found.frame.to_dicts():
        assert cell["value"] == pytest.approx(rsa(context, cell["row"], cell["column"]), abs=1e-6)


def test_very_many_branches_are_compared_in_the_middle_only(context, monkeypatch) -> None:
    monkeypatch.setattr(queries, "N_BRANCHES_MOST", 11)
    found = queries.query_branches(context, context.runs[0])
    assert [block.name for block in found.blocks] == ["mixed3b", "mixed3c"]
    assert len(found.layers) == 10


@pytest.mark.parametrize("end", ["input", "output"])
def test_each_kind_of_branch_is_followed_along_the_blocks_to_either_end(context, fake, end) -> None:
    frame = queries.query_depth(context, context.runs[0], end)
    assert frame["layer"].unique(maintain_order=True).to_list() == ["mixed3a", "mixed3b", "mixed3c"]
    assert frame["series"].to_list() == list(fake.ARMS) * 3
    for row in frame.to_dicts():
        assert row["value"] == pytest.approx(rsa(context, f"{row['layer']}/{row['series']}", end), abs=1e-6)
    if end == "output":
        last = {row["series"]: row["value"] for row in frame.to_dicts() if row["layer"] == "mixed3c"}
        assert min(last, key=last.__getitem__) == "5x5"


def test_a_run_without_its_output_has_nothing_along_the_blocks(context) -> None:
    context.history.drop_layer(context.runs[0].id, "output")
    assert queries.query_depth(context, context.runs[0]).is_empty()


def test_all_blocks_side_by_side_hold_every_two_branches_of_a_block(context) -> None:
    frame = queries.query_agreement(queries.query_branches(context, context.runs[0]))
    assert frame.height == 3 * 6
    for cell in frame.to_dicts():
        one, other = cell["row"].split(" and ")
        value = rsa(context, f"{cell['column']}/{one}", f"{cell['column']}/{other}")
        assert cell["value"] == pytest.approx(value, abs=1e-6)


def test_the_section_shows_each_two_neighbours_and_all_blocks_the_middle_first(context) -> None:
    run = context.runs[0].id
    figures = {figure.name: figure for figure in branches.Branches().build(context).figures}
    assert list(figures)[:3] == [f"blocks-{run}", f"agreement-{run}", f"along-{run}"]
    views = figures[f"blocks-{run}"].content
    assert isinstance(views, Alternatives)
    assert [figure.title for figure in views.figures] == ["mixed3a and mixed3b", "mixed3b and mixed3c", "All blocks"]
    assert views.figures[views.first].name == f"branches-{run}"


def outlines(chart) -> list[list[dict]]:
    """The rectangles of a chart that frame something."""
    spec = chart.to_dict()
    return [layer["data"]["values"] for layer in spec["layer"] if "x2" in layer["encoding"]]


def test_found_are_framed_and_their_5x5_branches_are_between_dashed_lines(context) -> None:
    found = queries.query_branch_matrix(context, context.runs[0])
    scale = branches.find_scale(context)
    frames, dashed = outlines(branches.draw_branch_matrix(found, scale))
    assert [(frame["x"], frame["x2"], frame["y"], frame["y2"]) for frame in frames] == [
        (f"{block}/1x1", f"{block}/pool") * 2 for block in ("mixed3b", "mixed3c")
    ]
    columns = [mark["x"] for mark in dashed if mark["x"] == mark["x2"]]
    rows = [mark["y"] for mark in dashed if mark["y"] == mark["y2"]]
    assert columns == rows == ["mixed3b/5x5", "mixed3c/5x5"]


def test_a_kind_of_branch_has_one_colour_on_all_charts(context) -> None:
    run = context.runs[0]
    kinds = queries.list_kinds(context.history.list_layers(run.id))
    some = [kind for kind in kinds if kind != kinds[0]]  # as where the first is undefined in a chart
    frame = queries.query_depth(context, run).filter(pl.col("series") != kinds[0])
    charts = [branches.draw_depth(frame, find_scale(context), "output", kinds)]
    charts += [importance.draw_importance(importance.query_importance(context, run, "output"), kinds)]
    charts += [layer_map.draw_layer_map(layer_map.query_layer_map(context, run))]
    colours = [dict(zip(scale["domain"], scale["range"], strict=True)) for scale in map(branch_scale, charts)]
    for kind in some:
        assert len({found[kind] for found in colours}) == 1
    assert len({colours[1][kind] for kind in kinds}) == len(kinds)


def branch_scale(chart) -> dict:
    """The scale of the colours of branches, wherever it is in a chart."""
    layers = chart.to_dict(validate=False).get("layer", [chart.to_dict(validate=False)])
    colours = [layer["encoding"].get("color", {}) for layer in layers]
    return next(c["scale"] for c in colours if (c.get("legend") or {}).get("title") == "branch")

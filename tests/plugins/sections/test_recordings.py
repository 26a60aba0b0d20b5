"""Reports of recordings beside networks: areas of a brain against layers, checked by independent computation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from layerwise.core.base.errors import InputError
from layerwise.core.history.records import LayerAddress
from layerwise.core.network.matrices.correlations import from_correlations
from layerwise.core.network.representation import Representation
from layerwise.plugins.sections.models import section as models
from layerwise.plugins.sections.overview import compared
from layerwise.plugins.sections.recordings import ceilings
from layerwise.plugins.sections.recordings import queries as recorded
from layerwise.plugins.sections.recordings import section as recordings
from layerwise.plugins.sections.shared.grouping import find_models, find_recordings
from layerwise.plugins.sections.transition import section as transition
from layerwise.report.content import Alternatives, Choice, ReportContext, Table
from layerwise.report.paper.ask import ask_figure
from layerwise.report.queries import recording_ids

AREAS = {"V1": "conv0", "V4": "mixed3a", "IT": "avgpool0"}


def with_correlation(source: Representation, correlation: np.ndarray) -> Representation:
    """The same means and norms, with other correlations."""
    return from_correlations(correlation, source.mean, source.norm, source.n_features)


def add_recording(fake, history, run_id: str, name: str, seed: int = 0, areas=tuple(AREAS), noise: float = 0.4):
    """A recording whose areas are noisy layers of the network `net0`."""
    layers = [
        replace(layer, name=area, role="hidden", position=place)
        for place, (area, layer) in enumerate(zip(areas, fake.make_layers()[1:], strict=False))
    ]
    template = history.find_run("net0")
    run = fake.add_run(
        history,
        run_id,
        template.n_stimuli,
        layers=layers,
        model=replace(template.model, name=name, fingerprint=name, n_parameters=0),
        origin="imported",
        accuracy=None,
    )
    rng = np.random.default_rng(seed)
    for area in areas:
        source = history.read_representation(LayerAddress("net0", AREAS[area]))
        noisy = rng.normal(size=source.correlation.shape) * noise * source.correlation.std()
        made = np.clip(source.correlation + (noisy + noisy.T) / 2, -1, 1).astype(np.float32)
        np.fill_diagonal(made, 1)
        history.rewrite_layer(run_id, area, with_correlation(source, made))
    return run


@pytest.fixture
def history(fake):
    """Two networks."""
    found = fake.MadeHistory()
    template = fake.make_model()
    for index in range(2):
        model = replace(template, name=f"net{index}", fingerprint=f"net{index}")
        fake.add_run(found, f"net{index}", 40, seed=index, model=model)
    return found


@pytest.fixture
def make_context(fake, history):
    """A report on these runs."""

    def make(*runs: str, **choice) -> ReportContext:
        return ReportContext(
            tuple(history.find_run(run) for run in runs), history, fake.make_registry(), Choice(**choice)
        )

    return make


def rsa(history, first: LayerAddress, second: LayerAddress) -> float:
    """An independent computation of the published measure."""
    rows = [history.read_representation(where).correlation.astype(float) for where in (first, second)]
    triangle = np.triu_indices(len(rows[0]), 1)
    return float(np.corrcoef(rows[0][triangle], rows[1][triangle])[0, 1])


def match(context: ReportContext) -> recorded.Match:
    group = find_recordings(context.runs, recording_ids(context)).groups[0]
    found, networks = recorded.split_group(context, group)
    return recorded.match_network(context, recorded.list_areas(context, found), networks[0], "net0")


def test_each_area_finds_the_layer_that_it_was_made_of(fake, history, make_context) -> None:
    add_recording(fake, history, "brain", "macaque")
    context = make_context("brain", "net0")
    frame = recorded.match_frame(match(context))
    for row in frame.to_dicts():
        there = LayerAddress("brain", row["series"]), LayerAddress("net0", row["layer"])
        assert row["value"] == pytest.approx(rsa(history, *there), abs=1e-6)
        assert row["low"] <= row["value"] <= row["high"]
    best = frame.filter(standing="best")
    assert dict(zip(best["series"], best["layer"], strict=True)) == AREAS


def test_a_layer_that_does_as_well_is_no_worse_and_one_that_does_not_is(fake, history, make_context) -> None:
    add_recording(fake, history, "brain", "macaque")
    twin = history.read_representation(LayerAddress("net0", "conv0"))
    jitter = np.random.default_rng(1).normal(size=twin.correlation.shape) * 1e-3
    made = (twin.correlation + (jitter + jitter.T) / 2).astype(np.float32)
    np.fill_diagonal(made, 1)
    history.rewrite_layer("net0", "conv1", with_correlation(twin, made))
    found = match(make_context("brain", "net0"))
    standing = recorded.match_frame(found).filter(series="V1")
    twins = standing.filter(standing.get_column("layer").is_in(["conv0", "conv1"]))
    assert sorted(twins["standing"]) == ["best", "no worse"]
    assert standing.filter(layer="output")["standing"].item() == ""


def test_recordings_are_no_models_with_a_depth_and_a_course(fake, history, make_context) -> None:
    add_recording(fake, history, "brain", "macaque")
    context = make_context("brain", "net0")
    assert recordings.Recordings().applies(context)
    assert not models.Models().applies(context)
    assert not compared.Compared().applies(context)
    named = [figure.name for figure in transition.Transition().build(context).figures]
    assert not [name for name in named if name.endswith("brain")]
    assert not transition.Transition().applies(make_context("brain"))
    assert not recordings.Recordings().applies(make_context("brain"))
    both = find_models(make_context("brain", "net0", "net1").runs, {"brain"})
    assert [run.id for run in both.groups[0]] == ["net0", "net1"]


def test_an_import_with_an_input_and_an_output_is_a_network(fake, history, make_context) -> None:
    layers = fake.make_layers()
    fake.add_run(
        history,
        "torch",
        40,
        layers=layers,
        origin="imported",
        model=replace(history.find_run("net0").model, fingerprint="t"),
    )
    context = make_context("torch", "net0")
    assert models.Models().applies(context)
    assert not recordings.Recordings().applies(context)


def test_who_is_compared_with_a_recording_is_said(fake, history, make_context) -> None:
    add_recording(fake, history, "brain", "macaque")
    table = compared.tabulate_runs(make_context("brain", "net0", "net1"))
    assert table.columns[3:] == ("across models", "recordings and networks")
    assert [row[4] for row in table.rows] == ["with net0, net1", "with brain, net1", "with brain, net0"]
    assert "no network's layers" in table.rows[0][3]


def test_several_networks_are_held_against_each_other(fake, history, make_context) -> None:
    add_recording(fake, history, "brain", "macaque")
    figures = {
        figure.name: figure for figure in recordings.Recordings().build(make_context("brain", "net0", "net1")).figures
    }
    assert list(figures) == ["best", "lines", "matrix", "networks"]
    table = figures["best"].content
    assert isinstance(table, Table)
    assert [row[:3] for row in table.rows[:3]] == [(area, "net0", layer) for area, layer in AREAS.items()]
    lines = figures["lines"].content
    assert isinstance(lines, Alternatives)
    assert [figure.title for figure in lines.figures] == ["net0", "net1"]


def test_the_ceiling_is_that_of_the_recordings_means(fake, history, make_context) -> None:
    runs = [add_recording(fake, history, f"s{index}", f"sub-{index}", seed=index, noise=1.5) for index in range(3)]
    context = make_context(*(run.id for run in runs), "net0")
    areas = recorded.list_areas(context, tuple(runs))
    assert [area.name for area in areas[:3]] == ["V1 of sub-0", "V1 of sub-1", "V1 of sub-2"]
    found = ceilings.find_ceilings(context, areas)
    assert [ceiling.name for ceiling in found] == list(AREAS)
    above = np.triu_indices(40, 1)
    for ceiling in found:
        rows = np.array(
            [history.read_representation(area.address).correlation[above] for area in ceiling.areas], float
        )
        scores = (rows - rows.mean(1, keepdims=True)) / rows.std(1, keepdims=True)
        upper = np.mean([np.corrcoef(row, scores.mean(0))[0, 1] for row in scores])
        lower = np.mean([np.corrcoef(scores[i], np.delete(scores, i, 0).mean(0))[0, 1] for i in range(3)])
        assert (ceiling.low, ceiling.high) == pytest.approx((lower, upper), abs=1e-6)
    names = [figure.name for figure in recordings.Recordings().build(context).figures]
    assert names == ["best", "lines", "matrix", "ceilings", "among"]
    assert not ceilings.find_ceilings(make_context("s0", "s1", "net0", comparator="procrustes"), areas)


def test_recordings_are_figures_for_papers_too(fake, history, make_context) -> None:
    for index in range(2):
        add_recording(fake, history, f"s{index}", f"sub-{index}", seed=index, areas=("V1", "IT"))
    context = make_context("s0", "s1", "net0", "net1")
    for name in ("recordings", "recordings-matrix", "recordings-networks", "recordings-ceiling"):
        assert ask_figure(name, context.runs, context.registry, history).content.drawing.to_dict()
    with pytest.raises(InputError, match="is drawn from an imported recording and a network"):
        ask_figure("recordings", context.runs[:1], context.registry, history)


def test_any_number_of_areas_has_lines_and_areas_of_one_name_one_colour(fake, history, make_context) -> None:
    for index in range(4):
        add_recording(fake, history, f"s{index}", f"sub-{index}", seed=index)
    context = make_context("s0", "s1", "s2", "s3", "net0")
    found = ask_figure("recordings", context.runs, context.registry, history)
    chart = found.content.drawing.to_dict()
    assert "bold is the mean over the recordings that have it" in found.caption
    each, means = chart["layer"][1:]
    assert each["encoding"]["detail"]["field"] == "recording"
    assert means["layer"][0]["encoding"]["color"]["scale"]["domain"] == list(AREAS)
    data = chart["datasets"][means["data"]["name"]]
    cells = recorded.match_frame(match(context))
    for row in data:
        same = cells.filter(
            (cells["series"].str.starts_with(f"{row['series']} of ")) & (cells["layer"] == row["layer"])
        )
        assert same.height == 4
        assert row["value"] == pytest.approx(same["value"].mean(), abs=1e-3)


def test_neighbouring_layers_are_written_as_a_range() -> None:
    assert recorded.write_ranges("abcdef", [0, 2, 3, 5]) == "a, c to d, f"
    assert recorded.write_ranges("abc", []) == ""

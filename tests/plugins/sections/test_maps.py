"""Maps: against definitions and another implementation, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import procrustes
from scipy.spatial.distance import pdist, squareform

from layerwise.core.history.records import LayerAddress
from layerwise.plugins.sections.maps import labelling, layer_map, mds
from layerwise.plugins.sections.maps import section as maps
from layerwise.report.atlas import StimulusMap
from layerwise.report.content import Chart, Choice, ReportContext

SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture
def context(fake) -> ReportContext:
    """One run of 40 stimuli, with two blocks."""
    history = fake.MadeHistory()
    return ReportContext((fake.add_run(history, n_stimuli=40),), history, fake.make_registry())


def random_distances(seed: int, n: int = 25) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, 60))
    return 1 - np.corrcoef(rows)


@given(SEEDS, st.integers(3, 30))
@settings(max_examples=25)
def test_points_of_a_plane_come_back_as_they_were(seed, n) -> None:
    points = np.random.default_rng(seed).normal(size=(n, 2))
    distances = squareform(pdist(points))
    np.testing.assert_allclose(pdist(mds.scale_classically(distances)), pdist(points), atol=1e-6)
    scaled = mds.scale(distances)
    assert scaled.stress == pytest.approx(0, abs=1e-3)
    assert scaled.kept == pytest.approx(1, abs=1e-4)


@given(SEEDS)
@settings(max_examples=10)
def test_classical_scaling_is_the_principal_components_of_the_inner_products(seed) -> None:
    distances = random_distances(seed)
    n = len(distances)
    centring = np.eye(n) - 1 / n
    values, vectors = np.linalg.eigh(-0.5 * centring @ distances**2 @ centring)
    expected = vectors[:, [-1, -2]] * np.sqrt(values[[-1, -2]])
    found = mds.scale_classically(distances)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-8)


def test_a_large_map_is_the_same_as_one_found_without_iteration(monkeypatch) -> None:
    distances = random_distances(9, 60)
    exact = mds.scale_classically(distances)
    monkeypatch.setattr(mds, "N_SMALL", 20)
    np.testing.assert_allclose(mds.scale_classically(distances), exact, atol=1e-4)
    assert mds.steps_for(21) < mds.N_STEPS == mds.steps_for(20)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_majorisation_ends_where_another_implementation_of_smacof_does(seed) -> None:
    from sklearn.manifold import smacof

    distances = random_distances(seed)
    start = mds.scale_classically(distances)
    theirs, _ = smacof(
        distances, n_components=2, init=start, n_init=1, max_iter=2000, eps=1e-12, normalized_stress=False
    )
    ours = mds.majorise(distances, start, 1000)
    assert mds.judge(distances, ours).stress <= mds.judge(distances, theirs).stress * 1.005


def test_more_steps_leave_less_stress() -> None:
    distances = random_distances(7, 60)
    start = mds.scale_classically(distances)
    found = [mds.judge(distances, mds.majorise(distances, start, n)).stress for n in (1, 5, mds.N_STEPS, 100)]
    assert mds.judge(distances, start).stress > found[0] > found[1] > found[2] > found[3]


def test_stress_and_what_is_kept_are_what_their_formulas_say() -> None:
    distances = random_distances(3)
    points = np.random.default_rng(4).normal(size=(25, 2))
    wanted, shown = squareform(distances, checks=False), pdist(points)
    factors = np.linspace(0.01, 1, 20000)
    least = min(np.sqrt(((wanted - factor * shown) ** 2).sum() / (wanted**2).sum()) for factor in factors)
    scaled = mds.judge(distances, points)
    assert scaled.stress == pytest.approx(least, abs=1e-6)
    assert scaled.kept == pytest.approx(np.corrcoef(wanted, shown)[0, 1] ** 2)


def test_stimuli_that_all_coincide_or_are_all_equally_far_have_nothing_kept() -> None:
    same = mds.scale(np.zeros((6, 6)))
    assert (same.stress, same.kept) == (None, None)
    assert np.isfinite(same.points).all()
    far = mds.scale(1 - np.eye(6))
    assert far.kept is None
    assert far.stress > 0.1


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_points_are_a_map_too(n) -> None:
    distances = 0.7 * (1 - np.eye(n))
    scaled = mds.scale(distances)
    assert scaled.points.shape == (n, 2)
    np.testing.assert_allclose(squareform(pdist(scaled.points)) if n == 2 else 0, distances)


@given(SEEDS, st.booleans())
@settings(max_examples=25)
def test_a_turned_and_mirrored_map_is_turned_back(seed, mirrored) -> None:
    rng = np.random.default_rng(seed)
    reference = rng.normal(size=(12, 2))
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = reference @ turn * ([1, -1] if mirrored else [1, 1]) + rng.normal(size=2)
    np.testing.assert_allclose(mds.align(moved, reference), reference - reference.mean(axis=0), atol=1e-9)


def test_aligning_is_as_good_as_another_implementation_and_stretches_nothing() -> None:
    rng = np.random.default_rng(5)
    reference, points = rng.normal(size=(2, 30, 2))
    found = mds.align(points, reference)
    np.testing.assert_allclose(pdist(found), pdist(points))
    theirs = procrustes(reference, points)[2]
    norms = [float(np.linalg.norm(array - array.mean(axis=0))) for array in (reference, found)]
    inner = float(((reference - reference.mean(axis=0)) * found).sum())
    assert 1 - (inner / norms[0] / norms[1]) ** 2 == pytest.approx(theirs)


def test_points_that_lie_nowhere_count_for_nothing_when_maps_are_aligned() -> None:
    rng = np.random.default_rng(6)
    reference = rng.normal(size=(10, 2))
    turned = reference @ np.array([[0.0, -1.0], [1.0, 0.0]])
    turned[3] = np.nan
    found = mds.align(turned, reference)
    assert np.isnan(found[3]).all()
    others = np.arange(10) != 3
    shift = reference[others].mean(axis=0)
    np.testing.assert_allclose(found[others], reference[others] - shift, atol=1e-9)
    assert np.isnan(mds.align(np.full((10, 2), np.nan), reference)).all()


@pytest.mark.parametrize("kind", ["similarity", "distance"])
def test_distances_of_correlations_and_inner_products(kind) -> None:
    rows = np.random.default_rng(8).normal(size=(9, 20))
    correlation = np.corrcoef(rows)
    if kind == "similarity":
        np.testing.assert_allclose(mds.to_distances(correlation, kind), 1 - correlation, atol=1e-12)
        np.testing.assert_allclose(mds.to_distances(rows @ rows.T, kind), squareform(pdist(rows)), atol=1e-9)
    else:
        np.testing.assert_allclose(mds.to_distances(squareform(pdist(rows)), kind), squareform(pdist(rows)))


def test_each_layer_has_a_map_and_consecutive_ones_are_aligned(context) -> None:
    content = maps.Maps().build(context).figures[-1].content
    assert isinstance(content, StimulusMap)
    assert [found.matrix for found in content.maps] == list(range(len(content.atlas.matrices)))
    main = [
        np.array(found.points)
        for found in content.maps
        if content.atlas.matrices[found.matrix].group == "Main layers"
    ]
    for before, after in pairwise(main):
        np.testing.assert_allclose(mds.align(after, before), after - after.mean(axis=0), atol=1e-6)
        assert np.sqrt((after**2).sum(axis=1).mean()) == pytest.approx(1, abs=1e-3)


def test_what_a_map_keeps_is_measured_on_the_stored_matrix(context) -> None:
    run = context.runs[0]
    content = maps.Maps().build(context).figures[-1].content
    for found in content.maps[:4]:
        name = content.atlas.matrices[found.matrix].name
        stored = context.history.read_representation(LayerAddress(run.id, name)).correlation.astype(float)
        wanted, shown = squareform(1 - stored, checks=False), pdist(np.array(found.points))
        assert found.kept == pytest.approx(np.corrcoef(wanted, shown)[0, 1] ** 2, abs=1e-6)


def test_a_stimulus_of_which_nothing_is_defined_lies_nowhere(context) -> None:
    run = context.runs[0]
    rows = np.random.default_rng(0).normal(size=(40, 30))
    rows[7] = 3.0
    context.history.rewrite_layer(run.id, "conv1", rows)
    context.history.rewrite_layer(run.id, "conv2", np.ones((40, 5)))
    content = maps.Maps().build(context).figures[-1].content
    found = {content.atlas.matrices[one.matrix].name: one for one in content.maps}
    assert [i for i, point in enumerate(found["conv1"].points) if point is None] == [7]
    assert set(found["conv2"].points) == {None}
    assert None not in found["conv0"].points
    asked = replace(context, choice=Choice(metric="euclidean"), memory={})
    content = maps.Maps().build(asked).figures[-1].content
    assert all(None not in one.points for one in content.maps)


def test_the_map_of_the_layers_is_scaled_from_what_they_have_in_common(context) -> None:
    run = context.runs[0]
    found = layer_map.query_layer_map(context, run)
    layers = context.history.list_layers(run.id)
    assert found.frame["layer"].to_list() == [layer.name for layer in layers]
    triangles = [
        context.history.read_representation(LayerAddress(run.id, layer.name)).correlation[np.triu_indices(40, 1)]
        for layer in layers
    ]
    wanted = squareform(1 - np.corrcoef(np.array(triangles, dtype=float)), checks=False)
    shown = pdist(found.frame.select("x", "y").to_numpy())
    assert found.kept == pytest.approx(np.corrcoef(wanted, shown)[0, 1] ** 2, abs=1e-5)
    assert found.has_branches
    on_way = found.frame.filter(found.frame["kind"] == layer_map.MAIN)
    assert on_way["order"].to_list() == list(range(len(on_way)))
    assert on_way["layer"].to_list() == [layer.name for layer in layers if layer.is_main]
    figure = maps.Maps().build(context).figures[0]
    assert isinstance(figure.content, Chart)
    assert f"stress {found.stress:.2f}" in figure.method


@pytest.mark.parametrize(("comparator", "kind"), [("cka", "similarity"), ("procrustes", "distance")])
def test_the_map_of_the_layers_is_that_of_the_measure_that_is_asked_for(context, comparator, kind) -> None:
    asked = replace(context, choice=Choice(comparator=comparator), memory={})
    run = context.runs[0]
    layers = context.history.list_layers(run.id)[:5]
    distances, words = layer_map.layer_distances(asked, run, layers)
    values = layer_map.compare(asked, [layer_map.address(asked, run, layer) for layer in layers])
    off = ~np.eye(5, dtype=bool)
    expected = 1 - values if kind == "similarity" else values
    np.testing.assert_allclose(distances[off], np.clip(expected, 0, None)[off], atol=1e-12)
    assert comparator in words


def test_layers_of_which_the_measure_is_undefined_are_left_out_and_named(context) -> None:
    run = context.runs[0]
    context.history.rewrite_layer(run.id, "conv1", np.ones((40, 5)))
    found = layer_map.query_layer_map(context, run)
    assert found.left_out == ("conv1",)
    assert "Undefined, and left out: conv1." in maps.Maps().build(context).figures[0].method


def test_two_layers_are_no_map_and_one_layer_still_has_a_map_of_stimuli(fake) -> None:
    for n_layers in (1, 2):
        history = fake.MadeHistory()
        run = fake.add_run(history, n_stimuli=12, layers=fake.make_layers()[:n_layers])
        context = ReportContext((run,), history, fake.make_registry())
        assert [figure.name for figure in maps.Maps().build(context).figures] == [f"stimuli-{run.id}"]


def boxes_of(names, placed, times: float = 1) -> list[labelling.Box]:
    width, height = labelling.LETTER_WIDTH * times, labelling.LABEL_HEIGHT * times
    return [labelling.label_box(at, width * len(name), height) for at, name in zip(placed, names, strict=True)]


def test_names_are_written_where_no_other_name_is() -> None:
    points = np.array([[0.0, 0.0], [0.05, 0.0], [0.0, 0.03], [0.6, 0.6], [1.0, -0.5]])
    names = ["mixed4a", "mixed4b", "mixed4c", "output", "a_rather_long_name"]
    boxes = boxes_of(names, labelling.place_labels(names, points))
    for index, box in enumerate(boxes):
        assert labelling.covered_area(box, boxes[:index]) == 0
        assert -labelling.REACH <= box[0] < box[2] <= labelling.REACH


def test_on_a_small_chart_the_first_and_the_last_name_are_written_and_none_over_another() -> None:
    rng = np.random.default_rng(0)
    names = ["", *(f"layer{i}" for i in range(30)), ""]
    placed = labelling.place_labels(names, rng.uniform(-0.7, 0.7, (32, 2)))
    major = labelling.choose_major(names, placed)
    assert major[1]
    assert not any((major[0], major[-1]))
    boxes = [box for box, kept in zip(boxes_of(names, placed, labelling.ON_A_PHONE), major, strict=True) if kept]
    assert 2 < len(boxes) < 30
    for index, box in enumerate(boxes):
        assert labelling.covered_area(box, boxes[:index]) <= 1e-12

"""What the figures about single stimuli are made of: matrices as bytes, orders, names and pictures."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from layerwise.core.base.errors import InputError
from layerwise.core.base.provider import Provider
from layerwise.core.history.records import LayerAddress, Ordering
from layerwise.core.host.kinds import Metric, Reorderer
from layerwise.core.network.representation import strict_upper
from layerwise.plugins.comparators.rsa import PearsonRsa
from layerwise.plugins.sections.stimuli import atlas as atlases
from layerwise.plugins.sections.stimuli import matrices
from layerwise.plugins.sections.stimuli.coding import CodedValues, code_values, decode_values
from layerwise.report.atlas import MatrixBrowser
from layerwise.report.content import Choice, ReportContext
from layerwise.testing import make_plugin


@pytest.fixture
def context(fake) -> ReportContext:
    """One run of 40 stimuli, with two blocks."""
    history = fake.MadeHistory()
    return ReportContext((fake.add_run(history, n_stimuli=40),), history, fake.make_registry())


def asked(context: ReportContext, **choice) -> ReportContext:
    """The same runs, asked for in another way."""
    return replace(context, choice=Choice(**choice), memory={})


VALUES = arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6, allow_subnormal=False))


@given(VALUES)
def test_a_coded_value_is_off_by_half_a_step_at_most_and_a_step_is_a_part_of_the_range(values) -> None:
    coded = code_values(values)
    assert np.abs(decode_values(coded) - values).max() <= coded.step / 2 * (1 + 1e-6) + 1e-12
    assert 255 not in coded.codes
    if np.ptp(values) > 0:
        assert coded.step == pytest.approx(np.ptp(values) / 253)


def test_zero_is_exact_where_it_is_among_the_values_and_nan_is_apart() -> None:
    coded = code_values(np.array([-0.31, 0.0, 0.93, np.nan]))
    decoded = decode_values(coded)
    assert decoded[1] == 0
    assert coded.codes[3] == 255
    assert np.isnan(decoded[3])


@pytest.mark.parametrize("value", [0.25, -3.0, 0.0, 1e-9])
def test_a_single_value_is_exact(value) -> None:
    assert decode_values(code_values(np.array([value]))).tolist() == [value]


def test_values_that_are_all_undefined_are_all_255() -> None:
    assert code_values(np.array([np.nan, np.nan])) == CodedValues(b"\xff\xff", 1.0, 0)


def test_the_atlas_holds_each_layer_s_matrix_as_it_is_stored(context) -> None:
    run = context.runs[0]
    atlas = atlases.query_atlas(context, run)
    assert [matrix.name for matrix in atlas.matrices][:3] == ["input", "conv0", "conv1"]
    assert {matrix.name for matrix in atlas.matrices} == {layer.name for layer in context.history.list_layers(run.id)}
    for matrix in atlas.matrices:
        stored = context.history.read_representation(LayerAddress(run.id, matrix.name)).correlation
        decoded = decode_values(CodedValues(matrix.codes, matrix.step, matrix.offset))
        assert np.abs(decoded - strict_upper(stored)).max() <= matrix.step / 2 * 1.001
        assert matrix.diagonal == (1.0,)


@pytest.mark.parametrize("metric", ["euclidean", "angular", "cosine", "dot"])
def test_the_matrices_are_those_of_the_metric_that_the_report_is_asked_for(context, metric) -> None:
    run = context.runs[0]
    atlas = atlases.query_atlas(asked(context, metric=metric), run)
    offer = next(found.offer for found in context.registry.all(Metric) if found.name == metric)
    assert (atlas.measure.name, atlas.measure.kind) == (metric, offer.kind)
    for matrix in atlas.matrices[:3]:
        expected = offer.compute(context.history.read_representation(LayerAddress(run.id, matrix.name)))
        decoded = decode_values(CodedValues(matrix.codes, matrix.step, matrix.offset))
        assert np.abs(decoded - strict_upper(expected)).max() <= matrix.step / 2 * 1.001
        own = np.broadcast_to(matrix.diagonal, len(expected))
        np.testing.assert_allclose(own, np.diagonal(expected), rtol=1e-4, atol=1e-5)


def test_a_comparator_s_own_metric_is_shown_and_pearson_where_it_has_none(context) -> None:
    assert atlases.shown_metric(asked(context, comparator="cka")).name == "pearson"
    assert atlases.shown_metric(asked(context, metric="euclidean")).name == "euclidean"


def test_a_metric_of_ranks_is_read_from_the_ranks(fake) -> None:
    history = fake.MadeHistory()
    run = fake.add_run(history, n_stimuli=12, transforms=("none", "rank"))
    rows = np.random.default_rng(5).normal(size=(12, 9))
    history.rewrite_layer(run.id, "input", rows, "rank")
    context = ReportContext((run,), history, fake.make_registry(), Choice(metric="spearman"))
    matrix = atlases.query_atlas(context, run).matrices[0]
    decoded = decode_values(CodedValues(matrix.codes, matrix.step, matrix.offset))
    np.testing.assert_allclose(decoded, strict_upper(np.corrcoef(rows)), atol=matrix.step)


def test_stimuli_with_constant_activations_are_marked_in_the_matrices(context) -> None:
    run = context.runs[0]
    rows = np.random.default_rng(0).normal(size=(40, 30))
    rows[7] = 3.0
    context.history.rewrite_layer(run.id, "conv1", rows)
    figure = matrices.Matrices().build(context).figures[0]
    assert isinstance(figure.content, MatrixBrowser)
    found = {matrix.name: matrix for matrix in figure.content.atlas.matrices}
    assert found["conv1"].undefined == (7,)
    assert found["conv1"].codes.count(255) == 39
    assert "constant activations" in figure.caption


def test_matrices_beyond_the_page_s_budget_show_evenly_spaced_stimuli(monkeypatch, context) -> None:
    monkeypatch.setattr(atlases, "N_PAIRS_MOST", 16 * 10 * 9 // 2)
    figure = matrices.Matrices().build(context).figures[0]
    assert isinstance(figure.content, MatrixBrowser)
    atlas = figure.content.atlas
    assert len(atlas.stimuli) == len(atlas.thumbnails) == 10
    assert all(sorted(order.permutation) == list(range(10)) for order in atlas.orders)
    assert all(len(matrix.codes) == 45 for matrix in atlas.matrices)
    assert "10 stimuli, evenly spaced, of 40" in figure.method


def test_every_main_layer_orders_the_stimuli_as_the_reorderer_does(context) -> None:
    run = context.runs[0]
    orders = {order.name: order.permutation for order in atlases.query_orders(context, run)}
    assert list(orders)[:4] == ["input", "output", "label", "order of the set"]
    main = [layer.name for layer in context.history.list_layers(run.id) if layer.is_main]
    assert set(main) <= set(orders)
    reorderer = next(found.offer for found in context.registry.all(Reorderer) if found.name == "average-linkage")
    for name in main:
        stored = context.history.read_representation(LayerAddress(run.id, name)).correlation
        assert list(orders[name]) == reorderer.order(stored.astype(float), [None] * 40).tolist()


def test_orders_kept_in_history_are_offered_beside_those_that_are_computed(context) -> None:
    run = context.runs[0]
    permutation = tuple(reversed(range(40)))
    context.history.save_ordering(Ordering(Provider("other:method", "1"), LayerAddress(run.id, "conv2"), permutation))
    arm = Ordering(Provider("other:method", "1"), LayerAddress(run.id, "mixed3a/1x1"), (39, *range(39)))
    context.history.save_ordering(arm)
    orders = {order.name: order.permutation for order in atlases.query_orders(context, run)}
    assert orders["conv2 (method)"] == permutation
    assert orders["mixed3a/1x1"] == arm.permutation


def test_what_an_earlier_revision_of_a_reorderer_ordered_is_not_offered(context) -> None:
    run = context.runs[0]
    permutation = tuple(reversed(range(40)))
    earlier = Provider("layerwise:average-linkage", "0.1", revision=1)
    context.history.save_ordering(Ordering(earlier, LayerAddress(run.id, "conv2"), permutation))
    orders = atlases.query_orders(context, run)
    assert permutation not in [order.permutation for order in orders]


def test_with_very_many_stimuli_only_input_and_output_are_ordered_by(monkeypatch, context) -> None:
    monkeypatch.setattr(atlases, "N_STIMULI_ORDERED", 39)
    names = [order.name for order in atlases.query_orders(context, context.runs[0])]
    assert names == ["input", "output", "label", "order of the set"]
    monkeypatch.setattr(atlases, "N_STIMULI_MOST", 39)
    context.history.forget_results()
    assert [order.name for order in atlases.query_orders(context, context.runs[0])] == names[2:]


def test_what_is_found_for_one_section_is_not_looked_for_again(context, monkeypatch) -> None:
    run = context.runs[0]
    first = atlases.query_atlas(context, run)
    monkeypatch.setattr(context.history, "read_representations", None)
    assert atlases.query_atlas(context, run) is first


def test_stimuli_come_with_label_and_answer_in_words(context) -> None:
    run = context.runs[0]
    predictions = {p.position: p for p in context.history.read_predictions(run.id) if p.rank == 1}
    for index, stimulus in enumerate(atlases.describe_stimuli(context, run)):
        stored = context.history.list_stimuli(run.id)[index]
        assert (stimulus.name, stimulus.label) == (stored.name, stored.label)
        assert stimulus.answer == predictions[index].class_name
        assert stimulus.confidence == predictions[index].probability
        assert stimulus.right == (predictions[index].class_name == stored.label)


def test_stimuli_without_pictures_have_none_in_the_atlas(context, fake) -> None:
    run = fake.add_run(context.history, "unseen", 12, pictures=False)
    assert atlases.query_atlas(context, run).thumbnails == ()


def test_pictures_are_made_smaller_where_together_they_are_too_much(monkeypatch, context) -> None:
    run = context.runs[0]
    pictures = [stimulus.thumbnail for stimulus in context.history.list_stimuli(run.id)]
    assert atlases.fit_pictures(pictures) == tuple(pictures)
    monkeypatch.setattr(atlases, "N_PICTURE_BYTES", 1000)
    assert max(Image.open(io.BytesIO(atlases.fit_pictures(pictures)[0])).size) == atlases.SMALL_SIDE
    assert atlases.shrink(b"no picture") == b"no picture"


def test_two_stimuli_can_be_shown_but_not_ordered_by_a_layer(fake) -> None:
    history = fake.MadeHistory()
    run = fake.add_run(history, n_stimuli=2)
    atlas = atlases.query_atlas(ReportContext((run,), history, fake.make_registry()), run)
    assert all(len(matrix.codes) == 1 for matrix in atlas.matrices)
    assert all(sorted(order.permutation) == [0, 1] for order in atlas.orders)


class Power(Metric):
    description = "powers of the correlation"
    kind = "similarity"

    def __init__(self, name: str, exponent: int) -> None:
        self.name, self.exponent = name, exponent

    def compute(self, representation):
        return representation.correlation.astype(np.float64) ** self.exponent


class PowerRsa(PearsonRsa):
    name = "power-rsa"
    metric = Power("cubed", 3)


def test_the_metric_shown_is_the_comparator_s_own_where_others_share_its_class(context) -> None:
    plugin = make_plugin(PowerRsa(), Power("as-it-is", 1), Power("cubed", 3))
    context.registry.register(plugin, "powers", "powers", "1")
    assert atlases.shown_metric(asked(context, comparator="power-rsa")).qualified_name == "powers:cubed"
    assert atlases.shown_metric(asked(context, comparator="power-rsa", metric="as-it-is")).name == "as-it-is"


def test_a_reorderer_that_fails_is_told_of_once_and_the_other_orders_are_shown(context, monkeypatch) -> None:
    def fail(self, similarity, labels):
        raise ZeroDivisionError("oops")

    found = next(offer for offer in context.registry.all(Reorderer) if offer.name == "average-linkage")
    monkeypatch.setattr(type(found.offer), "order", fail)
    told: list[str] = []
    monkeypatch.setattr(context.registry.caller, "warn", told.append)
    context.history.forget_results()
    names = [order.name for order in atlases.query_orders(context, context.runs[0])]
    assert names == ["label", "order of the set"]
    (line,) = told
    assert "raised ZeroDivisionError: oops" in line
    assert "\n" not in line


def test_stimuli_that_cannot_be_ordered_are_no_failure(context, monkeypatch) -> None:
    def refuse(self, similarity, labels):
        raise InputError("too few stimuli")

    found = next(offer for offer in context.registry.all(Reorderer) if offer.name == "average-linkage")
    monkeypatch.setattr(type(found.offer), "order", refuse)
    monkeypatch.setattr(context.registry.caller, "warn", pytest.fail)
    context.history.forget_results()
    assert [order.name for order in atlases.query_orders(context, context.runs[0])] == ["label", "order of the set"]

"""A report under another measure: what is compared, and that the page says which and draws it as what it is."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from layerwise.core.analysis.measure import find_measure
from layerwise.core.base.errors import InputError
from layerwise.core.history.records import LayerAddress
from layerwise.core.host.kinds import Comparator
from layerwise.plugins.sections.layers import layer_matrix
from layerwise.plugins.sections.overview import section as overview
from layerwise.plugins.sections.transition import bands
from layerwise.plugins.sections.transition import section as transition
from layerwise.report import drawing, queries
from layerwise.report.content import Chart, Choice, ReportContext
from layerwise.report.page import render_report
from layerwise.report.scale import Scale, find_scale


@pytest.fixture
def ask(fake):
    """A function that makes the context of one run of 24 stimuli under a choice."""
    history, registry = fake.MadeHistory(), fake.make_registry()
    run = fake.add_run(history, n_stimuli=24)
    return lambda **choice: ReportContext((run,), history, registry, Choice(**choice))


def texts(figure) -> str:
    """All words of a figure, those of its chart and of its panels too."""
    inner = getattr(figure.content, "figures", ())
    words = [figure.title, figure.caption, figure.method, figure.description, *map(texts, inner)]
    if isinstance(figure.content, Chart):
        words.append(json.dumps(figure.content.drawing.to_dict(), ensure_ascii=False))
    return " ".join(words)


def test_layers_are_compared_with_the_chosen_measure_and_its_settings(ask) -> None:
    context = ask(comparator="mutual-knn", settings={"k": 3})
    run = context.runs[0]
    names, frame = layer_matrix.query_layer_matrix(context, run)
    measure = find_measure(context.registry, "mutual-knn", {"k": 3})
    states = [measure.prepare(context.history.read_representation(LayerAddress(run.id, name))) for name in names[:2]]
    found = frame.filter((frame["row"] == names[0]) & (frame["column"] == names[1]))["value"][0]
    assert found == pytest.approx(measure.compare(*states))
    words = queries.comparator_words(context)
    assert "k 3" in words
    assert "mutual-knn" in words


def test_the_metric_is_named_where_a_measure_compares_matrices(ask) -> None:
    assert "cosine of the angle" in queries.comparator_words(ask(metric="cosine"))
    assert "Pearson correlation between activation vectors" in queries.comparator_words(ask())


def test_a_distance_is_called_one_and_has_no_r(ask) -> None:
    context = ask(comparator="angular-procrustes")
    figures = [*layer_matrix.LayerMatrix().build(context).figures, *transition.Transition().build(context).figures]
    words = " ".join(texts(figure) for figure in figures)
    assert "distance (angular-procrustes)" in words
    assert "(r)" not in words
    assert "similarity (" not in words
    facts = overview.Overview().build(context).figures[0].content.facts
    assert any("distance" in fact.note for fact in facts)


def test_similarity_to_the_previous_layer_is_read_back_from_the_step(ask) -> None:
    for choice in ({}, {"comparator": "cka"}, {"comparator": "bures"}):
        context = ask(**choice)
        profile = transition.query_profile(context, context.runs[0])
        names, frame = layer_matrix.query_layer_matrix(context, context.runs[0])
        for before, after in itertools.pairwise(names):
            row = profile.filter(profile["layer"] == after)
            cell = frame.filter((frame["row"] == before) & (frame["column"] == after))["value"][0]
            assert row["previous"][0] == pytest.approx(cell)
            assert row["before"][0] == before


@pytest.mark.parametrize(
    ("comparator", "values", "diverging", "ends", "dark_is_low"),
    [
        ("rsa-pearson", [-0.5, 0.9], True, (-1.0, 1.0), False),
        ("rsa-pearson", [], True, (-1.0, 1.0), False),
        (
            "rsa-pearson",
            [0.84, 1.0],
            False,
            (0.8, 1.0),
            False,
        ),  # nothing is negative: half of the colours are not lost
        ("rsa-pearson", [-0.01, 0.9], False, (0.0, 1.0), False),  # hardly below 0 is 0
        ("cka-debiased", [-0.5, 0.9], True, (-1.0, 1.0), False),
        ("linear-predictivity", [-0.5, 0.9], True, (-1.0, 1.0), False),
        ("cka", [0.5, 0.9], False, (0.5, 1.0), False),
        ("cka", [], False, (0.0, 1.0), False),
        ("angular-procrustes", [0.5, 0.9], False, (0.0, np.pi / 2), True),
        ("bures", [0.5, 7.5], False, (0.0, 7.5), True),
    ],
)
def test_colours_diverge_only_around_a_zero_that_some_value_lies_below(
    ask, comparator, values, diverging, ends, dark_is_low
) -> None:
    bounds = find_scale(ask(comparator=comparator)).bounds([*values, float("nan")])
    assert (bounds.diverging, bounds.dark_is_low) == (diverging, dark_is_low)
    assert (bounds.low, bounds.high) == pytest.approx(ends)
    colour = drawing.measure_colour(bounds, "t").to_dict()
    domain, colours = colour["scale"]["domain"], colour["scale"]["range"]
    assert (domain[0], domain[-1]) == pytest.approx(ends, rel=1e-5)
    assert len(domain) == len(colours) == len(set(colours))
    assert (0 in colour["legend"]["values"]) or not diverging


def test_values_that_are_all_equal_or_missing_still_have_a_scale(ask) -> None:
    scale = find_scale(ask(comparator="procrustes"))
    for values in ([], [0.0], [float("nan")]):
        bounds = scale.bounds(values)
        assert bounds.low < bounds.high


def test_the_sequential_colours_grow_darker_evenly() -> None:
    colours = np.array(drawing.sequential_colours(21)) / 255
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    to_cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    lightness = np.cbrt(linear @ to_cones.T) @ [0.2104542553, 0.7936177850, -0.0040720468]
    steps = -np.diff(lightness)
    assert (steps > 0).all()
    assert steps.max() / steps.min() < 1.6
    assert lightness[0] > 0.9
    assert lightness[-1] < 0.4


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"comparator": "ckaa"}, "no comparator 'ckaa'; did you mean cka"),
        ({"metric": "cosin"}, "no metric 'cosin'"),
        ({"comparator": "cka", "metric": "cosine"}, "compares no metric's matrices"),
        ({"settings": {"k": 3}}, "rsa-pearson has no parameter 'k'"),
        ({"transform": "rank"}, "has no 'rank' activations .it has: none.; analyse it with"),
        ({"metric": "spearman"}, "has no 'rank' activations"),
        ({"n_resamples": 3}, "at least 20 resamples"),
    ],
)
def test_a_choice_that_the_runs_cannot_meet_is_one_clear_line(fake, tmp_path, choice, said) -> None:
    history = fake.MadeHistory()
    run = fake.add_run(history, n_stimuli=12)
    with pytest.raises(InputError, match=said) as caught:
        render_report([run], fake.make_registry(), history, tmp_path / "r.html", choice=Choice(**choice))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_another_transform_is_shown_and_named(fake) -> None:
    history, registry = fake.MadeHistory(), fake.make_registry()
    run = fake.add_run(history, n_stimuli=12, transforms=("none", "rank"))
    plain, ranked = (
        ReportContext((run,), history, registry, Choice(transform=transform)) for transform in (None, "rank")
    )
    values = [layer_matrix.query_layer_matrix(context, run)[1]["value"].to_numpy() for context in (plain, ranked)]
    assert np.abs(values[0] - values[1]).max() > 0.01
    assert "transform rank" in queries.comparator_words(ranked)
    assert "transform" not in queries.comparator_words(plain)
    spearman = ReportContext((run,), history, registry, Choice(metric="spearman"))
    queries.check_choice(spearman)
    assert "transform rank" in queries.comparator_words(spearman)


def test_bands_hold_the_curve_and_are_described(ask) -> None:
    context = ask(n_resamples=60)
    run = context.runs[0]
    curves = transition.query_curves(context, run).drop_nulls()
    assert curves.height > 8
    assert (curves["low"] <= curves["high"]).all()
    inside = (curves["low"] - 0.05 <= curves["value"]) & (curves["value"] <= curves["high"] + 0.05)
    assert inside.mean() > 0.8
    method = next(f for f in transition.Transition().build(context).figures if f.name.startswith("curves")).method
    assert "95% intervals over the stimuli" in method
    assert "60 resamples" in method
    assert "'corrected' method" in method


def test_bands_are_made_unasked_only_where_they_are_cheap(ask) -> None:
    assert bands.query_intervals(ask(), ask().runs[0]).plan.n_resamples == queries.N_RESAMPLES
    for context in (ask(comparator="cka"), ask(n_resamples=0)):
        assert bands.query_intervals(context, context.runs[0]) is None
        figures = transition.Transition().build(context).figures
        assert "resamples" not in " ".join(figure.method for figure in figures)


def test_too_few_stimuli_for_bands_still_give_a_profile(fake) -> None:
    history = fake.MadeHistory()
    run = fake.add_run(history, n_stimuli=3, class_names=("a", "b"))
    context = ReportContext((run,), history, fake.make_registry())
    assert transition.query_curves(context, run)["low"].null_count() == 16
    assert [figure.name for figure in transition.Transition().build(context).figures]


def test_every_comparator_has_words_bounds_and_a_headline(ask) -> None:
    for offer in ask().registry.all(Comparator):
        context = ask(comparator=offer.qualified_name, n_resamples=0)
        figure = overview.Overview().build(context).figures[0]
        assert f"{offer.qualified_name} {offer.version}" in figure.method
        labels = {fact.label for fact in figure.content.facts}
        assert {"stimuli", "layers", "input to output"} <= labels, offer.name
        scale = find_scale(context)
        assert scale.noun in scale.axis()
        assert scale.bounds([0.2, 0.4]).low < scale.bounds([0.2, 0.4]).high


@pytest.mark.parametrize("comparator", ["procrustes", "pwcca", "linear-predictivity"])
def test_a_page_can_be_made_with_any_measure(fake, tmp_path, comparator) -> None:
    history = fake.MadeHistory()
    run = fake.add_run(history, n_stimuli=24)
    path = render_report(
        [run], fake.make_registry(), history, tmp_path / "r.html", choice=Choice(comparator, n_resamples=0)
    )
    text = path.read_text(encoding="utf-8")
    assert 'role="note"' not in text
    assert Scale(find_measure(fake.make_registry(), comparator)).axis() in text


def test_a_report_on_many_runs_says_which_are_not_shown_by_themselves_and_how_to_see_them(fake) -> None:
    history = fake.MadeHistory()
    runs = [fake.add_run(history, run_id=f"{step}" * 12, step=step, lineage="digits") for step in range(3)]
    context = ReportContext(tuple(runs), history, fake.make_registry())
    told = overview.Overview().build(context).introduction
    assert "figures about a run by itself are of step 0 (00000000) and step 2 (22222222)" in told
    assert "'layerwise report 11111111 -o FILE.html' shows step 1" in told
    two = ReportContext(tuple(runs[:2]), history, fake.make_registry())
    assert "layerwise report" not in overview.Overview().build(two).introduction

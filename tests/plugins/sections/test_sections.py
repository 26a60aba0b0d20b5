"""What the sections of a report find, before anything is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from layerwise.core.analysis.measure import find_measure
from layerwise.core.history.profiles import ProfileKey
from layerwise.core.history.records import Attempt, LayerAddress, Prediction
from layerwise.core.network.model import ModelInfo
from layerwise.plugins.sections.branches import importance
from layerwise.plugins.sections.layers import sparseness
from layerwise.plugins.sections.layers import weights as weight_section
from layerwise.plugins.sections.overview import provenance
from layerwise.plugins.sections.overview import section as overview
from layerwise.plugins.sections.stimuli import gallery
from layerwise.plugins.sections.transition import curves as profile_figures
from layerwise.plugins.sections.transition import section as transition
from layerwise.report import drawing
from layerwise.report.content import ReportContext, Table
from layerwise.report.page import in_order
from layerwise.report.scale import find_scale
from layerwise.report.section import SectionBuilder


@pytest.fixture
def context(fake) -> ReportContext:
    """One run of 40 stimuli, with two blocks."""
    history = fake.MadeHistory()
    return ReportContext((fake.add_run(history, n_stimuli=40),), history, fake.make_registry())


@pytest.fixture
def training(fake) -> ReportContext:
    """Four checkpoints of one training, given in the wrong order."""
    history = fake.MadeHistory()
    runs = [
        fake.add_run(history, f"run{step}", 30, learned=step / 3, lineage="digits", step=step)
        for step in (2, 0, 3, 1)
    ]
    return ReportContext(in_order(runs), history, fake.make_registry())


def rsa(context: ReportContext, first: LayerAddress, second: LayerAddress) -> float:
    """An independent computation of the published measure."""
    rows = [context.history.read_representation(where).correlation.astype(float) for where in (first, second)]
    triangle = np.triu_indices(len(rows[0]), 1)
    return float(np.corrcoef(rows[0][triangle], rows[1][triangle])[0, 1])


def test_the_profile_is_the_similarity_to_input_output_and_the_layer_before(context) -> None:
    run = context.runs[0]
    profile = transition.query_profile(context, run).to_dicts()
    names = [row["layer"] for row in profile]
    assert names == ["input", "conv0", "conv1", "conv2", "mixed3a", "mixed3b", "avgpool0", "output"]
    for index, row in enumerate(profile[1:], start=1):
        here = LayerAddress(run.id, row["layer"])
        assert row["input"] == pytest.approx(rsa(context, here, LayerAddress(run.id, "input")), abs=1e-6)
        assert row["output"] == pytest.approx(rsa(context, here, LayerAddress(run.id, "output")), abs=1e-6)
        assert row["previous"] == pytest.approx(rsa(context, here, LayerAddress(run.id, names[index - 1])), abs=1e-6)
        assert row["change"] == pytest.approx(1 - row["previous"])
    assert profile[0]["previous"] is None


def test_a_run_without_its_input_still_has_a_profile(fake) -> None:
    history = fake.MadeHistory()
    run = fake.add_run(history, n_stimuli=20, layers=fake.make_layers()[1:])
    context = ReportContext((run,), history, fake.make_registry())
    profile = transition.query_profile(context, run)
    assert profile["input"].null_count() == len(profile)
    assert profile["output"].null_count() == 0
    assert [fact.label for fact in overview.list_facts(run, profile, 7, find_scale(context))][-1] == "largest step"


def test_the_headline_names_the_largest_step(context) -> None:
    run = context.runs[0]
    profile = transition.query_profile(context, run)
    largest = max(profile.to_dicts()[1:], key=lambda row: row["change"])
    facts = {fact.label: fact for fact in overview.list_facts(run, profile, 8, find_scale(context))}
    assert facts["largest step"].note == f"1 - similarity, from {largest['before']} to {largest['layer']}"
    assert facts["largest step"].value == f"{largest['change']:.2f}", "the number that the chart of steps has"
    assert facts["top-1 accuracy"].value == "76.6%"


def test_shares_add_up_and_the_facts_say_what_the_profile_says(context) -> None:
    run = context.runs[0]
    frame = transition.query_profile(context, run)
    assert frame["share"].sum() == pytest.approx(1)
    assert frame["share"][3] == pytest.approx(frame["change"][3] / frame["change"].sum())
    profile = profile_figures.read_profile(context, run)
    facts = {fact.label: fact for fact in profile_figures.list_numbers(profile)}
    assert facts["smoothness"].value == f"{profile.smoothness:.2f}"
    assert facts["largest share"].value == f"{frame['share'].max():.0%}"
    assert facts["crossing"].note.startswith("relative depth, between ")
    measure = find_measure(context.registry, "rsa-pearson")
    assert (
        context.history.read_profile(ProfileKey(run.id, profile.layers, measure.provider, end_point="output"))
        is profile
    )


def test_the_pace_of_each_run_goes_from_nothing_to_everything(training) -> None:
    pace = profile_figures.query_pace(training)
    assert pace["series"].unique(maintain_order=True).to_list() == ["step 0", "step 1", "step 2", "step 3"]
    for _, one in pace.group_by("series"):
        assert one["progress"].to_list() == sorted(one["progress"])
        assert (one["progress"].min(), one["progress"].max()) == (0, pytest.approx(1))


def test_no_more_paces_are_drawn_than_there_are_colours() -> None:
    chosen = profile_figures.choose_runs(list(range(40)))
    assert len(chosen) == profile_figures.MAX_LINES
    assert (chosen[0], chosen[-1]) == (0, 39)
    assert profile_figures.choose_runs([1, 2]) == [1, 2]


def test_importance_has_a_bar_for_each_branch_of_each_block(context, fake) -> None:
    run = context.runs[0]
    for target in ("output", "block"):
        frame = importance.query_importance(context, run, target)
        assert frame["layer"].unique(maintain_order=True).to_list() == ["mixed3a", "mixed3b"]
        assert frame["series"].to_list() == list(fake.ARMS) * 2
        assert (frame["unique"] <= frame["explained"] + 1e-9).all()
    names = [figure.name for figure in importance.list_importance_figures(context, run)]
    assert names == [f"importance-output-{run.id}", f"importance-block-{run.id}"]
    for figure in importance.list_importance_figures(context, run):
        assert "unique" in str(figure.content.drawing.to_dict()["encoding"]["y"]), "the variance, not a share of it"
        assert "together explain" in figure.caption


def test_a_run_without_blocks_or_output_has_no_importance(fake) -> None:
    history = fake.MadeHistory()
    layers = [layer for layer in fake.make_layers() if layer.role != "output"]
    run = fake.add_run(history, n_stimuli=12, layers=layers)
    context = ReportContext((run,), history, fake.make_registry())
    assert importance.query_importance(context, run, "output").is_empty()
    assert not importance.query_importance(context, run, "block").is_empty()


@pytest.mark.parametrize(
    ("ranked", "answers", "verdict"),
    [
        ((2, 1), {2}, "right"),
        ((1, 2), {2}, "near"),
        ((1, 3), {2}, "wrong"),
        ((1,), set(), "unknown"),
        ((), {1}, "unknown"),
    ],
)
def test_answers_are_judged_by_their_rank(ranked, answers, verdict) -> None:
    predictions = [Prediction(0, rank, index, None, 0.5) for rank, index in enumerate(ranked, start=1)]
    assert gallery.judge(predictions, frozenset(answers)) == verdict


def test_cards_are_spread_over_the_set_in_order_and_have_five_classes(context) -> None:
    run = context.runs[0]
    cards = gallery.query_cards(context, run, 7)
    assert [card.title for card in cards] == [f"photo {i * run.n_stimuli // 7:03d}.jpg" for i in range(7)]
    for card in cards:
        shares = [bar.share for bar in card.bars]
        assert len(shares) == 5
        assert shares == sorted(shares, reverse=True)
        assert (card.verdict == "right") == card.bars[0].marked


def test_a_label_that_is_an_identifier_is_shown_as_the_class_s_name(context, fake) -> None:
    run = context.runs[0]
    model = ModelInfo(**{**vars(run.model), "class_ids": tuple(f"n{i}" for i in range(6))})
    record = fake.add_run(context.history, "other", 1, labels=["n1"], model=model, pictures=False)
    assert gallery.query_cards(context, record)[0].subtitle == "desert"


def test_sections_about_branches_and_training_do_not_apply_where_there_are_none(fake) -> None:
    history = fake.MadeHistory()
    run = fake.add_run(history, n_stimuli=20, layers=fake.make_layers(n_blocks=0))
    context = ReportContext((run,), history, fake.make_registry())
    applying = {found.name for found in context.registry.all(SectionBuilder) if found.offer.applies(context)}
    assert applying == {
        "overview", "gallery", "layer-matrix", "explorer", "transition", "maps", "matrices", "sparseness",
        "dimension", "weights", "provenance",
    }  # fmt: skip


def test_undefined_sparseness_has_no_point(context) -> None:
    frame = sparseness.query_sparseness(context, context.runs[0])
    counts = dict(frame.group_by("series").len().iter_rows())
    assert counts == {
        "Treves-Rolls, over units": 7,
        "Treves-Rolls, over stimuli": 7,
        "Hoyer": 8,
        "share of zeros": 8,
        "share of dead units": 8,
    }
    assert frame["layer"][0] == "input"


def test_ridges_are_the_stored_histograms(context) -> None:
    run = context.runs[0]
    ridges = weight_section.query_ridges(context, run)
    stored = context.history.read_weights(run.id)[0]
    vector = stored.statistics[0].vector
    shown = ridges.frame.filter(ridges.frame["tensor"] == stored.name.removesuffix("/kernel"))
    middles = (vector[64:-1] + vector[65:]) / 2
    expected = (vector[:64] / vector[:64].sum())[np.abs(middles) <= ridges.limit]
    np.testing.assert_allclose(shown["share"].to_numpy(), expected)
    assert ridges.frame["height"].max() == 1


def test_a_training_shows_all_runs_in_one_table_and_figures_of_the_first_and_last(training) -> None:
    figures = overview.Overview().build(training).figures
    table = figures[-1].content
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["step 0", "step 1", "step 2", "step 3"]
    assert [figure.name for figure in figures] == ["facts-run0", "facts-run3", "runs"]


def test_the_colours_of_correlations_grow_darker_evenly_away_from_zero() -> None:
    def lightness(colour: tuple[int, int, int]) -> float:
        channel = np.array(colour) / 255
        linear = np.where(channel <= 0.04045, channel / 12.92, ((channel + 0.055) / 1.055) ** 2.4)
        y = float(linear @ [0.2126, 0.7152, 0.0722])
        return 116 * y ** (1 / 3) - 16

    values = [lightness(colour) for colour in drawing.diverging_colours(21)]
    assert int(np.argmax(values)) == 10
    for side in (np.diff(values[:11]), -np.diff(values[10:])):
        assert (side > 0).all()
        assert side.max() / side.min() < 1.6
    assert values[0] == pytest.approx(values[-1], abs=8)


def test_provenance_lists_the_attempts_at_a_run_where_there_was_more_than_one(context) -> None:
    run = context.runs[0]
    first = Attempt(1, "interrupted", "run", {"numpy": "2.4"}, (), {}, run.started_at, n_layers=3)
    again = replace(run, attempts=(first, replace(first, number=2, status="finished", versions={"numpy": "2.5"})))
    rows = dict(provenance.list_provenance(again))
    assert rows["attempt 1"].startswith("interrupted, 3 layers")
    assert rows["attempt 2"].endswith("numpy 2.4 -> 2.5")
    assert rows["origin"] == "computed"
    assert "attempt 1" not in dict(provenance.list_provenance(replace(run, attempts=(first,))))


def test_the_pace_names_the_runs_that_have_no_line(training, monkeypatch) -> None:
    pace = profile_figures.query_pace(training)
    assert profile_figures.tell_undrawn(training, pace) == ""
    monkeypatch.setattr(profile_figures, "MAX_LINES", 3)
    pace = profile_figures.query_pace(training)
    said = profile_figures.tell_undrawn(training, pace)
    assert said in (f" 3 of 4 runs are drawn; without a line: step {index}." for index in (1, 2))

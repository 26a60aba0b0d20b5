"""What the head of a page says: sentences that their intervals carry, and nothing where they do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from layerwise.core.analysis.functional.evidence import RankCorrelation
from layerwise.core.analysis.profile import measure_profile
from layerwise.core.history.intervals import Interval, IntervalPlan
from layerwise.core.history.profiles import ProfileIntervals
from layerwise.plugins.sections.ablation.findings import conclude
from layerwise.plugins.sections.branches.apart import Apart, measure_gaps, tell_apart
from layerwise.plugins.sections.layers.stretches import find_stretch, tell_stretch
from layerwise.plugins.sections.models.findings import touch
from layerwise.plugins.sections.transition.findings import find_in_profile
from layerwise.report.content import Choice, Finding, ReportContext
from layerwise.report.findings import MOST, gather_findings
from layerwise.report.page import choose_sections, render_report

NAMES = ("input", "conv", "mixed", "pool", "output")
MATRIX = np.array(
    [
        [1.0, 0.7, 0.4, 0.3, 0.0],
        [0.7, 1.0, 0.9, 0.8, 0.1],
        [0.4, 0.9, 1.0, 0.9, 0.2],
        [0.3, 0.8, 0.9, 1.0, 0.4],
        [0.0, 0.1, 0.2, 0.4, 1.0],
    ]
)


def sure(profile, width: float) -> ProfileIntervals:
    """Intervals of one width around everything."""

    def around(value) -> Interval:
        return Interval(None, None) if not np.isfinite(value) else Interval(value - width, value + width)

    curves = {
        name: tuple(around(value) for value in getattr(profile, name))
        for name in ("to_input", "to_output", "steps", "shares")
    }
    depth = profile.crossings[0].depth if profile.crossings else np.nan
    return ProfileIntervals(IntervalPlan(200), {"smoothness": around(0.5), "crossing": around(depth)}, curves)


def sentences(width: float) -> list[str]:
    profile = measure_profile(NAMES, MATRIX, "similarity")
    return [finding.text for finding in find_in_profile(profile, sure(profile, width), 1.0)]


def test_a_profile_says_where_the_input_is_lost_what_changes_most_and_where_the_output_appears() -> None:
    assert sentences(0.05) == [
        "Less than half of the input's structure is left from mixed on: similarity to the input is 0.40 "
        "(0.35 to 0.45) there and stays below 0.5.",
        "The largest change is from pool to output: 0.60 (0.55 to 0.65), 55% of all change along the network.",
        "From pool on layers are more like the output than like the input (relative depth 0.67, 0.62 to 0.72).",
    ]


def test_a_layer_whose_interval_reaches_one_half_has_not_lost_half() -> None:
    assert "left from pool on: similarity to the input is 0.30 (0.18 to 0.42)" in sentences(0.12)[0]
    assert not any("half" in sentence for sentence in sentences(0.6))


def test_no_step_is_called_the_largest_beside_one_that_may_be_larger() -> None:
    assert any("largest change" in sentence for sentence in sentences(0.14))
    assert not any("largest change" in sentence for sentence in sentences(0.16))


def test_without_intervals_nothing_is_claimed() -> None:
    profile = measure_profile(NAMES, MATRIX, "similarity")
    assert find_in_profile(profile, None, 1.0) == []


def test_the_longest_stretch_of_neighbours_that_surely_agree_is_told_with_what_small_steps_add_up_to() -> None:
    found = find_stretch(NAMES, MATRIX, MATRIX - 0.05, 0.8)
    assert found is not None
    assert found.layers == ("conv", "mixed", "pool")
    assert tell_stretch(found).text == (
        "Steps are small from conv to pool: neighbours are similar by 0.90 or more (intervals from 0.85). They add "
        "up: the two ends of these 3 layers are similar by 0.80."
    )
    assert find_stretch(NAMES, MATRIX, MATRIX - 0.11, 0.8) is None
    assert find_stretch(NAMES, MATRIX, np.full((5, 5), np.nan), 0.8) is None


def test_the_gap_of_a_branch_is_what_its_siblings_share_more_than_it_has_of_them() -> None:
    matrix = np.array([[1, 0.6, 0.2], [0.6, 1, 0.4], [0.2, 0.4, 1]])
    assert measure_gaps(matrix) == pytest.approx([0.0, -0.3, 0.3])


def test_a_branch_that_stands_apart_is_told_with_the_blocks_in_which_it_does() -> None:
    ends = ((0.28, 0.49), (0.46, 0.68))
    apart = [
        Apart("mixed4d", "5x5", *ends, 0.19, Interval(0.17, 0.21)),
        Apart("mixed4c", "5x5", *ends, 0.10, Interval(0.08, 0.12)),
        Apart("mixed4b", "pool", *ends, 0.30, Interval(0.20, 0.40)),
    ]
    assert tell_apart(apart, 9) == (
        "In 2 of 9 blocks the 5x5 branch stands apart, most in mixed4d: 0.28 to 0.49 to its siblings, which have "
        "0.46 to 0.68 among each other (on average 0.19 less; 0.17 to 0.21)."
    )


@pytest.mark.parametrize(
    ("low", "high", "words"), [(0.1, 0.5, "missed more"), (-0.5, -0.1, "missed less"), (-0.3, 0.4, "does not tell")]
)
def test_similarity_predicts_what_is_lost_only_where_the_interval_says_so(low, high, words) -> None:
    assert words in conclude(RankCorrelation("similarity", "severity", 9, 0.2, low, high))


def test_intervals_that_meet_leave_open_which_is_larger() -> None:
    assert touch(Interval(0.1, 0.3), Interval(0.3, 0.5))
    assert not touch(Interval(0.1, 0.3), Interval(0.31, 0.5))
    assert touch(Interval(None, None), Interval(0.3, 0.5))


@pytest.fixture
def context(fake) -> ReportContext:
    history = fake.MadeHistory()
    return ReportContext((fake.add_run(history, n_stimuli=40),), history, fake.make_registry())


def test_the_page_begins_with_what_was_found_and_leads_to_where_it_is_shown(context, tmp_path) -> None:
    chosen = ["layer-matrix", "transition"]
    found = gather_findings(choose_sections(context.registry, chosen), context)
    assert found, "the made-up network gives findings"
    path = render_report(context.runs, context.registry, context.history, tmp_path / "r.html", sections=chosen)
    page = path.read_text()
    for one in found:
        assert one.finding.text.split("'")[0] in page
        place = f"section-layerwise-{one.section.name}-{one.finding.figure}-figure"
        if one.section.name == "transition":  # one of the figures that are shown one at a time
            place = f"section-layerwise-transition-curves-{context.runs[0].id}-{one.finding.figure}-panel"
        assert f'href="#{place}"' in page
        assert f'id="{place}"' in page
    assert 'class="preview"' in page


def test_a_page_without_intervals_has_no_findings(context, tmp_path) -> None:
    choice = Choice(n_resamples=0)
    path = render_report(
        context.runs, context.registry, context.history, tmp_path / "r.html", sections=["transition"], choice=choice
    )
    assert "What was found" not in path.read_text()


def test_the_most_telling_sentences_are_told_in_the_order_of_the_page(context) -> None:
    builders = choose_sections(context.registry, ["layer-matrix", "transition"])
    told = [Finding(f"{number}", "", number / 10) for number in range(8)]
    builders = [
        replace(builder, offer=_Telling(builder.offer, told[place::2])) for place, builder in enumerate(builders)
    ]
    found = [one.finding.text for one in gather_findings(builders, context)]
    assert found == ["4", "6", "3", "5", "7"]
    assert len(found) == MOST


def test_a_section_whose_findings_fail_has_found_nothing(context) -> None:
    builders = choose_sections(context.registry, ["transition"])
    wrong = [replace(builder, offer=_Telling(builder.offer, ["no finding"])) for builder in builders]
    assert gather_findings(wrong, context) == []


class _Telling:
    """A section that says what it is told to."""

    def __init__(self, section, findings) -> None:
        self._section, self._findings = section, findings

    def __getattr__(self, name: str):
        return getattr(self._section, name)

    def findings(self, context):
        return self._findings

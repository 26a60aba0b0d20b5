"""Reports across models, stimulus sets and branches in a browser: silent, fitting, their lists do what they say."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SECTIONS = ("compared", "models", "stimulus-sets", "branches")


@dataclass(frozen=True)
class Mixed:
    """Runs that differ in more than one way, with the report on them."""

    studio: Any
    runs: list[Any]
    path: Path

    def stored(self) -> dict[tuple[str, str, str, str], float]:
        """All stored comparisons: (run, layer, run, layer) to value."""
        return self.studio.stored(self.runs)


@pytest.fixture(scope="module")
def mixed(make_studio, fake) -> Mixed:
    """Three models on the same 30 stimuli, the first one also on 20 others, and a fifth run that fits nothing."""
    studio = make_studio()
    template = fake.make_model()

    def model(name: str, source: str = "weights.h5") -> Any:
        return replace(template, name=name, source=source, fingerprint=f"{name} {source}"[:64].ljust(64, "0"))

    small, large = fake.make_layers(n_hidden=1, n_blocks=2), fake.make_layers(n_hidden=4, n_blocks=3)
    others: dict[str, Any] = {"stimuli_fingerprint": "t" * 64, "stimuli_name": "paintings"}
    lonely: dict[str, Any] = {"stimuli_fingerprint": "u" * 64, "stimuli_name": "drawings"}
    others["names"], lonely["names"] = [f"p{i}" for i in range(20)], [f"d{i}" for i in range(12)]
    asked = [
        {"n_stimuli": 30, "layers": small, "model": model("googlenet")},
        {"n_stimuli": 30, "layers": small, "model": model("googlenet", "untrained, seed 0"), "learned": 0.1},
        {"n_stimuli": 30, "layers": large, "model": model("inception_v3"), "learned": 0.5},
        {"n_stimuli": 20, "layers": small, "model": model("googlenet"), **others},
        {"n_stimuli": 12, "layers": small, "model": model("vgg16"), **lonely},
    ]
    runs = [studio.add_run(run_id=f"{i:012d}", seed=i, **options) for i, options in enumerate(asked)]
    return Mixed(studio, runs, studio.report(*runs, sections=SECTIONS))


def figure(page: Any, section: str, name: str) -> Any:
    """A figure, scrolled into view."""
    found = page.locator(f"[id='section-layerwise-{section}-{name}-figure']")
    found.scroll_into_view_if_needed()
    return found


def save_csv(page: Any, section: str, name: str) -> list[dict[str, str]]:
    with page.expect_download() as caught:
        figure(page, section, name).locator(".download[data-kind=csv]").first.click()
    return list(csv.DictReader(io.StringIO(caught.value.path().read_text("utf-8"))))


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_section_of_a_mix_draws_itself_and_fits(mixed, browser_page, overflow, width, scheme) -> None:
    page = browser_page(mixed.path, width, scheme)
    assert page.locator(".problem:visible").count() == 0
    assert page.locator("main > section[id^='section-']").count() == len(SECTIONS)
    charts = page.locator(".chart:visible").count()
    assert charts > 8
    assert page.locator(".chart[data-state=done]:visible").count() == charts
    assert overflow(page) == 0


def test_every_figure_that_a_list_offers_can_be_drawn(mixed, browser_page, overflow, expect) -> None:
    page = browser_page(mixed.path, 390)
    for content in page.locator(".alternatives").all():
        for _ in range(content.locator(":scope > .pick option").count() - 1):
            content.locator(":scope > .pick .next").click()
            expect(content.locator(".chart[data-state=done]:visible svg").first).to_be_visible()
            expect(content.locator(".chart:visible:not([data-state=done])")).to_have_count(0)
            assert overflow(page) == 0


def test_the_list_of_models_shows_the_pair_that_it_names(mixed, browser_page, expect) -> None:
    page = browser_page(mixed.path)
    found = figure(page, "models", "layers")
    options = found.locator(".pick option").all_text_contents()
    assert options == [
        "googlenet (weights) and googlenet (untrained)",
        "googlenet (weights) and inception_v3",
        "googlenet (untrained) and inception_v3",
    ]
    panel = found.locator(".panel:visible")
    expect(panel).to_have_attribute("aria-label", options[0])
    expect(found.locator(".chart:visible")).to_have_count(1)
    found.locator(".pick select").select_option(options[2])
    expect(panel).to_have_attribute("aria-label", options[2])
    found.locator(".chart:visible[data-state=done]").wait_for()
    titles = found.locator(".chart:visible svg .role-axis-title text").all_text_contents()
    assert {"googlenet (untrained)", "inception_v3"} <= set(titles)
    found.locator(".pick .next").click()
    expect(panel).to_have_attribute("aria-label", options[0])
    found.locator(".pick select").focus()
    page.keyboard.press("ArrowDown")
    expect(panel).to_have_attribute("aria-label", options[1])


def test_the_page_says_what_is_compared_and_what_is_left_out_and_why(mixed, browser_page) -> None:
    page = browser_page(mixed.path)
    rows = figure(page, "compared", "runs").locator("tbody tr").all()
    cells = [row.locator("th, td").all_inner_texts() for row in rows]
    ids = [run.id[:8] for run in mixed.runs]
    assert [line[0] for line in cells] == ids
    assert cells[0][3] == f"with {ids[1]}, {ids[2]}"
    assert cells[0][4] == f"with {ids[3]}"
    assert "no other model was analysed on its 20 stimuli" in cells[3][3]
    assert "its model was analysed on no other stimuli" in cells[4][4]


def test_the_numbers_across_models_are_those_of_the_history(mixed, browser_page) -> None:
    page = browser_page(mixed.path)
    stored = mixed.stored()
    first, second = mixed.runs[0].id, mixed.runs[1].id
    rows = save_csv(page, "models", "layers")
    assert len(rows) == 36
    for row in rows:
        assert float(row["value"]) == pytest.approx(stored[first, row["row"], second, row["column"]], abs=1e-12)


def test_the_numbers_across_stimulus_sets_are_those_of_the_history(mixed, browser_page) -> None:
    page = browser_page(mixed.path)
    stored = mixed.stored()
    one, other = mixed.runs[0].id, mixed.runs[3].id
    rows = save_csv(page, "stimulus-sets", "difference")
    for row in rows:
        pair = (row["row"], row["column"])
        difference = stored[other, pair[0], other, pair[1]] - stored[one, pair[0], one, pair[1]]
        assert float(row["value"]) == pytest.approx(difference, abs=1e-12)
    names = list(dict.fromkeys(row["row"] for row in rows))
    above = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    columns = [[stored[run, a, run, b] for a, b in above] for run in (one, other)]
    agreement = figure(page, "stimulus-sets", "agreement").locator(".value").first.inner_text()
    assert agreement == f"{np.corrcoef(columns)[0, 1]:.3f}"

"""A report on a training in a browser: it draws itself in silence, and its sliders and lists do what they say."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

SECTION = "section-layerwise-checkpoints"
N_CHECKPOINTS = 4


@dataclass(frozen=True)
class Trained:
    """Checkpoints in a history, with the report on them."""

    studio: Any
    runs: list[Any]
    path: Path

    def stored(self) -> dict[tuple[str, str, str, str], float]:
        """All stored comparisons: (run, layer, run, layer) to value."""
        return self.studio.stored(self.runs)


@pytest.fixture(scope="module")
def trained(make_studio, fake) -> Trained:
    """Four checkpoints of one training on 30 stimuli, given in reverse, and their report with every section."""
    studio = make_studio()
    layers, model = fake.make_layers(n_hidden=2, n_blocks=1), fake.make_model()
    runs = []
    for step in range(N_CHECKPOINTS):
        more = {"learned": step / 3, "lineage": "digits", "step": step, "checkpoint": f"epoch-{step}"}
        more["model"] = replace(model, fingerprint=f"{step:064d}")
        runs.append(studio.add_run(run_id=f"{step:012d}", n_stimuli=30, layers=layers, seed=step, **more))
    return Trained(studio, runs, studio.report(*reversed(runs)))


def figure(page: Any, name: str) -> Any:
    """A figure of the section on training, scrolled into view."""
    found = page.locator(f"[id='{SECTION}-{name}-figure']")
    found.scroll_into_view_if_needed()
    return found


def save_csv(page: Any, name: str) -> list[dict[str, str]]:
    with page.expect_download() as caught:
        figure(page, name).locator(".download[data-kind=csv]").first.click()
    return list(csv.DictReader(io.StringIO(caught.value.path().read_text("utf-8"))))


def paths(found: Any, kind: str, attribute: str = "d") -> list[str]:
    """What the marks of a chart are drawn as."""
    return found.locator(f"svg .{kind} path").evaluate_all(
        "(paths, attribute) => paths.map((path) => path.getAttribute(attribute))", attribute
    )


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_section_of_a_training_draws_itself_and_fits(trained, browser_page, overflow, width, scheme) -> None:
    page = browser_page(trained.path, width, scheme)
    assert page.locator(".problem:visible").count() == 0
    section = page.locator(f"[id='{SECTION}']")
    assert section.locator("figure").count() >= 12
    assert section.locator(".chart[data-state=done]:visible").count() == section.locator(".chart:visible").count()
    assert overflow(page) == 0


def test_the_slider_moves_the_profile_to_the_checkpoint_it_names(trained, browser_page, expect, eventually) -> None:
    page = browser_page(trained.path)
    found = figure(page, "profiles")
    expect(found.locator("svg text").filter(has_text="epoch-3")).to_have_count(1)
    before = paths(found, "mark-symbol", "transform")
    found.locator("input[type=range]").fill("0")
    expect(found.locator("svg text").filter(has_text="epoch-0")).to_have_count(1)
    expect(found.locator("svg text").filter(has_text="epoch-3")).to_have_count(0)
    after = eventually(lambda: paths(found, "mark-symbol", "transform"), lambda drawn: drawn != before)
    assert len(after) == len(before)


def test_the_slider_obeys_the_keyboard(trained, browser_page, expect) -> None:
    page = browser_page(trained.path)
    found = figure(page, "profiles")
    found.locator("input[type=range]").focus()
    page.keyboard.press("ArrowLeft")
    expect(found.locator("svg text").filter(has_text="epoch-2")).to_have_count(1)
    page.keyboard.press("Home")
    expect(found.locator("svg text").filter(has_text="epoch-0")).to_have_count(1)


def test_the_slider_of_the_histograms_changes_the_ridges(trained, browser_page, expect, eventually) -> None:
    page = browser_page(trained.path)
    found = figure(page, "histograms")
    before = paths(found, "mark-area")
    found.locator("input[type=range]").fill("1")
    expect(found.locator("svg text").filter(has_text="epoch-1")).to_have_count(1)
    after = eventually(lambda: paths(found, "mark-area"), lambda drawn: drawn != before)
    assert len(after) == len(before) > 0


def test_the_list_of_measures_changes_what_sparseness_is_shown(trained, browser_page, eventually) -> None:
    page = browser_page(trained.path)
    found = figure(page, "sparseness")
    words = found.locator("svg .mark-text text")
    before = words.all_text_contents()
    found.locator("select").select_option("share of zeros")
    eventually(words.all_text_contents, lambda now: now != before)


def test_the_numbers_of_the_page_are_those_of_the_history(trained, browser_page) -> None:
    page = browser_page(trained.path)
    stored = trained.stored()
    ids = {run.checkpoint: run.id for run in trained.runs}
    rows = save_csv(page, "training-final")
    assert len(rows) == N_CHECKPOINTS * 6
    for row in rows:
        here = ids[row["column"]]
        value = stored[here, row["row"], ids["epoch-3"], row["row"]]
        assert float(row["value"]) == pytest.approx(value, abs=1e-12)
    for view in ("input", "output"):
        for row in save_csv(page, f"training-{view}"):
            here = ids[row["column"]]
            ends = (view, row["row"]) if view == "input" else (row["row"], view)
            value = stored[here, ends[0], here, ends[1]]
            assert float(row["value"]) == pytest.approx(value, abs=1e-12)


def test_a_training_with_hostile_names_is_shown_as_text(make_studio, browser_page) -> None:
    studio = make_studio()
    layers = studio.fake.make_layers(n_hidden=1, n_blocks=0)
    hostile = '</script><img src=x onerror=alert(1)>"'
    layers[1] = replace(layers[1], name=hostile)
    checkpoints = [{"lineage": hostile, "step": step, "checkpoint": f"{hostile}{step}"} for step in range(2)]
    runs = [
        studio.add_run(run_id=f"{step:012d}", n_stimuli=12, layers=layers, **more)
        for step, more in enumerate(checkpoints)
    ]
    page = browser_page(studio.report(*runs, sections=["checkpoints", "compared"]))
    assert page.locator("img[src=x]").count() == 0
    assert figure(page, "training-final").locator("svg text").filter(has_text="</script>").count() > 0

"""Reports of recordings beside networks in a browser: silent, fitting, and true to the history."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

AREAS = ("V1", '"></script><script>alert(1)</script>', "אזור")


@dataclass(frozen=True)
class Recorded:
    """Two recordings and two networks on the same stimuli, with the report on them."""

    studio: Any
    runs: list[Any]
    path: Path


@pytest.fixture(scope="module")
def recorded(make_studio, fake) -> Recorded:
    studio = make_studio()
    template = fake.make_model()
    areas = [
        replace(layer, name=name, role="hidden", position=place)
        for place, (name, layer) in enumerate(zip(AREAS, fake.make_layers()[1:], strict=False))
    ]
    importing = {"origin": "imported", "layers": areas}
    asked = [
        ("sub-01", importing),
        ("sub-02", importing),
        ("googlenet", {}),
        ("vgg16", {"layers": fake.make_layers(n_hidden=6, n_blocks=1)}),
    ]
    runs = [
        studio.add_run(
            run_id=f"{i:012d}",
            n_stimuli=30,
            seed=i,
            model=replace(template, name=name, fingerprint=str(i) * 64),
            **more,
        )
        for i, (name, more) in enumerate(asked)
    ]
    return Recorded(studio, runs, studio.report(*runs, sections=("recordings",)))


def figure(page: Any, name: str) -> Any:
    """A figure, scrolled into view."""
    found = page.locator(f"[id='section-layerwise-recordings-{name}-figure']")
    found.scroll_into_view_if_needed()
    return found


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_recordings_draw_themselves_and_fit(recorded, browser_page, overflow, width, scheme) -> None:
    page = browser_page(recorded.path, width, scheme)
    assert page.locator(".problem:visible").count() == 0
    charts = page.locator(".chart:visible").count()
    assert charts == 5
    assert page.locator(".chart[data-state=done]:visible").count() == charts
    assert overflow(page) == 0
    for picture in page.locator(".chart:visible svg").all():  # nothing of a legend is cut off
        inside = "svg => [...svg.querySelectorAll('.role-legend')].every(part => "
        inside += "part.getBoundingClientRect().right <= svg.getBoundingClientRect().right + 1)"
        assert picture.evaluate(inside)


def test_the_cells_of_a_recording_are_those_of_the_history(recorded, browser_page) -> None:
    page = browser_page(recorded.path)
    with page.expect_download() as caught:
        figure(page, "matrix").locator(".download[data-kind=csv]").first.click()
    rows = list(csv.DictReader(io.StringIO(caught.value.path().read_text("utf-8"))))
    stored = recorded.studio.stored(recorded.runs)
    assert {row["row"] for row in rows} == {f"{area} of sub-0{which}" for area in AREAS for which in (1, 2)}
    by_name = {run.model.name: run.id for run in recorded.runs}
    for row in rows:
        area, _, recording = row["row"].rpartition(" of ")
        value = stored[by_name[recording], area, by_name["googlenet"], row["column"]]
        assert float(row["value"]) == pytest.approx(value, abs=1e-9)


def test_the_list_of_networks_shows_the_one_that_it_names(recorded, browser_page, expect) -> None:
    page = browser_page(recorded.path)
    cells = figure(page, "matrix")
    expect(cells.locator("svg:visible")).not_to_contain_text("conv5")
    cells.get_by_label("Network", exact=True).select_option(label="vgg16")
    expect(cells.locator("svg:visible")).to_contain_text("conv5")

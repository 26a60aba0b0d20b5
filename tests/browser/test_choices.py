"""What a reader has chosen stays chosen when the window changes its width, as when a phone is turned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

N_CHECKPOINTS = 3


@pytest.fixture(scope="module")
def training(make_studio, fake) -> Path:
    """The report of three checkpoints of one training."""
    studio = make_studio()
    layers, model = fake.make_layers(n_hidden=2, n_blocks=1), fake.make_model()
    runs = [
        studio.add_run(
            run_id=f"{step:012d}",
            n_stimuli=12,
            layers=layers,
            seed=step,
            learned=step / 2,
            lineage="digits",
            step=step,
            checkpoint=f"epoch-{step}",
            model=replace(model, fingerprint=f"{step:064d}"),
        )
        for step in range(N_CHECKPOINTS)
    ]
    return studio.report(*runs, sections=["checkpoints"])


def narrow(page: Any, chart: Any, expect: Any) -> None:
    """Make the window narrow, and wait until the chart is drawn for it."""
    before = chart.get_attribute("data-drawn")
    page.set_viewport_size({"width": 500, "height": 900})
    expect(chart).not_to_have_attribute("data-drawn", before)
    expect(chart).to_have_attribute("data-state", "done")


def test_a_slider_stays_where_it_is_and_keeps_the_keyboard(training, browser_page, expect) -> None:
    page = browser_page(training)
    chart = page.locator("[id$='-profiles-figure'] .chart")
    chart.scroll_into_view_if_needed()
    slider = chart.locator("input[type=range]")
    slider.focus()
    page.keyboard.press("Home")
    expect(chart.locator("svg text").filter(has_text="epoch-0")).to_have_count(1)
    narrow(page, chart, expect)
    expect(chart.locator("svg text").filter(has_text="epoch-0")).to_have_count(1)
    expect(slider).to_have_value("0")
    expect(slider).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(chart.locator("svg text").filter(has_text="epoch-1")).to_have_count(1)


def test_a_list_stays_at_what_was_chosen(training, browser_page, expect) -> None:
    page = browser_page(training)
    chart = page.locator("[id$='-sparseness-figure'] .chart").first
    chart.scroll_into_view_if_needed()
    listed = chart.locator("select")
    listed.select_option("share of zeros")
    narrow(page, chart, expect)
    expect(listed).to_have_value("share of zeros")


def test_two_layers_a_zoom_and_a_layer_stay_chosen(finished, browser_page, reach, expect) -> None:
    page = browser_page(finished.path)
    explorer = reach(page, ".explorer")
    before = explorer.get_attribute("data-state")
    explorer.locator(".across select").select_option(index=1)
    expect(explorer).not_to_have_attribute("data-state", before)
    explorer.locator(".changed .joined button").first.focus()
    shown = explorer.get_attribute("data-state")
    pair = explorer.locator(".pair").inner_text()
    figure = reach(page, ".map")
    figure.locator("select").first.select_option(index=1)
    figure.locator(".in").click()
    layer = figure.locator(".shown strong").inner_text()
    canvases = [figure.locator("canvas"), explorer.locator("canvas").first]
    drawn = [canvas.get_attribute("width") for canvas in canvases]
    page.set_viewport_size({"width": 500, "height": 900})
    for canvas, width in zip(canvases, drawn, strict=True):
        expect(canvas).not_to_have_attribute("width", width)
    expect(explorer).to_have_attribute("data-state", shown)
    expect(explorer.locator(".pair")).to_have_text(pair, use_inner_text=True)
    expect(figure.locator("canvas")).to_have_class("magnified")
    expect(figure.locator(".shown strong")).to_have_text(layer)

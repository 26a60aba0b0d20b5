"""The page in a browser: it draws itself in silence, fits its window, and its controls do what they say."""

from __future__ import annotations

import csv
import io
import re

import pytest

from layerwise.report.content import ReportContext
from layerwise.report.queries import chosen_measure


def read_csv(download) -> list[dict[str, str]]:
    text = download.path().read_bytes().decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def save(found, kind: str = "csv"):
    """What a figure that is in sight is saved as."""
    with found.page.expect_download() as caught:
        found.locator(f".download[data-kind={kind}]").first.click()
    return caught.value


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_section_of_a_run_draws_itself_and_fits(
    finished, browser_page, overflow, unfold, width, scheme
) -> None:
    page = browser_page(finished.path, width, scheme)
    assert page.locator("main > section[id^='section-']").count() >= 10
    assert overflow(page) == 0
    unfold(page)
    assert page.locator(".problem:visible").count() == 0
    drawn = page.locator(".chart[data-state=done]:visible").count()
    assert drawn == page.locator(".chart:visible").count()
    assert drawn >= 12
    assert page.locator(".chart svg:visible").count() == drawn
    assert overflow(page) == 0


def test_every_picture_says_what_it_shows(finished, browser_page, unfold) -> None:
    page = browser_page(finished.path)
    shown = pictures_of(page, "figure svg:visible, figure canvas[role=img]")
    unfold(page)
    folded = pictures_of(page, ".fold figure svg:visible")
    assert len(folded) == 3
    for role, words in shown + folded:
        assert role == "img"
        assert len(words or "") > 20
    for figure in page.locator("figure").all():
        heading = page.locator(f"[id='{figure.get_attribute('aria-labelledby')}']")
        assert heading.inner_text().strip()


def pictures_of(page, selector: str) -> list[tuple[str | None, str | None]]:
    """Role and words of each picture."""
    found = page.locator(selector).all()
    return [(picture.get_attribute("role"), picture.get_attribute("aria-label")) for picture in found]


PAPER = "(body) => getComputedStyle(body).backgroundColor"
INK = "(text) => getComputedStyle(text).fill"


def test_the_page_turns_dark_and_light_and_remembers(finished, browser_page, expect) -> None:
    page = browser_page(finished.path, scheme="light")
    body, label = page.locator("body"), page.locator(".chart[data-state=done] .role-axis-label text").first
    light, light_label = body.evaluate(PAPER), label.evaluate(INK)
    page.get_by_role("button", name="Switch to the dark page").click()
    expect(body).not_to_have_css("background-color", light)
    expect(label).not_to_have_css("fill", light_label)
    dark = body.evaluate(PAPER)
    page.reload()
    expect(body).to_have_css("background-color", dark)
    page.get_by_role("button", name="Switch to the light page").click()
    expect(body).to_have_css("background-color", light)
    expect(label).to_have_css("fill", light_label)


def test_a_dark_system_gets_a_dark_page_that_can_be_made_light(finished, browser_page, expect) -> None:
    page = browser_page(finished.path, scheme="dark")
    dark = page.locator("body").evaluate(PAPER)
    page.get_by_role("button", name="Switch to the light page").click()
    expect(page.locator("body")).not_to_have_css("background-color", dark)


def test_a_printed_page_is_light_and_leaves_controls_out(finished, browser_page, expect) -> None:
    page = browser_page(finished.path, scheme="dark")
    page.emulate_media(media="print")
    expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
    expect(page.locator(".contents, .theme, .downloads, .controls").locator("visible=true")).to_have_count(0)
    assert page.locator("figure svg:visible").count() > 5


def test_the_keyboard_reaches_the_figures_and_the_contents(finished, browser_page, expect, eventually) -> None:
    page = browser_page(finished.path)
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the figures")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#content$"))
    link = page.locator(".contents a").nth(3)
    link.focus()
    page.keyboard.press("Enter")
    section = page.locator(f"[id='{link.get_attribute('href')[1:]}']")
    eventually(lambda: section.bounding_box()["y"], lambda top: abs(top) < 100)
    expect(link).to_have_attribute("aria-current", "true")


def test_the_command_can_be_copied(finished, browser_page, turn_to, expect) -> None:
    page = browser_page(finished.path)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    turn_to(page, "provenance-provenance")
    page.clock.install()
    page.clock.pause_at("2040-01-01")
    button = page.locator("figure .copy").first
    button.click()
    expect(button).to_have_text("Copied")
    assert finished.run.command in page.evaluate("navigator.clipboard.readText()")
    page.clock.run_for(2000)
    expect(button).to_have_text("Copy")


def test_the_layers_of_the_matrix_can_be_chosen(finished, browser_page, expect) -> None:
    page = browser_page(finished.path)
    figure = page.locator("figure[id*='layer-matrix-layers']")
    select = figure.locator("select")
    assert select.locator("option").all_inner_texts() == ["Main layers", "Input, branches and output", "All layers"]
    shown = figure.locator(".chart:visible .mark-text.role-mark text")
    expect(shown).to_have_count(8 * 8)
    select.select_option(label="All layers")
    expect(shown).to_have_count(16 * 16)
    figure.get_by_role("button", name="the one before").click()
    expect(shown).to_have_count(10 * 10)


def test_a_cell_says_its_value_when_pointed_at(finished, browser_page, reach, expect) -> None:
    page = browser_page(finished.path)
    reach(page, "figure[id*='layer-matrix'] .chart:visible")
    page.locator("figure[id*='layer-matrix'] .chart:visible .mark-text.role-mark text").nth(3).hover()
    tip = page.locator("#vg-tooltip-element")
    expect(tip).to_be_visible()
    expect(tip).to_contain_text("similarity")


@pytest.mark.parametrize(
    ("figure", "chosen", "columns"),
    [
        ("layer-matrix-layers", "", {"row", "column", "value"}),
        ("transition-curves", "Similarity to the input", {"layer", "series", "value", "low", "high"}),
        ("transition-curves", "The step", {"layer", "change", "share", "low", "high"}),
        ("sparseness-sparseness", "", {"layer", "series", "value", "version"}),
        ("dimension-dimension", "", {"layer", "series", "value", "version"}),
        ("weights-weights", "", {"tensor", "weight", "share"}),
        ("gallery-gallery", "", {"stimulus", "label", "rank", "class", "probability"}),
        ("overview-facts", "", {"number", "value", "note"}),
        ("provenance-provenance", "", {"what", "value"}),
    ],
)
def test_the_data_behind_a_figure_can_be_saved_as_csv(
    finished, browser_page, turn_to, figure, chosen, columns
) -> None:
    saved = save(turn_to(browser_page(finished.path), figure, chosen))
    assert saved.suggested_filename.endswith(".csv")
    rows = read_csv(saved)
    assert rows
    assert columns <= set(rows[0])


def test_a_saved_matrix_is_the_one_in_the_history(finished, browser_page, turn_to) -> None:
    rows = read_csv(save(turn_to(browser_page(finished.path), "layer-matrix-layers")))
    store, run = finished.studio.store, finished.run
    provider = chosen_measure(ReportContext([run], store, finished.studio.registry)).provider
    kept = {(c.first.layer, c.second.layer): c.value for c in store.read_comparisons(provider, [run.id])}
    assert len(rows) == 8 * 8
    for row in rows:
        assert float(row["value"]) == pytest.approx(kept[row["row"], row["column"]], abs=1e-12)


def test_charts_can_be_saved_as_pictures_on_white(finished, browser_page, turn_to) -> None:
    found = turn_to(browser_page(finished.path, scheme="dark"), "transition-curves", "The step")
    svg = save(found, "svg").path().read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    assert 'fill="#ffffff"' in svg
    png = save(found, "png").path().read_bytes()
    assert png.startswith(b"\x89PNG")


def test_cells_that_a_spreadsheet_would_run_are_made_harmless(finished, browser_page) -> None:
    page = browser_page(finished.path)
    rows = [
        ["=1+1", "+x", "-x", "@x", "\tx", " =x", "\uff1dx"],
        [-1.5, 'a "b", c', "two\nlines", "plain", None, 0, "-7"],
    ]
    text = page.evaluate("([columns, ...rows]) => layerwise.csv({ columns, rows })", rows)
    parsed = list(csv.reader(io.StringIO(text, newline="")))
    assert parsed[0] == ["'=1+1", "'+x", "'-x", "'@x", "'\tx", "' =x", "'\uff1dx"]
    assert parsed[1] == ["-1.5", 'a "b", c', "two\nlines", "plain", "", "0", "'-7"]
    assert text.endswith("\r\n")

"""How a page is read: from what was found to where it is shown, a few cards first, and what is folded when wanted."""

from __future__ import annotations

from collections import Counter

import pytest

FOLDED = ("sparseness-sparseness", "dimension-dimension", "weights-weights", "provenance-provenance")
N_CARDS, FEW = 24, 6


@pytest.mark.parametrize("width", [1440, 390])
def test_what_was_found_leads_to_where_it_is_shown(finished, browser_page, expect, overflow, width) -> None:
    page = browser_page(finished.path, width)
    links = page.locator(".found a").all()
    assert len(links) > 2
    for link in links:
        place = page.locator(f"[id='{link.get_attribute('href')[1:]}']")
        link.focus()
        page.keyboard.press("Enter")
        expect(place).to_be_visible()
        expect(place).to_be_in_viewport()
        expect(place.locator(".chart:visible:not([data-state=done])")).to_have_count(0)
    assert overflow(page) == 0


def test_a_link_to_a_figure_that_another_hides_chooses_it(finished, browser_page, turn_to, expect) -> None:
    page = browser_page(finished.path)
    curves = turn_to(page, "transition-curves", "The step")
    profile = curves.locator(".panel").first
    expect(profile).to_be_hidden()
    page.locator(f".found a[href='#{profile.get_attribute('id')}']").first.click()
    expect(profile).to_be_visible()
    expect(profile).to_be_in_viewport()
    expect(curves.locator(".panel:visible")).to_have_count(1)
    expect(curves.locator(".pick select")).to_have_value("0")


@pytest.mark.parametrize("name", FOLDED)
def test_a_link_into_a_folded_section_opens_it_and_draws_its_charts(finished, browser_page, expect, name) -> None:
    page = browser_page(finished.path)
    found = page.locator(f"figure[id*='{name}']").first
    expect(found).to_be_hidden()
    anchor = found.get_attribute("id")
    page.goto(f"{finished.path.as_uri()}#{anchor}")
    expect(found).to_be_in_viewport()
    expect(found.locator(".chart:not([data-state=done])")).to_have_count(0)
    section = page.locator("main > section").filter(has=found)
    section.locator("summary").first.click()
    expect(found).to_be_hidden()
    page.locator(f".contents a[href='#{section.get_attribute('id')}']").click()  # closed by hand, opened again
    expect(found).to_be_visible()


@pytest.mark.parametrize("width", [1440, 390])
def test_what_is_folded_is_opened_by_keyboard_and_drawn_for_its_window(
    finished, browser_page, expect, overflow, width
) -> None:
    page = browser_page(finished.path, 800)
    page.set_viewport_size({"width": width, "height": 900})
    folds = page.locator("details.fold")
    expect(folds).to_have_count(len(FOLDED))
    for fold in folds.all():
        expect(fold.locator("figure").first).to_be_hidden()
        fold.locator("summary").first.focus()
        page.keyboard.press("Enter")
        expect(fold.locator("figure").first).to_be_visible()
        for chart in fold.locator(".chart").all():
            drawn = chart.evaluate("(chart) => String(chart.clientWidth)")
            expect(chart).to_have_attribute("data-drawn", drawn)
            expect(chart).to_have_attribute("data-state", "done")
    assert overflow(page) == 0


def test_a_printed_page_leaves_nothing_folded(finished, browser_page, expect) -> None:
    page = browser_page(finished.path)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator("details.fold:not([open])")).to_have_count(0)
    expect(page.locator(".card:visible")).to_have_count(N_CARDS)
    expect(page.locator(".fold .chart:not([data-state=done])")).to_have_count(0)


def test_a_gallery_shows_a_few_cards_all_on_request_and_those_of_one_verdict(finished, browser_page, expect) -> None:
    page = browser_page(finished.path)
    gallery = page.locator("figure[id*='gallery-gallery']")
    cards, more = gallery.locator(".card:visible"), gallery.locator(".more button")
    expect(cards).to_have_count(FEW)
    expect(more).to_have_text(f"Show all {N_CARDS}")
    more.focus()
    page.keyboard.press("Enter")
    expect(cards).to_have_count(N_CARDS)
    expect(more).to_have_attribute("aria-expanded", "true")
    verdicts = Counter(card.get_attribute("data-verdict") for card in gallery.locator(".card").all())
    select = gallery.locator(".sieve select")
    assert select.locator("option").count() == len(verdicts) + 1 > 2
    for verdict, count in verdicts.items():
        select.select_option(verdict)
        expect(cards).to_have_count(count)
        expect(gallery.locator(f".card:visible:not([data-verdict='{verdict}'])")).to_have_count(0)
    select.select_option("")
    more.click()
    expect(cards).to_have_count(FEW)

"""Who cannot see a page well, or has no pointer, can read it and reach all of it."""

from __future__ import annotations

from typing import Any

import pytest

WORDS = ("ink", "soft", "accent", "good", "near", "bad", "parted", "joined")
BEHIND = ("paper", "card")
LEAST_CONTRAST = 4.5  # WCAG 2.2, AA, for text


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, by WCAG's definition."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """The ratio of two colours, from 1 to 21."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def variable(page: Any, name: str) -> str:
    return page.evaluate("(name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()", name)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_on_either_page(finished, browser_page, scheme) -> None:
    page = browser_page(finished.path, scheme=scheme)
    for behind in BEHIND:
        ground = variable(page, f"--{behind}")
        for word in WORDS:
            assert contrast(variable(page, f"--{word}"), ground) >= LEAST_CONTRAST, (word, behind)
    opacity = "(link) => [link, link.parentElement].map((part) => getComputedStyle(part).opacity)"
    assert page.locator(".downloads a").first.evaluate(opacity) == ["1", "1"]


def test_every_control_has_a_name(finished, browser_page, reach) -> None:
    page = browser_page(finished.path)
    reach(page, ".map")
    nameless = page.locator("button, select, input, a[href], canvas[tabindex], [role=group]").evaluate_all(
        """(found) => found.filter((control) => {
            const named = [control.getAttribute("aria-label"), control.textContent, control.title,
                ...[...(control.labels || [])].map((label) => label.textContent),
                ...[...control.querySelectorAll("img")].map((picture) => picture.alt)];
            return control.tagName !== "SELECT" || control.labels?.length || control.ariaLabel
                ? !named.some((name) => name && name.trim()) : true;
        }).map((control) => control.outerHTML.slice(0, 200))"""
    )
    assert nameless == []


def test_a_cell_of_the_layer_matrix_is_reached_and_opened_by_keyboard(finished, browser_page, reach, expect) -> None:
    page = browser_page(finished.path)
    reach(page, ".explorer")
    chart = page.locator("figure[id*='layer-matrix'] .chart.leads:visible")
    chart.scroll_into_view_if_needed()
    chart.focus()
    page.keyboard.press("ArrowRight")
    hint = chart.locator("xpath=following-sibling::*[1]")
    expect(hint).to_contain_text("input and output: ")
    page.keyboard.press("ArrowDown")
    expect(hint).to_contain_text("conv0 and output: ")
    expect(chart.locator(".mark-rect path.at")).to_have_count(1)
    assert hint.get_attribute("aria-live") == "polite"
    page.keyboard.press("Enter")
    expect(page.locator(".explorer")).to_have_attribute("data-state", "conv0|output")
    chart.focus()
    page.keyboard.press("Escape")
    expect(chart.locator(".mark-rect path.at")).to_have_count(0)


def test_what_has_the_keyboard_is_ringed(finished, browser_page, reach) -> None:
    page = browser_page(finished.path)
    reach(page, ".map")
    page.locator("body").evaluate("(body) => body.focus()")
    page.keyboard.press("Tab")
    seen = set()
    for _ in range(60):
        ring = page.locator(":focus").evaluate(
            """(on) => { const shown = on.matches(".switch input") ? on.nextElementSibling : on;
                const { outlineStyle, outlineWidth } = getComputedStyle(shown);
                return [on.tagName, outlineStyle, parseFloat(outlineWidth)]; }"""
        )
        seen.add(ring[0])
        assert ring[1] != "none", ring
        assert ring[2] >= 1, ring
        page.keyboard.press("Tab")
    assert {"A", "BUTTON", "SELECT"} <= seen

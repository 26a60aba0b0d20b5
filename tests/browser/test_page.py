"""The page in a browser: it draws itself in silence, fits its window, and its controls do what they say."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_section_of_a_run_draws_itself_and_fits(finished, browser_page, overflow, width, scheme) -> None:
    page = browser_page(finished.path, width, scheme)
    assert page.locator("main > section").count() >= 9
    assert page.locator(".problem:visible").count() == 0
    assert page.locator(".chart[data-state=done]").count() == page.locator(".chart").count() >= 8
    assert overflow(page) == 0

"""The local page over the history, in a browser: filter, sort, choose, report, query."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from layerwise.cli.browse import serving
from layerwise.cli.browse.reports import Reports
from layerwise.cli.browse.server import Site, make_application


@dataclass(frozen=True)
class Served:
    """A history that is being served."""

    address: str
    ids: tuple[str, ...]


@pytest.fixture(scope="module")
def served(make_studio, eventually) -> Iterator[Served]:
    import uvicorn

    studio = make_studio()
    ids = tuple(
        studio.add_run(run_id=f"run-{step}", n_stimuli=12, checkpoint=f"epoch-{step}", step=step).id
        for step in range(3)
    )
    reports = Reports(studio.store, lambda: studio.registry)
    site = Site(studio.store, lambda: studio.registry, reports)
    listener = serving.bind("127.0.0.1", 0)
    application = make_application(site, serving.answered_hosts("127.0.0.1"))
    server = uvicorn.Server(uvicorn.Config(application, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    eventually(lambda: server.started, bool)
    yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", ids)
    server.should_exit = True
    thread.join()
    reports.close()


@pytest.mark.parametrize("width", [1440, 390])
def test_the_list_follows_what_is_typed_and_the_address_follows_the_list(
    browser_page, overflow, served, expect, width
) -> None:
    page = browser_page(f"{served.address}/", width, allowed=(served.address,))
    rows = page.locator("table.runs tbody tr")
    expect(rows).to_have_count(3)
    page.get_by_role("searchbox").fill("epoch-1")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("epoch-1")
    expect(page).to_have_url(re.compile(r"\?q=epoch-1$"))
    page.reload()
    expect(rows).to_have_count(1)
    page.get_by_role("searchbox").fill("nonsense")
    expect(page.get_by_text("No run matches")).to_be_visible()
    assert overflow(page) <= 0


def test_heads_sort_the_list_one_way_and_the_other(browser_page, served, expect) -> None:
    page = browser_page(f"{served.address}/", allowed=(served.address,))
    checkpoints = page.locator("table.runs tbody tr td:nth-child(4)")
    head = page.locator("table.runs th", has_text="Checkpoint")
    head.get_by_role("link").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    expect(checkpoints).to_have_text(["epoch-0", "epoch-1", "epoch-2"])
    head.get_by_role("link").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(checkpoints).to_have_text(["epoch-2", "epoch-1", "epoch-0"])


def test_chosen_runs_open_one_report_that_keeps_what_was_chosen_under_another_filter(
    browser_page, served, expect
) -> None:
    page = browser_page(f"{served.address}/", allowed=(served.address,))
    expect(page.get_by_role("button", name="Open report")).to_be_disabled()
    page.get_by_label(f"Choose run {served.ids[0][:8]}").check()
    page.get_by_role("searchbox").fill("epoch-2")
    expect(page.locator("table.runs tbody tr")).to_have_count(1)
    page.get_by_label(f"Choose run {served.ids[2][:8]}").check()
    expect(page.get_by_text("2 runs chosen")).to_be_visible()
    page.get_by_role("button", name="Open report").click()
    expect(page.get_by_role("navigation", name="Contents")).to_be_visible()
    assert f"run={served.ids[0]}" in page.url
    assert f"run={served.ids[2]}" in page.url
    page.go_back()
    expect(page.get_by_text("2 runs chosen")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_have_value("epoch-2")
    page.get_by_role("button", name="Choose none").click()
    expect(page.get_by_role("button", name="Open report")).to_be_disabled()


def test_a_run_shows_its_layers_and_a_query_its_answer(browser_page, served, expect) -> None:
    page = browser_page(f"{served.address}/run/{served.ids[0]}", allowed=(served.address,))
    expect(page.locator("table.layers tbody tr").first).to_be_visible()
    page.get_by_role("link", name="Query").click()
    page.get_by_label("One SELECT statement").fill("SELECT checkpoint FROM run_list ORDER BY step")
    page.get_by_label("One SELECT statement").press("Control+Enter")
    expect(page.locator("tbody td")).to_have_text(["epoch-0", "epoch-1", "epoch-2"])


def test_a_wrong_query_says_so_beside_it(browser_page, served, expect) -> None:
    page = browser_page(f"{served.address}/query", allowed=(served.address, "Failed to load resource"))
    page.get_by_label("One SELECT statement").fill("SELECT nonsense")
    page.get_by_label("One SELECT statement").press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("nonsense")
    expect(page.get_by_label("One SELECT statement")).to_have_value("SELECT nonsense")

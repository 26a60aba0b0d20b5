"""A headless Chromium, a small history in SQLite, and the pages of its reports.

What a test does to a page is done when the page says so, however slow the machine: look with `expect`, which looks
again until it is right, with `eventually` where there is no locator to ask, or under `page.clock`, which stands
still; never after a pause. (`page.wait_for_function` is evaluated inside the page, whose Content-Security-Policy
refuses it.) LAYERWISE_SLOW_BROWSER=6 makes the browser six times as slow, to find a test that looks too early. Of a
test that fails, pictures of its pages are kept in build/browser.

Every page that is opened must stay silent: a console error, an uncaught exception, a dialog, or a request that leaves
the file fails the test.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from layerwise.core.history.records import RunRecord
from layerwise.core.host.registry import Registry
from layerwise.plugins import load_plugins
from layerwise.report.content import Choice, ReportContext
from layerwise.report.page import render_report
from layerwise.report.queries import chosen_measure
from layerwise.storage import Store, open_store

WIDTHS = (1440, 390)
QUIET_SCHEMES = ("file:", "data:", "blob:")
PATIENCE = 120_000
"""Milliseconds until what a page should show is missed: far more than a slow machine needs."""
PAGES = pytest.StashKey[list[Any]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs Chromium: `make browser-test` runs it."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


def find_chromium() -> str | None:
    """The browser to drive: the one that LAYERWISE_CHROMIUM names, or the system's."""
    named = os.environ.get("LAYERWISE_CHROMIUM")
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep a picture of each page of a test that fails, and say where."""
    report = yield
    if report.failed and report.when != "teardown":
        folder = item.config.rootpath / "build" / "browser"
        folder.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^\w-]+", "-", item.name)[:100].strip("-")
        for number, page in enumerate(item.stash.get(PAGES, []), 1):
            path = folder / f"{name}-{number}.png"
            report.sections.append((f"page {number}, {page.url}", take_picture(page, path)))
    return report


def take_picture(page: Any, path: Path) -> str:
    """Where the picture of a page is, or why there is none."""
    from playwright.sync_api import Error

    try:
        page.screenshot(path=path, timeout=20_000)
    except Error as error:
        return f"no picture of it: {error}"
    return f"looked like {path}"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A running browser."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: pip install 'layerwise[browser]'"
    )
    found = find_chromium()
    if found is None:
        pytest.skip("needs Chromium: install Debian's package chromium, or set LAYERWISE_CHROMIUM")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=["--no-sandbox"], timeout=PATIENCE)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def new_page(chromium: Any) -> Callable[..., Any]:
    """A function that makes an empty page; on none does anything move smoothly, unless a test asks for it."""
    slower = int(os.environ.get("LAYERWISE_SLOW_BROWSER", "1"))

    def make(width: int = 1440, scheme: str = "light") -> Any:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
        return page

    return make


@pytest.fixture(scope="session")
def expect(chromium: Any) -> Callable[[Any], Any]:
    """Playwright's assertions on a page or a locator; each looks again until it is right."""
    from playwright.sync_api import expect as asserting

    asserting.set_options(timeout=PATIENCE)
    return asserting


Watcher = Callable[[Callable[[], Any], Callable[[Any], Any]], Any]


@pytest.fixture(scope="session")
def eventually() -> Watcher:
    """A function that looks again until what it sees is right, and returns that: `eventually(look, is_right)`."""

    def watch(look: Callable[[], Any], is_right: Callable[[Any], Any]) -> Any:
        end = time.monotonic() + PATIENCE / 1000
        while not is_right(seen := look()):
            if time.monotonic() > end:
                pytest.fail(f"it never came right; what was seen last: {str(seen)[:400]}")
            time.sleep(0.05)
        return seen

    return watch


@dataclass
class Silence:
    """What a page said and asked for although it should not have."""

    broken: list[str] = field(default_factory=list)

    def watch(self, page: Any) -> None:
        page.on("console", lambda said: self.broken.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.broken.append(f"uncaught: {error}"))
        page.on("request", lambda asked: self.note_request(asked.url))
        page.on("dialog", self.note_dialog)

    def note_request(self, url: str) -> None:
        if not url.startswith(QUIET_SCHEMES):
            self.broken.append(url)

    def note_dialog(self, dialog: Any) -> None:
        self.broken.append(f"dialog: {dialog.message}")
        dialog.dismiss()


Opener = Callable[..., Any]


@pytest.fixture
def browser_page(new_page: Callable[..., Any], request: pytest.FixtureRequest) -> Iterator[Opener]:
    """A function that opens a page, `browser_page(path_or_url, width=1440, scheme="light")`, drawn to the end.

    A second page may be opened beside the first. How what a page may ask for, or say on the console, begins is told
    by `allowed`.
    """
    pages: list[Any] = []
    request.node.stash[PAGES] = pages
    silences: list[tuple[Silence, tuple[str, ...]]] = []

    def open_page(
        target: Path | str, width: int = 1440, scheme: str = "light", *, allowed: tuple[str, ...] = ()
    ) -> Any:
        page = new_page(width, scheme)
        pages.append(page)
        silence = Silence()
        silence.watch(page)
        silences.append((silence, allowed))
        page.goto(target.as_uri() if isinstance(target, Path) else target)
        draw_everything(page)
        return page

    yield open_page
    for page in pages:
        page.context.close()
    assert [said for silence, allowed in silences for said in silence.broken if not said.startswith(allowed)] == []


def draw_everything(page: Any) -> None:
    """Wait until every chart of a report is drawn; a page without charts is ready at once."""
    page.wait_for_load_state("load")
    page.locator(".chart:visible:not([data-state])").first.wait_for(state="detached")


@pytest.fixture(scope="session")
def reach(expect: Callable[[Any], Any]) -> Callable[[Any, str], Any]:
    """A function that finds a figure which opens when it comes near, as in `reach(page, ".map")`, ready.

    All of a page's are opened, from the first to the last: one that opened later would move what is pointed at.
    """

    def find(page: Any, selector: str) -> Any:
        for figure in page.locator(".explorer, .map, .matrices").all():
            figure.scroll_into_view_if_needed()
            expect(figure).to_have_attribute("data-state", re.compile("."))
        found = page.locator(selector)
        found.scroll_into_view_if_needed()
        return found

    return find


@pytest.fixture(scope="session")
def unfold(expect: Callable[[Any], Any]) -> Callable[[Any], None]:
    """A function that opens every section of a page that is folded, as a reader does, and waits for its charts."""

    def open_all(page: Any) -> None:
        for summary in page.locator("details.fold:not([open]) > summary").all()[::-1]:
            summary.click()
        expect(page.locator("details.fold:not([open])")).to_have_count(0)
        expect(page.locator(".chart:visible:not([data-state=done])")).to_have_count(0)

    return open_all


@pytest.fixture(scope="session")
def turn_to(expect: Callable[[Any], Any]) -> Callable[..., Any]:
    """A function that brings a figure to sight as a reader does: `turn_to(page, "weights-weights")`, drawn.

    A section that is folded is opened; of figures that are shown one at a time, that whose title begins so is chosen:
    `turn_to(page, "transition-curves", "The step")`.
    """

    def find(page: Any, name: str, chosen: str = "") -> Any:
        found = page.locator(f"figure[id*='{name}']").first
        fold = page.locator("details.fold:not([open])").filter(has=found)
        if fold.count():
            fold.locator("summary").first.click()
        if chosen:
            options = found.locator(".pick option").all_text_contents()
            label = next(option for option in options if option.startswith(chosen))
            found.locator(".pick select").select_option(label=label)
            expect(found.locator(".panel:visible")).to_have_attribute("aria-label", label)
        found.scroll_into_view_if_needed()
        expect(found.locator(".chart:visible:not([data-state=done])")).to_have_count(0)
        return found

    return find


@pytest.fixture
def overflow() -> Callable[[Any], int]:
    """A function that says how many pixels a page is wider than its window."""
    return lambda page: int(
        page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    )


@dataclass
class Studio:
    """A history in a SQLite file, to which made-up runs are added as the engine would add them.

    Attributes:
        store: The history.
        folder: Where reports are written.
        registry: All built-in plugins.
        fake: The module that makes runs up.
    """

    store: Store
    folder: Path
    registry: Registry
    fake: ModuleType
    n_reports: int = 0

    def add_run(self, **options: Any) -> RunRecord:
        """Store a finished run; `options` are those of `made_history.add_run`, except that ids are the store's."""
        return self.fake.add_run(self.store, **options)

    def stored(self, runs: Sequence[RunRecord]) -> dict[tuple[str, str, str, str], float]:
        """All stored comparisons by the usual measure: (run, layer, run, layer) to value."""
        measure = chosen_measure(ReportContext(runs, self.store, self.registry))
        found = self.store.read_comparisons(measure.provider, [run.id for run in runs])
        return {(c.first.run_id, c.first.layer, c.second.run_id, c.second.layer): c.value for c in found}

    def report(self, *runs: RunRecord, sections: Sequence[str] | None = None, **choice: Any) -> Path:
        """Write a report of these runs; `choice` are the fields of `Choice`."""
        self.n_reports += 1
        path = self.folder / f"report-{self.n_reports}.html"
        return render_report(
            runs, self.registry, self.store, path, sections=sections, choice=Choice(**({"n_resamples": 40} | choice))
        )


@pytest.fixture(scope="session")
def make_studio(tmp_path_factory: pytest.TempPathFactory, fake: ModuleType) -> Iterator[Callable[[], Studio]]:
    """A function that starts an empty history."""
    opened: list[Store] = []

    def start() -> Studio:
        folder = tmp_path_factory.mktemp("studio")
        store = open_store(f"sqlite:///{folder / 'history.db'}")
        opened.append(store)
        return Studio(store, folder, load_plugins(), fake)

    yield start
    for store in opened:
        store.close()


@dataclass(frozen=True)
class Finished:
    """A finished run in a history, with its report."""

    studio: Studio
    run: RunRecord
    path: Path


@pytest.fixture(scope="session")
def finished(make_studio: Callable[[], Studio]) -> Finished:
    """One run of 40 stimuli with pictures, labels and two blocks of four arms, and its report with every section."""
    studio = make_studio()
    run = studio.add_run(n_stimuli=40)
    return Finished(studio, run, studio.report(run))

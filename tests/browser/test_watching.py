"""A training that is watched in `browse` while it goes on: the page grows without being loaded again."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerwise as lw
from layerwise.cli.browse import serving
from layerwise.cli.browse.reports import Reports
from layerwise.cli.browse.server import Site, make_application
from layerwise.demo.digits import load_digits
from layerwise.demo.network import build_network
from layerwise.storage import open_store

N_EPOCHS = 4


@dataclass
class Lesson:
    """A Keras training in a thread, recorded by the callback, that waits before each epoch until it may go on.

    Attributes:
        database: Where it is recorded.
        allowed: Gives one epoch each.
        failures: What it failed with.
    """

    database: Path
    allowed: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    failures: list[BaseException] = field(default_factory=list)

    def train(self) -> None:
        keras: Any = pytest.importorskip("keras")
        try:
            keras.utils.set_random_seed(0)
            learned, held_out = load_digits(40, seed=0)
            learned = learned.take(np.arange(320))
            model = build_network()
            model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
            probes = held_out.pixels[..., None], held_out.labels
            recorder = lw.keras.RecordRepresentations(probes, db=self.database, lineage="lesson")
            waits = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: self.allowed.acquire())
            pixels = learned.pixels[..., None].astype(np.float32)
            callbacks = [recorder, waits]
            model.fit(pixels, learned.labels, epochs=N_EPOCHS, batch_size=32, verbose=0, callbacks=callbacks)
        except BaseException as error:  # noqa: BLE001 - told by the test, in its own thread
            self.failures.append(error)


@pytest.fixture(scope="module")
def serve(eventually: Any) -> Iterator[Callable[[Any], str]]:
    """A function that serves a history, and gives the address."""
    import uvicorn

    from layerwise.plugins import load_plugins

    running: list[tuple[Any, threading.Thread, Reports]] = []

    def start(store: Any) -> str:
        reports = Reports(store, load_plugins)
        listener = serving.bind("127.0.0.1", 0)
        application = make_application(Site(store, load_plugins, reports), serving.answered_hosts("127.0.0.1"))
        server = uvicorn.Server(uvicorn.Config(application, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        eventually(lambda: server.started, bool)
        running.append((server, thread, reports))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for server, thread, reports in running:
        server.should_exit = True
        thread.join()
        reports.close()


def test_a_training_is_watched_while_it_goes_on(
    browser_page: Any, expect: Any, serve: Any, eventually: Any, overflow: Any, tmp_path: Path
) -> None:
    lesson = Lesson(tmp_path / "history.db")
    open_store(f"sqlite:///{lesson.database}").close()
    with open_store(f"sqlite:///{lesson.database}", read_only=True) as store:
        address = serve(store)
        page = browser_page(f"{address}/training?name=lesson", allowed=(address,))
        expect(page.locator("#state")).to_contain_text("waiting for a first checkpoint")
        page.evaluate("window.notLoadedAgain = true")
        thread = threading.Thread(target=lesson.train, daemon=True)
        thread.start()
        pictures, points = (
            page.locator("#strip button"),
            page.locator("#plot-dimension .series").first.locator("circle"),
        )
        for n_epochs in range(N_EPOCHS + 1):
            expect(pictures).to_have_count(n_epochs + 1)
            expect(points).to_have_count(n_epochs + 1)
            expect(page.locator("#facts")).to_contain_text(f"{n_epochs + 1} checkpoint")
            if n_epochs == 1:
                expect(page.locator("#plot-loss .series path")).not_to_have_count(0)
                before = page.locator("#matrix rect").evaluate_all(
                    "all => all.map((one) => one.getAttribute('fill'))"
                )
            lesson.allowed.release()
        thread.join()
        assert lesson.failures == []
        after = page.locator("#matrix rect").evaluate_all("all => all.map((one) => one.getAttribute('fill'))")
        assert len(after) == len(before)
        assert after != before
        assert page.evaluate("window.notLoadedAgain") is True
        assert overflow(page) <= 0
        page.get_by_role("link", name="Trainings").click()
        expect(page.get_by_role("link", name="lesson")).to_be_visible()
        page.get_by_role("link", name="lesson").click()
        expect(pictures).to_have_count(N_EPOCHS + 1)


@pytest.fixture(scope="module")
def trained(make_studio: Any, serve: Any) -> str:
    """The address of a history with a training of six checkpoints; in the last ones its output forgets."""
    studio = make_studio()
    for step in range(6):
        studio.add_run(
            run_id=f"run-{step}", n_stimuli=12, checkpoint=f"epoch-{step}", step=step, lineage="mine",
            learned=step / 5, tags={"loss": f"{1 / (step + 1):.3f}"},
        )  # fmt: skip
    return serve(studio.store)


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_whatever_shows_it(browser_page, expect, overflow, trained, width, scheme) -> None:
    page = browser_page(f"{trained}/training?name=mine", width, scheme, allowed=(trained,))
    expect(page.locator("#strip button")).to_have_count(6)
    expect(page.locator(".plot svg[role=img]").first).to_have_attribute("aria-label", re.compile("6 checkpoints"))
    assert overflow(page) <= 0


def test_alarms_are_set_in_the_page_and_kept_in_its_address(browser_page, expect, trained) -> None:
    page = browser_page(f"{trained}/training?name=mine", allowed=(trained,))
    expect(page.locator("#alarms")).to_contain_text("No alarm is on.")
    page.get_by_text("Set alarms").click()
    page.locator("#limits input[name=still]").fill("1")
    page.locator("#limits input[name=patience]").fill("1")
    expect(page.locator("#alarms .on").first).to_contain_text("still")
    expect(page).to_have_title(re.compile("^⚠ "))
    expect(page).to_have_url(re.compile(r"still=1&patience=1|patience=1&still=1"))
    page.reload()
    expect(page.locator("#alarms .on").first).to_contain_text("still")
    page.get_by_text("Set alarms").click()
    page.locator("#limits input[name=still]").fill("0")
    expect(page.locator("#alarms")).to_contain_text("No alarm is on.")
    expect(page).to_have_title(re.compile("^mine"))


def test_an_earlier_matrix_is_chosen_by_picture_or_slider_and_stays(browser_page, expect, trained) -> None:
    page = browser_page(f"{trained}/training?name=mine", allowed=(trained,))
    name = page.locator("#matrix-name")
    expect(name).to_have_text("epoch-5")
    page.get_by_role("button", name="epoch-1").click()
    expect(name).to_have_text("epoch-1")
    expect(page.get_by_role("button", name="epoch-1")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    expect(name).to_have_text("epoch-2")
    page.keyboard.press("End")
    expect(name).to_have_text("epoch-5")
    expect(page.locator("#matrix-words")).to_contain_text("the newest checkpoint is shown")


def test_a_layer_is_picked_out_of_all_curves(browser_page, expect, trained) -> None:
    page = browser_page(f"{trained}/training?name=mine", allowed=(trained,))
    button = page.locator("#legend").get_by_role("button", name="conv1")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    curves = page.locator("#plot-dimension .series")
    expect(page.locator("#plot-dimension .series.pale")).to_have_count(curves.count() - 1)
    expect(page.locator("#plot-loss .series.pale")).to_have_count(0)
    button.click()
    expect(page.locator("#plot-dimension .series.pale")).to_have_count(0)


def test_a_hostile_name_is_text(make_studio, serve, browser_page, expect) -> None:
    studio = make_studio()
    hostile = '"><img src=x onerror=alert(1)>'
    studio.add_run(run_id="run", n_stimuli=12, step=0, lineage=hostile, checkpoint=hostile)
    address = serve(studio.store)
    page = browser_page(f"{address}/trainings", allowed=(address,))
    page.locator("table.trainings a").click()
    expect(page.locator("#strip button")).to_have_count(1)
    assert page.locator("img").count() == 0
    expect(page.locator("h1")).to_have_text(hostile)

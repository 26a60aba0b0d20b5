"""The maps in a browser: they move from layer to layer, and say what lies where and how far that can be trusted."""

from __future__ import annotations

import csv
import io
import json
import re

import numpy as np
import pytest

from layerwise.core.history.records import LayerAddress


@pytest.fixture
def opened(finished, browser_page, reach):
    """The page, and the figure on it, ready."""
    page = browser_page(finished.path)
    return page, reach(page, ".map")


@pytest.fixture
def picture(opened, eventually):
    """A function that says what the canvas shows, with all of its photos.

    The page's clock stands still, and with it all that waits for a next frame; a look at the canvas is a frame later.
    """
    page, root = opened
    page.clock.install()
    page.clock.pause_at("2040-01-01")
    canvas = root.locator("canvas")

    def look() -> str:
        page.clock.run_for(50)
        return canvas.evaluate("(canvas) => canvas.dataset.state === 'done' && canvas.toDataURL()")

    return lambda: eventually(look, bool)


def map_data(page) -> dict:
    return json.loads(page.locator("script[id*='maps-stimuli'][id$='-data']").text_content())


def stored(finished, layer: str) -> np.ndarray:
    found = finished.studio.store.read_representation(LayerAddress(finished.run.id, layer))
    return found.correlation.astype(float)


def at_stimulus(page, root, layer: int, index: int) -> dict[str, float]:
    """Where on the canvas a stimulus lies."""
    points = map_data(page)["maps"][layer]["points"]
    extent = max(float(np.hypot(*point)) for point in points)
    side = root.locator("canvas").bounding_box()["width"]
    scale = side / 2 - min(24, side / 20)
    return {"x": side / 2 + points[index][0] / extent * scale, "y": side / 2 - points[index][1] / extent * scale}


def lonely(page, layer: int) -> int:
    """A stimulus that no other lies close to."""
    points = np.array(map_data(page)["maps"][layer]["points"])
    apart = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)) + 9 * np.eye(len(points))
    return int(apart.min(axis=1).argmax())


def test_the_slider_moves_from_layer_to_layer(finished, opened, picture, expect) -> None:
    page, root = opened
    main = [layer.name for layer in finished.studio.store.list_layers(finished.run.id) if layer.is_main]
    slider = root.locator("input[type=range]")
    assert slider.get_attribute("max") == str(len(main) - 1)
    before = picture()
    slider.focus()
    for layer in main[1:4]:
        page.keyboard.press("ArrowRight")
        expect(root).to_have_attribute("data-state", layer)
        expect(root.locator(".shown strong")).to_have_text(layer)
        expect(slider).to_have_attribute("aria-valuetext", layer)
        after = picture()
        assert after != before
        before = after
    root.locator("select[id$=-layer]").select_option(label="mixed3a/5x5")
    expect(root).to_have_attribute("data-state", "mixed3a/5x5")


@pytest.mark.usefixtures("picture")
def test_play_moves_on_by_itself_until_it_is_paused(opened, expect) -> None:
    page, root = opened
    root.get_by_role("button", name="Play").click()
    expect(root).to_have_attribute("data-state", "conv0")
    page.clock.run_for(2000)
    expect(root).to_have_attribute("data-state", "conv1")
    root.get_by_role("button", name="Pause").click()
    expect(root.get_by_role("button", name="Play")).to_have_attribute("aria-pressed", "false")
    page.clock.run_for(10_000)
    assert root.get_attribute("data-state") == "conv1"


@pytest.mark.usefixtures("picture")
def test_movement_is_a_movement_unless_it_is_not_wanted(opened, expect) -> None:
    page, root = opened
    page.emulate_media(reduced_motion="no-preference")
    root.locator("input[type=range]").focus()
    page.keyboard.press("End")
    expect(root).to_have_attribute("data-state", "moving")
    page.clock.run_for(500)
    assert root.get_attribute("data-state") == "moving"
    page.clock.run_for(1000)
    assert root.get_attribute("data-state") == "output"
    page.emulate_media(reduced_motion="reduce")
    page.keyboard.press("Home")
    expect(root).to_have_attribute("data-state", "input")


@pytest.mark.parametrize("width", [1440, 390])
def test_pointing_at_a_stimulus_shows_it_and_what_the_layer_finds_most_like_it(
    finished, browser_page, reach, expect, width
) -> None:
    page = browser_page(finished.path, width)
    root = reach(page, ".map")
    root.locator("select[id$=-layer]").select_option(label="conv2")
    expect(root).to_have_attribute("data-state", "conv2")
    place = int(root.locator("select[id$=-layer]").input_value())
    index = lonely(page, place)
    root.locator("canvas").hover(position=at_stimulus(page, root, place, index))
    stimuli = finished.studio.store.list_stimuli(finished.run.id)
    expect(root.locator(".closer .name")).to_have_text(stimuli[index].name)
    expect(root.locator(".closer img")).to_have_count(1)
    expect(root.locator(".met .label")).to_have_text(stimuli[index].label)
    row = stored(finished, "conv2")[index].copy()
    row[index] = -2
    best = np.sort(row)[::-1][:5]
    shown = root.locator(".neighbours li small").all_inner_texts()
    values = [float(re.search(r"= (−?[\d.]+)", words)[1].replace("−", "-")) for words in shown]
    np.testing.assert_allclose(values, best, atol=0.01)


def test_arrow_keys_go_from_stimulus_to_stimulus(opened, expect, eventually) -> None:
    page, root = opened
    root.locator("canvas").focus()
    seen: list[str] = []
    for key in ("ArrowRight", "ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
        seen.append(eventually(root.locator(".met .name").inner_text, lambda name: name not in seen))
    expect(root.locator(".closer .name")).to_have_text(seen[-1])
    page.keyboard.press("Escape")
    expect(root.locator(".closer")).to_be_hidden()


def test_what_a_map_keeps_is_said_and_is_what_was_measured(finished, opened) -> None:
    page, root = opened
    found = map_data(page)["maps"][0]
    words = root.locator(".quality p").inner_text()
    assert f"stress {found['stress']:.2f}" in words
    assert f"keeps {100 * found['kept']:.0f} %" in words
    points = np.array(found["points"])
    triangle = np.triu_indices(40, 1)
    shown = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))[triangle]
    assert found["kept"] == pytest.approx(
        np.corrcoef(stored(finished, "input")[triangle], shown)[0, 1] ** 2, abs=0.001
    )


def test_stimuli_can_be_dots_coloured_by_label_confidence_or_answer(finished, opened, picture, expect) -> None:
    _, root = opened
    photos = picture()
    root.locator("label", has_text="dots").click()
    expect(root.locator("label", has_text="dots").locator("input")).to_be_checked()
    assert picture() != photos
    labels = sorted({stimulus.label for stimulus in finished.studio.store.list_stimuli(finished.run.id)})
    for colouring, words in (("label", labels), ("right", ["right", "wrong"]), ("confidence", None)):
        root.locator("select.colouring").select_option(colouring)
        expect(root.locator(".key li")).to_have_text(words or ["0 %", "25 %", "50 %", "75 %", "100 %"])
    root.locator("select.colouring").select_option("plain")
    expect(root.locator(".key li")).to_have_count(0)


def test_without_pictures_the_stimuli_are_dots(make_studio, browser_page, reach, eventually) -> None:
    studio = make_studio()
    run = studio.add_run(n_stimuli=20, pictures=False, constant=(2,))
    root = reach(browser_page(studio.report(run, sections=["maps"])), ".map")
    assert root.locator("label", has_text="photos").count() == 0
    assert root.locator(".key li").count() == 6
    assert "19 stimuli; 1 with constant activations lie" in root.locator(".shown").inner_text()
    pixels = (
        "(canvas) => new Set(new Uint32Array(canvas.getContext('2d', { willReadFrequently: true })"
        ".getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size"
    )
    eventually(lambda: root.locator("canvas").evaluate(pixels), lambda colours: colours > 6)


def test_zooming_and_dragging_move_what_is_shown(opened, picture, eventually) -> None:
    page, root = opened
    canvas = root.locator("canvas")
    before = picture()
    root.get_by_role("button", name="Zoom in").click()
    assert picture() != before

    def unmarked() -> str:
        page.keyboard.press("Escape")
        return picture()

    canvas.focus()
    magnified = unmarked()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 260, steps=4)
    page.mouse.up()
    eventually(unmarked, lambda now: now != magnified)


def test_the_table_holds_every_point_of_every_layer(finished, opened) -> None:
    page, root = opened
    with page.expect_download() as caught:
        page.locator("figure", has=root).locator(".download[data-kind=csv]").click()
    rows = list(csv.DictReader(io.StringIO(caught.value.path().read_text(encoding="utf-8"))))
    layers = finished.studio.store.list_layers(finished.run.id)
    assert len(rows) == 40 * len(layers)
    assert {row["layer"] for row in rows} == {layer.name for layer in layers}
    assert all(abs(float(row["x"])) < 4 for row in rows)


@pytest.mark.parametrize("width", [1440, 390])
def test_the_map_of_the_layers_names_its_layers_where_there_is_room(finished, browser_page, reach, width) -> None:
    page = browser_page(finished.path, width)
    chart = reach(page, "figure[id*='maps-layers'] .chart")
    written = [text.text_content() for text in chart.locator(".mark-text.role-mark text").all() if text.is_visible()]
    assert "input" in written
    if width == 1440:
        main = {layer.name for layer in finished.studio.store.list_layers(finished.run.id) if layer.is_main}
        assert set(written) == main
    assert "stress 0." in page.locator("figure[id*='maps-layers'] .method").inner_text()

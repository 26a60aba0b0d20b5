"""The maps in a browser: they move from layer to layer, and say what lies where and how far that can be trusted."""

from __future__ import annotations

import csv
import io
import json
import re

import numpy as np
import pytest

from layerwise.core.records import LayerAddress


@pytest.fixture
def opened(finished, browser_page):
    """The page, without movement, and the figure on it, ready."""
    page = browser_page(finished.path)
    page.emulate_media(reduced_motion="reduce")
    root = page.locator(".map")
    root.scroll_into_view_if_needed()
    page.locator(".map[data-state=input]").wait_for()
    return page, root


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


def test_the_slider_moves_from_layer_to_layer(finished, opened) -> None:
    page, root = opened
    main = [layer.name for layer in finished.studio.store.list_layers(finished.run.id) if layer.is_main]
    slider = root.locator("input[type=range]")
    assert slider.get_attribute("max") == str(len(main) - 1)
    picture = "(canvas) => canvas.toDataURL()"
    before = root.locator("canvas").evaluate(picture)
    slider.focus()
    for layer in main[1:4]:
        page.keyboard.press("ArrowRight")
        page.locator(f".map[data-state='{layer}']").wait_for()
        assert root.locator(".shown strong").inner_text() == layer
        assert slider.get_attribute("aria-valuetext") == layer
        after = root.locator("canvas").evaluate(picture)
        assert after != before
        before = after
    root.locator("select[id$=-layer]").select_option(label="mixed3a/5x5")
    page.locator(".map[data-state='mixed3a/5x5']").wait_for()


def test_play_moves_on_by_itself_until_it_is_paused(opened) -> None:
    page, root = opened
    button = root.get_by_role("button", name="Play")
    button.click()
    page.locator(".map[data-state='conv1']").wait_for(timeout=15_000)
    root.get_by_role("button", name="Pause").click()
    state = root.get_attribute("data-state")
    page.wait_for_timeout(2200)
    assert root.get_attribute("data-state") == state
    assert root.get_by_role("button", name="Play").get_attribute("aria-pressed") == "false"


def test_movement_is_a_movement_unless_it_is_not_wanted(finished, browser_page) -> None:
    page = browser_page(finished.path)
    page.emulate_media(reduced_motion="no-preference")
    root = page.locator(".map")
    root.scroll_into_view_if_needed()
    page.locator(".map[data-state=input]").wait_for()
    root.locator("input[type=range]").focus()
    page.keyboard.press("End")
    page.locator(".map[data-state=moving]").wait_for()
    page.locator(".map[data-state=output]").wait_for()
    page.emulate_media(reduced_motion="reduce")
    page.keyboard.press("Home")
    page.locator(".map[data-state=input]").wait_for(timeout=500)


@pytest.mark.parametrize("width", [1440, 390])
def test_pointing_at_a_stimulus_shows_it_and_what_the_layer_finds_most_like_it(finished, browser_page, width) -> None:
    page = browser_page(finished.path, width)
    page.emulate_media(reduced_motion="reduce")
    root = page.locator(".map")
    root.scroll_into_view_if_needed()
    root.locator("select[id$=-layer]").select_option(label="conv2")
    page.locator(".map[data-state=conv2]").wait_for()
    place = int(root.locator("select[id$=-layer]").input_value())
    index = lonely(page, place)
    root.locator("canvas").hover(position=at_stimulus(page, root, place, index))
    root.locator(".closer .name").wait_for()
    stimuli = finished.studio.store.list_stimuli(finished.run.id)
    assert root.locator(".closer .name").inner_text() == stimuli[index].name
    assert root.locator(".closer img").count() == 1
    assert root.locator(".met .label").inner_text() == stimuli[index].label
    row = stored(finished, "conv2")[index].copy()
    row[index] = -2
    best = np.sort(row)[::-1][:5]
    shown = root.locator(".neighbours li small").all_inner_texts()
    values = [float(re.search(r"= (−?[\d.]+)", words)[1].replace("−", "-")) for words in shown]
    np.testing.assert_allclose(values, best, atol=0.01)


def test_arrow_keys_go_from_stimulus_to_stimulus(opened) -> None:
    page, root = opened
    root.locator("canvas").focus()
    seen = set()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
        page.wait_for_timeout(150)
        seen.add(root.locator(".met .name").inner_text())
    assert len(seen) == 3
    page.keyboard.press("Escape")
    assert root.locator(".closer").is_hidden()


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


def test_stimuli_can_be_dots_coloured_by_label_confidence_or_answer(finished, opened) -> None:
    page, root = opened
    photos = root.locator("canvas").evaluate("(canvas) => canvas.toDataURL()")
    root.locator("label", has_text="dots").click()
    page.wait_for_timeout(200)
    assert root.locator("canvas").evaluate("(canvas) => canvas.toDataURL()") != photos
    labels = sorted({stimulus.label for stimulus in finished.studio.store.list_stimuli(finished.run.id)})
    for colouring, words in (("label", labels), ("right", ["right", "wrong"]), ("confidence", None)):
        root.locator("select.colouring").select_option(colouring)
        shown = root.locator(".key li").all_inner_texts()
        assert shown == words if words else shown[0] == "0 %"
    root.locator("select.colouring").select_option("plain")
    assert root.locator(".key li").count() == 0


def test_without_pictures_the_stimuli_are_dots(make_studio, browser_page) -> None:
    studio = make_studio()
    run = studio.add_run(n_stimuli=20, pictures=False, constant=(2,))
    page = browser_page(studio.report(run, sections=["maps"]))
    root = page.locator(".map")
    root.scroll_into_view_if_needed()
    page.locator(".map[data-state=input]").wait_for()
    assert root.locator("label", has_text="photos").count() == 0
    assert root.locator(".key li").count() == 6
    assert "19 stimuli; 1 with constant activations lie" in root.locator(".shown").inner_text()
    colours = root.locator("canvas").evaluate(
        "(canvas) => new Set(new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)"
        ".data.buffer)).size"
    )
    assert colours > 6


def test_zooming_and_dragging_move_what_is_shown(opened) -> None:
    page, root = opened
    picture = "(canvas) => canvas.toDataURL()"
    canvas = root.locator("canvas")
    before = canvas.evaluate(picture)
    root.get_by_role("button", name="Zoom in").click()
    page.wait_for_timeout(150)
    magnified = canvas.evaluate(picture)
    assert magnified != before
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 260, steps=4)
    page.mouse.up()
    page.wait_for_timeout(150)
    assert canvas.evaluate(picture) != magnified


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
def test_the_map_of_the_layers_names_its_layers_where_there_is_room(finished, browser_page, width) -> None:
    page = browser_page(finished.path, width)
    chart = page.locator("figure[id*='maps-layers'] .chart")
    chart.scroll_into_view_if_needed()
    written = [text.text_content() for text in chart.locator(".mark-text.role-mark text").all() if text.is_visible()]
    assert "input" in written
    if width == 1440:
        main = {layer.name for layer in finished.studio.store.list_layers(finished.run.id) if layer.is_main}
        assert set(written) == main
    assert "stress 0." in page.locator("figure[id*='maps-layers'] .method").inner_text()

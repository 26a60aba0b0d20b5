"""The matrices in a browser: what is shown is what is stored, in the order and on the scale that were chosen."""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import pytest

from layerwise.core.history.records import LayerAddress
from layerwise.core.host.kinds import Metric


def shown_pair(root) -> tuple[list[str], str]:
    """Names of the pair beside the matrix, and what is said of it."""
    names = root.locator(".pair .name").all_inner_texts()
    return names, root.locator(".pair .value").inner_text()


def value_of(words: str) -> tuple[float, float]:
    """`r = −0.62 ± 0.01` as a number and what it may be off by."""
    found = re.search(r"= (−?[\d.]+) ± ([\d.]+)", words)
    assert found, words
    return float(found[1].replace("−", "-")), float(found[2])


def order_by(page, root, order: str) -> None:
    root.locator(".orders label", has_text=order).click()
    page.locator(f".matrices[data-state*='|{order}|']").wait_for()


PICTURE = "(canvas) => canvas.toDataURL()"


@pytest.fixture
def opened(finished, browser_page, reach):
    """The page, and the figure on it, ready."""
    page = browser_page(finished.path)
    return page, reach(page, ".matrices")


def stored(finished, layer: str) -> np.ndarray:
    return finished.studio.store.read_representation(LayerAddress(finished.run.id, layer)).correlation


def test_pointing_at_a_cell_shows_its_pair_and_the_stored_value(finished, opened, expect) -> None:
    page, root = opened
    names = [stimulus.name for stimulus in finished.studio.store.list_stimuli(finished.run.id)]
    for order, layer in (("order of the set", "input"), ("output", "conv1")):
        order_by(page, root, order)
        root.locator("select.layer").select_option(label=layer)
        page.locator(f".matrices[data-state^='{layer}|']").wait_for()
        for row, column in ((0, 1), (30, 12)):
            side = root.locator("canvas.matrix").bounding_box()["width"]
            at = {"x": (column + 0.5) / 40 * side, "y": (row + 0.5) / 40 * side}
            root.locator("canvas.matrix").hover(position=at)
            place = rf"left: {100 * (column + 0.5) / 40:g}%; top: {100 * (row + 0.5) / 40:g}%"
            expect(root.locator(".cursor")).to_have_attribute("style", re.compile(place))
            shown, words = shown_pair(root)
            if order == "order of the set":
                assert shown == [names[row], names[column]]
            value, off = value_of(words)
            exact = stored(finished, layer)[names.index(shown[0]), names.index(shown[1])]
            assert abs(value - exact) <= off
            assert off < 0.01


def test_arrow_keys_move_from_pair_to_pair_and_the_diagonal_is_the_stimulus_itself(finished, opened, expect) -> None:
    page, root = opened
    names = [stimulus.name for stimulus in finished.studio.store.list_stimuli(finished.run.id)]
    order_by(page, root, "order of the set")
    root.locator("canvas.matrix").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    expect(root.locator(".pair .name")).to_have_text([names[1], names[2]])
    page.keyboard.press("ArrowDown")
    expect(root.locator(".pair .value")).to_have_text("the same stimulus")


def test_the_order_of_any_main_layer_can_be_chosen_and_all_matrices_follow(
    finished, opened, expect, eventually
) -> None:
    _, root = opened
    before = root.locator("canvas.matrix").evaluate(PICTURE)
    tile = root.locator("[data-matrix='3'] canvas")
    expect(tile).to_be_hidden()
    tile.locator("xpath=ancestor::details/summary").click()
    empty = tile.evaluate("(canvas) => canvas.cloneNode().toDataURL()")
    small = eventually(lambda: tile.evaluate(PICTURE), lambda drawn: drawn != empty)
    offered = root.locator("select.by option").all_inner_texts()
    main = [layer.name for layer in finished.studio.store.list_layers(finished.run.id) if layer.is_main]
    assert set(offered) == set(main) - {"input", "output"}
    root.locator("select.by").select_option(label="conv2")
    expect(root).to_have_attribute("data-state", "input|conv2|own")
    expect(root.locator(".orders input[value=layer]")).to_be_checked()
    assert root.locator("canvas.matrix").evaluate(PICTURE) != before
    eventually(lambda: tile.evaluate(PICTURE), lambda drawn: drawn != small)
    expect(root.locator(".shown")).to_contain_text("ordered by: conv2")


def test_a_layer_s_own_scale_ends_where_its_values_do(finished, opened) -> None:
    page, root = opened
    ends = root.locator(".legend p").first.locator("span")
    assert root.locator("input[value=own]").is_checked()
    root.locator("label", has_text="shared").click()
    page.locator(".matrices[data-state$='|shared']").wait_for()
    assert ends.all_inner_texts() == ["−1", "0", "1"]
    root.locator("label", has_text="per layer").click()
    page.locator(".matrices[data-state$='|own']").wait_for()
    low, _, high = ends.all_inner_texts()
    values = np.sort(np.abs(stored(finished, "input")[np.triu_indices(40, 1)]))
    assert high.startswith("≥ ")
    assert float(high.removeprefix("≥ ")) == pytest.approx(values[-3], abs=0.03)
    assert low.removeprefix("≤ ").removeprefix("−") == high.removeprefix("≥ ")


def test_next_before_and_the_small_matrices_choose_the_layer(opened) -> None:
    page, root = opened
    root.get_by_role("button", name="Next layer").click()
    page.locator(".matrices[data-state^='conv0|']").wait_for()
    root.get_by_role("button", name="Layer before").click()
    page.locator(".matrices[data-state^='input|']").wait_for()
    root.locator(".multiples summary").first.click()
    root.locator(".grid button", has_text="mixed3a").first.click()
    page.locator(".matrices[data-state^='mixed3a|']").wait_for()
    assert root.locator("select.layer option:checked").inner_text() == "mixed3a"
    assert root.locator(".grid button[aria-pressed=true]").inner_text() == "mixed3a"


def test_the_table_of_a_matrix_is_what_is_stored(finished, opened) -> None:
    page, root = opened
    with page.expect_download() as caught:
        page.locator("figure", has=root).locator(".download[data-kind=csv]").click()
    rows = list(csv.reader(io.StringIO(caught.value.path().read_text(encoding="utf-8"))))
    names = [stimulus.name for stimulus in finished.studio.store.list_stimuli(finished.run.id)]
    places = [names.index(name) for name in rows[0][1:]]
    assert [names.index(row[0]) for row in rows[1:]] == places
    found = np.array([[float(cell) for cell in row[1:]] for row in rows[1:]])
    np.testing.assert_allclose(found, stored(finished, "input")[np.ix_(places, places)], atol=0.006)


@pytest.mark.parametrize(
    ("metric", "symbol"), [("euclidean", "euclidean"), ("cosine", "cos"), ("angular", "angular")]
)
def test_another_metric_has_its_own_legend_and_its_own_values(finished, browser_page, reach, metric, symbol) -> None:
    path = finished.studio.report(finished.run, sections=["matrices"], metric=metric)
    page = browser_page(path)
    root = reach(page, ".matrices")
    order_by(page, root, "order of the set")
    root.locator("canvas.matrix").focus()
    page.keyboard.press("ArrowRight")
    page.locator(".matrices .pair .two").wait_for()
    _, words = shown_pair(root)
    assert words.startswith(f"{symbol} = ")
    value, off = value_of(words)
    offer = next(found.offer for found in finished.studio.registry.all(Metric) if found.name == metric)
    exact = offer.compute(finished.studio.store.read_representation(LayerAddress(finished.run.id, "input")))
    assert abs(value - exact[0, 1]) <= off
    legend = root.locator(".legend").inner_text()
    assert offer.description in legend
    assert ("radians" in legend) == (metric == "angular")
    if metric == "euclidean":  # has no end, so each layer is shown on its own scale at first
        assert root.locator("input[value=own]").is_checked()
        root.locator("label", has_text="shared").click()
        page.locator(".matrices[data-state$='|shared']").wait_for()
        assert root.locator(".legend p span").first.inner_text() == "0"


def test_stimuli_of_which_nothing_is_defined_are_grey_and_said_to_be(
    make_studio, browser_page, reach, expect
) -> None:
    studio = make_studio()
    page = browser_page(studio.report(studio.add_run(n_stimuli=12, constant=(3,)), sections=["matrices"]))
    root = reach(page, ".matrices")
    order_by(page, root, "order of the set")
    assert "1 with constant activations (grey)" in root.locator(".shown").inner_text()
    root.locator("canvas.matrix").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(root.locator(".pair .value")).to_have_text("undefined")
    pixel = "(canvas) => [...canvas.getContext('2d').getImageData(3, 0, 1, 1).data]"
    assert root.locator("canvas.matrix").evaluate(pixel) == [154, 154, 154, 255]


@pytest.mark.parametrize("n_stimuli", [1, 2, 3])
def test_very_few_stimuli_without_pictures_are_shown_too(make_studio, browser_page, reach, n_stimuli) -> None:
    studio = make_studio()
    run = studio.add_run(n_stimuli=n_stimuli, pictures=False, class_names=["a"])
    sections = ["matrices", "maps", "explorer"][:n_stimuli]
    page = browser_page(studio.report(run, sections=sections))
    assert page.locator(".problem:visible").all_inner_texts() == []
    root = reach(page, ".matrices")
    assert root.locator("canvas.matrix").evaluate("(canvas) => canvas.width") == n_stimuli
    assert page.locator("img").count() == 0

"""Look closer, in a browser: two layers pair by pair, and the pairs that changed most, against the history."""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import pytest

from layerwise.core.history.records import LayerAddress


@pytest.fixture
def opened(finished, browser_page, reach):
    """The page, and the figure on it, ready."""
    page = browser_page(finished.path)
    return page, reach(page, ".explorer")


def stored(finished, layer: str) -> np.ndarray:
    found = finished.studio.store.read_representation(LayerAddress(finished.run.id, layer))
    return found.correlation.astype(float)


def correlation(finished, *layers: str) -> float:
    triangle = np.triu_indices(finished.run.n_stimuli, 1)
    return float(np.corrcoef(*(stored(finished, layer)[triangle] for layer in layers))[0, 1])


def numbers(text: str) -> list[float]:
    return [float(found.replace("−", "-")) for found in re.findall(r"−?\d+\.\d+", text)]


def choose(page, root, across: str, up: str) -> None:
    root.locator(".across select").select_option(label=across)
    root.locator(".up select").select_option(label=up)
    page.locator(f".explorer[data-state='{across}|{up}']").wait_for()


@pytest.mark.parametrize("layers", [("input", "output"), ("conv1", "mixed3a"), ("mixed3b/5x5", "conv0")])
def test_the_r_of_two_layers_is_that_of_the_stored_matrices(finished, opened, layers) -> None:
    page, root = opened
    choose(page, root, *layers)
    assert numbers(root.locator(".shown strong").inner_text()) == [
        pytest.approx(correlation(finished, *layers), abs=0.00051)
    ]
    assert "over 780 pairs" in root.locator(".shown").inner_text()
    titles = root.locator(".axes .title").all_text_contents()
    assert titles == [f"{layers[0]}: r", f"{layers[1]}: r"]


def test_the_pairs_that_are_listed_have_the_stored_values(finished, opened, expect) -> None:
    page, root = opened
    choose(page, root, "input", "output")
    names = [stimulus.name for stimulus in finished.studio.store.list_stimuli(finished.run.id)]
    for kind in ("parted", "joined"):
        cards = root.locator(f".changed .{kind} button").all()
        assert len(cards) == 6
        for card in cards:
            card.focus()
            expect(card).to_have_class(re.compile(r"\bon\b"))
            first, second = (names.index(name) for name in root.locator(".pair .name").all_inner_texts())
            exact = [stored(finished, layer)[first, second] for layer in ("input", "output")]
            assert numbers(card.locator(".change").inner_text()) == pytest.approx(exact, abs=0.00051)
            assert numbers(root.locator(".pair .values").inner_text()) == pytest.approx(exact, abs=0.00051)
            assert (exact[0] > exact[1]) == (kind == "parted")
    expect(root.locator(".rings .on")).to_have_count(1)


def test_pointing_at_a_ring_finds_its_pair_in_the_scatter(finished, opened, eventually) -> None:
    page, root = opened
    choose(page, root, "input", "output")
    names = [stimulus.name for stimulus in finished.studio.store.list_stimuli(finished.run.id)]
    left, top = root.locator("canvas.scatter").evaluate("(canvas) => [canvas.offsetLeft, canvas.offsetTop]")
    chosen = root.locator(".rings .chosen")
    centre = "(circle) => circle && ['cx', 'cy'].map((name) => Number(circle.getAttribute(name)))"
    for x, y in [ring.evaluate(centre) for ring in root.locator(".rings g circle").all()[:4]]:
        root.locator("canvas.scatter").hover(position={"x": x - left, "y": y - top})
        eventually(lambda: chosen.evaluate(centre), lambda at, x=x, y=y: np.hypot(at[0] - x, at[1] - y) < 16)
        first, second = (names.index(name) for name in root.locator(".pair .name").all_inner_texts())
        shown = numbers(root.locator(".pair .values").inner_text())
        for layer, value, off in zip(("input", "output"), shown[::2], shown[1::2], strict=True):
            assert abs(value - stored(finished, layer)[first, second]) <= off
        assert root.locator(".pair img").count() == 2


def test_swapping_turns_everything_round(opened, expect) -> None:
    page, root = opened
    choose(page, root, "input", "output")
    parted = root.locator(".changed .parted .names").all_inner_texts()
    root.get_by_role("button", name="Swap").click()
    page.locator(".explorer[data-state='output|input']").wait_for()
    expect(root.locator(".changed .joined .names")).to_have_text(parted)
    expect(root.locator(".changed h4")).to_have_text(
        ["More alike in output than in input", "More alike in input than in output"]
    )


def test_a_layer_with_itself_has_no_changes(opened) -> None:
    page, root = opened
    choose(page, root, "conv0", "conv0")
    assert root.locator(".shown strong").inner_text() == "r = 1.000"
    assert root.locator(".changed button").count() == 0
    assert root.locator(".changed .hint").first.inner_text() == "This is the same layer twice."


def test_keys_move_through_the_scatter_and_buttons_through_the_layers(opened, expect, eventually) -> None:
    page, root = opened
    root.locator("canvas.scatter").focus()
    before = root.locator(".pair").inner_text()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
        before = eventually(root.locator(".pair").inner_text, lambda now, before=before: now != before)
    expect(root.locator(".pair .values")).to_have_count(1)
    root.locator(".across").get_by_role("button", name="next layer").click()
    page.locator(".explorer[data-state='conv0|output']").wait_for()
    expect(root.locator(".pair .values")).to_have_count(0)


@pytest.mark.parametrize("width", [1440, 390])
def test_a_cell_of_the_layer_matrix_leads_to_its_pairs(
    finished, browser_page, reach, overflow, eventually, width
) -> None:
    page = browser_page(finished.path, width)
    chart = reach(page, "figure[id*='layer-matrix'] .chart.leads:visible")
    cell = chart.locator(".mark-rect path[aria-label*='conv1'][aria-label*='mixed3b']").first
    words = cell.get_attribute("aria-label") or ""
    cell.click(force=True)
    page.locator(".explorer[data-state*='conv1'][data-state*='mixed3b']").wait_for()
    state = page.locator(".explorer").get_attribute("data-state")
    assert numbers(page.locator(".explorer .shown strong").inner_text())[0] == pytest.approx(
        correlation(finished, "conv1", "mixed3b"), abs=0.00051
    )
    assert set(state.split("|")) == {"conv1", "mixed3b"}
    assert "conv1" in words
    eventually(lambda: page.locator(".explorer").bounding_box()["y"], lambda top: top < 500)
    assert overflow(page) == 0


def test_the_tables_hold_what_is_listed_and_every_pair(finished, opened) -> None:
    page, root = opened
    choose(page, root, "input", "output")
    with (
        page.expect_download(lambda file: "changed" in file.suggested_filename) as first,
        page.expect_download(lambda file: "pairs" in file.suggested_filename) as second,
    ):
        page.locator("figure", has=root).locator(".download[data-kind=csv]").click()
    changed, pairs = (
        list(csv.reader(io.StringIO(caught.value.path().read_text(encoding="utf-8")))) for caught in (first, second)
    )
    names = [stimulus.name for stimulus in finished.studio.store.list_stimuli(finished.run.id)]
    assert len(changed) == 13
    for row in changed[1:]:
        place = (names.index(row[2]), names.index(row[3]))
        exact = [stored(finished, layer)[place] for layer in ("input", "output")]
        assert [float(cell) for cell in row[4:6]] == pytest.approx(exact, abs=1e-6)
    assert len(pairs) == 1 + 780
    found = np.array([[float(cell) for cell in row[2:]] for row in pairs[1:]])
    triangle = np.triu_indices(40, 1)
    np.testing.assert_allclose(found[:, 0], stored(finished, "input")[triangle], atol=0.006)


def test_strangers_names_are_text_in_every_figure_about_stimuli(
    make_studio, browser_page, reach, expect, fake
) -> None:
    from dataclasses import replace

    studio = make_studio()
    bad = '"><script>alert(1)</script>.jpg'
    layers = fake.make_layers()
    layers[1] = replace(layers[1], name="</script><b>x</b>")
    names = [bad, *(f"<img src=x onerror=alert({i})>" for i in range(19))]
    labels = ('a "quoted"\nname', "<b>bold</b>", "\u202eشعر", "it's")
    run = studio.add_run(n_stimuli=20, layers=layers, names=names, class_names=labels)
    page = browser_page(studio.report(run, sections=["explorer", "maps", "matrices"]))
    root = reach(page, ".explorer")
    root.locator(".across select").select_option(label="</script><b>x</b>")
    page.locator(".explorer[data-state^='</script><b>x</b>|']").wait_for()
    assert "</script><b>x</b>" in root.locator(".shown").inner_text()
    root.locator(".changed button").first.focus()
    expect(root.locator(".pair .name")).to_have_count(2)
    for focused, named in ((".map canvas", ".map .met .name"), ("canvas.matrix", ".matrices .two .name")):
        page.locator(focused).focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.locator(named).first.wait_for()
    shown = (
        page.locator(".matrices .pair .name").all_inner_texts() + page.locator(".map .met .name").all_inner_texts()
    )
    assert len(shown) == 3
    assert all(name in names for name in shown)
    assert page.locator("main b, main script:not([type='application/json'])").count() == 0


def test_pairs_that_are_undefined_in_a_layer_are_left_out_and_counted(make_studio, browser_page, reach) -> None:
    studio = make_studio()
    page = browser_page(studio.report(studio.add_run(n_stimuli=12, constant=(3,)), sections=["explorer"]))
    root = reach(page, ".explorer")
    words = root.locator(".shown").inner_text()
    assert "over 55 pairs" in words
    assert "11 are undefined" in words


def test_each_of_two_runs_has_a_figure_of_its_own_and_cells_lead_to_the_right_one(
    make_studio, browser_page, reach
) -> None:
    studio = make_studio()
    runs = [studio.add_run(n_stimuli=12, learned=step / 2, lineage="a", step=step, key=f"k{step}") for step in (1, 2)]
    page = browser_page(studio.report(*runs, sections=["layer-matrix", "explorer"]))
    reach(page, f".explorer[data-run='{runs[0].id}']")
    charts = page.locator(".chart.leads:visible")
    assert charts.count() == 2
    charts.nth(1).locator(".mark-rect path[aria-label*='conv1'][aria-label*='conv2']").first.click(force=True)
    second = page.locator(f".explorer[data-run='{runs[1].id}']")
    page.locator(f".explorer[data-run='{runs[1].id}'][data-state*='conv1'][data-state*='conv2']").wait_for()
    assert "conv1" in second.locator(".shown").inner_text()
    first = page.locator(f".explorer[data-run='{runs[0].id}']")
    assert first.get_attribute("data-state") in (None, "input|output")
    assert page.locator("script[id^='atlas-']").count() == 2
    assert page.locator("script[id^='pictures-']").count() == 1

"""Names from outside mean harm: in a browser they are shown as text, and do nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

PHOTO = '"><script>alert(1)</script>.jpg'
LAYER = "</script>"
LAYERS = {"conv0": LAYER, "conv1": "<img src=x onerror=alert(2)>", "mixed3a": "a[b].c 'd' \"e\""}
LABELS = ('a "quoted"\nname', "<b onclick=alert(3)>bold</b>", "\u202eشعر", "it's", "=1+1", "&amp;<!--")
TAGS = {"</td><script>alert(4)</script>": "\u2028'\"><svg onload=alert(5)>"}
COMMAND = "layerwise run '</script><script>alert(6)</script>' \\\n --x"
MODEL = "</title><script>alert(7)</script>"
CHECKPOINTS = ("</bdi><script>alert(8)</script>", "\u202eepoch\t2")


def hostile_layers(fake):
    layers = [replace(layer, name=LAYERS.get(layer.name, layer.name)) for layer in fake.make_layers()]
    names = {layer.block for layer in layers if layer.block}
    assert "mixed3a" in names
    return [replace(layer, block=LAYERS.get(layer.block, layer.block)) for layer in layers]


def add_hostile(studio, run_id: str = "0123456789ab", **more):
    fake = studio.fake
    model = replace(fake.make_model(), name=MODEL, source="<s>.h5", class_names=LABELS)
    names = [PHOTO, *(f"p{index}<img src=x onerror=alert(9)>" for index in range(29))]
    return studio.add_run(
        run_id=run_id,
        n_stimuli=30,
        names=names,
        class_names=LABELS,
        layers=hostile_layers(fake),
        model=model,
        stimuli_name="<i>set</i>",
        tags=TAGS,
        command=COMMAND,
        **more,
    )


@pytest.fixture(scope="module")
def single(make_studio):
    studio = make_studio()
    return studio.report(add_hostile(studio))


@pytest.fixture(scope="module")
def training(make_studio):
    studio = make_studio()
    runs = [
        add_hostile(
            studio,
            f"run{step}",
            learned=float(step),
            seed=step,
            lineage="<u>lineage</u>",
            step=step,
            checkpoint=label,
        )
        for step, label in enumerate(CHECKPOINTS)
    ]
    return studio.report(*runs)


@pytest.mark.parametrize("width", [1440, 390])
def test_hostile_names_of_a_run_are_shown_as_text(single, browser_page, overflow, width) -> None:
    page = browser_page(single, width)
    text = page.evaluate("document.body.textContent")
    for name in (PHOTO, *LAYERS.values(), *LABELS, COMMAND, MODEL, "<i>set</i>", *TAGS, *TAGS.values()):
        assert name in text, name
    assert page.title().startswith(MODEL)
    assert page.locator("main script:not([type='application/json'])").count() == 0
    assert page.locator("[onerror], [onload], [onclick], svg svg image").count() == 0
    assert page.locator("img:not([src^='data:image/'])").count() == 0
    assert page.locator(".problem:visible").count() == 0
    assert overflow(page) == 0


def test_hostile_names_in_charts_are_labels(single, browser_page, reach, expect) -> None:
    page = browser_page(single)
    labels = page.locator("figure[id*='layer-matrix'] .chart:visible .role-axis-label text").all_text_contents()
    assert LAYER in labels
    reach(page, "figure[id*='layer-matrix'] .chart:visible")
    page.locator("figure[id*='layer-matrix'] .chart:visible .mark-text.role-mark text").nth(1).hover()
    tip = page.locator("#vg-tooltip-element")
    expect(tip).to_be_visible()
    expect(tip).to_contain_text(LAYER)
    assert tip.locator("img, script").count() == 0


def test_hostile_names_of_a_training_are_shown_as_text(training, browser_page) -> None:
    page = browser_page(training)
    text = page.evaluate("document.body.textContent")
    for name in (*CHECKPOINTS, LAYER, MODEL):
        assert name in text, name
    assert page.locator(".problem:visible").count() == 0


def test_hostile_names_are_harmless_in_a_spreadsheet(single, browser_page) -> None:
    page = browser_page(single)
    with page.expect_download() as caught:
        page.locator("figure[id*='gallery'] .download[data-kind=csv]").click()
    text = caught.value.path().read_text(encoding="utf-8")
    assert "'=1+1" in text
    assert '""><script>' in text
    assert not any(cell.startswith("=") for line in text.splitlines() for cell in line.split(","))

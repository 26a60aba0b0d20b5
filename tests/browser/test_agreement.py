"""What a report says is what the database holds: numbers read back out of the page, in the browser, and compared.

The expected numbers come from the store's rows and matrices, not from the report's queries.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from layerwise.core.history.records import LayerAddress


@pytest.fixture(scope="module")
def shown(finished, new_page):
    """All that is embedded in the page, by the id of its element, as its own script reads it."""
    page = new_page()
    page.goto(finished.path.as_uri())
    found = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('script[type=\"application/json\"]')]"
        ".map((element) => [element.id, JSON.parse(element.textContent)]))"
    )
    page.context.close()
    return found


def rows_of(shown, figure: str) -> list[dict]:
    """The data of a chart: its only dataset, or the largest."""
    spec = next(spec for name, spec in shown.items() if figure in name and name.endswith("-spec"))
    return max(spec["datasets"].values(), key=len)


@pytest.fixture(scope="module")
def triangles(finished):
    """Each layer's similarities of all pairs of stimuli, as stored."""
    store, run = finished.studio.store, finished.run
    upper = np.triu_indices(run.n_stimuli, 1)
    return {
        layer.name: store.read_representation(LayerAddress(run.id, layer.name)).correlation[upper].astype(np.float64)
        for layer in store.list_layers(run.id)
    }


def correlate(first, second) -> float:
    return float(np.corrcoef(first, second)[0, 1])


def test_the_layer_matrices_agree(shown, triangles, finished) -> None:
    for figure, n_layers in (("-layers-", 8), ("-layers-1-", 10), ("-layers-2-", 16)):
        name = f"{figure.rstrip('-')}-{finished.run.id}-spec"
        spec = next(spec for key, spec in shown.items() if key.endswith(name))
        rows = max(spec["datasets"].values(), key=len)
        assert len(rows) == n_layers**2
        for row in rows:
            expected = correlate(triangles[row["row"]], triangles[row["column"]])
            assert row["value"] == pytest.approx(expected, abs=1e-6)


def test_the_profile_and_its_steps_agree(shown, triangles, finished) -> None:
    main = [layer.name for layer in finished.studio.store.list_layers(finished.run.id) if layer.is_main]
    ends = {"to the input": "input", "to the output": "output"}
    curves = rows_of(shown, "-profile-")
    assert len(curves) == 2 * len(main)
    for row in curves:
        expected = correlate(triangles[row["layer"]], triangles[ends[row["series"]]])
        assert row["value"] == pytest.approx(expected, abs=1e-6)
        if row["low"] is not None:
            assert -1 <= row["low"] <= row["high"] <= 1
    assert sum(row["low"] is not None for row in curves) > len(main)
    steps = {row["layer"]: row for row in rows_of(shown, "-steps-")}
    sizes = {after: 1 - correlate(triangles[before], triangles[after]) for before, after in itertools.pairwise(main)}
    assert set(steps) == set(sizes)
    for layer, size in sizes.items():
        assert steps[layer]["change"] == pytest.approx(size, abs=1e-6)
        assert steps[layer]["share"] == pytest.approx(size / sum(sizes.values()), abs=1e-6)


@pytest.mark.parametrize(
    ("figure", "names"),
    [
        (
            "sparseness-sparseness",
            {
                "Treves-Rolls, over units": "sparseness-population",
                "Treves-Rolls, over stimuli": "sparseness-lifetime",
                "share of zeros": "fraction-zero",
                "Hoyer": "hoyer",
                "share of dead units": "fraction-dead",
            },
        ),
        (
            "dimension-dimension",
            {
                "participation ratio": "participation-ratio",
                "effective rank": "effective-rank",
                "intrinsic dimension (TwoNN)": "intrinsic-dimension",
            },
        ),
    ],
)
def test_the_statistics_agree(shown, finished, figure, names) -> None:
    stored = {
        (found.layer, found.result.name): found.result.value
        for found in finished.studio.store.read_statistics(finished.run.id)
    }
    rows = rows_of(shown, figure)
    main = [layer.name for layer in finished.studio.store.list_layers(finished.run.id) if layer.is_main]
    for row in rows:
        assert row["value"] == stored[row["layer"], names[row["series"]]]
    expected = {(la, n) for la in main for n in names.values() if stored.get((la, n)) is not None}
    assert {(row["layer"], names[row["series"]]) for row in rows} == expected


def test_the_gallery_agrees(finished, new_page) -> None:
    store, run = finished.studio.store, finished.run
    page = new_page()
    page.goto(finished.path.as_uri())
    cards = page.evaluate(
        "[...document.querySelectorAll('.card')].map((card) => [card.dataset.title, card.dataset.label,"
        " [...card.querySelectorAll('.bars > li')].map((bar) => [bar.querySelector('.class').textContent,"
        " Number(bar.dataset.value), bar.querySelector('.share').textContent])])"
    )
    page.context.close()
    stimuli = {stimulus.name: stimulus for stimulus in store.list_stimuli(run.id)}
    assert len(cards) == 24
    for title, label, bars in cards:
        assert stimuli[title].label == label
        ranked = sorted(
            (found for found in store.read_predictions(run.id) if found.position == stimuli[title].position),
            key=lambda found: found.rank,
        )
        assert [name for name, *_ in bars] == [found.class_name for found in ranked]
        for (_, share, words), found in zip(bars, ranked, strict=True):
            assert share == pytest.approx(found.probability, abs=1e-12)
            assert words == f"{100 * found.probability:.0f}%"


def test_the_histograms_of_the_weights_agree(shown, finished) -> None:
    rows = rows_of(shown, "weights-weights")
    for tensor in finished.studio.store.read_weights(finished.run.id):
        vector = next(found.vector for found in tensor.statistics if found.name == "weight-histogram")
        counts, edges = vector[:64], vector[64:]
        middles = (edges[:-1] + edges[1:]) / 2
        stored = dict(zip(middles, counts / counts.sum(), strict=True))
        here = [row for row in rows if row["tensor"] == tensor.name.removesuffix("/kernel")]
        assert here
        for row in here:
            assert stored[row["weight"]] == pytest.approx(row["share"], abs=1e-12)

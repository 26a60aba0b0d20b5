"""Everything that Layerwise itself offers passes the checks that plugin authors are given."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from layerwise import testing
from layerwise.core.host import kinds
from layerwise.plugins import KINDS, load_plugins
from layerwise.report.section import SectionBuilder

REGISTRY = load_plugins()
ARGUMENTS = {"block": ("block", "bl*"), "type": ("conv", "Dense"), "glob": ("block/3x3", "*", "output")}
NEED_OTHER_RUNS = {
    "models",
    "ablation",
    "compared",
    "recordings",
    "stimulus-sets",
}  # runs that the toy network has not
NO_PICTURES = {"text-file"}


def offers(kind: type[kinds.Offer]) -> list:
    """What Layerwise offers of a kind, as parameters; what other distributions offer is not ours to test."""
    found = [offer for offer in REGISTRY.all(kind) if offer.distribution == "layerwise"]
    return [pytest.param(offer.offer, id=offer.name) for offer in found]


@pytest.mark.parametrize("comparator", offers(kinds.Comparator))
def test_a_comparator_passes(comparator):
    testing.check_comparator(comparator)


@pytest.mark.parametrize("metric", offers(kinds.Metric))
def test_a_metric_passes(metric):
    testing.check_metric(metric)


@pytest.mark.parametrize("transform", offers(kinds.Transform))
def test_a_transform_passes(transform):
    testing.check_transform(transform)


@pytest.mark.parametrize("statistic", offers(kinds.Statistic))
def test_a_statistic_passes(statistic):
    testing.check_statistic(statistic)


@pytest.mark.parametrize("reorderer", offers(kinds.Reorderer))
def test_a_reorderer_passes(reorderer):
    testing.check_reorderer(reorderer)


@pytest.mark.parametrize("selector", offers(kinds.LayerSelector))
def test_a_selector_passes(selector):
    testing.check_selector(selector, ARGUMENTS.get(selector.name, ("",)))


@pytest.mark.parametrize("engine", offers(kinds.Engine))
def test_an_engine_passes(engine):
    testing.check_engine(engine)


@pytest.mark.parametrize("section", offers(SectionBuilder))
def test_a_section_passes(section):
    if section.name in NEED_OTHER_RUNS:
        pytest.skip("needs runs that the toy network does not give")
    testing.check_section(section)


@pytest.fixture
def photos(tmp_path):
    """A folder with photos in two sub-folders, a manifest of them, and an array."""
    rng = np.random.default_rng(0)
    for index in range(4):
        folder = tmp_path / "photos" / "ab"[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (30 + index, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    lines = [f"photos/{'ab'[index % 2]}/{index}.png,{'ab'[index % 2]}" for index in range(4)]
    (tmp_path / "manifest.csv").write_text("path,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    np.save(tmp_path / "array.npy", rng.integers(0, 256, (4, 20, 20, 3), dtype=np.uint8))
    return tmp_path


@pytest.mark.parametrize("source", offers(kinds.StimulusSource))
def test_a_source_passes(source, photos):
    if source.name in NO_PICTURES:
        pytest.skip("opens only what a model takes that takes no picture: tests/core/runs/test_other_inputs.py")
    places = [photos / name for name in ("photos", "manifest.csv", "array.npy")]
    mine = [str(place) for place in places if source.accepts(str(place))]
    assert mine
    for place in mine:
        testing.check_source(source, place)


def test_every_hook_has_a_check_and_every_check_is_tried_here():
    kinds_checked = {
        "model_loaders": testing.check_loader,  # on small networks in every format, in tests/plugins
        "stimulus_sources": testing.check_source,
        "layer_selectors": testing.check_selector,
        "transforms": testing.check_transform,
        "statistics": testing.check_statistic,
        "metrics": testing.check_metric,
        "comparators": testing.check_comparator,
        "reorderers": testing.check_reorderer,
        "engines": testing.check_engine,
        "report_sections": testing.check_section,
        "commands": testing.check_commands,  # Layerwise's own commands are no plugin's
    }
    assert list(kinds_checked) == list(KINDS)
    of_no_hook = {"check_arrays"}  # of a device's, in tests/core/runs/streaming
    checks = {name for name in testing.__all__ if name.startswith("check_")}
    assert checks - of_no_hook == {check.__name__ for check in kinds_checked.values()}

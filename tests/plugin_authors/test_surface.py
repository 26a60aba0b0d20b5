"""The public surface of Layerwise does not change unnoticed: what is written down of it is held to the code."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import surface

import layerwise

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "plugins"
PROVISIONAL = [
    "ArrayReader",
    "Arrays",
    "DecodedArrays",
    "Engine",
    "FileReader",
    "InputSet",
    "InputSpec",
    "LayerSink",
    "LayerSummary",
    "LocalEngine",
    "PartialSums",
    "Products",
    "StimuliReader",
    "StreamJob",
    "StreamedLayer",
    "Target",
]
REFRESH = "run `make surface`, and look at what it changes"


def test_the_surface_is_as_it_is_written_down():
    written = (DOCS / surface.SNAPSHOT).read_text(encoding="utf-8").splitlines()
    found = surface.describe_surface().splitlines()
    gone = [line for line in written if line not in found]
    new = [line for line in found if line not in written]
    assert written == found, f"the public surface has changed: {REFRESH}.\nGone: {gone}\nNew: {new}"


def test_the_table_of_names_and_the_signatures_in_the_docs_are_those_of_the_code():
    for path in DOCS.rglob("*.md"):
        page = path.read_text(encoding="utf-8")
        assert surface.write_signatures(surface.write_table(page)) == page, f"{path}: {REFRESH}"


def test_what_is_provisional_says_so_itself_and_so_in_the_table():
    table = (DOCS / surface.TABLE).read_text(encoding="utf-8")
    said = re.findall(r"^\| `([\w.]+)` \| .* Provisional until 1\.0\. \|$", table, re.MULTILINE)
    assert said == PROVISIONAL


def test_every_name_can_be_imported():
    for name in [*layerwise.__all__, "testing"]:
        assert getattr(layerwise, name, None) is not None or importlib.import_module(f"layerwise.{name}")
    with pytest.raises(AttributeError, match="attribute nothing"):
        layerwise.nothing  # noqa: B018


@pytest.mark.parametrize(
    "change",
    [
        lambda kind: setattr(kind, "compute", lambda self, representation, strict=False: None),
        lambda kind: setattr(kind, "another", lambda self: None),
        lambda kind: kind.__annotations__.update(extra="int"),
        lambda kind: setattr(kind, "needs_transform", "rank"),
    ],
    ids=["parameter", "method", "attribute", "default"],
)
def test_a_change_of_a_class_is_a_change_of_the_surface(change):
    kind = type(
        "Metric", (), dict(layerwise.Metric.__dict__) | {"__annotations__": {**layerwise.Metric.__annotations__}}
    )
    before = surface.describe("Metric", kind)
    change(kind)
    assert surface.describe("Metric", kind) != before


def test_a_name_that_is_added_is_a_change_of_the_surface(monkeypatch):
    before = surface.describe_surface()
    monkeypatch.setattr(layerwise, "__all__", [*layerwise.__all__, "Extra"])
    monkeypatch.setattr(layerwise, "Extra", int, raising=False)
    assert surface.describe_surface() != before


def test_a_name_keeps_the_version_since_which_it_is_public():
    page = "<!-- names -->\n| `Metric` | 0.0 | old |\n<!-- end -->\n"
    written = surface.write_table(page)
    assert "| `Metric` | 0.0 | First order" in written
    assert "| `Comparator` | 0.1 | Second order" in written

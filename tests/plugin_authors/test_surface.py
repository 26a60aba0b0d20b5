"""The public surface of Layerwise does not change unnoticed: what is written down of it is held to the code."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import surface

import layerwise
from layerwise import plugin

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "plugins"
PROVISIONAL = [
    "plugin.ArrayReader",
    "plugin.Arrays",
    "plugin.DecodedArrays",
    "plugin.Engine",
    "plugin.FileReader",
    "plugin.InputSet",
    "plugin.InputSpec",
    "plugin.LayerSink",
    "plugin.LayerSummary",
    "plugin.LocalEngine",
    "plugin.PartialSums",
    "plugin.Products",
    "plugin.StimuliReader",
    "plugin.StreamJob",
    "plugin.StreamedLayer",
    "plugin.Target",
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
    for name in plugin.__all__:
        assert getattr(plugin, name) is not None
    with pytest.raises(AttributeError, match="attribute nothing"):
        layerwise.nothing  # noqa: B018
    with pytest.raises(AttributeError, match="attribute nothing"):
        plugin.nothing  # noqa: B018


def test_a_notebook_sees_no_name_that_only_authors_of_plugins_need():
    both = set(layerwise.__all__) & set(plugin.__all__)
    assert both == {"InputError", "LayerwiseError", "open_history"}
    assert dir(layerwise) == sorted(layerwise.__all__)


def test_names_that_have_moved_are_found_where_they_were_and_say_where_they_are():
    moved = set(plugin.__all__) - set(layerwise.__all__)
    assert {"Metric", "hookimpl", "Representation", "read_caffemodel"} <= moved
    for name in sorted(moved):
        with pytest.warns(DeprecationWarning, match=rf"layerwise\.{name} has moved to layerwise\.plugin\.{name}; "):
            assert getattr(layerwise, name) is getattr(plugin, name)
    with pytest.warns(DeprecationWarning, match="layerwise.plugin.Comparator") as caught:
        from layerwise import Comparator
    assert Comparator is plugin.Comparator
    assert {warning.filename for warning in caught} == {__file__}


def test_nothing_of_our_own_uses_a_name_from_where_it_was():
    moved = "|".join(sorted(set(plugin.__all__) - set(layerwise.__all__), key=len, reverse=True))
    old = re.compile(
        rf"\b(?:lw|layerwise)\.(?:{moved})\b|^ *from layerwise import [^\n]*\b(?:{moved})\b", re.MULTILINE
    )
    places = [ROOT / name for name in ("layerwise", "docs", "benchmarks", "extensions", "README.md", "tools")]
    files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*"))]
    kept = {".py", ".md", ".jinja", ".ipynb"}
    ours = [file for file in files if file.suffix in kept and "build" not in file.relative_to(ROOT).parts]
    read = {file: file.read_text(encoding="utf-8") for file in ours}
    assert len(read) > 100
    assert [str(file) for file, text in read.items() if old.search(text)] == []


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
    kind = type("Metric", (), dict(plugin.Metric.__dict__) | {"__annotations__": {**plugin.Metric.__annotations__}})
    before = surface.describe("Metric", kind)
    change(kind)
    assert surface.describe("Metric", kind) != before


def test_a_name_that_is_added_is_a_change_of_the_surface(monkeypatch):
    before = surface.describe_surface()
    monkeypatch.setattr(plugin, "__all__", [*plugin.__all__, "Extra"])
    monkeypatch.setattr(plugin, "Extra", int, raising=False)
    assert surface.describe_surface() != before


def test_a_name_keeps_the_version_since_which_it_is_public():
    page = "<!-- names -->\n| `plugin.Metric` | 0.0 | old |\n<!-- end -->\n"
    written = surface.write_table(page)
    assert "| `plugin.Metric` | 0.0 | First order" in written
    assert "| `plugin.Comparator` | 0.1 | Second order" in written

"""CSV manifests."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from layerwise.core.base.errors import InputError, StimulusError
from layerwise.core.network.stimuli import Stimulus
from layerwise.plugins.sources.manifest import ManifestSource


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (4, 4), (9, 9, 9)).save(tmp_path / "photos" / name)
    return tmp_path / "list.csv"


def open_manifest(path: Path, text: str):
    path.write_text(text, encoding="utf-8")
    return ManifestSource().open(str(path))


def test_paths_are_relative_to_the_manifest_and_columns_are_found_by_name(manifest):
    listed = open_manifest(manifest, "label,path,name\ncat,photos/a.png,first\n,photos/b.png,\n")
    assert listed.stimuli == (Stimulus("first", "cat"), Stimulus("photos/b.png", None))
    assert listed.name == "list"
    assert (listed.decode(1, (4, 4), "squash").pixels == 9).all()


def test_without_a_column_called_path_the_first_one_counts(manifest):
    listed = open_manifest(manifest, "\ufefffile,label\nphotos/a.png,cat\n\n")
    assert listed.stimuli == (Stimulus("photos/a.png", "cat"),)


def test_a_first_line_that_is_an_image_is_no_header(manifest):
    listed = open_manifest(manifest, "photos/b.png\nphotos/a.png\n")
    assert [stimulus.name for stimulus in listed.stimuli] == ["photos/b.png", "photos/a.png"]


def test_a_missing_file_is_reported_with_its_line(manifest):
    listed = open_manifest(manifest, "path\nphotos/a.png\nphotos/gone.png\n")
    with pytest.raises(StimulusError, match=r"line 3, photos/gone.png: No such file"):
        listed.decode(1, (4, 4), "squash")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lists no images"),
        ("path,label\n", "lists no images"),
        ("path,label\n,cat\n", "line 2: no path"),
        ("path\na.png\nb.png\na.png\n", "line 4: 'a.png' is already on line 2"),
    ],
)
def test_a_manifest_that_is_not_as_it_must_be_says_where(manifest, text, message):
    with pytest.raises(InputError, match=message):
        open_manifest(manifest, text)


def test_a_manifest_that_is_no_text_is_a_clear_error(manifest):
    manifest.write_bytes(b"path\n\xff\xfe\n")
    with pytest.raises(InputError, match="not text in UTF-8"):
        ManifestSource().open(str(manifest))


def test_a_manifest_that_is_missing_is_a_clear_error(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        ManifestSource().open(str(tmp_path / "list.csv"))

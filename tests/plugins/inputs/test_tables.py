"""Tables of images as people write them: no row and no label vanishes, and what is not read is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from layerwise.core.base.errors import InputError
from layerwise.core.network.stimuli import StimulusSet
from layerwise.plugins.sources.folder import ImageFolderSource
from layerwise.plugins.sources.manifest import ManifestSource


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "x").mkdir()
    for name in ("a.jpg", "b.jpg", "p1", "p2", "p3", "x/a.jpg", "x/c.jpg", "a;b.jpg"):
        Image.new("RGB", (4, 4)).save(tmp_path / name, "JPEG")
    return tmp_path


def manifest(folder: Path, text: str) -> StimulusSet:
    (folder / "list.csv").write_text(text, encoding="utf-8")
    return ManifestSource().open(str(folder / "list.csv"))


def pairs(stimuli: StimulusSet) -> list[tuple[str, str | None]]:
    return [(stimulus.name, stimulus.label) for stimulus in stimuli.stimuli]


AB = [("a.jpg", "cat"), ("b.jpg", "dog")]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "head",
    ["", "path,label\n", "file,class\n", "Filename,Category\n", "image,y\n", "img,target\n", "picture,species\n"],
)
def test_labels_are_found_whatever_their_column_is_called(folder, head, separator):
    text = f"{head}a.jpg,cat\nb.jpg,dog\n".replace(",", separator)
    assert pairs(manifest(folder, text)) == AB


def test_a_label_column_may_come_first(folder):
    assert pairs(manifest(folder, "class,path\ncat,a.jpg\ndog,b.jpg\n")) == AB


def test_files_without_an_ending_need_no_header(folder):
    assert pairs(manifest(folder, "p1,x\np2,y\np3,z\n")) == [("p1", "x"), ("p2", "y"), ("p3", "z")]


def test_a_first_file_that_is_missing_is_no_header(folder):
    assert [name for name, _ in pairs(manifest(folder, "p0,x\np2,y\np3,z\n"))] == ["p0", "p2", "p3"]


def test_quotes_hold_a_separator(folder):
    assert pairs(manifest(folder, '"a.jpg","cat, tabby"\n"b.jpg",dog\n'))[0] == ("a.jpg", "cat, tabby")


def test_a_semicolon_in_a_name_is_no_separator(folder):
    assert [name for name, _ in pairs(manifest(folder, "a;b.jpg,cat\nb.jpg,dog\n"))] == ["a;b.jpg", "b.jpg"]


def test_columns_that_are_not_read_are_told(folder):
    stimuli = manifest(folder, "path,label,weight\na.jpg,cat,3\nb.jpg,dog,4\n")
    assert pairs(stimuli) == AB
    assert "column 'weight' is not read" in stimuli.notes[0]


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "list.csv")
    with pytest.raises(InputError, match="not a regular file"):
        ManifestSource().open(str(tmp_path / "list.csv"))


def test_a_table_with_nul_in_it_is_one_clear_line(folder):
    with pytest.raises(InputError, match="line 2 contains NUL"):
        manifest(folder, "a.jpg\nb\0.jpg\n")


def labelled(folder: Path, text: str) -> StimulusSet:
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    return ImageFolderSource().open(str(folder))


def test_a_label_is_not_given_to_a_file_of_the_same_name_elsewhere(folder):
    stimuli = labelled(folder, "name,label\na.jpg,cat\nb.jpg,dog\n")
    found = dict(pairs(stimuli))
    assert (found["a.jpg"], found["b.jpg"], found["x/a.jpg"]) == ("cat", "dog", None)
    assert any("has no label for 3 of 5 images" in note for note in stimuli.notes)


def test_a_bare_name_is_enough_where_only_one_file_is_called_so(folder):
    assert dict(pairs(labelled(folder, "c.jpg;owl\nb.jpg;dog\n")))["x/c.jpg"] == "owl"


def test_a_name_of_several_files_must_say_which(folder):
    (folder / "a.jpg").rename(folder / "x" / "d.jpg")
    (folder / "y").mkdir()
    Image.new("RGB", (4, 4)).save(folder / "y" / "a.jpg")
    with pytest.raises(InputError, match=r"line 1: 'a.jpg' may be 'x/a.jpg' or 'y/a.jpg'"):
        labelled(folder, "a.jpg,cat\nb.jpg,dog\n")


def test_rows_that_match_nothing_are_told(folder):
    stimuli = labelled(folder, "path,class\na.jpg,cat\ngone.jpg,dog\n")
    assert any("has 1 of 2 rows for images that are not there: gone.jpg" in note for note in stimuli.notes)


def test_files_that_are_passed_over_are_told(folder):
    (folder / "d.heic").write_bytes(b"x")
    stimuli = ImageFolderSource().open(str(folder))
    assert any(
        "passed over 4 of 9 files, which do not end like an image: d.heic, p1" in note for note in stimuli.notes
    )
    assert len(stimuli.stimuli) == 5

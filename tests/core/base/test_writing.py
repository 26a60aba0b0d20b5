import os

import pytest

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.base.writing import check_target, replacing


def test_a_file_is_replaced_once_its_new_content_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as target:
        target.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail_half_way():
        with replacing(path) as target:
            target.write_text("half")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - any will do
        fail_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link_and_the_file_behind_it_is_replaced(tmp_path):
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    link.symlink_to(real)
    with replacing(link) as target:
        target.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_a_full_disk_is_said_in_one_line_and_the_old_file_stays(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def run_out_of_space():
        with replacing(path):
            raise OSError(28, "No space left on device")

    with pytest.raises(LayerwiseError, match=r"cannot write .*a\.txt: No space left on device"):
        run_out_of_space()
    assert path.read_text() == "old"


def test_places_where_no_file_can_be_are_refused_before_the_work(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="no file that could be replaced"):
        check_target(pipe)
    with pytest.raises(InputError, match="a folder has that name"):
        check_target(tmp_path)
    with pytest.raises(InputError, match="there is no folder"):
        check_target(tmp_path / "missing" / "a.txt")

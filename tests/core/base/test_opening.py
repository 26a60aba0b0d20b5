"""Only regular files are opened, within their limits, and nothing unpacks to more than it may."""

from __future__ import annotations

import os
import socket
import zlib
from pathlib import Path

import pytest

from layerwise.core.base.errors import InputError
from layerwise.core.base.opening import check_regular, inflate, read_regular


@pytest.fixture(params=["pipe", "device", "endless link", "socket", "folder", "loop"])
def special(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "special"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "device":
        return Path("/dev/zero")
    elif request.param == "endless link":
        path.symlink_to("/dev/zero")
    elif request.param == "socket":
        monkeypatch.chdir(tmp_path)  # its path may have a hundred letters
        socket.socket(socket.AF_UNIX).bind("special")
    elif request.param == "folder":
        path.mkdir()
    else:
        path.symlink_to(path)
    return path


@pytest.mark.parametrize("opening", [check_regular, read_regular])
def test_what_is_no_regular_file_is_refused_and_not_waited_for(special: Path, opening: object) -> None:
    with pytest.raises(InputError, match=r"is not a regular file|symbolic links|No such device"):
        opening(special)  # type: ignore[operator]


def test_a_file_is_read_within_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 2**20)
    assert read_regular(path, 2**20) == b"x" * 2**20
    with path.open("ab") as file:
        file.truncate(2**40)  # a hole: as large as one likes on any disk
    with pytest.raises(InputError, match=r"has 1,048,576 MiB, more than the 1 MiB that it may have"):
        read_regular(path, 2**20)
    with pytest.raises(InputError, match="No such file"):
        read_regular(tmp_path / "missing")
    with pytest.raises(InputError, match="cannot be the name of a file"):
        read_regular(Path("a\0b"))


def test_what_unpacks_to_more_than_it_may_is_refused_before_it_is_there() -> None:
    packed = zlib.compress(bytes(2**28))
    assert inflate(zlib.compress(b"abc"), 3) == b"abc"
    for data, most in ((packed, 2**20), (zlib.compress(b"abcd"), 3), (packed[:-10], 2**29), (b"", 3)):
        with pytest.raises(zlib.error):
            inflate(data, most)

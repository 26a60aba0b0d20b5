"""Pipes, devices and links to them among a user's files end nothing and hold nothing up."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from layerwise.core.base.errors import InputError, StimulusError
from layerwise.interchange.files import read_file
from layerwise.plugins.loaders.caffe import read_caffemodel
from layerwise.plugins.loaders.class_names import read_classes
from layerwise.plugins.loaders.graphdef.files import read_graph_def
from layerwise.plugins.sources.array_files import read_arrays
from layerwise.plugins.sources.imaging import decode_file
from layerwise.plugins.sources.tables import read_text


@pytest.fixture(params=["pipe", "link to a device"])
def special(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "special.png"
    os.mkfifo(path) if request.param == "pipe" else path.symlink_to("/dev/zero")
    return path


def test_no_reader_waits_for_a_special_file(special: Path) -> None:
    with pytest.raises(StimulusError, match="is not a regular file"):
        decode_file(special, (8, 8), "squash")
    for read in (read_arrays, read_text, read_caffemodel, read_graph_def, lambda path: read_classes(path, 3)):
        with pytest.raises(InputError, match="is not a regular file"):
            read(special)


def test_an_archive_that_unpacks_to_more_than_the_memory_is_refused_by_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("layerwise.plugins.sources.array_files.available_memory", lambda: 2**22)
    np.savez_compressed(tmp_path / "bomb.npz", x=np.zeros((2**20, 4), np.float32))
    with pytest.raises(InputError, match=r"'x' needs 16 MiB, more than half of the memory"):
        read_arrays(tmp_path / "bomb.npz")


def test_a_picture_of_too_many_pixels_is_refused_by_its_header(tmp_path: Path) -> None:
    Image.new("1", (13000, 13000)).save(tmp_path / "large.png")
    with pytest.raises(StimulusError, match=r"has 13000 x 13000 pixels, .*--max-pixels N"):
        decode_file(tmp_path / "large.png", (8, 8), "squash")


@pytest.mark.parametrize("kind", ["external", "virtual"])
def test_data_that_lie_in_another_file_are_not_read(tmp_path: Path, kind: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(range(128)))
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = np.zeros((4, 4))
    with h5py.File(tmp_path / "evil.h5", "w") as file:
        if kind == "external":
            place = [(str(tmp_path / "secret"), 0, 128)]
            file.create_dataset("layer", (4, 4), dtype="f8", external=place)
        else:
            layout = h5py.VirtualLayout((4, 4), "f8")
            layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", (4, 4))
            file.create_virtual_dataset("layer", layout)
    with pytest.raises(InputError, match="the data of 'layer' lie in another file"):
        read_file(tmp_path / "evil.h5")


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (4,",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (-4, 4), }",
    ],
)
def test_a_header_that_is_broken_is_the_files_error(tmp_path: Path, header: bytes) -> None:
    header = header.ljust(117) + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64)
    (tmp_path / "broken.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "broken.npz", "w") as archive:
        archive.writestr("a.npy", content)
    for name in ("broken.npy", "broken.npz"):
        with pytest.raises(InputError, match=r"broken\.np[yz]: cannot be read as"):
            read_file(tmp_path / name)
        with pytest.raises(InputError, match="cannot read"):
            read_arrays(tmp_path / name)

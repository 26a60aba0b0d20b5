"""Rows of stimuli are read from where they lie: from an array without a copy, from a file a few at a time."""

from __future__ import annotations

import os
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.network.pixels import ArrayReader, ChosenRows, FileReader, save_rows

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 6, 7, 3), dtype=np.uint8)


@pytest.fixture
def stored(tmp_path: Path) -> FileReader:
    return save_rows(ArrayReader(PIXELS), tmp_path / "pixels.npy")


def test_an_array_is_read_without_a_copy_and_cannot_be_changed() -> None:
    mine = PIXELS.copy()
    reader = ArrayReader(mine)
    rows = reader.read(3, 9)
    assert np.shares_memory(rows, mine)
    assert not rows.flags.writeable
    mine[:] = 0  # whose it is may go on using it


def test_only_what_a_run_holds_itself_counts() -> None:
    assert ArrayReader(PIXELS).memory_bytes == PIXELS.nbytes
    assert ArrayReader(PIXELS, borrowed=True).memory_bytes == 0


@pytest.mark.parametrize(("start", "stop"), [(0, 40), (3, 4), (38, 40), (5, 5)])
@pytest.mark.parametrize("dtype", ["u1", "<f4", ">f4", "<i8"])
def test_rows_of_a_file_are_those_that_were_written(tmp_path: Path, start: int, stop: int, dtype: str) -> None:
    reader = save_rows(ArrayReader(PIXELS.astype(dtype)), tmp_path / "x.npy")
    rows = reader.read(start, stop)
    assert rows.dtype == dtype
    assert np.array_equal(rows, PIXELS[start:stop])
    assert np.array_equal(np.load(tmp_path / "x.npy"), PIXELS)
    assert (reader.memory_bytes, reader.spool_bytes, reader.n_bytes) == (0, 0, PIXELS.astype(dtype).nbytes)


def test_a_pickled_file_reader_is_a_reference_that_reads_the_same_rows(stored: FileReader) -> None:
    pickled = pickle.dumps(stored)
    assert len(pickled) < 1000 < PIXELS.nbytes
    assert np.array_equal(pickle.loads(pickled).read(7, 11), PIXELS[7:11])


def test_reading_a_few_rows_of_a_file_holds_only_these(tmp_path: Path) -> None:
    path = tmp_path / "large.npy"
    with path.open("wb") as file:  # 8 GiB that are not there
        shape = (2**15, 2**10, 2**6, 4)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        offset = file.tell()
        os.truncate(file.fileno(), offset + int(np.prod(shape, dtype=np.int64)))
    reader = FileReader.at(path, offset, shape, np.dtype(np.uint8))
    tracemalloc.start()
    try:
        assert not reader.read(2**15 - 2, 2**15).any()
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def change(path: Path) -> None:
    values = np.load(path)
    np.save(path, values[::-1])
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (change, r"pixels\.npy was changed while its stimuli were being used: run again"),
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), r"pixels\.npy was changed"),
        (Path.unlink, r"cannot read .*pixels\.npy any more: No such file"),
    ],
)
def test_a_file_that_is_not_what_it_was_is_one_clear_error(stored: FileReader, harm, message: str) -> None:
    harm(stored.path)
    with pytest.raises(LayerwiseError, match=message) as failed:
        stored.read(30, 40)
    assert "\n" not in str(failed.value)


@pytest.mark.parametrize("indices", [range(5), [0, 1, 2, 7, 8, 39], [39, 0], [4, 4]])
def test_chosen_rows_come_in_the_order_they_are_chosen_in(stored: FileReader, indices) -> None:
    chosen = ChosenRows(stored, indices)
    assert chosen.shape == (len(indices), 6, 7, 3)
    assert np.array_equal(chosen.read(0, len(indices)), PIXELS[list(indices)])
    assert np.array_equal(chosen.read(1, 2), PIXELS[[indices[1]]])
    assert chosen.read(1, 1).shape == (0, 6, 7, 3)


def test_a_reader_can_be_used_as_the_array_that_it_stands_for(stored: FileReader) -> None:
    assert len(stored) == 40
    for rows in (slice(3, 9), slice(None), slice(-2, None), slice(9, 3), 5, -1):
        assert np.array_equal(stored[rows], PIXELS[rows])
    assert np.array_equal(stored, PIXELS)
    assert np.asarray(stored, dtype=np.float32).dtype == np.float32
    assert [row.shape for row in stored] == [(6, 7, 3)] * 40
    with pytest.raises(IndexError):
        stored[40]
    for rows in ((0, 0), slice(None, None, 2)):
        with pytest.raises(TypeError, match=r"np\.asarray of the reader"):
            stored[rows]


def test_blocks_are_all_rows_in_order_and_never_all_at_once() -> None:
    large = np.arange(3 * 2**20, dtype=np.float32).reshape(96, -1)
    blocks = list(ArrayReader(large).blocks())
    assert len(blocks) > 1
    assert np.array_equal(np.concatenate(blocks), large)
    assert [len(block) for block in ArrayReader(np.empty((3, 0, 0, 3))).blocks()] == [3]


def test_rows_that_cannot_all_be_written_leave_no_file(tmp_path: Path) -> None:
    class Torn(ArrayReader):
        def read(self, start: int, stop: int):
            raise OSError(28, "No space left on device")

    with pytest.raises(LayerwiseError, match=r"cannot write .*x\.npy: No space left on device"):
        save_rows(Torn(PIXELS), tmp_path / "x.npy")
    assert not list(tmp_path.iterdir())

"""What does not fit into memory lies on disk, and comes back as it was, on any system and from any thread."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.base.spool import Spool
from layerwise.core.runs.streaming.arena import Arena, Boundary, Rooms
from layerwise.core.runs.streaming.host_arrays import HostArrays


@pytest.fixture(params=["reads and writes at a place", "without them, as on Windows"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param.startswith("without"):
        for name in ("pwrite", "pwritev", "preadv"):
            monkeypatch.delattr(os, name, raising=False)
    return str(request.param)


def test_chunks_that_are_spooled_come_back_as_they_were(system: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layer = rng.normal(size=(10, 48)).astype(np.float32)
    with Spool(tmp_path) as spool:
        chunks = Arena(10, 10 * 16 * 4, spool, HostArrays()).deal([16, 16, 16])
        for start in range(0, 10, 4):
            for column, chunk in zip(range(0, 48, 16), chunks, strict=True):
                piece = layer[start : start + 4, column : column + 16]
                chunk.put(start, piece)
        rooms = Rooms(1, 10 * 16, HostArrays())
        for column, chunk in zip(range(0, 48, 16), chunks, strict=True):
            with chunk.loaded(rooms) as values:
                assert np.array_equal(values, layer[:, column : column + 16])


@pytest.mark.skipif(not hasattr(os, "pwritev"), reason="needs pwritev")
def test_rows_of_a_wider_array_are_written_whole_though_the_system_takes_them_in_parts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda file, views, at: write(file, [views[0], views[1][:5]], at))
    wide = np.arange(2000 * 10, dtype=np.float32).reshape(2000, 10)
    back = np.empty((2000, 4), dtype=np.float32)
    with Spool(tmp_path) as spool:
        spool.write(8, wide[:, 3:7])
        spool.read(8, back)
    assert np.array_equal(back, wide[:, 3:7])


def test_threads_that_spool_side_by_side_do_not_write_over_each_other(system: str, tmp_path: Path) -> None:
    n_threads, n_values = 8, 2**14
    start = threading.Barrier(n_threads)

    def move(spool: Spool, number: int) -> bool:
        values = np.full(n_values, number, dtype=np.float32)
        back = np.empty_like(values)
        start.wait()
        for repeat in range(20):
            offset = (repeat * n_threads + number) * values.nbytes
            spool.write(offset, values)
            spool.read(offset, back)
            if not np.array_equal(values, back):
                return False
        return True

    with Spool(tmp_path) as spool, ThreadPoolExecutor(n_threads) as pool:
        assert all(pool.map(lambda number: move(spool, number), range(n_threads)))


def test_a_boundary_on_disk_comes_back_batch_by_batch(system: str, tmp_path: Path) -> None:
    tensor = np.random.default_rng(0).normal(size=(7, 3, 2)).astype(np.float32)
    boundary = Boundary((3, 2), Spool(tmp_path), HostArrays())
    for start in (4, 0):
        boundary.write(start, tensor[start : start + 4])
    assert np.array_equal(boundary.read(4, 7), tensor[4:])
    assert np.array_equal(boundary.read(0, 4), tensor[:4])
    boundary.close()


def test_a_spool_that_ends_early_is_one_clear_error(system: str, tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.write(0, np.zeros(4, dtype=np.float32))
        with pytest.raises(LayerwiseError, match="ended early"):
            spool.read(0, np.empty(8, dtype=np.float32))


def test_no_more_rooms_are_in_use_than_there_are_and_they_are_used_again() -> None:
    rooms = Rooms(1, 8, HostArrays())
    waiting, entered = threading.Event(), threading.Event()

    def enter() -> None:
        waiting.set()
        with rooms.room(8) as room:
            room[:] = 2
            entered.set()

    with rooms.room(4) as first:
        thread = threading.Thread(target=enter)
        thread.start()
        waiting.wait()
        assert first.shape == (4,)
        assert not entered.is_set()
    thread.join()
    assert entered.is_set()
    assert (first == 2).all()


def test_a_room_is_given_back_by_whoever_fails_in_it() -> None:
    rooms = Rooms(1, 8, HostArrays())
    with pytest.raises(ValueError, match="failed"), rooms.room(8):
        raise ValueError("failed")
    with rooms.room(8) as room:
        assert room.size == 8

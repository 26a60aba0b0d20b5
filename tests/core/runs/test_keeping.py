"""Decoded stimuli are kept in memory while there is room, else on disk, and are the same wherever they are."""

from __future__ import annotations

import gc
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.network.pixels import ArrayReader
from layerwise.core.runs.keeping import KeepingBudget, PixelKeeper, SpooledPixels, spool_rows

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 4, 5, 3), dtype=np.uint8)
N_BYTES = PIXELS.nbytes


def keep(budget: KeepingBudget, pixels: np.ndarray = PIXELS):
    keeper = PixelKeeper(len(pixels), (4, 5, 3), budget)
    for item in pixels:
        keeper.add(item)
    return keeper.finish()


def open_files(folder: Path) -> int:
    """Files of this process that lie in a folder, with or without a name."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(link.readlink().is_relative_to(folder) for link in links)


def test_what_fits_into_its_share_stays_in_memory(tmp_path: Path) -> None:
    kept = keep(KeepingBudget(N_BYTES, 2**30, 2**30, tmp_path))
    assert (kept.memory_bytes, kept.spool_bytes) == (N_BYTES, 0)
    assert np.array_equal(kept.read(3, 9), PIXELS[3:9])


def test_what_does_not_is_spooled_and_comes_back_as_it_was(tmp_path: Path) -> None:
    kept = keep(KeepingBudget(N_BYTES - 1, N_BYTES, 2**30, tmp_path))
    assert (kept.memory_bytes, kept.spool_bytes) == (0, N_BYTES)
    assert (kept.shape, kept.dtype) == (PIXELS.shape, np.uint8)
    assert np.array_equal(kept.read(3, 9), PIXELS[3:9])
    assert kept.read(4, 4).shape == (0, 4, 5, 3)


def test_where_there_is_no_room_on_disk_either_it_stays_in_memory_if_it_fits_there_at_all() -> None:
    kept = keep(KeepingBudget(N_BYTES - 1, N_BYTES - 1, N_BYTES))
    assert kept.memory_bytes == N_BYTES
    with pytest.raises(InputError) as refused:
        PixelKeeper(4000, (100, 100, 3), KeepingBudget.of_run(100 * 2**20, 90 * 2**20, None))
    assert str(refused.value) == (
        "4000 stimuli of 100 x 100 pixels are 115 MiB once they are decoded, and 100 MiB of memory (--memory) or "
        "90 MiB of disk (--spool) may be used: allow more, or take fewer stimuli (--limit)"
    )


@pytest.mark.parametrize("position", [0, 7, 19])
@pytest.mark.parametrize("memory", [2**20, N_BYTES, 0])
def test_one_fractional_stimulus_makes_all_of_them_float32_wherever_they_are(position: int, memory: int) -> None:
    keeper = PixelKeeper(20, (4, 5, 3), KeepingBudget(memory, 2**30))
    for index, item in enumerate(PIXELS):
        keeper.add(item.astype(np.float32) + 0.5 if index == position else item)
    expected = PIXELS.astype(np.float32)
    expected[position] += 0.5
    kept = keeper.finish()
    assert kept.dtype == np.float32
    assert isinstance(kept, SpooledPixels) is (memory < 4 * N_BYTES)
    assert np.array_equal(kept.read(0, 20), expected)


def test_fewer_may_come_than_were_announced() -> None:
    for memory in (0, 2**20):
        keeper = PixelKeeper(20, (4, 5, 3), KeepingBudget(memory, 2**30))
        for item in PIXELS[:3]:
            keeper.add(item)
        kept = keeper.finish()
        assert kept.shape == (3, 4, 5, 3)
        assert kept.memory_bytes + kept.spool_bytes == PIXELS[:3].nbytes
        assert np.array_equal(kept.read(0, 3), PIXELS[:3])


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_the_file_has_no_name_and_is_gone_when_it_is_closed_or_forgotten(tmp_path: Path) -> None:
    kept = keep(KeepingBudget(0, 2**30, None, tmp_path))
    assert (list(tmp_path.iterdir()), open_files(tmp_path)) == ([], 1)
    kept.close()
    kept.close()
    assert open_files(tmp_path) == 0
    with pytest.raises(LayerwiseError, match="gone once their run has ended"):
        kept.read(0, 1)
    forgotten = keep(KeepingBudget(0, 2**30, None, tmp_path))
    assert open_files(tmp_path) == 1
    del forgotten
    gc.collect()
    assert open_files(tmp_path) == 0


def test_it_is_not_pickled_into_something_that_another_process_cannot_read() -> None:
    with pytest.raises(TypeError, match="belong to one process; `save_rows` writes them"):
        pickle.dumps(keep(KeepingBudget(0, 2**30)))


def test_what_is_in_memory_can_be_moved_to_disk(tmp_path: Path) -> None:
    moved = spool_rows(ArrayReader(PIXELS), tmp_path)
    assert (moved.memory_bytes, moved.spool_bytes) == (0, N_BYTES)
    assert np.array_equal(moved.read(0, 20), PIXELS)


@pytest.mark.skipif(not hasattr(os, "pwrite"), reason="needs pwrite")
def test_a_full_disk_is_one_clear_error_and_nothing_stays_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", no_space)
    with pytest.raises(LayerwiseError, match="No space left on device"):
        spool_rows(ArrayReader(PIXELS), tmp_path)
    assert not list(tmp_path.iterdir())

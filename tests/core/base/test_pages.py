"""Buffers whose pages are made ahead, and freed memory that is kept for as long as a run streams."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest

from layerwise.core.base import pages
from layerwise.core.base.pages import keep_pages, make_buffer


@pytest.mark.parametrize("n_cells", [0, 1, 1000, 2**23])
def test_a_buffer_can_be_written_and_has_the_cells_that_were_asked_for(n_cells: int) -> None:
    buffer = make_buffer(n_cells)
    buffer[:] = 3
    assert buffer.dtype == np.float32
    assert buffer.shape == (n_cells,)
    assert buffer.flags.writeable
    assert (buffer == 3).all()


@pytest.mark.skipif(sys.platform != "linux", reason="page faults are counted on Linux")
def test_once_a_large_buffer_is_made_writing_to_it_touches_no_fresh_page() -> None:
    script = (
        "import resource, threading\n"
        "from layerwise.core.base.pages import make_buffer\n"
        "buffer = make_buffer(2**25)\n"
        "for thread in threading.enumerate()[1:]: thread.join()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "buffer.fill(1)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(found.stdout) < 1000  # of 32,768


def test_what_is_written_while_pages_are_made_stays() -> None:
    buffer = make_buffer(2**25)
    buffer[:: 2**20] = np.arange(32)
    for thread in threading.enumerate():
        if thread.name == "layerwise-pages":
            thread.join()
    assert buffer[:: 2**20].tolist() == list(range(32))


def test_more_than_there_is_is_a_memory_error() -> None:
    with pytest.raises(MemoryError):
        make_buffer(2**50)


def test_without_glibc_nothing_is_kept_and_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_glibc", lambda: None)
    with keep_pages():
        assert make_buffer(10).size == 10


def test_what_is_kept_is_given_back_when_the_block_fails() -> None:
    with pytest.raises(RuntimeError, match="stop"), keep_pages():
        raise RuntimeError("stop")
    with keep_pages():
        pass

"""Results that cannot be written, streams that are closed, and numbers that nothing can keep: one true line each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.base.writing import replacing


def run(shell: str) -> Any:
    command = f"'{sys.executable}' -m layerwise {shell}"
    return subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True)


def test_a_full_disk_behind_stdout_is_said(demo: Any) -> None:
    done = run(f"runs --db 'sqlite:///{demo.database}' > /dev/full")
    assert done.stderr == "layerwise: error: cannot write what was found to stdout: No space left on device\n"
    assert done.returncode == 1


def test_closed_streams_are_nobodys(demo: Any) -> None:
    database = f"--db 'sqlite:///{demo.database}'"
    before = demo.database.read_bytes()
    assert run(f"runs {database} >&- <&-").returncode == 0
    done = run(f"runs --db 'sqlite:///{demo.database}-missing' 2>&-")
    assert (done.returncode, done.stdout) == (2, "")
    assert demo.database.read_bytes() == before


@pytest.mark.parametrize(
    "said", ["parquet: No space left on device (os error 28)", "h5: errno = 27, 'File too large'"]
)
def test_whatever_a_library_raises_of_a_full_disk_is_one_line(tmp_path: Path, said: str) -> None:
    target = tmp_path / "out"
    why = pytest.raises(LayerwiseError, match=r"cannot write .*out: (No space left on device|File too large)$")
    with why, replacing(target):
        raise pl.exceptions.ComputeError(said)
    with pytest.raises(ZeroDivisionError), replacing(target):
        raise ZeroDivisionError("something else")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ["run", "m.keras", "--stimuli", ".", "--step", "9" * 21],
        ["compare", "latest", "--bootstrap", "9" * 20],
        ["compare", "latest", "--bootstrap", "100", "--seed", "9" * 20],
        ["runs", "--limit", "9" * 20],
    ],
)
def test_numbers_that_no_database_keeps_are_refused_at_once(cli: Any, demo: Any, words: list[str]) -> None:
    result = cli(*words, "--db", f"sqlite:///{demo.database}")
    assert result.code == 2
    assert "is too large: whole numbers go to 9223372036854775807" in result.err


def test_more_resamples_than_make_sense_are_refused(cli: Any, demo: Any) -> None:
    result = cli("compare", "latest", "--bootstrap", "9" * 18, "--db", f"sqlite:///{demo.database}")
    assert result.code == 2
    assert "--bootstrap takes at most 10000000 resamples" in result.err

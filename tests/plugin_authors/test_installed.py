"""The first hour of an author, for real: an environment of its own, pip, and four commands on an old history."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from layerwise.testing import make_history


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """A fresh environment with pip, that finds what this one has installed, and asks no index for anything."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    where = [sys.executable, "-c", "import layerwise, pathlib; print(pathlib.Path(layerwise.__file__).parents[1])"]
    source = subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip()
    purelib = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    lines = [f"import site; site.addsitedir({path!r})" for path in site.getsitepackages()]
    (Path(purelib) / "everything.pth").write_text("\n".join([*lines, source, ""]), encoding="utf-8")
    script = python.with_name("layerwise")
    script.write_text(f'#!/bin/sh\nexec "{python}" -m layerwise "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return python


OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}


@pytest.mark.slow
def test_four_commands_from_nothing_to_a_comparison_of_an_old_run(environment, tmp_path):
    settings = OFFLINE | {"LAYERWISE_DB": make_history(tmp_path / "old.db")}

    def run(*arguments: object) -> str:
        done = subprocess.run(
            [environment, *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | settings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "Wrote my-cka" in run("-m", "layerwise", "plugins", "new", "my-cka", "--hook", "comparator")
    assert "my-cka" in run("-m", "layerwise", "plugins", "install", "./my-cka")
    first = json.loads(run("-m", "layerwise", "compare", "latest", "--with", "my-cka", "--json"))
    assert first["provider"] == "my-cka:my-cka 0.1.0"
    stored = run(
        "-m",
        "layerwise",
        "query",
        "SELECT DISTINCT comparator_name, comparator_version FROM comparisons",
        "--format",
        "csv",
    )
    assert "my-cka:my-cka,0.1.0" in stored
    assert " passed" in run("-m", "pytest", "-q", "my-cka")
    assert "my-cka" in run("-m", "layerwise", "plugins", "uninstall", "my-cka", "--yes")


@pytest.mark.slow
def test_the_tutorial_can_be_followed_with_pip(environment, follow, tmp_path):
    settings = OFFLINE | {
        "LAYERWISE_DB": make_history(tmp_path / "history.db"),
        "PATH": f"{environment.parent}{os.pathsep}{os.environ['PATH']}",
    }
    page = Path(__file__).parents[2] / "docs" / "plugins" / "tutorial.md"
    follow(page, tmp_path, os.environ | settings)

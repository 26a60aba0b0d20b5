"""Scripts of users are checked by mypy against the wheel: right calls pass, slips are found."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SCRIPT = """
import numpy as np

import layerwise as lw
from layerwise.plugin import Metric, Representation, hookimpl

images = np.zeros((20, 8, 8, 3), dtype=np.uint8)
run: lw.Run = lw.analyze("inception_v3", images, labels=["a", "b"] * 10, layers="main")
table: lw.LabelledMatrix = run.compare("cka")
several: dict[str, lw.LabelledMatrix] = run.compare("cka", "rsa-pearson")
number: float = lw.cka_debiased(images.reshape(20, -1), images.reshape(20, -1))
names: tuple[str, ...] = run.layers
run.report("report.html").exists()
with lw.History("runs.db", create=True) as history:
    found: list[lw.Run] = history.runs(model="inception_v3")
    history["latest"].profile().to_polars()

run.compare("cka", other=3.5)  # type: ignore[call-overload]
lw.analyze("inception_v3", images, lables=["a"])  # type: ignore[call-arg]
lw.analize("inception_v3", images)  # type: ignore[attr-defined]
wrong: int = run.run_id  # type: ignore[assignment]
lw.Metric  # type: ignore[attr-defined]


class Mine(Metric):
    name = "mine"
    description = "mine"
    kind = "similarity"

    def compute(self, representation: Representation) -> str:  # type: ignore[override]
        return "no matrix"


@hookimpl
def register_metrics() -> list[Metric]:
    return [Mine()]
"""


@pytest.mark.slow
def test_mypy_knows_what_a_script_may_call_from_the_wheel_alone(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
    source = tmp_path / "source"
    source.mkdir()
    for name in ("layerwise", "pyproject.toml", "README.md", "LICENSE"):
        (source / name).symlink_to(PROJECT / name)
    built = subprocess.run([*line, tmp_path, source], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = tmp_path.glob("layerwise-*.whl")
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    assert (site / "layerwise" / "py.typed").is_file()
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    words = ["--strict", "--warn-unused-ignores", "--follow-imports=silent", "--ignore-missing-imports", "script.py"]
    environment = {**os.environ, "MYPYPATH": str(site)}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), *words]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

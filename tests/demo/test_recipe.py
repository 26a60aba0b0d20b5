"""The recipe of docs/recipes runs as it stands, on a reader's own pictures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

RECIPE = Path(__file__).parents[2] / "docs" / "recipes" / "study.py"


def test_the_recipe_answers_the_questions_for_pictures_of_ones_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 3
    images = (rng.integers(0, 100, (80, 12, 12, 3)) + 50 * labels[:, None, None, None]).astype(np.uint8)
    np.savez(tmp_path / "own.npz", images=images, labels=labels)
    command = [sys.executable, str(RECIPE), "own.npz", "--seeds", "1", "--epochs", "1", "--out", "made"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert "What if the 5x5 branches are taken out?" in said.stdout
    assert "How does the decorrelation change over learning?" in said.stdout
    page = (tmp_path / "made" / "report.html").read_text(encoding="utf-8")
    assert "A small inception network learns own.npz" in page
    assert (tmp_path / "made" / "layerwise.db").is_file()

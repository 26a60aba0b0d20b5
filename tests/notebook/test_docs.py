"""The Python that the docs show runs: docs/python.md, and every notebook, cell by cell, as its reader would."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))


def read_cells(path: Path) -> list[str]:
    """The code of a notebook or a page, piece by piece."""
    if path.suffix == ".md":
        return re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL)
    cells = json.loads(path.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", [DOCS / "python.md", *NOTEBOOKS], ids=lambda path: path.name)
def test_code_of_the_docs_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for number, cell in enumerate(read_cells(path), 1):
        exec(compile(cell, f"{path.name}, cell {number}", "exec"), names)


def test_every_notebook_is_named_in_the_docs() -> None:
    page = (DOCS / "python.md").read_text()
    assert [path.name for path in NOTEBOOKS if f"notebooks/{path.name}" not in page] == []
    assert len(NOTEBOOKS) == 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_short_and_have_no_output(path: Path) -> None:
    cells = json.loads(path.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) <= 15
    assert not any(cell["outputs"] for cell in code)

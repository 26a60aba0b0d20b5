"""docs/brain.md, the neuroscientist's path: every command and every piece of Python on it runs, in order."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "brain.md"
BLOCK = re.compile(r"```(console|python)\n(.*?)```", re.DOTALL)
MOST = 15


def test_every_step_of_the_neuroscientists_path_runs_and_there_are_few(demo, cli, tmp_path: Path) -> None:
    steps = [
        (kind, step)
        for kind, text in BLOCK.findall(PAGE.read_text())
        for step in (text.splitlines() if kind == "console" else [text])
    ]
    assert len(steps) < MOST
    said = {}
    for kind, step in steps:
        if kind == "python":
            exec(compile(step, PAGE.name, "exec"), {})
        elif step.startswith("layerwise demo"):  # what it makes is there already, of one epoch
            shutil.copy(demo.database, tmp_path / "layerwise.db")
        else:
            words = shlex.split(step)[1:]
            fast = ["--bootstrap", "40"] if words[0] in ("compare", "brain") else []
            answer = cli(*words, *fast)
            assert answer.code == 0, f"{step}: {answer.err}"
            said[words[0]] = answer.out
    assert "noise ceiling over subjects" in said["ceiling"]
    best = {
        line.split()[0]: line.split()[1] for line in said["compare"].splitlines() if line.startswith(("V1", "IT"))
    }
    assert best == {"V1": "conv0", "IT": "mixed2"}
    assert "Methods: Representations of 6 areas (3 recordings)" in said["brain"]
    assert all((tmp_path / name).stat().st_size for name in ("brain.html", "areas.svg", "ceiling.svg"))

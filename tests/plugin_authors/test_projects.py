"""Every project that `layerwise plugins new` writes is complete: installable, in style, and passing its own tests."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from layerwise.cli.scaffold.parts import PARTS
from layerwise.plugins import KINDS

WORDS = [part.word for part in PARTS]
LONGEST = "a-name-that-is-as-long-as-it-ever-may-be"


@pytest.fixture(scope="session")
def projects(call, pretend_installed, tmp_path_factory):
    """A project for each hook, one with three, and one whose name is as long as can be; all as if installed."""
    folder = tmp_path_factory.mktemp("projects")
    asked = [(f"my-{word}", [word]) for word in WORDS]
    asked += [("layerwise-several", ["comparator", "metrics", "register_report_sections"]), (LONGEST, ["section"])]
    for name, words in asked:
        hooks = [text for word in words for text in ("--hook", word)]
        said = call("plugins", "new", name, *hooks, "--out", folder, "--author", 'Ann "A" <ann@example.org>')
        assert said.code == 0, said.err
    for project in folder.iterdir():
        pretend_installed(project)
    return folder


def environment_of(folder: Path) -> dict[str, str]:
    """Variables under which everything in the folder is installed."""
    paths = [*(str(project / "src") for project in folder.iterdir()), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("LAYERWISE_PLUGINS", None)
    return environment


def run_pytest(folder: Path, *projects: Path, only: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider"]
    command += [str(project / "tests") for project in projects] + (["-k", only] if only else [])
    return subprocess.run(
        command, cwd=folder, env=environment_of(folder), capture_output=True, text=True, check=False
    )


def test_there_is_a_part_for_every_hook():
    assert sorted(part.kind for part in PARTS) == sorted(KINDS)


def test_the_tests_of_every_project_pass(projects):
    wanted = sorted(projects.iterdir())
    done = run_pytest(projects, *wanted)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert re.search(r"(\d+) passed", done.stdout)
    assert "skipped" not in done.stdout


def test_a_project_s_tests_fail_when_what_it_offers_is_broken(projects):
    source = projects / "my-comparator" / "src" / "my_comparator" / "comparator.py"
    whole = source.read_text(encoding="utf-8")
    try:
        source.write_text(whole.replace("np.vdot(first, second)", "first[0, 1] - second[0, 2]"), encoding="utf-8")
        done = run_pytest(projects, projects / "my-comparator", only="declares")
    finally:
        source.write_text(whole, encoding="utf-8")
    assert done.returncode == 1
    assert "is declared symmetric" in done.stdout


def test_tests_are_not_run_before_the_project_is_installed_and_are_of_its_source_afterwards(call, tmp_path):
    assert call("plugins", "new", "lw-alone", "--hook", "reorderer", "--out", tmp_path).code == 0
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "lw-alone",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode
    assert "install this project before its tests: python -m pip install -e '.[test]'" in done.stdout + done.stderr
    assert 'pythonpath = ["src"]' in (tmp_path / "lw-alone" / "pyproject.toml").read_text(encoding="utf-8")


def test_what_the_projects_offer_works_together_at_the_command_line(projects, tmp_path):
    """One run by the new loader, source, selector, transform, statistic and engine; then all that reads history."""
    rng = np.random.default_rng(0)
    weights = {"w0": rng.normal(size=(192, 12)), "b0": rng.normal(size=12)}
    weights |= {"w1": rng.normal(size=(12, 4)), "b1": rng.normal(size=4)}
    np.savez(tmp_path / "small.mlp.npz", shape=(8, 8, 3), **weights)
    lines = [
        "run small.mlp.npz --stimuli my-source:8 --layers my-selector:2 --transform my-transform --engine my-engine",
        "compare latest --with my-comparator",
        "compare latest --with rsa-pearson --metric my-metric",
        "reorder latest --by hidden1 --method my-reorderer",
        "report latest --section my-section -o report.html",
        "measure latest",
        "my-command latest",
    ]
    script = "import sys; from layerwise.cli import main; sys.exit(next(filter(None, map(main, {!r})), 0))"
    done = subprocess.run(
        [sys.executable, "-c", script.format([line.split() for line in lines])],
        cwd=tmp_path,
        env=environment_of(projects) | {"LAYERWISE_DB": f"sqlite:///{tmp_path}/history.db"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1/8  input" in done.stderr  # the engine's log: four layers, plain and transformed
    assert "hidden1: " in done.stdout
    assert "my-comparator:my-comparator 0.1.0" in done.stdout
    assert (tmp_path / "report.html").stat().st_size > 100_000


def test_every_project_is_in_style(projects):
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.exists():
        pytest.skip("needs ruff, of the extra `lint`")
    for project in projects.iterdir():
        for arguments in (["check", "."], ["format", "--check", "."]):
            done = subprocess.run(
                [ruff, *arguments, "--no-cache"], cwd=project, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{project.name}: {done.stdout}"


@pytest.mark.slow
def test_type_checkers_understand_every_project(projects, tmp_path):
    pytest.importorskip("mypy", reason="needs mypy, of the extra `lint`")
    sources = [project / "src" for project in projects.iterdir()]
    packages = [path.parent.name for source in sources for path in source.glob("*/__init__.py")]
    places = [*map(str, sources), str(Path(__file__).parents[2])]
    command = [sys.executable, "-m", "mypy", "--follow-imports", "silent", "--cache-dir", str(tmp_path)]
    done = subprocess.run(
        command + [word for package in packages for word in ("-p", package)],
        cwd=projects,
        env=os.environ | {"MYPYPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_project_imports_nothing_of_layerwise_but_its_public_surface(projects):
    for file in projects.glob("*/*/**/*.py"):
        text = file.read_text(encoding="utf-8")
        modules = re.findall(r"^\s*(?:from|import) (layerwise(?:\.[\w.]+)?)\s", text, re.MULTILINE)
        assert set(modules) <= {"layerwise.plugin", "layerwise.testing"}, file


def test_a_project_says_what_it_is(projects):
    several = projects / "layerwise-several"
    about = tomllib.loads((several / "pyproject.toml").read_text(encoding="utf-8"))
    assert about["project"]["name"] == "layerwise-several"
    assert about["project"]["authors"] == [{"name": 'Ann "A"', "email": "ann@example.org"}]
    assert about["project"]["dependencies"] == ["layerwise>=0.1,<0.2"]
    assert about["project"]["entry-points"] == {
        f"layerwise.{hook}": {"several": "layerwise_several"}
        for hook in ("comparators", "metrics", "report_sections")
    }
    assert {path.name for path in (several / "src" / "layerwise_several").glob("*.py")} == {
        "__init__.py",
        "comparator.py",
        "metric.py",
        "section.py",
    }
    assert 'Ann "A"' in (several / "LICENSE").read_text(encoding="utf-8")
    readme = (several / "README.md").read_text(encoding="utf-8")
    assert "layerwise compare latest --with several" in readme
    assert "layerwise plugins install ." in readme
    workflow = (several / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    assert "python-version: ${{ matrix.python-version }}" in workflow


def test_it_says_what_to_do_next(call, tmp_path):
    said = call("plugins", "new", "my-cka", "--hook", "comparator", "--out", tmp_path)
    folder = tmp_path / "my-cka"
    assert f"Wrote {folder} (9 files)" in said.out
    assert f"layerwise plugins install {folder}" in said.out
    assert "layerwise compare latest --with my-cka" in said.out
    assert "python -m pytest" in said.out


def test_it_can_say_so_in_json(call, tmp_path):
    said = call("plugins", "new", "my-cka", "--hook", "comparator", "--out", tmp_path, "--json")
    made = json.loads(said.out)
    assert made["offers"] == [{"hook": "comparators", "name": "my-cka"}]
    assert all((Path(made["folder"]) / file).is_file() for file in made["files"])

"""Extras: each that is missing is told in one line, and the plain install does its work without them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from layerwise.core.base.errors import EXTRAS, LayerwiseError, explain_missing, explaining_missing

PROJECT = Path(__file__).parents[2]
FOR_DEVELOPERS = {"test", "lint", "browser"}


@pytest.fixture
def lacking(monkeypatch):
    """Nothing of some extras can be imported."""

    def lack(*extras: str) -> None:
        for module, extra in EXTRAS.items():
            if extra.name in extras:
                monkeypatch.setitem(sys.modules, module, None)

    return lack


def test_every_extra_is_told_where_it_is_missing_and_all_of_them_are_in_all():
    about = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    offered = set(about["optional-dependencies"]) - FOR_DEVELOPERS - {"all"}
    assert offered == {extra.name for extra in EXTRAS.values()}
    (everything,) = map(Requirement, about["optional-dependencies"]["all"])
    assert everything.extras == offered
    plain = {Requirement(line).name for line in about["dependencies"]}
    assert not plain & {"tensorflow", "psycopg", "starlette", "uvicorn", "h5py", "pyarrow", "dask"}
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert [name for name in offered if f"`{name}`" not in readme] == []


def test_another_package_that_is_missing_is_named_as_pip_knows_it():
    assert "pip install pillow`" in explain_missing("PIL.Image")
    assert "'layerwise[formats]'" in explain_missing("h5py._hl")
    with pytest.raises(LayerwiseError, match="pip install scikit-learn"), explaining_missing():
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")
    with pytest.raises(ModuleNotFoundError), explaining_missing():
        raise ModuleNotFoundError("No module named 'layerwise.nothing'", name="layerwise.nothing")


@pytest.mark.parametrize(
    ("line", "extra", "code"),
    [
        (["run", "inception_v3", "--stimuli", "photos"], "tensorflow", 1),
        (["run", "googlenet", "--weights", "none", "--stimuli", "photos"], "tensorflow", 1),
        (["run", "here.keras", "--stimuli", "photos"], "tensorflow", 1),
        (["import", "rdms.h5", "--stimuli", "latest"], "formats", 1),
        (["export", "latest", "-o", "out.h5"], "formats", 1),
        (["export", "latest", "-o", "out.rdms.h5", "--metric", "correlation-distance"], "formats", 1),
        (["runs", "--db", "postgresql://nobody@localhost/none"], "postgres", 2),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else str(value),
)
def test_what_needs_an_extra_that_is_missing_says_which(ask, lacking, tmp_path, line, extra, code):
    from PIL import Image

    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / "photos" / name)
    (tmp_path / "here.keras").write_bytes(b"PK")
    (tmp_path / "rdms.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    lacking(extra)
    said = ask(*line)
    assert said.code == code, said.err
    assert said.err.splitlines()[-1].startswith("layerwise: error: ")
    assert f"pip install 'layerwise[{extra}]'`" in said.err
    assert not [*tmp_path.glob("out.*")]


def test_browsing_without_its_extra_says_which(demo):
    program = (
        "import sys; sys.modules.update(starlette=None, uvicorn=None); from layerwise.cli import main; "
        "sys.exit(main(['browse', '--no-open', '--port', '0', '--db', sys.argv[1]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(demo.database)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "pip install 'layerwise[browse]'`" in done.stderr


def test_the_doctor_says_which_extra_brings_what_is_missing(ask, lacking):
    lacking("formats", "browse")
    found = {one["what"]: one for one in ask("doctor", "--json").json["findings"]}
    assert found["layerwise[formats]"]["remedy"].endswith("pip install 'layerwise[formats]'")
    assert "Parquet" in found["layerwise[formats]"]["found"]
    assert "layerwise[browse]" in found
    assert "layerwise[postgres]" not in found


def test_the_install_that_the_readme_names_does_the_main_job(demo, cli, lacking, tmp_path, monkeypatch):
    """Analyse, compare, report, draw and export, with nothing but the plain install and TensorFlow."""
    lacking("postgres", "browse", "dask")
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # h5py comes with TensorFlow
    line = ("run", demo.checkpoint(1), "--stimuli", demo.stimuli, "--limit", 12, "--layers", "mixed1,output")
    assert cli(*line).code == 0
    for words in (
        ("show", "latest"),
        ("compare", "latest", "--with", "cka"),
        ("report", "latest", "--sections", "layer-matrix"),
        ("figure", "layer-matrix", "latest", "-o", "layers.svg"),
        ("export", "latest", "-o", "out.npz"),
    ):
        said = cli(*words)
        assert said.code == 0, said.err
    assert (tmp_path / "report.html").stat().st_size > 100_000

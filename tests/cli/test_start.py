"""What starting the command line costs, and what it prints before any work."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from reference import write_reference

import layerwise

HEAVY = ("tensorflow", "keras", "altair", "polars", "scipy", "sklearn", "PIL", "h5py", "pyarrow", "alembic")


def loaded_after(*arguments: object) -> set[str]:
    """Top-level modules that are loaded once a command line is done, in a process of its own."""
    program = (
        "import sys, json; from layerwise.cli import main; code = main(sys.argv[1:]); "
        "print(json.dumps([code, sorted({name.partition('.')[0] for name in sys.modules})]), file=sys.stderr)"
    )
    words = [str(argument) for argument in arguments]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0, done.stderr
    return set(modules)


@pytest.mark.parametrize("line", [["--help"], ["--version"], ["run", "--help"]])
def test_help_loads_no_heavy_library_and_no_database(line):
    assert not loaded_after(*line) & {*HEAVY, "sqlalchemy", "numpy"}


@pytest.mark.parametrize(
    "line",
    [
        ["runs"],
        ["runs", "--json"],
        ["db", "info"],
        ["query", "SELECT run, model, n_layers, top1 FROM run_list"],
        ["query", "SELECT run, model, n_layers, top1 FROM run_list", "--format", "json"],
        ["query"],
    ],
    ids=" ".join,
)
def test_what_is_answered_with_texts_and_counts_loads_the_database_and_no_heavy_library(demo, line):
    loaded = loaded_after(*line, "--db", demo.database)
    assert "sqlalchemy" in loaded
    assert not loaded & {*HEAVY, "numpy", "psutil", "jinja2"}


@pytest.mark.parametrize("line", [["show", "latest"], ["compare", "latest", "--layers", "main"]], ids=" ".join)
def test_what_is_answered_from_history_loads_numpy_and_nothing_heavier(demo, line):
    assert loaded_after(*line, "--db", demo.database) >= {"sqlalchemy", "numpy"}  # computes it, where it is not there
    assert not loaded_after(*line, "--db", demo.database) & {*HEAVY, "psutil", "jinja2"}


@pytest.mark.parametrize("line", [["plugins"], ["models"], ["plugins", "--hook", "comparators"]], ids=" ".join)
def test_what_is_offered_is_listed_without_a_database_or_a_heavy_library(line):
    assert not loaded_after(*line) & {*HEAVY, "sqlalchemy", "psutil", "jinja2"}


def test_weights_that_are_missing_are_noticed_before_tensorflow_is_loaded():
    program = (
        "import sys; from layerwise.cli import main; "
        "code = main(['run', 'googlenet', '--weights', 'none.caffemodel', '--stimuli', '.']); "
        "sys.exit(code if 'tensorflow' not in sys.modules else 99)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "none.caffemodel" in done.stderr


def test_version_and_bare_call_print_and_succeed(cli):
    assert cli("--version").out == f"layerwise {layerwise.__version__}\n"
    bare = cli()
    assert bare.code == 0
    assert "Ask the history:" in bare.out


def test_the_commands_page_says_what_help_says():
    page = Path(__file__).parents[2] / "docs" / "commands.md"
    assert page.read_text(encoding="utf-8") == write_reference(), "run `make docs`"


@pytest.mark.parametrize("command", [["query", "--table", "runs", "--format", "csv"], ["runs"], ["runs", "--json"]])
def test_a_reader_that_goes_away_is_told_nothing(demo, command):
    line = ["-m", "layerwise", *command]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, *line, "--db", str(demo.database)], stdout=writing, stderr=subprocess.PIPE
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")

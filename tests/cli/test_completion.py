"""What a shell offers when Tab is pressed: asked as bash asks it, and once by bash itself."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from layerwise import testing
from layerwise.cli import main

Offer = Callable[..., list[str]]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> str:
    return testing.make_history(tmp_path_factory.mktemp("completion") / "toy.db")


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """What is offered for the last of the words of a line."""

    def ask(*words: str) -> list[str]:
        monkeypatch.setenv("_LAYERWISE_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", "\n".join(("layerwise", *words)))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit):
            main([])
        assert err.getvalue() == ""
        return out.getvalue().split()

    return ask


def test_commands_and_options_are_offered(offer: Offer) -> None:
    assert offer("comp") == ["compare"]
    assert offer("plugins", "inst") == ["install"]
    assert "--permutations" in offer("compare", "latest", "--p")
    assert "--install-completion" in offer("--inst")


def test_measures_are_offered_one_after_the_other(offer: Offer) -> None:
    assert offer("compare", "latest", "--with", "cka-d") == ["cka-debiased"]
    assert offer("compare", "latest", "--with", "cka", "cka-d") == ["cka-debiased"]
    assert offer("compare", "latest", "--with", "cka,cka-d") == ["cka,cka-debiased"]
    assert offer("report", "latest", "--with", "svc") == ["svcca"]


def test_figures_and_models_are_offered(offer: Offer) -> None:
    assert "layer-matrix" in offer("figure", "layer")
    assert offer("run", "mobilenet_v2") == ["mobilenet_v2"]
    assert offer("models", "fetch", "googl") == ["googlenet"]


@pytest.mark.parametrize("place", ["environment", "before", "after"])
def test_runs_and_their_layers_are_offered(place: str, offer: Offer, history: str, monkeypatch) -> None:
    before = ["--db", history] if place == "before" else []
    after = ["--db", history] if place == "after" else []
    if place == "environment":
        monkeypatch.setenv("LAYERWISE_DB", history)
    assert offer(*before, "show", *after, "lat") == ["latest"]
    (run,) = [name for name in offer(*before, "show", *after, "") if name not in ("latest", "toy@0")]
    assert offer(*before, "compare", *after, run[:4]) == [run]
    assert offer(*before, "compare", *after, run, "lin") == ["lineage:toy"]
    assert run not in offer(*before, "compare", *after, run, "")
    assert offer(*before, "compare", run, *after, "--layers", "block/1") == ["block/1x1"]
    assert offer(*before, "compare", run, *after, "--layers", "main,block/1") == ["main,block/1x1"]
    assert offer(*before, "reorder", run, *after, "--by", "logi") == ["logits"]


def test_where_there_is_no_history_files_are_left_to_the_shell(offer: Offer, tmp_path: Path) -> None:
    assert offer("show", "") == []
    assert offer("compare", "latest", "--layers", "ma") == ["main"]
    (tmp_path / "broken.db").write_bytes(b"no database, though long enough to be one")
    assert offer("--db", "broken.db", "show", "") == []
    assert list(tmp_path.iterdir()) == [tmp_path / "broken.db"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes_what_is_installed_for_it(history: str, tmp_path: Path) -> None:
    script = """
    source "$HOME/.bash_completions/layerwise.sh"
    complete -p layerwise >/dev/null || exit 3
    COMP_WORDS=(layerwise show lat); COMP_CWORD=2
    _layerwise_completion "$TMP/layerwise"
    echo "${COMPREPLY[*]}"
    """
    program = tmp_path / "layerwise"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m layerwise "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    source = str(Path(__file__).parents[2])
    settings = {"HOME": str(tmp_path), "TMP": str(tmp_path), "LAYERWISE_DB": history, "PYTHONPATH": source}
    lines = f"'{program}' --install-completion; {script}"
    done = subprocess.run(["bash", "--norc", "-c", lines], env=os.environ | settings, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "latest", done.stdout + done.stderr

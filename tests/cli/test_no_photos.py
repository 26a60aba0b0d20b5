"""A report without photos holds no picture of a stimulus, and none of their names."""

from __future__ import annotations

import re
from pathlib import Path

import layerwise as lw
from layerwise.core.history.views.redaction import without_pictures


def test_a_report_without_photos_has_neither_pictures_nor_names(ask, demo) -> None:
    sections = ("--sections", "overview,gallery,matrices,explorer,maps,provenance")
    assert ask("report", "latest", "-o", "with.html", *sections).code == 0
    assert ask("report", "latest", "-o", "without.html", *sections, "--no-photos").code == 0
    with lw.open_history(demo.database) as history:
        stimuli = history.list_stimuli(history.find_run("latest").id)
    pages = {name: Path(f"{name}.html").read_text(encoding="utf-8") for name in ("with", "without")}
    assert re.search("data:image/(jpeg|png|gif)", pages["with"])
    assert not re.search("data:image/(jpeg|png|gif)", pages["without"])
    for stimulus in stimuli:
        assert stimulus.name in pages["with"]
        assert not re.search(rf"\b{re.escape(stimulus.name)}\b", pages["without"])
    assert "--no-photos" in pages["without"]


def test_everything_else_of_a_history_without_pictures_is_as_it_was(demo) -> None:
    with lw.open_history(demo.database) as history:
        hidden = without_pictures(history)
        run = hidden.find_run("latest")
        assert run == history.find_run("latest")
        seen, whole = hidden.list_stimuli(run.id), history.list_stimuli(run.id)
        assert [s.label for s in seen] == [s.label for s in whole]
        assert [s.name for s in seen[:2]] == ["stimulus 1", "stimulus 2"]
        assert not any(s.thumbnail for s in seen)
        assert hidden.list_layers(run.id) == history.list_layers(run.id)

"""A view passes on every question, and an overlay nothing that is saved."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from layerwise.core.history.memory import OverlayHistory
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.view import HistoryView
from layerwise.core.history.views.redaction import without_pictures

METHODS = {
    name: method for name, method in vars(HistoryProtocol).items() if inspect.isfunction(method) and name[0] != "_"
}


class Recorder:
    """A history that gives back what it was asked."""

    def __getattr__(self, name: str) -> Any:
        return lambda *asked: (name, *asked)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_of_the_protocol_is_passed_on_with_all_that_was_asked(name: str) -> None:
    wanted = list(inspect.signature(METHODS[name]).parameters)[1:]
    answer = getattr(HistoryView(Recorder()), name)(**{word: f"the {word}" for word in wanted})
    told = (name, *(f"the {word}" for word in wanted))
    assert answer == (None if name.startswith("save_") else told)


@pytest.mark.parametrize("name", METHODS)
def test_a_view_takes_what_the_protocol_takes(name: str) -> None:
    assert inspect.signature(getattr(HistoryView, name)) == inspect.signature(METHODS[name])


@pytest.mark.parametrize("name", [name for name in METHODS if name.startswith("save_")])
def test_nothing_that_is_saved_goes_through_an_overlay(name: str) -> None:
    assert getattr(OverlayHistory, name) is not getattr(HistoryView, name)


def test_names_that_were_left_out_are_hidden_in_lists_too(fake: Any) -> None:
    history = fake.MadeHistory()
    fake.add_run(history, n_stimuli=4, skipped=("secret.png: truncated",))
    hidden = without_pictures(history)
    assert [run.skipped for run in hidden.list_runs()] == [hidden.find_run("latest").skipped]
    assert "secret" not in str(hidden.list_runs())

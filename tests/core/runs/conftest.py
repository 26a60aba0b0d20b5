"""Runs in memory, with all that was said on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from layerwise.core.history.records import LayerAddress
from layerwise.core.host.registry import Registry
from layerwise.core.runs.prepared import prepare_run
from layerwise.core.runs.request import RunRequest
from layerwise.core.runs.run import execute_run
from layerwise.storage import open_store


class Silent:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: None


@pytest.fixture(scope="session")
def all_plugins() -> Registry:
    from layerwise.plugins import load_plugins

    return load_plugins()


@pytest.fixture
def analyse(all_plugins: Registry) -> Callable[..., Any]:
    """Run, and give each layer's correlations, the stimuli as stored, and what was said."""

    def run(model: object, stimuli: object, layers: tuple[str, ...] = ("all",), **options: Any) -> Any:
        observer = Silent()
        prepared = prepare_run(RunRequest(model, stimuli, layers=layers, **options), all_plugins, observer)
        with open_store("sqlite://", create=True) as store:
            outcome = execute_run(prepared, store, observer)
            found = {
                name: store.read_representation(LayerAddress(outcome.run_id, name)).correlation
                for name in outcome.layers
            }
            return found, store.list_stimuli(outcome.run_id), observer.messages

    return run

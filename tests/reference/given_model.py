"""A loader that gives the model that it was given, under the name `toy`."""

from __future__ import annotations

from typing import Any

from layerwise.core.host.kinds import ModelLoader


class GivenLoader(ModelLoader):
    """Loads nothing: it has the model already."""

    name = "toy"
    description = "a model that is there"

    def __init__(self, model: Any) -> None:
        self.model = model

    def accepts(self, model: str) -> bool:
        return model == "toy"

    def load(self, request: Any) -> Any:
        return self.model

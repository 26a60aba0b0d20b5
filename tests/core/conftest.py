"""Fixtures of the core's tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def toy() -> ModuleType:
    """The module `toy_model`: `ToyModel` and `make_stimuli`."""
    path = Path(__file__).with_name("toy_model.py")
    spec = importlib.util.spec_from_file_location("toy_model", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy_model"] = module
    spec.loader.exec_module(module)
    return module

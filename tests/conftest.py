"""Fixtures every room's tests share."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["LAYERWISE_CACHE"] = str(Path(tempfile.gettempdir(), "layerwise-tests-have-no-cache"))

# How long an example takes, or its making, depends on the machine, not on us; where CI is set, chance has no say.
settings.register_profile(
    "layerwise",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("layerwise")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell turns it off in what it starts in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


def shared_data() -> Path | None:
    """The folder with the real weights and photos, or None where it is absent."""
    named = os.environ.get("LAYERWISE_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    return folder if (folder / "imagenet500").is_dir() else None


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the real weights and photos; tests that need it are skipped, saying so, without it."""
    folder = shared_data()
    if folder is None:
        pytest.skip("needs the real weights and photos: set LAYERWISE_DATA or check out beside shared/data")
    return folder


@pytest.fixture(scope="session")
def fake() -> ModuleType:
    """The module `made_history`: a history in memory, and made-up, structured runs for any history."""
    path = Path(__file__).with_name("made_history.py")
    spec = importlib.util.spec_from_file_location("made_history", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["made_history"] = module
    spec.loader.exec_module(module)
    return module

"""Fixtures every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

settings.register_profile("layerwise", deadline=None)  # how long an example takes depends on the machine, not on us
settings.load_profile("layerwise")


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

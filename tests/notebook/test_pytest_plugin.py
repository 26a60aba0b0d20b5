"""The pytest plugin: a marker and a fixture with which a test fails where a layer does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import layerwise as lw
from layerwise.testing import make_history

pytest_plugins = ["pytester"]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("toy") / "toy.db"
    make_history(path, (1.0, 0.0), 16)
    return path


@pytest.fixture
def project(pytester: Any, database: Path) -> Any:
    """A reader's folder: a baseline beside a test that checks a run of their history."""
    with lw.History(database) as history:
        lw.save_baseline(history["toy@0"], pytester.path / "canaries.npz", 12)
    pytester.makepyfile(
        f"""
        import layerwise as lw
        import pytest

        @pytest.mark.layerwise_check(against="canaries.npz", n_resamples=40)
        @pytest.mark.parametrize("run", ["toy@0", "toy@1"])
        def test_network(layerwise_check, run):
            with lw.History({str(database)!r}) as history:
                found = layerwise_check(history[run], picture="broken.svg")
            assert found.passed

        @pytest.mark.layerwise_check(against="canaries.npz", n_resamples=40)
        def test_wrong_call(layerwise_check):
            with lw.History({str(database)!r}) as history:
                layerwise_check(history["toy@0"], margins=0.1)
        """
    )
    return pytester


def test_a_test_fails_with_the_table_where_a_layer_fails(project: Any) -> None:
    result = project.runpytest_inprocess("-p", "layerwise.pytest_plugin", "--strict-markers", "-rA")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*FAIL: of 10 layers 2 fail; the first is logits*", "*| logits | **FAIL** |*"])
    result.stdout.fnmatch_lines(["*layerwise_check does not take margins; it takes: against*"])
    assert (project.path / "broken.svg").read_text().startswith("<svg")


def test_the_marker_is_explained(project: Any) -> None:
    result = project.runpytest_inprocess("-p", "layerwise.pytest_plugin", "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.layerwise_check(against, stimuli=None*"])


def test_the_plugin_loads_nothing_heavy_when_pytest_starts() -> None:
    import subprocess
    import sys

    told = "import sys, layerwise.pytest_plugin as p; print([m for m in ('numpy', 'tensorflow') if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"

"""A pytest plugin: a test that fails when a layer thinks otherwise than in a baseline.

    @pytest.mark.layerwise_check(against="canaries.npz", stimuli="canaries")
    def test_the_exported_network_is_the_trained_one(layerwise_check):
        layerwise_check(load_my_network())

It is an entry point of pytest, so nothing is imported here that takes time: Layerwise is loaded by the first test
that asks for the fixture.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from layerwise.notebook.checking import CheckResult

MARKER = "layerwise_check"
_PLAN = ("margin", "alpha", "n_resamples", "seed", "transform")
_OWN = ("against", "stimuli", "measure", "metric", "layers", "allow_undecided", "picture", "settings", *_PLAN)


def pytest_configure(config: pytest.Config) -> None:
    """Say what the marker takes, for `pytest --markers` and `--strict-markers`."""
    takes = "against, stimuli=None, measure='rsa-pearson', layers=(), margin=0.02, allow_undecided=False, ..."
    what = "the baseline that the fixture of the same name checks networks against; docs/checks.md lists all of it"
    config.addinivalue_line("markers", f"{MARKER}({takes}): {what}")


@pytest.fixture(name=MARKER)
def _layerwise_check(request: pytest.FixtureRequest) -> Callable[..., CheckResult]:
    """Check a network, or a run, against a baseline; the test fails where a layer does."""
    asked: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers(MARKER))):  # the nearest one comes last, and counts
        asked |= marker.kwargs
    folder = Path(request.path).parent

    def check(network: object, **more: Any) -> CheckResult:
        return _check(network, asked | more, folder)

    return check


def _check(network: object, asked: dict[str, Any], folder: Path) -> CheckResult:
    import layerwise as lw

    unknown = sorted(set(asked) - set(_OWN))
    if unknown:
        raise pytest.UsageError(f"{MARKER} does not take {', '.join(unknown)}; it takes: {', '.join(_OWN)}")
    if "against" not in asked:
        raise pytest.UsageError(f"{MARKER} needs a baseline: against='canaries.npz'")
    against = _find(asked["against"], folder)
    run = network if isinstance(network, lw.Run) else _analyze(network, against, asked, folder)
    plan = lw.CheckPlan(**{name: asked[name] for name in _PLAN if name in asked})
    options = {name: asked[name] for name in ("measure", "metric", "layers") if name in asked}
    result = lw.check(run, against, plan=plan, **options, **asked.get("settings", {}))
    if asked.get("picture") and not result.passed:
        lw.charts.save(result.figure(), _find(asked["picture"], folder), width="page")
    if not (result.passed or (result.verdict == "undecided" and asked.get("allow_undecided"))):
        pytest.fail(result.to_markdown(), pytrace=False)
    return result


def _find(given: Any, folder: Path) -> Any:
    """A path as it is seen from the folder of the test; what is no path as it is."""
    return folder / given if isinstance(given, str | Path) else given


def _analyze(network: object, against: Any, asked: dict[str, Any], folder: Path) -> Any:
    """A run of the network on the baseline's stimuli: the layers that the baseline has."""
    import layerwise as lw

    if "stimuli" not in asked:
        raise pytest.UsageError(f"{MARKER} needs stimuli='FOLDER' where it is given a network, and not a run of one")
    names = against.layers if isinstance(against, lw.Run) else lw.list_baseline_layers(against)
    return lw.analyze(network, _find(asked["stimuli"], folder), layers=names, progress=False)

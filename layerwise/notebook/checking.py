"""Tests of representations in Python: is what layers think still what it was?"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerwise.core.analysis.checking.check_run import CheckPlan, check_run
from layerwise.interchange.baselines.baselines import BaselineRequest, join_baseline, make_baseline
from layerwise.interchange.baselines.files import read_baseline
from layerwise.notebook.pictures import caption, picture
from layerwise.notebook.run import DEFAULT_MEASURE, Run
from layerwise.report.checks.junit import write_junit
from layerwise.report.checks.picture import draw_check
from layerwise.report.checks.words import headline, write_markdown

if TYPE_CHECKING:
    import polars as pl
    from altair.typing import ChartType

    from layerwise.core.analysis.checking.check_run import Check, LayerCheck
    from layerwise.core.analysis.checking.equivalence import Verdict
    from layerwise.core.base.parameters import Setting
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.host.registry import Registry


class CheckResult:
    """What a check came to; `check` gives one."""

    def __init__(self, check: Check, registry: Registry, history: HistoryProtocol) -> None:
        """Wrap what `check_run` found."""
        self._check = check
        self._registry = registry
        self._history = history

    @property
    def verdict(self) -> Verdict:
        """`pass`, `fail` or `undecided`."""
        return self._check.verdict

    @property
    def passed(self) -> bool:
        """Whether every layer that could be checked is what it was, up to the margin."""
        return self.verdict == "pass"

    @property
    def layers(self) -> tuple[LayerCheck, ...]:
        """Each layer with its verdict, value, interval and p-values, in order of computation."""
        return self._check.layers

    @property
    def broken(self) -> str | None:
        """The first layer that fails, in order of computation; None if none does."""
        return None if self._check.broken is None else self._check.broken.layer

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, in words."""
        return self._check.notes

    def to_markdown(self) -> str:
        """A heading, the method, and a line for each layer."""
        return write_markdown(self._check)

    def to_junit(self, *, allow_undecided: bool = False) -> str:
        """JUnit XML with a test for each layer."""
        return write_junit(self._check, allow_undecided=allow_undecided)

    def to_polars(self) -> pl.DataFrame:
        """A line for each layer."""
        import polars as pl

        return pl.DataFrame([{**vars(item), "change": item.change} for item in self.layers], infer_schema_length=None)

    def figure(self) -> ChartType:
        """All layers with the margin, and the matrices of the one that broke; `lw.charts.save` writes it."""
        return draw_check(self._check, self._registry, self._history)

    def __bool__(self) -> bool:
        """Whether it passed."""
        return self.passed

    def __repr__(self) -> str:
        """What came out, in one line."""
        return f"<CheckResult {headline(self._check)}>"

    def _repr_html_(self) -> str:
        return f"<div><b>{escape(headline(self._check))}</b></div>{picture(self.figure())}{caption(*self.notes)}"


def check(
    run: Run,
    against: Run | str | Path,
    *,
    measure: str = DEFAULT_MEASURE,
    layers: Sequence[str] | str = (),
    metric: str | None = None,
    plan: CheckPlan | None = None,
    **settings: Setting,
) -> CheckResult:
    """Test whether any layer of a run thinks otherwise than in a baseline, beyond sampling error; docs/checks.md.

        lw.check(lw.analyze(model, "canaries"), "canaries.npz", plan=lw.CheckPlan(margin=0.05))

    Args:
        run: The run.
        against: Another run, also of another history; a baseline file; or what names a run of the same history.
        measure: Name of the comparator.
        layers: Selectors of the baseline's layers that are checked; all by default.
        metric: The metric whose matrices are compared, by comparators that compare any.
        plan: Margin, alpha, number of resamples, seed and transform.
        settings: Values of the comparator's parameters.

    Raises:
        InputError: If there is no such baseline, measure or layer, the plan makes no sense, or the run lacks stimuli
            of the baseline or has them in another order.
    """
    from dataclasses import replace

    from layerwise.core.analysis.measure import find_measure

    registry = run.history.registry
    found = find_measure(registry, measure, settings, metric)
    asked = plan or CheckPlan()
    selectors = (layers,) if isinstance(layers, str) else tuple(layers)
    asked = replace(asked, selectors=selectors or asked.selectors)
    if isinstance(against, Run):
        history: HistoryProtocol = run.history.joined_with([against])
        baseline = against.record
    else:
        history, baseline = join_baseline(run.history.store, str(against))
    return CheckResult(check_run(registry, history, found, run.record, baseline, asked), registry, history)


def save_baseline(run: Run, path: str | Path, n_stimuli: int = 64, **request: Any) -> Path:
    """Write what each layer of a run makes of a few stimuli: a baseline for `check`, small and without pictures.

    Args:
        run: The run.
        path: The file, an `.npz`.
        n_stimuli: Of so many stimuli, evenly spaced; all of a run that has fewer.
        request: `selectors` of layers, and the `transform`.

    Raises:
        InputError: If the file cannot be there, there are too few stimuli, or no such layer.
    """
    target = Path(path)
    make_baseline(run.history.registry, run.history.store, run.record, BaselineRequest(target, n_stimuli, **request))
    return target


def list_baseline_layers(path: str | Path) -> tuple[str, ...]:
    """Names of the layers that a baseline file has, in order of computation.

    Raises:
        InputError: If it is no baseline.
    """
    return tuple(layer.name for layer in read_baseline(Path(path)).layers)

"""Options that say how sure a number is to be made, for every command that takes them, and how that is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from layerwise.cli.output import number
from layerwise.core.base.errors import InputError

if TYPE_CHECKING:
    from layerwise.core.analysis.calibration.ask import CalibratedTable
    from layerwise.core.analysis.inference.from_history import IntervalTable, Pair, PermutationTable
    from layerwise.core.analysis.measure import Measure
    from layerwise.core.history.intervals import Interval, IntervalPlan, PermutationPlan
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.history.records import LayerAddress

Bootstrap = Annotated[
    int,
    typer.Option("--bootstrap", metavar="N", min=0, help="Add intervals from N resamples of the stimuli, 1000 say."),
]
ResamplingSeed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of all random draws.")]
IntervalName = Annotated[
    str | None,
    typer.Option("--interval", metavar="NAME", help="corrected (the default), bca, percentile or jackknife."),
]
Level = Annotated[
    float | None, typer.Option("--level", metavar="P", help="Coverage of the intervals, by default 0.95.")
]


CALIBRATION_PERMUTATIONS = 1000


@dataclass(frozen=True)
class ResamplingOptions:
    """What every command says that resamples stimuli."""

    heading: ClassVar[str] = "How sure"
    bootstrap: Bootstrap = 0
    interval: IntervalName = None
    level: Level = None
    seed: ResamplingSeed = 0


@dataclass(frozen=True)
class IntervalOptions(ResamplingOptions):
    """Whether and how intervals are made."""

    def plan(self) -> IntervalPlan | None:
        """How to make intervals, None where none are asked for.

        Raises:
            InputError: If an option makes no sense, also without the option that it belongs to.
        """
        return plan_intervals(self.bootstrap, self.seed, self.interval, self.level)


@dataclass(frozen=True)
class InferenceOptions(ResamplingOptions):
    """Whether and how intervals and tests of comparisons are made."""

    permutations: Annotated[
        int,
        typer.Option("--permutations", metavar="N", min=0, help="Add Mantel tests from N permutations, 1000 say."),
    ] = 0
    two_sided: Annotated[
        bool, typer.Option("--two-sided", help="Test also for being less alike than chance, not only for more.")
    ] = False
    correction: Annotated[
        str | None,
        typer.Option("--correction", metavar="NAME", help="Of the p-values for all pairs: holm (the default) or bh."),
    ] = None
    calibrated: Annotated[
        bool,
        typer.Option(
            "--calibrated",
            help="Add where numbers stand between chance (0) and perfect agreement (1), and the best pair as such.",
        ),
    ] = False

    def plan(self) -> Inference:
        """What the options ask for.

        Raises:
            InputError: If one makes no sense, also without the one that it belongs to.
        """
        if not (self.bootstrap or self.permutations or self.calibrated) and self.seed:
            raise InputError(
                "--seed is of what --bootstrap N, --permutations N and --calibrated draw: ask for one of them too"
            )
        intervals = plan_intervals(self.bootstrap, self.seed, self.interval, self.level)
        tests = plan_tests(self.permutations, self.seed, self.two_sided, self.correction)
        return Inference(intervals, tests, self.correction or "holm", self._plan_calibration())

    def _plan_calibration(self) -> PermutationPlan | None:
        from layerwise.core.analysis.inference.plans import check_permutation_plan
        from layerwise.core.history.intervals import PermutationPlan

        if not self.calibrated:
            return None
        plan = PermutationPlan(self.permutations or CALIBRATION_PERMUTATIONS, self.seed)
        check_permutation_plan(plan)
        return plan


def plan_intervals(bootstrap: int, seed: int, method: str | None, level: float | None) -> IntervalPlan | None:
    """How to make intervals, None where none are asked for.

    Raises:
        InputError: If an option makes no sense, also without the option that it belongs to.
    """
    from layerwise.core.analysis.inference.plans import make_interval_plan

    if not bootstrap:
        for option, value in (("--interval", method), ("--level", level)):
            if value is not None:
                raise InputError(f"{option} is of the intervals that --bootstrap N adds: ask for them too")
        return None
    return make_interval_plan(bootstrap, seed, method, level)


def plan_tests(permutations: int, seed: int, two_sided: bool, correction: str | None) -> PermutationPlan | None:
    """How to make permutation tests, None where none are asked for.

    Raises:
        InputError: If an option makes no sense, also without the option that it belongs to.
    """
    from layerwise.core.analysis.inference.correction import DEFAULT_CORRECTION, find_correction
    from layerwise.core.analysis.inference.plans import check_permutation_plan
    from layerwise.core.history.intervals import PermutationPlan

    if not permutations:
        if two_sided or correction is not None:
            option = "--two-sided" if two_sided else "--correction"
            raise InputError(f"{option} is of the tests that --permutations N adds: ask for them too")
        return None
    find_correction(correction or DEFAULT_CORRECTION)
    plan = PermutationPlan(permutations, seed, "two-sided" if two_sided else "alike")
    check_permutation_plan(plan)
    return plan


@dataclass(frozen=True)
class Surety:
    """How sure the comparisons of one table are; None for what was not asked for."""

    intervals: IntervalTable | None = None
    tests: PermutationTable | None = None
    calibrated: CalibratedTable | None = None

    def record(self) -> dict[str, Any]:
        """What JSON says of it."""
        record: dict[str, Any] = {}
        if self.intervals is not None:
            found = self.intervals
            record |= {"interval": vars(found.plan), "low": found.low, "high": found.high}
            record["interval_gaps"] = _gaps(found.reasons)
        if self.tests is not None:
            how = {**vars(self.tests.plan), "correction": self.tests.correction}
            record |= {"test": how, "p": self.tests.p, "p_corrected": self.tests.p_corrected}
            record["test_gaps"] = _gaps(self.tests.reasons)
        if self.calibrated is not None:
            record["calibrated"] = _calibrated_record(self.calibrated)
        return record

    def heads(self) -> tuple[str, ...]:
        """Heads of the columns that `cells` fills."""
        heads = [] if self.intervals is None else [f"{self.intervals.plan.level:.0%} interval"]
        if self.tests is not None:
            heads += ["p", f"p ({self.tests.correction})"]
        return (*heads, "calibrated") if self.calibrated is not None else tuple(heads)

    def cells(self, row: int, column: int) -> tuple[str, ...]:
        """What a table says of one pair: its interval, its p-value, and that corrected for all pairs."""
        cells: list[str] = []
        if self.intervals is not None:
            ends = (float(end[row, column]) for end in (self.intervals.low, self.intervals.high))
            cells.append(show_interval(*ends))
        if self.tests is not None:
            cells += [show_p(float(table[row, column])) for table in (self.tests.p, self.tests.p_corrected)]
        if self.calibrated is not None:
            cells.append(number(float(self.calibrated.scores[row, column])))
        return tuple(cells)

    def remarks(self) -> list[str]:
        """What the reader should know of the numbers: that a correction cannot leave anything, for instance."""
        said = [] if self.calibrated is None else [describe_best(self.calibrated)]
        return [*said, *self._warn_of_few()]

    def _warn_of_few(self) -> list[str]:
        if self.tests is None:
            return []
        return _tell_too_few(self.tests.n_tests, self.tests.plan.n_permutations, self.tests.correction)

    def gaps(self) -> list[str]:
        """Why pairs have no interval or no test, each reason once; of a layer with itself nothing is said."""
        found = [] if self.intervals is None else list(self.intervals.reasons.values())
        if self.tests is not None:
            found += [reason for (first, second), reason in self.tests.reasons.items() if first != second]
        return sorted(set(found))


@dataclass(frozen=True)
class Inference:
    """What was asked for besides the numbers themselves; None for what was not."""

    intervals: IntervalPlan | None = None
    tests: PermutationPlan | None = None
    correction: str = "holm"
    calibration: PermutationPlan | None = None

    def warn(self, n_layers: int) -> list[str]:
        """What can be said before anything is computed: that so many permutations are too few for all pairs."""
        if self.tests is None:
            return []
        return _tell_too_few(n_layers * (n_layers - 1) // 2, self.tests.n_permutations, self.correction)

    def ask(
        self,
        history: HistoryProtocol,
        measure: Measure,
        layers: Sequence[LayerAddress],
        out: Sequence[LayerAddress] = (),
    ) -> Surety:
        """Intervals and tests of all pairs of these layers, from history or computed and kept.

        Args:
            history: Where they are.
            measure: What compares them.
            layers: The layers.
            out: Layers that are taken out of both; then there are intervals alone, which are not kept.
        """
        if self.intervals is None and self.tests is None and self.calibration is None:
            return Surety()
        from layerwise.core.analysis.calibration.ask import ask_calibrated
        from layerwise.core.analysis.deconfounding.ask import ask_partial_intervals
        from layerwise.core.analysis.inference.from_history import ask_intervals, ask_tests

        if out and self.intervals is not None:
            return Surety(ask_partial_intervals(history, measure, layers, out, self.intervals))
        intervals = None if self.intervals is None else ask_intervals(history, measure, layers, self.intervals)
        tests = None if self.tests is None else ask_tests(history, measure, layers, self.tests, self.correction)
        calibrated = None if self.calibration is None else ask_calibrated(history, measure, layers, self.calibration)
        return Surety(intervals, tests, calibrated)


def _tell_too_few(n_tests: int, n_permutations: int, correction: str) -> list[str]:
    """A line that says so where no corrected p can be below 0.05; none otherwise."""
    smallest = n_tests / (1 + n_permutations)
    if correction != "holm" or smallest <= 0.05:
        return []
    best = f"the smallest p is {1 / (1 + n_permutations):.2g}, corrected {min(smallest, 1):.2g}"
    remedy = f"take --permutations {20 * n_tests - 1}, fewer --layers, --against RECORDING, or --correction bh"
    return [f"{n_permutations} permutations are too few for {n_tests} tests: {best}; {remedy}"]


def interval_record(interval: Interval) -> dict[str, Any]:
    """What JSON says of one interval."""
    return {"low": interval.low, "high": interval.high, "reason": interval.reason}


def show_interval(low: float | None, high: float | None) -> str:
    """An interval as `0.123 .. 0.456`; nothing where there is none."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"{number(low)} .. {number(high)}"


def show_p(p: float | None) -> str:
    """A p-value with four digits; nothing where there is none."""
    return "<0.0001" if p is not None and p < 0.0001 else number(p, 4)


def _gaps(reasons: Mapping[Pair, str]) -> list[dict[str, Any]]:
    return [
        {"first": vars(first), "second": vars(second), "reason": reason}
        for (first, second), reason in reasons.items()
    ]


def describe_best(found: CalibratedTable) -> str:
    """The best pair of all that were searched, against the best of each permutation; in a sentence."""
    best, n = found.best, found.plan.n_permutations
    if best is None:
        return f"Nothing could be calibrated by {n} permutations"
    several = best.first.run_id != best.second.run_id
    names = [f"{end.run_id[:8]} {end.layer}" if several else end.layer for end in (best.first, best.second)]
    return (
        f"Most alike of {best.n_searched:,} pairs: {' and '.join(names)}, {number(best.value)}; the best of so many "
        f"reaches {number(best.threshold)} by chance, calibrated {number(best.score)}, p {show_p(best.p)} "
        f"({n:,} permutations)"
    )


def _calibrated_record(found: CalibratedTable) -> dict[str, Any]:
    best = found.best
    return {
        **vars(found.plan),
        "alpha": found.alpha,
        "scores": found.scores,
        "thresholds": found.thresholds,
        "p": found.p,
        "best": None if best is None else {**vars(best), "first": vars(best.first), "second": vars(best.second)},
    }

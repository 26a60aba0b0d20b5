"""A network beside recordings: every area of these with the best of its layers, on the stimuli that all share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from layerwise.core.analysis.choose import choose_layers, list_main_layers
from layerwise.core.analysis.inference.plans import make_interval_plan
from layerwise.core.analysis.measure import Measure
from layerwise.core.analysis.recordings.best_layers import AreaMatch, least_permutations, match_areas
from layerwise.core.analysis.recordings.methods import write_methods
from layerwise.core.base.errors import InputError
from layerwise.core.history.intervals import IntervalPlan, PermutationPlan
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress, RunRecord
from layerwise.core.history.views.shared import share_stimuli
from layerwise.core.host.registry import Registry

DEFAULT_PERMUTATIONS = 1000


@dataclass(frozen=True, eq=False)
class Beside:
    """What came of it.

    Attributes:
        network: The network's run, on the shared stimuli.
        recordings: The recordings' runs, on the shared stimuli.
        history: Where these are; reports on them ask it.
        measure: What compared them.
        matches: The best layer for each area.
        remark: Which stimuli were left out, in words; empty where none was.
        methods: What was done, as a paragraph.
        references: What that cites.
        n_layers: How many layers were searched.
        n_permutations: From how many permutations p-values are; 0 without any.
    """

    network: RunRecord
    recordings: tuple[RunRecord, ...]
    history: HistoryProtocol
    measure: Measure
    matches: tuple[AreaMatch, ...]
    remark: str
    methods: str
    references: tuple[str, ...]
    n_layers: int = 0
    n_permutations: int = 0


def ask_beside(  # noqa: PLR0913 - a question with all of its options
    registry: Registry,
    history: HistoryProtocol,
    network: RunRecord,
    recordings: Sequence[RunRecord],
    measure: Measure,
    selectors: Sequence[str] | None = None,
    *,
    bootstrap: int = 1000,
    permutations: int | None = 1000,
    seed: int = 0,
    intervals: IntervalPlan | None = None,
) -> Beside:
    """Each area of some recordings beside a network.

    Args:
        registry: Knows comparators and selectors.
        history: Where the runs are.
        network: The network.
        recordings: The recordings.
        measure: What compares them.
        selectors: Of the network's layers; its main ones if not given.
        bootstrap: Resamples for intervals; 0 for none.
        permutations: Permutations for p-values; 0 for none, None for 1000, or more where there are many areas.
        seed: Of all random draws.
        intervals: How intervals are made, in place of `bootstrap` resamples.

    Raises:
        InputError: If there is no recording, too few stimuli are shared, or a number makes no sense.
    """
    if not recordings:
        raise InputError("there is no recording to compare the network with")
    if any(run.id == network.id for run in recordings):
        raise InputError(f"run {network.id} is the network; name other runs or files as recordings")
    shared, runs, remark = share_stimuli(history, [network, *recordings])
    run, areas_of = runs[0], runs[1:]
    chosen = (
        [layer for _, layer in choose_layers(registry, shared, [run], selectors)]
        if selectors
        else list_main_layers(shared, run)
    )
    layers = [LayerAddress(run.id, layer.name) for layer in chosen]
    areas = [LayerAddress(one.id, layer.name) for one in areas_of for layer in shared.list_layers(one.id)]
    intervals = intervals or (make_interval_plan(bootstrap, seed) if bootstrap else None)
    if permutations is None:
        permutations = max(DEFAULT_PERMUTATIONS, least_permutations(len(areas)))
    tests = PermutationPlan(permutations, seed) if permutations else None
    matches = match_areas(registry, shared, measure, areas, layers, intervals, tests)
    said, references = write_methods(run, areas_of, measure, len(areas), len(layers), intervals, tests)
    return Beside(
        run, tuple(areas_of), shared, measure, tuple(matches), remark, said, references, len(layers), permutations
    )

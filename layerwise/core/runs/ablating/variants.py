"""A sweep whose variants are kept: each is a run of its own, which says what it differs from and how.

Of a variant the layers are kept that differ from the intact network's: those that come after what was silenced, and
no statistics of them, which `measure` adds (they would take as long as all the rest). Each variant is claimed,
computed and finished as any run; so a sweep that was stopped goes on with what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from layerwise.core.base.errors import InputError
from layerwise.core.history.protocols import Archive
from layerwise.core.host.plans import Target
from layerwise.core.network.ablating.ablation import Ablation
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import Model
from layerwise.core.runs.ablating.starts import Start, Starts
from layerwise.core.runs.ablating.sweep import Progress
from layerwise.core.runs.ablating.tails import Tail, TailRows
from layerwise.core.runs.ablating.trunk import Trunk
from layerwise.core.runs.planning import let_go, plan_targets
from layerwise.core.runs.prepared import PreparedRun
from layerwise.core.runs.request import Observer, SilentObserver
from layerwise.core.runs.run import execute_open


@dataclass(frozen=True)
class Savings:
    """What a network without some layers need not hold or compute.

    Attributes:
        n_parameters: Weights that nobody needs any more.
        share_of_parameters: The same as a share of all.
        share_of_cost: Share of the multiply-adds of a pass that nobody needs any more.
    """

    n_parameters: int
    share_of_parameters: float
    share_of_cost: float


@dataclass(frozen=True)
class StoredSweep:
    """A sweep that has been stored.

    Attributes:
        baseline: Id of the intact run.
        variants: Id of each variant's run, in the order of the ablations.
        n_computed: How many variants were computed now; the others were there.
    """

    baseline: str
    variants: tuple[str, ...]
    n_computed: int


def sweep_stored(
    prepared: PreparedRun,
    ablations: Sequence[Ablation],
    layers: Sequence[Layer],
    store: Archive,
    observer: Observer,
    *,
    baseline: str | None = None,
) -> StoredSweep:
    """Store the intact run and each variant, and compute what is not there yet.

    Args:
        prepared: The intact run, as `prepare_run` makes it; it is carried out once.
        ablations: What is silenced, each by itself.
        layers: Which layers are measured of a variant, where they come after what is silenced; the output always is.
        store: The history.
        observer: Told of progress.
        baseline: Id of the intact run, where it is known which one it is; it has the same model and stimuli.

    Raises:
        InputError: If a layer cannot be silenced; nothing is stored then.
        LayerwiseError: If the work failed; what is finished is kept, and the same call goes on from there.
    """
    sweep = _Sweep(prepared, layers, store, observer)
    try:
        order = list(sweep.starts.order(ablations))
        baseline = baseline or _store_baseline(prepared, store, observer)
        sweep.progress.begin(sweep.starts.n_passes(ablations))
        variants = {place: sweep.store(ablations[place], start) for place, start in order}
        sweep.progress.end()
    finally:
        sweep.trunk.close()
        let_go(prepared.request, prepared.stimuli)
    return StoredSweep(baseline, tuple(variants[place] for place in range(len(ablations))), sweep.n_computed)


def _store_baseline(prepared: PreparedRun, store: Archive, observer: Observer) -> str:
    """The intact run; computed anew where one is stored that has not kept its whole output."""
    run_id = execute_open(prepared, store, observer).run_id
    if store.read_outputs(run_id) is None:
        forced = replace(prepared, request=replace(prepared.request, force=True))
        run_id = execute_open(forced, store, observer).run_id
    if store.read_outputs(run_id) is None:
        raise InputError(
            f"the output of {prepared.model.info.name} is not kept whole, so nothing can be set beside it"
        )
    return run_id


class _Sweep:
    """Stores one variant after the other."""

    def __init__(self, prepared: PreparedRun, layers: Sequence[Layer], store: Archive, observer: Observer) -> None:
        model, stimuli = prepared.model, prepared.stimuli
        self.starts = Starts(model)
        self.progress = Progress(observer, self.starts, stimuli.n_stimuli)
        self.trunk = Trunk(model, stimuli.read, stimuli.n_stimuli, prepared.plan.batch_size, self.progress.tell)
        self.n_computed = 0
        self._prepared, self._store, self._observer = prepared, store, observer
        wanted = {layer.name for layer in layers}
        self._layers = [layer for layer in model.layers if layer.name in wanted or layer.role == "output"]

    def store(self, ablation: Ablation, start: Start) -> str:
        """The run of a variant: the stored one, or computed now."""
        prepared = self._prepare(ablation, start)
        share = self.starts.share_between([start.node], [self.trunk.model.graph.output])
        watched = _Watched(self._observer, self.progress, share * self.trunk.n_stimuli, ablation.described, prepared)
        outcome = execute_open(prepared, self._store, watched)
        self.n_computed += outcome.status == "finished"
        return outcome.run_id

    def _prepare(self, ablation: Ablation, start: Start) -> PreparedRun:
        intact = self._prepared
        affected, graph = self.starts.affected(ablation, start), self.trunk.model.graph
        later = [layer for layer in self._layers if layer.node in affected]
        layers = tuple(one for one in later if graph.input not in graph.between([start.node], [one.node]))
        model = Tail(self.trunk, ablation, start, layers, intact.stimuli.fingerprint)
        stimuli = replace(intact.stimuli, pixels=TailRows(self.trunk, ablation, start))
        request = replace(
            intact.request, ablate=ablation.layers, ablate_with=ablation.substitute, seed=ablation.seed, force=False
        )
        targets = tuple(Target(layer) for layer in layers)
        plan = plan_targets(request, model, targets, stimuli, intact.budget)
        return replace(
            intact,
            request=request,
            digest=None,
            model=model,
            stimuli=stimuli,
            layers=layers,
            targets=targets,
            plan=plan,
            seconds={},
            is_measured=False,
        )


class _Watched(SilentObserver):
    """Hears of one variant what the sweep's observer is told: its share of the whole."""

    def __init__(
        self, observer: Observer, progress: Progress, n_passed: float, what: str, prepared: PreparedRun
    ) -> None:
        self._observer, self._progress, self._what = observer, progress, what
        self._each = n_passed / max(1, prepared.plan.n_stimulus_passes)

    def advance(self, count: int, what: str) -> None:
        """Some stimuli have passed a segment."""
        del what
        self._progress.add(count * self._each, self._what)

    def message(self, text: str) -> None:
        """Pass it on."""
        self._observer.message(text)


def measure_savings(model: Model, ablations: Sequence[Ablation]) -> list[Savings]:
    """What each variant of a model saves."""
    starts = Starts(model)
    node_of = {layer.name: layer.node for layer in model.layers}
    held: dict[str, int] = {}
    for tensor in model.weights():
        node = node_of.get(tensor.layer, tensor.layer)
        held[node] = held.get(node, 0) + tensor.values.size
    total = max(1, sum(held.values()))
    found = []
    for ablation in ablations:
        n_parameters = sum(held.get(node, 0) for node in starts.nodes_saved(ablation))
        found.append(Savings(n_parameters, n_parameters / total, starts.share_saved(ablation)))
    return found

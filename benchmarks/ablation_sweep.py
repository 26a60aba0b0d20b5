"""What silencing every branch of a network costs, by default GoogLeNet, in forward passes and processor seconds.

    python benchmarks/ablation_sweep.py --weights FILE --stimuli FOLDER [--limit 500] [--each branches]

Measured one after the other in one process: the forward pass alone (one compiled function, its outputs dropped); the
intact run, with all layers, branches and statistics; the sweep beside it, each variant stored with its later main
layers and its output; and for four branches the sweep beside the plain way, a pass over the whole network for each,
with the same layers stored. From scratch is the intact run and the sweep. Decoding, loading and tracing are not
counted for any, and neither are intervals.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from layerwise.core.host.registry import Registry
from layerwise.core.network.ablating.ablation import Ablation, ablate
from layerwise.core.runs.ablating.starts import Starts
from layerwise.core.runs.ablating.sweep import choose_ablations
from layerwise.core.runs.ablating.variants import sweep_stored
from layerwise.core.runs.planning import plan_targets
from layerwise.core.runs.prepared import PreparedRun, prepare_run
from layerwise.core.runs.request import RunRequest, SilentObserver
from layerwise.core.runs.run import execute_open
from layerwise.plugins import load_plugins
from layerwise.storage import open_store

if TYPE_CHECKING:
    from layerwise.storage.store import OpenHistory

SILENT = SilentObserver()


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stimuli", required=True)
    parser.add_argument("--model", default="googlenet")
    parser.add_argument("--weights", help="of GoogLeNet; none for random ones")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--each", default="branches")
    parser.add_argument("--block", default="mixed4d", help="whose four branches are silenced in both ways")
    asked = parser.parse_args()
    registry = load_plugins()
    request = RunRequest(
        model=asked.model,
        stimuli=asked.stimuli,
        weights=asked.weights,
        limit=asked.limit,
        layers=("layerwise:main", "layerwise:branches"),
    )

    def prepare() -> PreparedRun:
        return prepare_run(request, registry, SILENT)

    with tempfile.TemporaryDirectory() as folder, open_store(f"sqlite:///{Path(folder) / 'h.db'}") as store:
        measure(prepare, registry, asked.each, asked.block, store)


def measure(
    prepare: Callable[[], PreparedRun], registry: Registry, each: str, block: str, store: OpenHistory
) -> None:
    """Every way in turn."""
    prepared = prepare()
    ablations = choose_ablations(registry, prepared.model, [each], [], "zero")
    _forward(prepared)  # traces
    forward = _timed(lambda: _forward(prepared))
    n_passes = Starts(prepared.model).n_passes(ablations)
    print(f"{prepared.stimuli.n_stimuli} photos; forward pass alone: {forward:.1f} processor seconds", flush=True)

    def tell(what: str, seconds: float) -> None:
        print(f"{what:52} {seconds:8.1f} s {seconds / forward:6.2f} passes", flush=True)

    intact = _timed(lambda: execute_open(prepared, store, SILENT))
    tell("the intact run, all statistics", intact)
    four = [ablation for ablation in ablations if ablation.layers[0].startswith(f"{block}/")]
    tell(f"{len(four)} branches of {block}, a pass for each", _timed(lambda: _run_plainly(prepared, four, store)))
    for ablation in four:  # else the sweep would be answered
        _forget(ablation, store)
    some = prepare()
    tell(f"{len(four)} branches of {block}, the sweep", _timed(lambda: _sweep(some, four, store)))
    for ablation in four:
        _forget(ablation, store)
    whole = prepare()
    sweep = _timed(lambda: _sweep(whole, ablations, store))
    tell(f"all {len(ablations)}, the sweep beside the intact run", sweep)
    tell("from scratch, the intact run included", intact + sweep)
    print(f"the sweep passes the network {n_passes:.2f} times, counted in multiply-adds, the intact trunk included")


def _timed(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def _forward(prepared: PreparedRun) -> None:
    model, stimuli, size = prepared.model, prepared.stimuli, prepared.plan.batch_size
    function = model.compile(model.graph.input, [model.graph.output])
    for start in range(0, stimuli.n_stimuli, size):
        function(model.preprocess(stimuli.read(start, min(start + size, stimuli.n_stimuli))))


def _sweep(prepared: PreparedRun, ablations: Sequence[Ablation], store: OpenHistory) -> None:
    main_layers = [layer for layer in prepared.model.layers if layer.is_main]
    sweep_stored(prepared, ablations, main_layers, store, SILENT)


def _run_plainly(prepared: PreparedRun, ablations: Sequence[Ablation], store: OpenHistory) -> None:
    """Each ablation by a pass over the whole network, with the layers that the sweep keeps."""
    starts = Starts(prepared.model)
    stimuli = prepared.stimuli
    for ablation in ablations:
        affected = starts.affected(ablation, starts.find(ablation))
        targets = tuple(one for one in prepared.targets if one.layer.is_main and one.layer.node in affected)
        request = replace(prepared.request, ablate=ablation.layers)
        model = ablate(prepared.model, ablation, stimuli.read, stimuli.n_stimuli, stimuli.fingerprint)
        plan = plan_targets(request, model, targets, stimuli, prepared.budget)
        layers = tuple(target.layer for target in targets)
        execute_open(
            replace(
                prepared, request=request, model=model, layers=layers, targets=targets, plan=plan, seconds={},
                is_measured=False,
            ),
            store,
            SILENT,
        )  # fmt: skip


def _forget(ablation: Ablation, store: OpenHistory) -> None:
    from layerwise.core.history.records import RunFilter

    for run in store.list_runs(RunFilter(origin="ablated")):
        if run.variant is not None and run.variant.layers == ablation.layers:
            store.delete_run(run.id)


if __name__ == "__main__":
    main()

"""From a run to a baseline file, and from a file to a run that can be compared with others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from layerwise.core.base.errors import InputError
from layerwise.core.base.provider import Provider
from layerwise.core.base.writing import check_target
from layerwise.core.history.memory.history import MemoryHistory
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress, LayerResult, RunHeader, RunRecord
from layerwise.core.history.views.joined import JoinedHistory
from layerwise.core.host.registry import Registry, distribution_version
from layerwise.core.host.selection import select_layers
from layerwise.core.network.model import ModelInfo
from layerwise.core.network.pixels import ArrayReader
from layerwise.core.network.representation import NO_TRANSFORM
from layerwise.core.network.stimuli import LoadedStimuli, Stimulus
from layerwise.core.runs.decode.stimuli import fingerprint_stimuli
from layerwise.core.runs.provenance import digest_key
from layerwise.interchange.baselines.files import (
    BaselineFile,
    BaselineStimulus,
    pick_evenly,
    read_baseline,
    write_baseline,
)

DEFAULT_N_STIMULI = 64
MIN_STIMULI = 4
LOADER = "layerwise:baseline"


@dataclass(frozen=True)
class BaselineRequest:
    """What a baseline is made of.

    Attributes:
        path: The file.
        n_stimuli: Of so many stimuli, evenly spaced; all of a run that has fewer.
        selectors: Of which layers; all if empty.
        transform: Under which activation transform.
    """

    path: Path
    n_stimuli: int = DEFAULT_N_STIMULI
    selectors: tuple[str, ...] = ()
    transform: str = NO_TRANSFORM


def make_baseline(
    registry: Registry, history: HistoryProtocol, run: RunRecord, request: BaselineRequest
) -> BaselineFile:
    """Write what a run's layers make of some of its stimuli; gives what was written.

    Raises:
        InputError: If the file cannot be there, a selector picks nothing, stimuli are too few, or a layer is not
            stored under the transform.
        LayerwiseError: If writing fails.
    """
    if request.n_stimuli < MIN_STIMULI:
        raise InputError(f"a baseline has at least {MIN_STIMULI} stimuli, not {request.n_stimuli}")
    check_target(request.path)
    stored = history.list_layers(run.id)
    layers = select_layers(registry, request.selectors, stored) if request.selectors else stored
    if not layers:
        raise InputError(f"run {run.id} has no stored layer")
    listed = history.list_stimuli(run.id)
    rows = np.array(pick_evenly(len(listed), request.n_stimuli), dtype=np.intp)
    found = history.read_representations([LayerAddress(run.id, layer.name, request.transform) for layer in layers])
    baseline = BaselineFile(
        model=run.model.name,
        source=run.model.source,
        run_id=run.id,
        stimuli_name=run.stimuli_name,
        transform=request.transform,
        layers=tuple(layers),
        stimuli=tuple(
            BaselineStimulus(listed[row].name, listed[row].label, listed[row].content_hash) for row in rows
        ),
        representations=tuple(item.take(rows) for item in found),
        versions=dict(run.versions),
    )
    write_baseline(request.path, baseline)
    return baseline


def open_baseline(path: Path) -> tuple[MemoryHistory, RunRecord]:
    """A baseline file as a run of a history in memory.

    Raises:
        InputError: If it is no baseline, or is damaged.
    """
    baseline = read_baseline(path)
    history = MemoryHistory(lambda: path.name)  # what people call it; the run's own id may be in their history, too
    claim = history.begin_run(_describe(path, baseline))
    for layer, representation in zip(baseline.layers, baseline.representations, strict=True):
        history.save_layer(claim, LayerResult(layer.name, baseline.transform, representation))
    history.finish_run(claim, {})
    return history, history.find_run(claim.run_id)


def join_baseline(history: HistoryProtocol, against: str) -> tuple[HistoryProtocol, RunRecord]:
    """A history in which a run and its baseline are, and the baseline: of a file, or another run of the history.

    Args:
        history: Where the run is.
        against: The path of a baseline file, or what names a run.

    Raises:
        InputError: If there is no such run, or the file is no baseline.
    """
    if not is_baseline_file(against):
        return history, history.find_run(against)
    memory, baseline = open_baseline(Path(against))
    return JoinedHistory(history, [(baseline.id, memory)]), baseline


def is_baseline_file(against: str) -> bool:
    """Whether what is checked against is a file, there or not, rather than a run."""
    return against.lower().endswith(".npz") or Path(against).is_file()


def _describe(path: Path, baseline: BaselineFile) -> RunHeader:
    hashes = [item.content_hash for item in baseline.stimuli]
    provider = Provider(LOADER, distribution_version("layerwise"))
    fingerprint = digest_key({"baseline": [baseline.run_id, [layer.name for layer in baseline.layers], hashes]})
    stimuli = LoadedStimuli(
        name=baseline.stimuli_name,
        source=str(path),
        stimuli=tuple(Stimulus(item.name, item.label) for item in baseline.stimuli),
        pixels=ArrayReader(np.empty((len(hashes), 0, 0, 3), dtype=np.uint8)),
        thumbnails=(b"",) * len(hashes),
        content_hashes=tuple(hashes),
        fingerprint=fingerprint_stimuli(hashes),
        skipped=(),
        resize="squash",
    )
    return RunHeader(
        key=fingerprint,
        model=ModelInfo(baseline.model, baseline.source, fingerprint, (), "", "squash", 0),
        loader=provider,
        stimuli=stimuli,
        layers=baseline.layers,
        transforms=(baseline.transform,),
        engine=provider,
        batch_size=0,
        chunk_width=0,
        command=f"layerwise baseline {baseline.run_id}",
        versions=baseline.versions,
        origin="imported",
    )

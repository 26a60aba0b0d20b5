"""What is written to a history and read back from it, as frozen records that pass between rooms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from layerwise.core.base.parameters import NO_TRANSFORM
from layerwise.core.base.provider import Provider
from layerwise.core.base.urls import hide_passwords
from layerwise.core.history.costs import RunCosts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from layerwise.core.history.variants import Variant
    from layerwise.core.network.layers import Layer
    from layerwise.core.network.matrices.pairs import Pairs
    from layerwise.core.network.model import ModelInfo
    from layerwise.core.network.stimuli import LoadedStimuli

RunStatus = Literal["running", "finished", "failed", "interrupted"]
Origin = Literal["computed", "snapshot", "ablated", "imported"]
"""Where a run's numbers come from: a model as it is, one in training, one without a part, or another tool's file."""
RunField = Literal["model", "stimuli", "lineage", "status"]
"""What runs can be counted by."""
RunOrder = Literal["started", "id", "model", "checkpoint", "stimuli", "n_stimuli", "n_layers", "status", "top1"]
"""What runs can be listed by; `checkpoint` is the lineage, then the step."""


@dataclass(frozen=True)
class RunHeader:
    """Everything that is known of a run before its first layer.

    Attributes:
        key: Hex digest of all that decides the results; the same key asked for twice is one analysis.
        model: The model.
        loader: Who loaded it.
        stimuli: The decoded stimuli.
        layers: The selected layers, in order of computation.
        transforms: Names of the activation transforms, `none` among them where plain activations count.
        engine: Who streams.
        batch_size: Stimuli per call of the network; changes the last digits, so it is recorded.
        chunk_width: Features per product that is summed in float64; likewise.
        command: The command line, or the Python call, as typed.
        checkpoint: Label of the checkpoint, if the model is one of a lineage.
        step: Its training step or epoch.
        lineage: Name of the training it belongs to.
        tags: Free `key=value` pairs.
        versions: Package name to version, of everything that computes.
        plugins: `distribution version` of each plugin that was loaded.
        host: Machine, operating system, processor, memory.
        origin: Where its numbers come from.
        variant: Of an ablated model, how it differs from its baseline.
        n_landmarks: With how many stimuli, the first ones, pairs are kept; None where all are.
    """

    key: str
    model: ModelInfo
    loader: Provider
    stimuli: LoadedStimuli
    layers: tuple[Layer, ...]
    transforms: tuple[str, ...]
    engine: Provider
    batch_size: int
    chunk_width: int
    command: str
    checkpoint: str | None = None
    step: int | None = None
    lineage: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    host: Mapping[str, str] = field(default_factory=dict)
    origin: Origin = "computed"
    variant: Variant | None = None
    n_landmarks: int | None = None

    def __post_init__(self) -> None:
        """Whoever stores it: no password is kept."""
        object.__setattr__(self, "command", hide_passwords(self.command))


@dataclass(frozen=True)
class Claim:
    """What the store answers when a run is begun.

    Attributes:
        run_id: Identifier of the run.
        finished: Whether the same analysis is already there, complete.
        done: (layer name, transform) pairs that an interrupted attempt has already stored.
        resumed: Whether an interrupted attempt goes on.
        token: What every write to the run presents; the run knows only the last one that was given out. Empty where
            nothing is claimed, because the run is finished.
    """

    run_id: str
    finished: bool = False
    done: frozenset[tuple[str, str]] = frozenset()
    resumed: bool = False
    token: str = field(default="", repr=False)


@dataclass(frozen=True, eq=False)
class StatisticResult:
    """A statistic's value, with its name and who computed it; `value` None says why in `reason`."""

    name: str
    provider: Provider
    value: float | None
    reason: str = ""
    vector: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class LayerResult:
    """A finished layer under one transform: written in one transaction."""

    layer: str
    transform: str
    representation: Pairs
    statistics: tuple[StatisticResult, ...] = ()


@dataclass(frozen=True)
class WeightResult:
    """The statistics of one weight tensor."""

    name: str
    layer: str
    shape: tuple[int, ...]
    position: int
    statistics: tuple[StatisticResult, ...] = ()


@dataclass(frozen=True)
class Prediction:
    """One of a stimulus's most probable classes; `rank` counts from 1, `position` is the stimulus's index."""

    position: int
    rank: int
    class_index: int
    class_name: str | None
    probability: float


@dataclass(frozen=True)
class Accuracy:
    """Share of stimuli whose label is the most probable class, or among the five most probable ones."""

    top1: float
    top5: float
    n_labelled: int


@dataclass(frozen=True)
class Attempt:
    """One attempt at a run: a run that was interrupted goes on under another one, perhaps with other versions.

    Attributes:
        number: From 1.
        status: How it ended.
        command: As typed.
        versions: Package name to version, of everything that computed.
        plugins: `distribution version` of each plugin that was loaded.
        host: The machine.
        started_at: In UTC.
        ended_at: In UTC; of one that was cut off, its last sign of life. None where it goes on, or is not known.
        error: Why it failed.
        n_layers: How many of the run's layers it has stored.
        costs: What it was predicted to cost and did cost; None where it has not finished, or is not known.
    """

    number: int
    status: RunStatus
    command: str
    versions: Mapping[str, str]
    plugins: tuple[str, ...]
    host: Mapping[str, str]
    started_at: datetime
    ended_at: datetime | None = None
    error: str | None = None
    n_layers: int = 0
    costs: RunCosts | None = None


@dataclass(frozen=True)
class RunRecord:
    """A run as history knows it. Times are UTC; `timings` are seconds by stage.

    Of a run with `n_landmarks` only pairs with so many of its stimuli are kept, the first ones. Command, versions,
    plugins and host are those of the first attempt; `attempts` has those of each.
    """

    id: str
    key: str
    status: RunStatus
    model: ModelInfo
    loader: Provider
    stimuli_name: str
    stimuli_source: str
    stimuli_fingerprint: str
    n_stimuli: int
    resize: str
    skipped: tuple[str, ...]
    transforms: tuple[str, ...]
    engine: Provider
    batch_size: int
    chunk_width: int
    command: str
    checkpoint: str | None
    step: int | None
    lineage: str | None
    tags: Mapping[str, str]
    versions: Mapping[str, str]
    plugins: tuple[str, ...]
    host: Mapping[str, str]
    timings: Mapping[str, float]
    accuracy: Accuracy | None
    started_at: datetime
    finished_at: datetime | None
    error: str | None
    n_layers: int
    origin: Origin = "computed"
    attempts: tuple[Attempt, ...] = ()
    variant: Variant | None = None
    n_landmarks: int | None = None


@dataclass(frozen=True)
class StimulusRecord:
    """A stimulus as stored; `thumbnail` is a small JPEG or PNG."""

    position: int
    name: str
    label: str | None
    content_hash: str
    thumbnail: bytes


@dataclass(frozen=True)
class LayerStatistic:
    """A stored statistic of one layer."""

    layer: str
    transform: str
    result: StatisticResult


@dataclass(frozen=True)
class LayerAddress:
    """One layer of one run, under a transform."""

    run_id: str
    layer: str
    transform: str = NO_TRANSFORM


@dataclass(frozen=True)
class Comparison:
    """A comparator's value for an ordered pair of layers.

    Attributes:
        comparator: Who computed it, with which settings.
        first: The row.
        second: The column.
        value: The number; None where it is undefined.
        reason: Why there is no number. Where there is one, what speaks against relying on it: a line for each layer.
        failed: Whether there is none because a plugin failed; that is told, but never kept as the answer.
    """

    comparator: Provider
    first: LayerAddress
    second: LayerAddress
    value: float | None
    reason: str = ""
    failed: bool = False


@dataclass(frozen=True)
class Ordering:
    """A permutation of a run's stimuli, computed from one layer's matrix."""

    reorderer: Provider
    address: LayerAddress
    permutation: tuple[int, ...]


@dataclass(frozen=True)
class RunFilter:
    """Which runs to list, and in which order; None does not restrict.

    Attributes:
        model: Name of the model.
        stimuli: Name of the stimulus set.
        status: How the run stands.
        lineage: The training it belongs to.
        tags: All must match.
        limit: No more than so many.
        origin: Where its numbers come from.
        fingerprint: Of the stimulus set.
        with_layers: Only runs of which a layer is stored.
        words: All must be found in a run, in upper or lower case: at the beginning of its id, or in its model,
            stimuli, checkpoint, lineage, status, tags or command.
        order: What runs are listed by. Those without a value come last; equals are listed newest first.
        descending: Whether the largest value comes first: the newest run, unless `order` says otherwise.
        offset: How many are left out before the first.
        model_fingerprint: Of the model.
    """

    model: str | None = None
    stimuli: str | None = None
    status: RunStatus | None = None
    lineage: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    origin: Origin | None = None
    fingerprint: str | None = None
    with_layers: bool = False
    words: str = ""
    order: RunOrder = "started"
    descending: bool = True
    offset: int = 0
    model_fingerprint: str | None = None

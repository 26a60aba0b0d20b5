"""The request of a run, its outcome, and the observer that hears its progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from layerwise.core.base.parameters import Setting
from layerwise.core.history.outputs import OutputForm
from layerwise.core.history.records import Accuracy
from layerwise.core.host.plans import StreamPlan
from layerwise.core.network.ablating.ablation import Substitute
from layerwise.core.network.model import UNTRAINED, ModelInfo
from layerwise.core.network.stimuli import Resize

DEFAULT_BATCH_SIZE = 16
"""Stimuli per call of the network where neither the request nor the model says how many."""


@dataclass(frozen=True)
class RunRequest:
    """One analysis as it is asked for.

    Attributes:
        model: Name or path of the model; or a model itself, a `Model` or what a loader adopts (a Keras model).
        stimuli: Path of the stimuli; or `LoadedStimuli`, or what a source adopts (an array of pixels, which is
            not copied: it must stay as it is until the run has ended).
        weights: A weights file or a word such as `imagenet`.
        layers: Selectors, adding up.
        transforms: Activation transforms beside the plain activations.
        limit: Take only the first so many stimuli.
        resize: Resize policy; None for what the model's authors did.
        skip_bad: Go on without stimuli that cannot be decoded.
        batch_size: Stimuli per call of the network; None for what suits where it computes.
        memory: Bytes of memory for what is streamed; None for half of what is free.
        spool: Bytes of disk for what does not fit; None for half of what is free.
        spool_folder: Where to spool; None for the system's temporary folder.
        ablate: Names of layers that are silenced.
        ablate_with: What stands in for them: `zero`, `mean` or `shuffle`.
        outputs: In which precision the whole output is kept; `none` to keep the most probable classes alone.
        engine: Name of the engine.
        engine_settings: What the engine is told, by name of its parameters; decides no number.
        device: Where the network computes: `auto`, `cpu`, or a framework's word such as `cuda`.
        checkpoint: Label of the checkpoint.
        step: Its training step or epoch.
        lineage: Name of the training it belongs to.
        tags: Free `key=value` pairs.
        landmarks: Keep pairs with the first so many stimuli alone; None for all pairs.
        force: Compute again what is stored already.
        seed: Seed of untrained weights, and of what stands in for a layer with `shuffle`.
        allow_unsafe: Whether code stored in a model file may run.
        class_names: File with the names of the classes.
        preprocessing: What is done to pixels, for model files that do not say.
        value_range: What is black and what is white in an array of pixels; None for what the bulk of values says.
        open_size: Height and width of the input of a model that takes any; None for that of the stimuli.
        shapes: Shapes of the stimuli, for a model that takes no single picture; None for what they have.
        max_pixels: Pixels that an image file may have at most; None for the source's choice.
        output: The tensor that counts as the model's output; None for the loader's choice.
        feed: Values of inputs that are settings rather than stimuli, by name.
        imports: Python files or modules that are run before the model is read.
        command: The command as typed, for the record.
    """

    model: object
    stimuli: object
    weights: str | None = None
    layers: tuple[str, ...] = ("layerwise:main",)
    transforms: tuple[str, ...] = ()
    limit: int | None = None
    resize: Resize | None = None
    skip_bad: bool = False
    batch_size: int | None = None
    memory: int | None = None
    spool: int | None = None
    spool_folder: Path | None = None
    ablate: tuple[str, ...] = ()
    ablate_with: Substitute = "zero"
    outputs: OutputForm = "float32"
    engine: str = "layerwise:local"
    engine_settings: Mapping[str, Setting] = field(default_factory=dict)
    device: str = "auto"
    checkpoint: str | None = None
    step: int | None = None
    lineage: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    landmarks: int | None = None
    force: bool = False
    seed: int = 0
    allow_unsafe: bool = False
    class_names: str | None = None
    preprocessing: str | None = None
    value_range: tuple[float, float] | None = None
    open_size: tuple[int, int] | None = None
    shapes: tuple[tuple[int, ...], ...] | None = None
    max_pixels: int | None = None
    output: str | None = None
    feed: tuple[tuple[str, float], ...] = ()
    imports: tuple[str, ...] = ()
    command: str = ""

    @property
    def filed(self) -> list[object]:
        """The labels that a run is filed under, which are part of what it is."""
        return [self.checkpoint, self.step, self.lineage, dict(self.tags)]


@dataclass(frozen=True)
class RunOutcome:
    """What an analysis came to.

    Attributes:
        run_id: Identifier of the run in the history.
        status: `finished` if it was computed, `stored` if the same analysis was there already.
        n_stimuli: Number of stimuli.
        layers: Names of the analysed layers, in order of computation.
        seconds: Wall time by stage.
        accuracy: Where labels are known and match the model's classes.
        weights: Where the model's weights came from, in words.
        resumed: Whether an interrupted attempt was continued.
        constant: Layer name to number of stimuli with constant activations, whose correlations are NaN.
    """

    run_id: str
    status: Literal["finished", "stored"]
    n_stimuli: int
    layers: tuple[str, ...]
    seconds: Mapping[str, float]
    accuracy: Accuracy | None = None
    weights: str = ""
    resumed: bool = False
    constant: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_untrained(self) -> bool:
        """Whether the model's weights are random."""
        return self.weights.startswith(UNTRAINED)


def describe_untrained(model: ModelInfo) -> str:
    """What must be said of a model with random weights before it is analysed."""
    return (
        f"{model.name} has random weights ({model.source}): it has learned nothing. --weights (weights= in Python) "
        "takes trained ones, a file or a word such as imagenet"
    )


class Observer(Protocol):
    """Hears what an analysis is doing; the command line draws it."""

    def stage(self, name: str) -> None:
        """A stage begins, in words: `loading googlenet`."""

    def planned(self, plan: StreamPlan) -> None:
        """The plan is made."""

    def begin(self, total: int) -> None:
        """Streaming begins; `total` stimulus passes are to come."""

    def advance(self, count: int, what: str) -> None:
        """`count` more stimulus passes are done, in the segment that starts at `what`."""

    def layer_finished(self, name: str) -> None:
        """A layer is finished."""

    def message(self, text: str) -> None:
        """Something the user should know."""


class SilentObserver:
    """An observer that says nothing."""

    def stage(self, name: str) -> None:
        """Ignore it."""

    def planned(self, plan: StreamPlan) -> None:
        """Ignore it."""

    def begin(self, total: int) -> None:
        """Ignore it."""

    def advance(self, count: int, what: str) -> None:
        """Ignore it."""

    def layer_finished(self, name: str) -> None:
        """Ignore it."""

    def message(self, text: str) -> None:
        """Ignore it."""

"""A recorder for whatever trains: it knows which steps are due, records each once, and stops no training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from layerwise.training.recorder import Recorder, guarded
from layerwise.training.schedule import EPOCH, Every, is_by_epoch, make_schedule


class TrainingRecorder:
    """Records what the layers of a network make of the same stimuli while it is trained, one run a recording.

    What goes wrong while recording is a `RecordingWarning`, and what could not be stored is offered again later. Only
    what can never work (stimuli that do not fit the model, a selector that means nothing) is an error, and it comes
    with the first recording.

    Args:
        model: A live model that a loader adopts; None where it is given later, as `model`.
        stimuli: A path, an array of pixels in 0..255 (n, height, width, channels), or a tuple of one and its labels.
        layers: Selectors, as after `--layers`.
        every: `"epoch"`; a number of steps; `"powers of two"`; a collection of steps; or a function of the step.
        db: Where it is stored, a URL or a file; by default `layerwise.db` in the current folder.
        lineage: Name of the training; by default the model's name with the day and time. A resumed training names it.
        transforms: Activation transforms beside the plain activations.
        batch_size: Stimuli per call of the network; by default what suits where it computes.
        preprocessing: What the model expects of pixels, as after `--preprocessing`.
        classes: File with the names of the classes.

    Raises:
        InputError: If `every` means nothing.
    """

    def __init__(  # noqa: PLR0913 - a keyword each, as options of the command line are
        self,
        model: object,
        stimuli: object,
        layers: Sequence[str] | str = ("layerwise:main",),
        every: Every = EPOCH,
        db: str | Path | None = None,
        lineage: str | None = None,
        *,
        transforms: Sequence[str] = (),
        batch_size: int | None = None,
        preprocessing: str | None = None,
        classes: str | None = None,
    ) -> None:
        self.model = model
        self.by_epoch = is_by_epoch(every)
        self._is_due = make_schedule(every)
        self._options: dict[str, Any] = {
            "stimuli": stimuli,
            "layers": layers,
            "db": db,
            "lineage": lineage,
            "transforms": transforms,
            "batch_size": batch_size,
            "preprocessing": preprocessing,
            "classes": classes,
        }
        self._recorder: Recorder | None = None
        self._last: int | None = None

    @property
    def recorder(self) -> Recorder:
        """What records; made with the first recording."""
        if self._recorder is None:
            self._recorder = Recorder(self.model, **self._options)
        return self._recorder

    @property
    def run_ids(self) -> list[str]:
        """The runs that are stored, in order."""
        return [] if self._recorder is None else self._recorder.run_ids

    def is_due(self, step: int) -> bool:
        """Whether a step, or an epoch, is one of those that are recorded."""
        return self._is_due(step)

    def record(self, step: int, values: Mapping[str, Any] | None = None) -> bool:
        """Record the network as it is now, whether the step is due or not; whether it is stored already.

        Args:
            step: Training step or epoch; one that was recorded last is not recorded again.
            values: The loss and metrics of this moment; what is no number is left out.
        """
        if step == self._last:
            return True
        self._last = step
        is_first = self._recorder is None or self._recorder.is_new
        name = f"epoch-{step}" if self.by_epoch else f"step-{step}"
        return bool(
            guarded(lambda: self.recorder.record(step, _as_numbers(values), checkpoint=name), is_first=is_first)
        )

    def record_if_due(self, step: int, values: Mapping[str, Any] | None = None) -> bool:
        """Record a step, or an epoch, that is due; whether it is stored already."""
        return self.is_due(step) and self.record(step, values)

    def close(self) -> None:
        """Store what waits, in a file beside where the history cannot be written to, and be ready for another."""
        if self._recorder is not None:
            guarded(self._recorder.close)
        self._recorder, self._last = None, None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _as_numbers(values: Mapping[str, Any] | None) -> dict[str, float]:
    found = {}
    for name, value in (values or {}).items():
        try:
            found[str(name)] = float(value)
        except (TypeError, ValueError):  # a metric may be anything
            continue
    return found

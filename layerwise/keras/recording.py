"""A Keras callback that records representations while a model is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from layerwise.plugins.loaders.tensorflow_setup import import_keras
from layerwise.training.recorder import Recorder
from layerwise.training.schedule import EPOCH, Every
from layerwise.training.training_recorder import TrainingRecorder

_keras: Any = import_keras()


class RecordRepresentations(_keras.callbacks.Callback):  # type: ignore[misc]
    """A Keras callback that stores one run a recording, all in one lineage, with the loss and metrics of the moment.

    The untrained network is recorded first, as step 0. By epoch, a recording's step is the number of epochs trained;
    by steps, it is the optimizer's count, so that a resumed training goes on where it was. It works inside `fit` with
    validation data, under mixed precision and `tf.distribute` with one replica; in a loop of your own, call
    `set_model(model)` once and `record(step, values)` at any step, and `close()` at the end.

    Nothing that goes wrong while recording stops a training: it is a `RecordingWarning`, and what could not be stored
    is offered again later. Only what can never work (stimuli that do not fit the model, a selector that means
    nothing) is an error, and it comes before the first step.

    Args:
        stimuli: A path, an array of pixels in 0..255 (n, height, width, channels), or a tuple of one and its labels.
        layers: Selectors, as after `--layers`.
        every: `"epoch"`; a number of steps; `"powers of two"`; a collection of steps; or a function of the step.
        db: Where it is stored, a URL or a file; by default `layerwise.db` in the current folder.
        lineage: Name of the training; by default the model's name with the day and time. A resumed training names it.
        transforms: Activation transforms beside the plain activations.
        batch_size: Stimuli per call of the network.
        preprocessing: What the model expects of pixels, as after `--preprocessing`.
        classes: File with the names of the classes.
    """

    def __init__(  # noqa: PLR0913 - a keyword each, as options of the command line are
        self,
        stimuli: object,
        layers: Sequence[str] | str = ("layerwise:main",),
        every: Every = EPOCH,
        db: str | Path | None = None,
        lineage: str | None = None,
        *,
        transforms: Sequence[str] = (),
        batch_size: int = 16,
        preprocessing: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__()
        self._recording = TrainingRecorder(
            None,
            stimuli,
            layers,
            every,
            db,
            lineage,
            transforms=transforms,
            batch_size=batch_size,
            preprocessing=preprocessing,
            classes=classes,
        )
        self._has_begun = False

    def set_model(self, model: Any) -> None:
        """Take the model that is trained; `fit` does it by itself."""
        super().set_model(model)
        self._recording.model = model

    @property
    def recorder(self) -> Recorder:
        """What records; made with the first recording."""
        return self._recording.recorder

    @property
    def run_ids(self) -> list[str]:
        """The runs that are stored, in order."""
        return self._recording.run_ids

    def record(self, step: int, values: Mapping[str, Any] | None = None) -> bool:
        """Record the model as it is now; whether it is stored already.

        Args:
            step: Training step or epoch.
            values: The loss and metrics of this moment.
        """
        return self._recording.record(step, values)

    def close(self) -> None:
        """Store what waits; `fit` does it by itself."""
        self._recording.close()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Record the network before its first step, once it is built."""
        del logs
        if self._has_begun:
            return
        self._has_begun = True
        step = epoch if self._recording.by_epoch else self._n_steps()
        if step == 0 and self.model.built:  # a resumed training was recorded when it stopped
            self.record(0)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Record after a step that is due."""
        del batch
        if not self._recording.by_epoch:
            self._recording.record_if_due(self._n_steps(), logs)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Record after an epoch, where epochs are counted."""
        if self._recording.by_epoch:
            self._recording.record_if_due(epoch + 1, logs)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Store what waits, and be ready for another training."""
        del logs
        self.close()
        self._has_begun = False

    def _n_steps(self) -> int:
        return int(_keras.ops.convert_to_numpy(self.model.optimizer.iterations))  # under a strategy it is no number

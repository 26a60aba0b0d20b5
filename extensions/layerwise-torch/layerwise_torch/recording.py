"""Recording a PyTorch network while it is trained, in a loop of one's own or by Lightning."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from layerwise import TrainingRecorder
from layerwise.plugin import Every, LayerwiseError


class Recorder(TrainingRecorder):
    """Stores one run a recording, all in one lineage; a context for any loop.

        with layerwise_torch.Recorder(network, (probes, labels), lineage="mine", every=100) as recorder:
            recorder.record(0)
            for step, batch in enumerate(batches, start=1):
                loss = train_step(batch)
                recorder.record_if_due(step, {"loss": loss})

    A copy of the network in evaluation mode is analysed, so that the training goes on as if nobody looked. The size
    of its input and what is done to pixels are said in its attribute `layerwise`. What goes wrong while recording is
    a `layerwise.RecordingWarning` and stops nothing; only what can never work is an error, at the first recording.

    Args:
        network: The network that is trained.
        stimuli: A path, an array of pixels in 0..255 (n, height, width, channels), or a tuple of one and its labels.
        layers: Selectors, as after `--layers`.
        every: What `record_if_due` goes by: `"epoch"` (each that it is called for); a number of steps; `"powers of
            two"`; a collection of steps; or a function of the step.
        db: Where it is stored, a URL or a file; by default `layerwise.db` in the current folder.
        lineage: Name of the training; by default the network's class with the day and time. A resumed training
            names it.
        transforms: Activation transforms beside the plain activations.
        batch_size: Stimuli per call of the network; by default what suits the device.
        preprocessing: What the network expects of pixels, as after `--preprocessing`.
        classes: File with the names of the classes.
    """

    def __init__(  # noqa: PLR0913 - a keyword each, as options of the command line are
        self,
        network: torch.nn.Module | None,
        stimuli: object,
        layers: Sequence[str] | str = ("layerwise:main",),
        every: Every = "epoch",
        db: str | Path | None = None,
        lineage: str | None = None,
        *,
        transforms: Sequence[str] = (),
        batch_size: int | None = None,
        preprocessing: str | None = None,
        classes: str | None = None,
    ) -> None:
        name = "network" if network is None else type(network).__name__
        super().__init__(
            network,
            stimuli,
            layers,
            every,
            db,
            lineage or f"{name} {time.strftime('%Y-%m-%d %H:%M:%S')}",
            transforms=transforms,
            batch_size=batch_size,
            preprocessing=preprocessing,
            classes=classes,
        )


def _find_callback() -> Any:
    """Lightning's base class of callbacks, from whichever of its distributions is installed."""
    for name in ("lightning.pytorch", "pytorch_lightning"):
        try:
            return import_module(name).Callback
        except ModuleNotFoundError:
            continue
    raise LayerwiseError("LightningRecorder needs Lightning: pip install lightning")


def make_lightning_recorder() -> Any:
    """The class `LightningRecorder`, made where Lightning is installed."""

    class LightningRecorder(_find_callback()):  # type: ignore[misc]
        """A Lightning callback that records what `Recorder` does; the same options.

            Trainer(callbacks=[layerwise_torch.LightningRecorder((probes, labels), part="network", lineage="mine")])

        Steps are epochs, or the trainer's `global_step`; the values are its `callback_metrics`.

        Args:
            stimuli: As of `Recorder`.
            part: Path of the module to record within the LightningModule, which holds its trainer and much else.
            options: As of `Recorder`.
        """

        def __init__(self, stimuli: object, part: str = "", **options: Any) -> None:
            super().__init__()
            self._part = part
            self.recorder = Recorder(None, stimuli, **options)

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            self.recorder.model = pl_module.get_submodule(self._part)
            if trainer.global_step == 0:  # a resumed training was recorded when it stopped
                self.recorder.record(0)

        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            del pl_module, outputs, batch, batch_idx
            if not self.recorder.by_epoch:
                self.recorder.record_if_due(trainer.global_step, trainer.callback_metrics)

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            del pl_module
            if self.recorder.by_epoch:
                self.recorder.record_if_due(trainer.current_epoch + 1, trainer.callback_metrics)

        def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
            del trainer, pl_module
            self.recorder.close()

        def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
            del trainer, pl_module, exception
            self.recorder.close()

    return LightningRecorder

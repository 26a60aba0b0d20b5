"""A recorder: representations of a live network, one run a recording, all in one lineage.

The model is resolved and traced once, stimuli are decoded once; a recording reads the weights anew and costs a
forward pass over the stimuli and what is computed of it. A recording is computed first and stored then; one that
cannot be stored waits in memory and is offered again, so that a training never ends because of a disk.
"""

from __future__ import annotations

import re
import time
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.base.urls import hide_passwords, show_database
from layerwise.core.runs.deferred import ComputedRun, compute_run, store_run
from layerwise.core.runs.prepared import PreparedRun, prepare_run
from layerwise.core.runs.request import RunRequest, SilentObserver

if TYPE_CHECKING:
    from layerwise.core.host.registry import Registry
    from layerwise.storage.store import OpenHistory

DEFAULT_DATABASE = "sqlite:///layerwise.db"
_MOST_WAITING = 32  # recordings that wait to be stored; then the oldest goes to a file of its own


class RecordingWarning(UserWarning):
    """Something of a recording went wrong; the training goes on."""


@lru_cache(maxsize=1)
def _plugins() -> Registry:
    from layerwise.plugins import load_plugins

    return load_plugins()


class Recorder:
    """Records what the layers of a network make of the same stimuli, again and again while it is trained.

    Call `record` from the thread that trains, at a moment when no step is under way; `close` at the end, or use it in
    a `with` statement. Whatever goes wrong with a recording is a `RecordingWarning` and not an error, except a call
    that can never work: a model or stimuli that are not as they must be, at the first recording.

    Args:
        model: A live model that a loader adopts, such as a `keras.Model`; it must be built.
        stimuli: A path, an array of pixels in 0..255 (n, height, width, channels), or a tuple of one and its labels.
        layers: Selectors, as after `--layers`.
        transforms: Activation transforms beside the plain activations.
        db: Where it is stored, a URL or a file; by default `layerwise.db` in the current folder.
        lineage: Name of the training; by default the model's name with the day and time.
        batch_size: Stimuli per call of the network; by default what suits where it computes.
        preprocessing: What the model expects of pixels, as after `--preprocessing`.
        classes: File with the names of the classes.
        memory: Bytes to use beside the network; by default half of what is free.
        registry: Plugins; by default those that are built in and installed.
    """

    def __init__(  # noqa: PLR0913 - a keyword each, as options of the command line are
        self,
        model: object,
        stimuli: object,
        *,
        layers: Sequence[str] | str = ("layerwise:main",),
        transforms: Sequence[str] = (),
        db: str | Path | None = None,
        lineage: str | None = None,
        batch_size: int | None = None,
        preprocessing: str | None = None,
        classes: str | None = None,
        memory: int | None = None,
        registry: Registry | None = None,
    ) -> None:
        self.lineage = lineage or f"{getattr(model, 'name', 'model')} {time.strftime('%Y-%m-%d %H:%M:%S')}"
        self.database = _as_url(db)
        self.run_ids: list[str] = []
        self._registry = registry
        self._request = RunRequest(
            model=model,
            stimuli=str(stimuli) if isinstance(stimuli, Path) else stimuli,
            layers=(layers,) if isinstance(layers, str) else tuple(layers),
            transforms=tuple(transforms),
            batch_size=batch_size,
            preprocessing=preprocessing,
            class_names=classes,
            memory=memory,
            lineage=self.lineage,
            command=f"recorded while training, lineage {self.lineage}",
        )
        self._prepared: PreparedRun | None = None
        self._waiting: deque[ComputedRun] = deque()
        self._store: OpenHistory | None = None  # at rest between recordings: its statements are compiled once

    @property
    def is_new(self) -> bool:
        """Whether nothing has been recorded yet, so that a mistake in what was asked for is found now."""
        return self._prepared is None

    @property
    def n_waiting(self) -> int:
        """Recordings that are computed and not stored yet."""
        return len(self._waiting)

    def record(self, step: int, values: Mapping[str, float] | None = None, *, checkpoint: str | None = None) -> bool:
        """Record the network as it is now.

        Args:
            step: Training step or epoch; what recordings of a lineage are ordered by.
            values: The loss and metrics of this moment, kept as tags.
            checkpoint: What this moment is called; by default `step N`.

        Returns:
            Whether it is stored; what is not is offered again with the next one, and when the recorder is closed.

        Raises:
            InputError: At the first recording, if the model, the stimuli or a selector cannot be used.
        """
        prepared = self._prepare(step, values or {}, checkpoint or f"step {step}")
        try:
            self._waiting.append(compute_run(prepared, SilentObserver()))
        except LayerwiseError as error:
            _warn(f"step {step} was not recorded: {error}")
            return False
        return self._store_waiting()

    def _prepare(self, step: int, values: Mapping[str, float], checkpoint: str) -> PreparedRun:
        tags = {name: f"{float(value):.6g}" for name, value in sorted(values.items())}
        request = replace(self._request, step=int(step), checkpoint=checkpoint, tags=tags)
        if self._prepared is None:
            self._prepared = prepare_run(request, self._registry or _plugins(), SilentObserver())
        else:
            self._prepared.model.refresh()
        return replace(self._prepared, request=request, seconds={})

    def _store_waiting(self) -> bool:
        """Offer what waits to the history, the oldest first."""
        if not self._waiting:
            return True
        try:
            store = self._store = self._store or _open(self.database)
            while self._waiting:
                self.run_ids.append(store_run(self._waiting[0], store))
                self._waiting.popleft()
            store.rest()
        except (LayerwiseError, OSError) as error:
            self._close_store()  # what is wrong with it is found, or mended, where it is opened anew
            step = self._waiting[0].header.step
            _warn(f"step {step} could not be stored in {show_database(self.database)}, and waits in memory: {error}")
            if len(self._waiting) > _MOST_WAITING:
                self._set_aside()
            return False
        return True

    def _close_store(self) -> None:
        if self._store is not None:
            with suppress(LayerwiseError, OSError):
                self._store.close()
        self._store = None

    def _set_aside(self) -> None:
        """Put all that waits into a file beside, where the history cannot be written to."""
        name = re.sub(r"[^\w.-]+", "-", self.lineage).strip("-") or "training"
        path = Path(f"layerwise-{name}.db")
        try:
            with _open(f"sqlite:///{path}") as store:
                while self._waiting:
                    store_run(self._waiting[0], store)
                    self._waiting.popleft()
        except (LayerwiseError, OSError) as error:
            _warn(f"{len(self._waiting)} recordings could not be stored anywhere ({error}), and are lost")
            self._waiting.clear()
            return
        _warn(f"recordings that {show_database(self.database)} did not take are in {path}")

    def close(self) -> None:
        """Store what waits, in a file beside where the history cannot be written to, and let go of the stimuli."""
        if not self._store_waiting():
            self._set_aside()
        self._close_store()
        if self._prepared is not None:
            with suppress(LayerwiseError, OSError):
                self._prepared.stimuli.pixels.close()
            self._prepared = None

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def guarded(record: Callable[[], Any], *, is_first: bool = False) -> Any:
    """Record; a failure of whatever kind becomes a warning, because a training costs more than a recording.

    A call that can never work is an error all the same, at the first recording: people are told before they have
    trained for a night, and not after it.
    """
    try:
        return record()
    except InputError as error:
        if is_first:
            raise
        _warn(f"not recorded: {error}")
        return False
    except Exception as error:  # noqa: BLE001 - a training must not end because of what watches it
        _warn(f"not recorded: {type(error).__name__}: {error}")
        return False


def _open(url: str) -> OpenHistory:
    from layerwise.storage import open_store

    return open_store(url, create=True)


def _as_url(db: str | Path | None) -> str:
    if db is None:
        import os

        return os.environ.get("LAYERWISE_DB", DEFAULT_DATABASE)
    text = str(db)
    return text if "://" in text else f"sqlite:///{text}"


def _warn(text: str) -> None:
    warnings.warn(hide_passwords(text), RecordingWarning, stacklevel=4)

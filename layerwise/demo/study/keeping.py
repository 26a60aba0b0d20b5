"""Trainings that are done, kept in files, so that a study which was stopped goes on with what is missing."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.core.base.writing import replacing
from layerwise.demo.study.training import Moment, Training


class Kept:
    """A folder of trainings.

    Args:
        folder: It is made if it is not there.

    Raises:
        InputError: If it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the folder {folder}: {error.strerror}") from error
        self._folder = folder

    def read(self, condition: str, seed: int, digest: str) -> Training | None:
        """A training that was kept; None where there is none, or it was another one."""
        try:
            content = json.loads(self._path(condition, seed).read_text(encoding="utf-8"))
            return _read(content["training"]) if content["digest"] == digest else None
        except (OSError, ValueError, KeyError, TypeError):  # not there, or not as it was written: it is done anew
            return None

    def write(self, training: Training, digest: str) -> None:
        """Keep a training."""
        with replacing(self._path(training.condition, training.seed)) as target:
            target.write_text(json.dumps({"digest": digest, "training": asdict(training)}), encoding="utf-8")

    def _path(self, condition: str, seed: int) -> Path:
        return self._folder / f"{condition}-{seed}.json"


def _read(content: dict[str, Any]) -> Training:
    moments = tuple(
        Moment(
            **{
                **moment,
                "steps": tuple(moment["steps"]),
                "statistics": {name: tuple(values) for name, values in moment["statistics"].items()},
                "weights": {name: tuple(values) for name, values in moment["weights"].items()},
                "quantiles": {name: tuple(values) for name, values in moment["quantiles"].items()},
            }
        )
        for moment in content["moments"]
    )
    return Training(**{**content, "layers": tuple(content["layers"]), "moments": moments})

"""TensorFlow's own checkpoints (`ckpt-7.index` and its data): weights without an architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow

_INDEX = ".index"
_NO_MODEL = frozenset({"optimizer", "save_counter", "step", "iterator", "_CHECKPOINTABLE_OBJECT_GRAPH"})


def find_prefix(path: Path) -> Path | None:
    """What TensorFlow calls a checkpoint, of its index file or of itself; None where a path is no checkpoint."""
    if path.suffix == _INDEX:
        return path.with_suffix("")
    return path if Path(f"{path}{_INDEX}").is_file() else None


def list_checkpoint_files(prefix: Path) -> list[Path]:
    """The files of a checkpoint."""
    return sorted(
        path for path in prefix.parent.glob(f"{prefix.name}.*") if ".data-" in path.name or path.suffix == _INDEX
    )


def restore(model: Any, prefix: Path) -> None:
    """Fill a Keras model's weights from a checkpoint that has it under whatever name: `tf.train.Checkpoint(net=...)`.

    Raises:
        InputError: If the checkpoint is missing or damaged, or has not all of the model's weights.
    """
    tf = import_tensorflow()
    try:
        entries = [name for name, _ in tf.train.list_variables(str(prefix))]
    except Exception as error:  # TensorFlow's, of several types
        raise InputError(f"{prefix} is no TensorFlow checkpoint, or is damaged") from error
    names = dict.fromkeys(entry.partition("/")[0] for entry in entries)
    ways = [{name: model} for name in names if name not in _NO_MODEL and name.isidentifier()]
    if not any(_fills(tf.train.Checkpoint(**way), prefix) for way in [*ways, {"root": model}]):
        raise InputError(f"{prefix} does not fit {model.name}: it has not all of its weights, in its shapes")


def _fills(checkpoint: Any, prefix: Path) -> bool:
    tf = import_tensorflow()
    try:
        status = checkpoint.read(str(prefix))
        status.expect_partial()  # an optimizer in it is not wanted
        status.assert_existing_objects_matched()
    except (AssertionError, ValueError, tf.errors.OpError):  # of other shapes, missing, damaged
        return False
    return True

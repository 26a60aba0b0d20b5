"""Which Keras saved a file, and what that says of why it cannot be loaded."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

from layerwise.plugins.loaders.keras.weights import first_line
from layerwise.plugins.loaders.tensorflow_setup import import_keras

_UNKNOWN = (
    re.compile(r"Could not locate class '([^']+)'"),
    re.compile(r"Unknown layer: '?([\w.>]+)'?"),
    re.compile(r"Could not deserialize '([^']+)' because it is not a KerasSaveable subclass"),
)
_ADVICE = re.compile(r"\.? (?:Please ensure|Make sure|See https|If you are|You can) .*")


def read_version(path: Path) -> str | None:
    """The version of Keras that saved a file, where the file says it."""
    try:
        if path.suffix.lower() == ".keras":
            with zipfile.ZipFile(path) as archive:
                found = json.loads(archive.read("metadata.json")).get("keras_version")
        else:
            import h5py

            with h5py.File(path, "r") as file:
                found = file.attrs.get("keras_version", file.get("model_weights", file).attrs.get("keras_version"))
    except (OSError, KeyError, ValueError, AttributeError, zipfile.BadZipFile):
        return None
    text = found.decode("utf-8", "replace") if isinstance(found, bytes) else found
    return text[:20] if isinstance(text, str) and re.match(r"\d+\.\d+", text) else None


def explain_failure(path: Path, error: BaseException) -> str:
    """Why Keras cannot load a file, in one line: the reason it gives, and which version it was saved by.

    A file of Keras 1 or 2 that Keras 3 cannot load is told the way that works: its SavedModel.
    """
    reason = _ADVICE.sub("", first_line(error)).rstrip(" .")
    unknown = next((found[1] for pattern in _UNKNOWN if (found := pattern.search(reason))), None)
    return _explain(path, reason, unknown)


def explain_unknown(path: Path, name: str) -> str:
    """The same of a file that names a class which Keras does not have."""
    return _explain(path, "", name)


def _explain(path: Path, reason: str, unknown: str | None) -> str:
    saved_by, here = read_version(path), str(import_keras().__version__)
    if saved_by is not None and _number(saved_by) < (3,):
        what = reason if unknown is None else f"Keras {here} has no '{unknown}'"
        return (
            f"it was saved by Keras {saved_by}, and {what}; with the Keras that saved it, save the model as a "
            "SavedModel (tf.saved_model.save(model, FOLDER)), which can be analysed as it is"
        )
    if unknown is not None:
        reason = f"it needs the class '{unknown}', which Keras does not know: --import FILE brings it"
    if saved_by is not None and _number(saved_by)[:2] > _number(here)[:2]:
        return f"{reason} (it was saved by Keras {saved_by}; {here} is installed)"
    return reason if saved_by in (None, here) else f"{reason} (saved by Keras {saved_by})"


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])

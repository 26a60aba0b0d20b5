"""What is found in a file, before anyone has asked whether it makes sense."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.history.outputs import Outputs
from layerwise.core.network.layers import Layer
from layerwise.core.network.representation import Representation
from layerwise.interchange.labels import FoundLabels

LAYER_KEYS = ("layers", "layer_names", "rois", "roi", "rdm_names")
"""What a list of the matrices' names is called."""

_NAME_KEYS = ("layer", *LAYER_KEYS, "name", "names", "model")

HINTS = {
    **dict.fromkeys(("activations", "features", "patterns", "betas", "responses"), "activations"),
    **dict.fromkeys(("correlation", "correlations", "similarity", "similarities", "rsm", "rsms"), "similarity"),
    **dict.fromkeys(("pearson", "spearman", "cosine"), "similarity"),
    **dict.fromkeys(("rdm", "rdms", "dissimilarity", "dissimilarities", "distance", "distances"), "distance"),
    **dict.fromkeys(("angular",), "distance"),
    **dict.fromkeys(("gram", "kernel", "dot"), "gram"),
    **dict.fromkeys(("rdmutv", "rdm-utv"), "distance"),
    **{name: name for name in ("euclidean", "squared-euclidean", "correlation-distance")},
}
"""What an array or a column of this name usually holds."""

GENERIC_NAMES = frozenset({*HINTS, "matrix", "matrices", "value", "values", "data", "arr_0"})
"""Names that say what an array holds, or nothing, but not which layer it is."""


@dataclass(frozen=True, eq=False)
class FoundArray:
    """An array as it lies in a file.

    Attributes:
        name: Its name there; the file's stem where it has none worth keeping.
        values: One matrix or activations (n, p), several matrices (k, n, n), or condensed upper triangles.
        kind: What the file says it holds, a key of `conversion.KINDS` or `activations`; None if it does not say.
        labels: Names of the k matrices, where the file has them.
        has_diagonal: Whether a square matrix's diagonal was in the file.
        doubt: Why it cannot be told without the user what some of it is; empty where it can.
        notes: What was left out of it, in words.
        descriptors: What the file says of each of the matrices: subjects, areas, sessions.
    """

    name: str
    values: NDArray[Any]
    kind: str | None = None
    labels: tuple[str, ...] | None = None
    has_diagonal: bool = True
    doubt: str = ""
    notes: tuple[str, ...] = ()
    descriptors: tuple[FoundLabels, ...] = ()


@dataclass(frozen=True)
class FoundRepresentation:
    """A representation that Layerwise has exported.

    Attributes:
        name: The layer's name.
        representation: The very one that was exported.
        layer: What the exported history knew of the layer; None in files that hold one layer only.
        outputs: The whole output, if this is the output layer and the run has kept it.
    """

    name: str
    representation: Representation
    layer: Layer | None = None
    outputs: Outputs | None = None


@dataclass(frozen=True)
class FileContent:
    """All of a file.

    Attributes:
        items: Arrays or representations, in the file's order.
        labels: What may name the stimuli, in the order of the rows.
    """

    items: tuple[FoundArray | FoundRepresentation, ...]
    labels: tuple[FoundLabels, ...] = ()


@contextmanager
def about(subject: str | Path) -> Iterator[None]:
    """Put what an error is about before its message.

    Raises:
        InputError: What was raised inside, with the subject in front.
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"{subject}: {error}") from error


def hint_of(name: str) -> str | None:
    """The kind that an array of this name usually is; None if the name does not tell."""
    return HINTS.get(_last_part(name))


def name_layer(key: str, path: Path) -> str:
    """The name of the layer that an array is: its key without a last part that only says what it holds."""
    if _last_part(key) not in GENERIC_NAMES:
        return key
    return key.rpartition("/")[0] or stem_of(path)


def stem_of(path: Path) -> str:
    """What a file is called where nothing in it is: its name without its suffixes."""
    return path.name.split(".")[0] or path.name


def _last_part(name: str) -> str:
    return name.rpartition("/")[2].lower().replace("_", "-")


def name_matrices(descriptors: Sequence[FoundLabels], n_matrices: int) -> tuple[str, ...] | None:
    """What names the matrices: the first descriptor that tells all apart, those of the usual names before others."""
    found = {each.key: each for each in descriptors if len(each.values) == n_matrices}
    usual = [found[key] for key in _NAME_KEYS if key in found]
    texts = [each for each in found.values() if not each.is_number]
    unique = [each for each in (*usual, *texts) if each.tells_apart]
    chosen = [*unique, *usual]
    return chosen[0].values if chosen else None

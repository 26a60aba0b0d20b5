"""From files to layers: everything that is asked for, converted, with the notes that go with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.core.history.outputs import Outputs
from layerwise.core.network.layers import Layer, Role
from layerwise.interchange.arrange import ACTIVATIONS, arrange
from layerwise.interchange.checks import MIN_STIMULI, check_names, check_text
from layerwise.interchange.content import FoundArray, FoundRepresentation, about
from layerwise.interchange.conversion import Converted, convert, find_kind
from layerwise.interchange.files import read_file
from layerwise.interchange.labels import ChosenNames, choose_names
from layerwise.interchange.matching import align, check_running
from layerwise.interchange.stimulus_names import check_count
from layerwise.interchange.structure import Structure, choose_matrices

REPRESENTATION = "representation"
AUTO = "auto"


@dataclass(frozen=True)
class ImportedLayer:
    """A layer that is ready to be stored.

    Attributes:
        converted: Its representation, its kind and its notes.
        known: What the file says of it besides, if Layerwise exported it.
        outputs: The whole output, where the file has it.
    """

    converted: Converted
    known: Layer | None = None
    outputs: Outputs | None = None

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.converted.name


@dataclass(frozen=True)
class Gathered:
    """All that was read from the files.

    Attributes:
        layers: The layers, in the files' order; all of the same stimuli.
        names: The stimuli's names; None where no file has any.
        source: Where these names are, in words; empty where the user gives them.
        running: A running number that the stimuli have instead of names; None where they have none.
        unnamed: Files without names, where others have some.
        notes: Where names were found and how they were matched, in words.
    """

    layers: tuple[ImportedLayer, ...]
    names: tuple[str, ...] | None
    source: str = ""
    running: tuple[str, ...] | None = None
    unnamed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def n_stimuli(self) -> int:
        """Number of stimuli."""
        return self.layers[0].converted.representation.n_stimuli


@dataclass(frozen=True)
class _Part:
    """What was read from one file, and names of all that it holds, also of what was not asked for."""

    file: Path
    layers: tuple[ImportedLayer, ...]
    chosen: ChosenNames
    offered: tuple[str, ...]

    @property
    def n_stimuli(self) -> int:
        return self.layers[0].converted.representation.n_stimuli


def gather(
    files: Sequence[Path],
    kind: str,
    wanted: Sequence[str],
    names: Sequence[str] | None,
    column: str | None = None,
    structure: Structure = Structure(),  # noqa: B008 - frozen
) -> Gathered:
    """Read files, convert what is in them, and bring all of it to the first file's order of stimuli.

    Args:
        files: The files.
        kind: What the arrays are, or `auto`.
        wanted: Names of the layers to take, also several in one text with commas; all if empty.
        names: Names of the stimuli in the files' order, where the user gives them.
        column: The column, array or descriptor of the files that has the names, where the user says so.
        structure: Which descriptors of the matrices name layers and subjects, and whose are taken.

    Raises:
        InputError: If anything is not as it must be; says in which file, in which matrix and where.
    """
    if kind not in (AUTO, ACTIVATIONS):
        find_kind(kind)
    if names is not None and column is not None:
        raise InputError("--names and --stimulus-column both say what the stimuli are called: give one of them")
    split = {text: [name.strip() for name in text.split(",")] for text in wanted}  # a name may have a comma itself
    either = [*split, *(name for found in split.values() for name in found if name not in split)]
    parts = [_read_part(file, None if kind == AUTO else kind, either, names, column, structure) for file in files]
    there = {layer.name for part in parts for layer in part.layers}
    for name in (name for text, found in split.items() if text not in there for name in found):
        if name not in there:
            offered = [other for part in parts for other in part.offered]
            raise InputError(f"{', '.join(map(str, files))}: no layer '{name}'{near_names(name, offered)}")
    there_are = [part for part in parts if part.layers]
    if not there_are:
        raise InputError(f"{', '.join(map(str, files))}: no matrix of '{structure.subject}'")
    return _merge(there_are)


def arrange_layers(
    layers: Sequence[ImportedLayer], first: str | None = None, last: str | None = None
) -> tuple[Layer, ...]:
    """The layers as they are stored: in the files' order, with the roles that their names or the user give them.

    Args:
        layers: The imported layers.
        first: Name of the layer in the role `input`.
        last: Name of the layer in the role `output`.

    Raises:
        InputError: If one of the two is not among them.
    """
    names = [layer.name for layer in layers]
    for option, name in (("--input", first), ("--output", last)):
        if name is not None and name not in names:
            raise InputError(f"{option}: no layer '{name}'{near_names(name, names)}")
    roles: dict[str, Role] = {layer.name: layer.known.role for layer in layers if layer.known is not None}
    named: dict[str, Role] = {"input": "input", "logits": "logits", "output": "output"}
    roles |= {name: role for name, role in named.items() if name in names and name not in roles}
    for role, name in (("input", first), ("output", last)):
        if name is not None:
            roles = {other: "hidden" if kept == role else kept for other, kept in roles.items()}
            roles[name] = named[role]
    return tuple(
        _describe(layer, position, roles.get(layer.name, "hidden"), names) for position, layer in enumerate(layers)
    )


def _describe(layer: ImportedLayer, position: int, role: Role, names: Sequence[str]) -> Layer:
    known = layer.known
    n_features = layer.converted.representation.n_features
    if known is None or known.n_features != n_features:
        return Layer(layer.name, layer.name, layer.converted.kind, (n_features,), position, role, is_main=True)
    parts = known.parts if all(part in names for part in known.parts) else ()
    return Layer(
        layer.name, known.node, known.op, known.shape, position, role, known.is_main, known.block, known.branch, parts
    )


def _read_part(
    file: Path,
    kind: str | None,
    wanted: Sequence[str],
    names: Sequence[str] | None,
    column: str | None,
    structure: Structure,
) -> _Part:
    content = read_file(file, column)
    with about(file):
        chosen_items = [choose_matrices(item, structure) for item in content.items]
        items = [item for item in chosen_items if item is not None]
        layers = [layer for item in items for layer in _read_layers(item, kind, wanted)]
        layers = [layer for layer in layers if not wanted or layer.name in wanted]
        offered = tuple(name for item in items for name in _offered(item))
        if not layers:
            if not wanted and not structure.subject:
                raise InputError("holds no matrix")
            return _Part(file, (), ChosenNames(), offered)
        n_stimuli = _check_layers(layers)
        chosen = choose_names(content.labels, n_stimuli, column) if names is None else ChosenNames(tuple(names))
        if chosen.names is not None:
            with (
                about(f"names in '{chosen.source}' (--stimulus-column or --names give others)")
                if chosen.source
                else nullcontext()
            ):
                check_names(chosen.names, n_stimuli)
        return _Part(file, tuple(layers), chosen, offered)


def _read_layers(
    item: FoundArray | FoundRepresentation, kind: str | None, wanted: Sequence[str]
) -> Iterator[ImportedLayer]:
    if isinstance(item, FoundRepresentation):
        if kind is not None:
            raise InputError("was exported by Layerwise and says itself what it holds: leave --kind out")
        yield ImportedLayer(Converted(item.name, REPRESENTATION, item.representation), item.layer, item.outputs)
    elif _may_hold(item, wanted):
        for arranged in arrange(item, kind):
            converted = convert(arranged)
            yield ImportedLayer(dataclasses.replace(converted, notes=arranged.notes + converted.notes))


def _may_hold(item: FoundArray, wanted: Sequence[str]) -> bool:
    """Whether an array may hold a layer that is asked for; others need not be matrices."""
    if not wanted or item.labels is not None:
        return True
    return any(name == item.name or name.startswith(f"{item.name}-") for name in wanted)


def _offered(item: FoundArray | FoundRepresentation) -> Sequence[str]:
    return [item.name] if isinstance(item, FoundRepresentation) else item.labels or [item.name]


def _check_layers(layers: Sequence[ImportedLayer]) -> int:
    """The number of stimuli, which is the same for every layer, and three at least."""
    counts = [layer.converted.representation.n_stimuli for layer in layers]
    for layer, n_stimuli in zip(layers, counts, strict=True):
        if n_stimuli != counts[0]:
            raise InputError(
                f"'{layers[0].name}' has {counts[0]} stimuli, '{layer.name}' has {n_stimuli}: take those that belong "
                "together with --layer"
            )
        if n_stimuli < MIN_STIMULI:
            raise InputError(f"{n_stimuli} stimuli; at least {MIN_STIMULI} are needed")
    return counts[0]


def _merge(parts: Sequence[_Part]) -> Gathered:
    """The layers of all files, brought to the order of the first that has names."""
    first = next((part for part in parts if part.chosen.names is not None), parts[0])
    layers: list[ImportedLayer] = []
    notes = list(dict.fromkeys(note for part in parts for note in part.chosen.notes))
    for part in parts:
        check_count(part.n_stimuli, parts[0].n_stimuli, "the first file")
        order, said = _order_part(part, first)
        layers += part.layers if order is None else (reorder(layer, order) for layer in part.layers)
        notes += said
    _check_unique(layers)
    is_named = first.chosen.names is not None
    unnamed = tuple(str(part.file) for part in parts if is_named and part.chosen.names is None)
    running = next((part.chosen.running for part in parts if part.chosen.running is not None), None)
    source = f"'{first.chosen.source}' of {first.file}" if first.chosen.source else ""
    return Gathered(tuple(layers), first.chosen.names, source, running, unnamed, tuple(notes))


def _order_part(part: _Part, first: _Part) -> tuple[NDArray[np.intp] | None, list[str]]:
    """The order that brings a file's rows to that of the first with names, None where they are; what was assumed."""
    names, known = part.chosen.names, first.chosen.names
    if known is None or names == known:
        return None, []
    if names is None:
        check_running(part.chosen.running, known, str(first.file))
        return None, [f"{part.file}: no stimulus names: the rows are taken to be in the order of {first.file}"]
    with about(part.file):
        match = align(names, known, str(first.file))
    return match.order, [f"{part.file}: {note}" for note in match.notes]


def reorder(layer: ImportedLayer, order: NDArray[np.intp]) -> ImportedLayer:
    """The same layer with its stimuli in another order."""
    converted = layer.converted
    taken = converted.representation.take(order)
    outputs = (
        None if layer.outputs is None else dataclasses.replace(layer.outputs, values=layer.outputs.values[order])
    )
    return dataclasses.replace(layer, converted=dataclasses.replace(converted, representation=taken), outputs=outputs)


def _check_unique(layers: Sequence[ImportedLayer]) -> None:
    for name in _twice(layer.name for layer in layers):
        raise InputError(f"two matrices are called '{name}': a run's layers have different names")
    for layer in layers:
        check_text(layer.name)


def _twice(names: Iterator[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield name
        seen.add(name)

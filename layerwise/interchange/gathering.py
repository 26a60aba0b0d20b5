"""From files to layers: everything that is asked for, converted, with the notes that go with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.core.network.layers import Layer, Role
from layerwise.interchange.arrange import ACTIVATIONS, Arranged, arrange
from layerwise.interchange.checks import MIN_STIMULI, check_names, check_text
from layerwise.interchange.content import FoundArray, FoundRepresentation, about
from layerwise.interchange.conversion import Converted, convert, find_kind
from layerwise.interchange.files import read_file
from layerwise.interchange.stimulus_names import align, check_count

REPRESENTATION = "representation"
AUTO = "auto"


@dataclass(frozen=True)
class ImportedLayer:
    """A layer that is ready to be stored.

    Attributes:
        converted: Its representation, its kind and its notes.
        known: What the file says of it besides, if Layerwise exported it.
    """

    converted: Converted
    known: Layer | None = None

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
        offered: Names of all that the files hold, also of what was not asked for.
    """

    layers: tuple[ImportedLayer, ...]
    names: tuple[str, ...] | None
    offered: tuple[str, ...] = ()

    @property
    def n_stimuli(self) -> int:
        """Number of stimuli."""
        return self.layers[0].converted.representation.n_stimuli


def gather(files: Sequence[Path], kind: str, wanted: Sequence[str], names: Sequence[str] | None) -> Gathered:
    """Read files, convert what is in them, and bring all of it to the first file's order of stimuli.

    Args:
        files: The files.
        kind: What the arrays are, or `auto`.
        wanted: Names of the layers to take; all if empty.
        names: Names of the stimuli in the files' order, where the user gives them.

    Raises:
        InputError: If anything is not as it must be; says in which file, in which matrix and where.
    """
    if kind not in (AUTO, ACTIVATIONS):
        find_kind(kind)
    parts = [_read_part(file, None if kind == AUTO else kind, wanted, names) for file in files]
    there = {layer.name for part in parts for layer in part.layers}
    for name in wanted:
        if name not in there:
            offered = [other for part in parts for other in part.offered]
            raise InputError(f"{', '.join(map(str, files))}: no layer '{name}'{near_names(name, offered)}")
    return _merge([part for part in parts if part.layers])


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


def _read_part(file: Path, kind: str | None, wanted: Sequence[str], names: Sequence[str] | None) -> Gathered:
    content = read_file(file)
    with about(file):
        layers = []
        for item in content.items:
            if isinstance(item, FoundRepresentation):
                if kind is not None:
                    raise InputError("was exported by Layerwise and says itself what it holds: leave --kind out")
                converted = Converted(item.name, REPRESENTATION, item.representation)
                layers.append(ImportedLayer(converted, item.layer))
            elif _may_hold(item, wanted):
                layers += [_convert(each) for each in arrange(item, kind)]
        layers = [layer for layer in layers if not wanted or layer.name in wanted]
        offered = [name for item in content.items for name in _offered(item)]
        part = Gathered(tuple(layers), content.names if names is None else tuple(names), tuple(offered))
        if not layers and not wanted:
            raise InputError("holds no matrix")
        _check_part(part)
        return part


def _convert(arranged: Arranged) -> ImportedLayer:
    converted = convert(arranged)
    return ImportedLayer(dataclasses.replace(converted, notes=arranged.notes + converted.notes))


def _may_hold(item: FoundArray, wanted: Sequence[str]) -> bool:
    """Whether an array may hold a layer that is asked for; others need not be matrices."""
    if not wanted or item.labels is not None:
        return True
    return any(name == item.name or name.startswith(f"{item.name}-") for name in wanted)


def _offered(item: FoundArray | FoundRepresentation) -> Sequence[str]:
    return [item.name] if isinstance(item, FoundRepresentation) else item.labels or [item.name]


def _check_part(part: Gathered) -> None:
    """Every layer of the same number of stimuli, at least three, and one name for each."""
    for layer in part.layers:
        n_stimuli = layer.converted.representation.n_stimuli
        if n_stimuli != part.n_stimuli:
            raise InputError(
                f"'{part.layers[0].name}' has {part.n_stimuli} stimuli, '{layer.name}' has {n_stimuli}: take those "
                "that belong together with --layer"
            )
        if n_stimuli < MIN_STIMULI:
            raise InputError(f"{n_stimuli} stimuli; at least {MIN_STIMULI} are needed")
    if part.names is not None and part.layers:
        check_names(part.names, part.n_stimuli)


def _merge(parts: Sequence[Gathered]) -> Gathered:
    """The layers of all files, brought to the order of the first that has any."""
    names = parts[0].names
    layers: list[ImportedLayer] = []
    for part in parts:
        check_count(part.n_stimuli, parts[0].n_stimuli, "the first file")
        if names is None or part.names is None or part.names == names:
            layers += part.layers
        else:
            order = align(part.names, names, "the first file")
            layers += [reorder(layer, order) for layer in part.layers]
    _check_unique(layers)
    return Gathered(tuple(layers), names)


def reorder(layer: ImportedLayer, order: NDArray[np.intp]) -> ImportedLayer:
    """The same layer with its stimuli in another order."""
    converted = layer.converted
    taken = converted.representation.take(order)
    return dataclasses.replace(layer, converted=dataclasses.replace(converted, representation=taken))


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

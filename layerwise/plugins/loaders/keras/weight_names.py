"""Whether a file of weights is that of a Keras model: what its layers are called, and the shapes of their tensors.

Keras itself looks at neither: it fills layers of a kind in the order in which they come, and passes over the rest.
Names that Keras made up (`conv2d_17`) are numbered per process, so of these only the kind must agree.
"""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

Shapes: TypeAlias = "dict[str, tuple[int, ...]]"
Content: TypeAlias = "dict[str, tuple[str, Shapes]]"
"""By the place of a layer in the file: its name, empty where the file has none, and the shapes of its tensors."""

_MAX_LISTED = 6
_INSIDE = "model.weights.h5"


def find_misfits(model: Any, path: Path) -> list[str]:
    """What in a file does not fit a model, in words; empty where all of it does.

    Args:
        model: A Keras model that has been built.
        path: A `.weights.h5`, `.keras` or older `.h5` file.

    Raises:
        OSError, KeyError, ValueError: If it is no such file.
    """
    import h5py

    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive, archive.open(_INSIDE) as member:
            return _compare(_read(member), _read_own(model))
    with h5py.File(path, "r") as file:
        group = file.get("model_weights", file)
        if "layer_names" in group.attrs:
            return _compare_in_order(list(_read_older(group)), list(_list_layers(model)))
    return _compare(_read(path), _read_own(model))


def list_misfits(misfits: list[str]) -> str:
    """The first few of them in one line, and how many more there are."""
    more = len(misfits) - _MAX_LISTED
    return "; ".join(misfits[:_MAX_LISTED]) + (f"; and {more} more" if more > 0 else "")


def _read_own(model: Any) -> Content:
    """What the model itself would write."""
    with tempfile.TemporaryDirectory(prefix="layerwise-") as folder:
        path = Path(folder) / "own.weights.h5"
        model.save_weights(path)
        return _read(path)


def _read(source: Path | Any) -> Content:
    import h5py

    with h5py.File(source if isinstance(source, Path) else io.BytesIO(source.read()), "r") as file:
        content: Content = {}
        _collect(file, "", content)
        return content


def _collect(group: Any, place: str, content: Content) -> None:
    """Put the layers below a model's group into `content`; models inside it, which have layers, one by one."""
    import h5py

    layers = group.get("layers")
    if not isinstance(layers, h5py.Group):
        shapes = _shapes_below(group)
        if shapes:
            content[place] = (_name_of(group), shapes)
        return
    for key in layers:
        _collect(layers[key], f"{place}/{key}" if place else key, content)
    beside = {name: shape for name, shape in _shapes_below(group).items() if not name.startswith("layers/")}
    if beside:
        content[f"{place}/"] = ("", beside)


def _shapes_below(group: Any) -> Shapes:
    import h5py

    shapes: Shapes = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            shapes[name] = tuple(item.shape)

    group.visititems(note)
    return shapes


def _name_of(group: Any) -> str:
    name = group["vars"].attrs.get("name", "") if "vars" in group else ""
    return name.decode() if isinstance(name, bytes) else str(name)


def _compare(there: Content, wanted: Content) -> list[str]:
    misfits = []
    for place, (name, shapes) in wanted.items():
        if place not in there:
            misfits.append(f"'{name or place}' is not in the file")
            continue
        found, found_shapes = there[place]
        kind = re.sub(r"_\d+$", "", place.rpartition("/")[2])
        if found and not _is_same(found, name, kind):
            misfits.append(f"the file has '{found}' where the model has '{name or place}'")
        elif found_shapes != shapes:
            misfits.append(f"'{name or place}' {_describe(shapes)} is {_describe(found_shapes)} in the file")
    extra = [name or place for place, (name, _) in there.items() if place not in wanted]
    return misfits + [f"the model has no '{name}'" for name in extra]


def _is_same(found: str, name: str, kind: str) -> bool:
    made_up = re.compile(rf"{re.escape(kind)}(_\d+)?")
    return found == name or bool(made_up.fullmatch(found) and made_up.fullmatch(name))


def _describe(shapes: Shapes) -> str:
    return ", ".join(" x ".join(map(str, shape)) or "one number" for shape in shapes.values())


def _read_older(group: Any) -> Iterator[str]:
    """Names of the layers with weights in a file of the older form, whose shapes Keras compares itself."""
    for name in group.attrs["layer_names"]:
        word = name.decode() if isinstance(name, bytes) else str(name)
        if len(group[word].attrs["weight_names"]):
            yield word


def _list_layers(model: Any) -> Iterator[tuple[str, str]]:
    """Name and kind of each layer with weights."""
    for layer in model.layers:
        if layer.weights:
            kind = re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", type(layer).__name__))
            yield layer.name, kind.lower()


def _compare_in_order(there: list[str], wanted: list[tuple[str, str]]) -> list[str]:
    misfits = [
        f"the file has '{found}' where the model has '{name}'"
        for found, (name, kind) in zip(there, wanted, strict=False)
        if not _is_same(found, name, kind)
    ]
    missing = [f"'{name}' is not in the file" for name, _ in wanted[len(there) :]]
    return misfits + missing + [f"the model has no '{name}'" for name in there[len(wanted) :]]

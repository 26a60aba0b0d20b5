"""Dataclasses that hold arrays compare by identity: comparing or hashing an array raises."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
import types
from collections.abc import Iterator
from typing import get_args, get_origin

import numpy as np

import layerwise
from layerwise.core.base.provider import Provider
from layerwise.core.history.profiles import ProfileKey
from layerwise.core.network.products import represent


def list_dataclasses() -> Iterator[type]:
    for module in pkgutil.walk_packages(layerwise.__path__, "layerwise."):
        if module.name.endswith(("__main__", "migrations.env")) or ".versions." in module.name:
            continue
        loaded = importlib.import_module(module.name)
        for found in vars(loaded).values():
            if isinstance(found, type) and dataclasses.is_dataclass(found) and found.__module__ == module.name:
                yield found


def is_array_type(annotation: object) -> bool:
    inner = get_args(annotation)
    return get_origin(annotation) is np.ndarray or annotation is np.ndarray or any(map(is_array_type, inner))


def holds_arrays(kind: type) -> bool:
    """Whether an annotation of a field names an array, or an alias of arrays that its module knows."""
    known = vars(importlib.import_module(kind.__module__))
    for name in re.findall(r"\w+", " ".join(str(field.type) for field in dataclasses.fields(kind))):
        alias = known.get(name)
        if name in {"NDArray", "ndarray"} or (isinstance(alias, types.GenericAlias) and is_array_type(alias)):
            return True
    return False


def test_dataclasses_that_hold_arrays_have_no_generated_equality() -> None:
    found = [kind for kind in list_dataclasses() if holds_arrays(kind)]
    assert len(found) > 20
    wrong = [f"{kind.__module__}.{kind.__qualname__}" for kind in found if kind.__dataclass_params__.eq]
    assert wrong == []


def test_keys_and_records_without_arrays_are_compared_by_what_they_hold() -> None:
    one, other = (ProfileKey("run", ("a", "b"), Provider("dist:name", "1"), "none") for _ in range(2))
    assert one == other
    assert len({one, other}) == 1


def test_a_representation_can_be_compared_and_put_into_a_set() -> None:
    one, other = (represent(np.random.default_rng(seed).normal(size=(4, 6))) for seed in (0, 0))
    assert one == one
    assert one != other
    assert len({one, other, one}) == 2

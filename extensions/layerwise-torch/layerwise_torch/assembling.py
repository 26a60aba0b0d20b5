"""From a network that has been tried to a model: find its graph, end it in a softmax where it is to have one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from layerwise.plugin import (
    InputError,
    LoadRequest,
    ModelDescription,
    Preprocessing,
    affine,
    find_classes,
    find_preprocessing,
)
from torch import fx

from layerwise_torch.errors import UntraceableError
from layerwise_torch.hooked import HookedModel
from layerwise_torch.layout import lay_out
from layerwise_torch.model import TorchModel, TracedModel
from layerwise_torch.naming import name_operations
from layerwise_torch.observing import Seen, observe
from layerwise_torch.preparing import Prepared, is_close
from layerwise_torch.settings import Settings
from layerwise_torch.tracing import Traced, find_graph, trace_exported, trace_symbolically

Way = Callable[[], Traced]


def module_ways(prepared: Prepared, settings: Settings) -> list[Way]:
    """How to find the graph of a module written in Python, the best way first; none where hooks are asked for."""
    ways: dict[str, Way] = {
        "fx": partial(trace_symbolically, prepared.module, prepared.output),
        "export": partial(trace_exported, prepared.module, prepared.batches[-1], prepared.output),
    }
    return [way for name, way in ways.items() if settings.graph in (None, name)]


def assemble(
    prepared: Prepared, ways: Sequence[Way], settings: Settings, description: ModelDescription
) -> TorchModel:
    """The model of a network.

    Args:
        prepared: The network, tried out.
        ways: How to find its graph; where none works, its modules are watched instead.
        settings: What is said of it.
        description: What else is known of it.

    Raises:
        InputError: If its graph is asked for in one way, and cannot be found in that.
    """
    softmax = bool(settings.softmax)
    try:
        traced, seen = find_graph(ways, partial(_observe_checked, prepared))
    except UntraceableError as error:
        if settings.graph in ("fx", "export"):
            raise InputError(f"{prepared.owner} cannot be traced with {settings.graph}: {error}") from error
        if isinstance(prepared.module, fx.GraphModule | torch.jit.ScriptModule):
            raise InputError(f"{prepared.owner} cannot be taken apart: {error}") from error
        if ways:
            _note(
                f"{prepared.owner} cannot be traced ({error}): its layers are what its modules return, without blocks"
            )
        ended = replace(description, source=f"{description.source}; modules, not traced")
        return HookedModel(prepared, softmax and not _ends_in_softmax(prepared), ended)
    if softmax:
        seen = _add_softmax(traced, seen)
    names = name_operations(traced)
    return TracedModel(traced, seen, names, lay_out(traced, seen, names), description, prepared.placement)


def describe(
    request: LoadRequest, prepared: Prepared, settings: Settings, name: str, source: str, beside: Path | None
) -> tuple[Settings, ModelDescription]:
    """What is known of a network, and its settings with what follows from that.

    A network whose classes are known is a classifier: a softmax is added unless it ends in one, or is told not to.

    Args:
        request: What was asked for.
        prepared: The network, tried out.
        settings: What is said of it.
        name: What it is called.
        source: Where it came from, in words.
        beside: The file beside which class names may lie.

    Raises:
        InputError: If class names or preprocessing are not as they must be.
    """
    expected = prepared.expected[0]
    n_classes = int(expected[0].numel())
    names, ids = find_classes(request.class_names, beside, n_classes)
    if not names and settings.classes is not None:
        if len(settings.classes) != n_classes:
            raise InputError(f"{name}: {len(settings.classes)} classes are named, but it has {n_classes} outputs")
        names = settings.classes
    if settings.softmax is None:
        settings = replace(settings, softmax=bool(names) and expected.ndim == 2)
    if _ends_in_softmax(prepared):
        settings = replace(settings, softmax=False)
    n_channels = prepared.batches[0].shape[1]
    description = ModelDescription(
        name=name,
        source=source,
        preprocessing=choose_pixels(request.preprocessing, settings, n_channels, name),
        resize=settings.resize or "squash",
        class_names=names,
        class_ids=ids,
    )
    return settings, description


def choose_pixels(asked: str | None, settings: Settings, n_channels: int, name: str) -> Preprocessing:
    """What is done to pixels: what is said, else what is asked for by name, else ImageNet's mean and deviation.

    Where nothing is known of a network for grey pictures, its pixels are divided by 255 and no more.

    Raises:
        InputError: If there is no such preprocessing, or mean and deviation are not one a channel.
    """
    if not settings.says_pixels:
        return find_preprocessing(asked or ("torch" if n_channels == 3 else "unit"))
    if asked is not None:
        raise InputError(f"{name}: pixels are described by its settings and by --preprocessing; say one of them")
    white, order = settings.range or 1.0, settings.order or "rgb"
    means, stds = (
        _for_channels(values, n_channels, name) for values in (settings.mean or (0.0,), settings.std or (1.0,))
    )
    scale = tuple(white / 255 / std for std in stds)
    offset = tuple(-mean / std for mean, std in zip(means, stds, strict=True))
    ranged = order.upper() if white == 255 else f"{order.upper()} * {white:g} / 255"
    return affine(f"({ranged} - {_tuple(means)}) / {_tuple(stds)}", scale, offset, bgr=order == "bgr")


def _for_channels(values: tuple[float, ...], n_channels: int, name: str) -> tuple[float, ...]:
    if len(values) not in (1, n_channels):
        raise InputError(f"{name}: {len(values)} numbers are given for mean or std, but its input has {n_channels}")
    return values if len(values) == n_channels else values * n_channels


def _tuple(values: tuple[float, ...]) -> str:
    return f"({', '.join(f'{value:g}' for value in values)})"


def _observe_checked(prepared: Prepared, traced: Traced) -> dict[fx.Node, Seen]:
    """What each operation of a graph gives, once it is sure that the graph gives what the network gives."""
    seen, outputs = observe(traced, prepared.batches)
    for value, expected in zip(outputs, prepared.expected, strict=True):
        if not isinstance(value, torch.Tensor) or not is_close(value, expected):
            raise UntraceableError("its graph gives other values than itself")
    lay_out(traced, seen, name_operations(traced))
    return seen


def _ends_in_softmax(prepared: Prepared) -> bool:
    """Whether a network's output is a distribution already: nothing below zero, and all of it adds up to one."""
    expected = prepared.expected[0]
    if expected.ndim != 2 or expected.shape[1] < 2:
        return False
    rows = expected.double()
    return bool((rows >= 0).all()) and bool(((rows.sum(-1) - 1).abs() < 1e-2).all())


def _add_softmax(traced: Traced, seen: dict[fx.Node, Seen]) -> dict[fx.Node, Seen]:
    """End a graph in a softmax, which gives what its input gives as far as shape and type go."""
    graph = traced.program.graph
    end = next(node for node in graph.nodes if node.op == "output")
    with graph.inserting_before(end):
        softmax: Any = graph.call_function(torch.softmax, (end.args[0], -1))
    logits = end.args[0]
    end.args = (softmax,)
    traced.program.recompile()
    return {**seen, softmax: seen[logits]}


def _note(text: str) -> None:
    """Tell the user, without touching what is printed as the answer."""
    print(f"layerwise-torch: {text}", file=sys.stderr)

"""From a network that has been tried to a model: find its graph, end it in a softmax where it is to have one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
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
    describe_choice,
    find_classes,
    find_preprocessing,
)
from torch import fx

from layerwise_torch.errors import UntraceableError
from layerwise_torch.hooked import HookedModel
from layerwise_torch.layout import Layout, lay_out
from layerwise_torch.model import Taken, TorchModel, TracedModel
from layerwise_torch.naming import name_operations
from layerwise_torch.observing import Seen, observe
from layerwise_torch.preparing import Prepared, is_close
from layerwise_torch.rewriting import set_ends
from layerwise_torch.settings import Settings
from layerwise_torch.texts import TextReader
from layerwise_torch.tracing import (
    Traced,
    find_graph,
    trace_exported,
    trace_symbolically,
    with_inputs,
    without_wrapper,
)

Way = Callable[[], Traced]


def module_ways(prepared: Prepared, settings: Settings) -> list[Way]:
    """How to find the graph of a module written in Python, the best way first; none where hooks are asked for."""
    ways: dict[str, Way] = {
        "fx": partial(trace_symbolically, prepared.module, prepared.output),
        "export": partial(trace_exported, prepared.module, prepared.batches[-1], prepared.output),
    }
    if prepared.is_wrapped:
        ways = {name: partial(_unwrap, way) for name, way in ways.items()}
    return [way for name, way in ways.items() if settings.graph in (None, name)]


def _unwrap(way: Way) -> Traced:
    return without_wrapper(way())


def assemble(
    prepared: Prepared,
    ways: Sequence[Way],
    settings: Settings,
    description: ModelDescription,
    reader: TextReader | None = None,
) -> TorchModel:
    """The model of a network.

    Args:
        prepared: The network, tried out.
        ways: How to find its graph; where none works, its modules are watched instead.
        settings: What is said of it.
        description: What else is known of it.
        reader: Makes tokens of texts, where texts go in.

    Raises:
        InputError: If its graph is asked for in one way, and cannot be found in that.
    """
    taken = Taken(prepared.inputs, reader)
    softmax = bool(settings.softmax)
    try:
        _, (traced, seen) = find_graph(ways, partial(_observe_checked, prepared))
    except UntraceableError as error:
        if settings.graph in ("fx", "export"):
            raise InputError(f"{prepared.owner} cannot be traced with {settings.graph}: {error}") from error
        if isinstance(prepared.network, fx.GraphModule | torch.jit.ScriptModule):
            raise InputError(f"{prepared.owner} cannot be taken apart: {error}") from error
        if ways:
            _note(
                f"{prepared.owner} cannot be traced ({error}): its layers are what its modules return, without blocks"
            )
        ended = replace(description, source=f"{description.source}; modules, not traced")
        return HookedModel(prepared, softmax and not _ends_in_softmax(prepared), ended, taken)
    if softmax:
        traced, seen = _add_softmax(traced, seen)
    names = name_operations(traced)
    layout = lay_out(traced, seen, names)
    model = TracedModel(traced, seen, names, layout, description, prepared.placement, taken)
    if settings.output is None:
        model.notes = _describe_outputs(prepared, traced, names, layout)
    return model


def _describe_outputs(
    prepared: Prepared, traced: Traced, names: Mapping[fx.Node, str], layout: Layout
) -> tuple[str, ...]:
    """Which output counts, and where the others are, if there are others."""
    others = [names[end] for end in traced.ends[1:] if names[end] in layout.graph]
    if not others:
        return ()
    known = ", ".join(f"'{name}'" for name in others)
    counts = prepared.names[prepared.output]
    return (describe_choice(1 + len(others), str(counts), f"{known} are layers"),)


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
    expected = prepared.answer
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
    if prepared.inputs:
        _refuse_pixels(request.preprocessing, settings, prepared, name)
        preprocessing = affine("values as they are given", (1.0,), (0.0,))
    else:
        preprocessing = choose_pixels(request.preprocessing, settings, prepared.batches[0].shape[1], name)
    description = ModelDescription(
        name=name,
        source=source,
        preprocessing=preprocessing,
        resize=settings.resize or "squash",
        class_names=names,
        class_ids=ids,
    )
    return settings, description


def _refuse_pixels(asked: str | None, settings: Settings, prepared: Prepared, name: str) -> None:
    if asked is not None or settings.says_pixels:
        said = ", ".join(map(str, prepared.inputs))
        raise InputError(f"{name} takes {said} and no pictures, so that preprocessing of pixels has no meaning")


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


def _observe_checked(prepared: Prepared, traced: Traced) -> tuple[Traced, dict[fx.Node, Seen]]:
    """What each operation of a graph gives, once it is sure that the graph gives what the network gives."""
    traced = with_inputs(traced, prepared.inputs)
    seen, outputs = observe(traced, prepared.batches)
    for values, expected in zip(outputs, prepared.expected, strict=True):
        for value, place in zip(values, traced.places, strict=True):
            right = expected[place]
            are_tensors = isinstance(value, torch.Tensor) and isinstance(right, torch.Tensor)
            if not are_tensors or not is_close(value, right):
                raise UntraceableError("its graph gives other values than itself")
    lay_out(traced, seen, name_operations(traced))
    return traced, seen


def _ends_in_softmax(prepared: Prepared) -> bool:
    """Whether a network's output is a distribution already: nothing below zero, and all of it adds up to one."""
    expected = prepared.answer
    if expected.ndim != 2 or expected.shape[1] < 2:
        return False
    rows = expected.double()
    return bool((rows >= 0).all()) and bool(((rows.sum(-1) - 1).abs() < 1e-2).all())


def _add_softmax(traced: Traced, seen: dict[fx.Node, Seen]) -> tuple[Traced, dict[fx.Node, Seen]]:
    """End a graph in a softmax, which gives what its input gives as far as shape and type go."""
    graph = traced.program.graph
    end = next(node for node in graph.nodes if node.op == "output")
    logits, *others = traced.ends
    with graph.inserting_before(end):
        softmax: Any = graph.call_function(torch.softmax, (logits, -1))
    ends = (softmax, *others)
    set_ends(end, ends)
    traced.program.recompile()
    return replace(traced, ends=ends), {**seen, softmax: seen[logits]}


def _note(text: str) -> None:
    """Tell the user, without touching what is printed as the answer."""
    print(f"layerwise-torch: {text}", file=sys.stderr)

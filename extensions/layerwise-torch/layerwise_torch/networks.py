"""Loading what is asked for: a module by import path, or a file that PyTorch has saved."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from layerwise.plugin import InputError, InputSpec, LoadRequest, Model
from torch.nn.parameter import is_lazy

from layerwise_torch.assembling import Way, assemble, describe, module_ways
from layerwise_torch.devices import find_placement
from layerwise_torch.errors import describe_error
from layerwise_torch.files import load_exported, load_script, sniff
from layerwise_torch.importing import build_network, unwrap
from layerwise_torch.inputs import find_inputs, fit, limit_length, make_spec, make_values
from layerwise_torch.model import TorchModel
from layerwise_torch.preparing import (
    complete_lazy,
    input_dtype,
    make_deterministic,
    make_noise,
    place,
    try_out,
)
from layerwise_torch.settings import Settings, own_settings, split_model
from layerwise_torch.texts import DEFAULT_LENGTH, TextReader, make_reader
from layerwise_torch.tracing import (
    FIXED_BATCH,
    Traced,
    exported_batch,
    exported_inputs,
    read_exported,
    trace_script,
    without_wrapper,
)
from layerwise_torch.weights import describe_file, load_weights, read_file

_PICTURE_AXES = 4


def load_module(request: LoadRequest) -> Model:
    """The model that an import path names.

    Raises:
        InputError: If it cannot be imported, made, filled with its weights or analysed.
    """
    name, said = split_model(request.model)
    where = name.removeprefix("torch:")
    network, file = build_network(where, request.seed)
    settings = said.over(own_settings(network, name))
    place = where.rpartition(":")[0]
    origin = describe_file(file) if file is not None and place.endswith(".py") else place
    origin = f"{origin}, {describe_file(file)}" if file is not None and origin == place else origin
    return load_network(network, request, settings, name=where.rpartition(":")[2], origin=origin)


def adopt_network(network: Any, request: LoadRequest) -> Model:
    """The model of a network that lives in this process, of a copy of it in evaluation mode.

    Raises:
        InputError: If it cannot be copied or analysed, or its modules have not found their sizes yet.
    """
    network, name = unwrap(network), request.model
    if any(map(is_lazy, (*network.parameters(), *network.buffers()))):
        raise InputError(f"{name} has lazy modules that have not seen a batch yet; call it once before")
    try:
        copied = copy.deepcopy(network)
    except Exception as error:  # whatever a stranger's module raises
        raise InputError(f"{name} cannot be copied, so as to be analysed aside: {describe_error(error)}") from error
    asked = replace(request, weights=None)
    home = next((tensor.device for tensor in (*copied.parameters(), *copied.buffers())), None)
    own = own_settings(network, name)
    model = load_network(copied, asked, own, name=name, origin="in memory", has_weights=True, home=home)
    model.follow(partial(_copy_weights, network, copied, name))
    return model


def _copy_weights(network: Any, copied: Any, name: str) -> None:
    """Bring a copy's weights and buffers up to date, in place."""
    fresh = dict((*network.named_parameters(), *network.named_buffers()))
    held = dict((*copied.named_parameters(), *copied.named_buffers()))
    if {path: tensor.shape for path, tensor in fresh.items()} != {
        path: tensor.shape for path, tensor in held.items()
    }:
        raise InputError(f"{name} no longer has the same weights; give it to Layerwise anew")
    with torch.no_grad():
        for path, tensor in held.items():
            tensor.copy_(fresh[path])


def load_network(
    network: Any,
    request: LoadRequest,
    settings: Settings,
    *,
    name: str,
    origin: str,
    has_weights: bool = False,
    home: Any = None,
) -> TorchModel:
    """The model of a network that is made already; its weights are filled in from a file where one is named.

    Args:
        network: A `torch.nn.Module`.
        request: What was asked for.
        settings: What is said of it.
        name: What it is called.
        origin: Where it came from, in words.
        has_weights: Whether its weights are published ones already.
        home: Where it stays unless something else is asked for.

    Raises:
        InputError: If the weights do not fit, or it cannot be analysed.
    """
    path = None if request.weights is None or has_weights else Path(request.weights)
    settings = _with_output(request, settings)
    inputs, reader = _find_taken(network, request, settings, name)
    complete_lazy(network, settings, name, request.seed, inputs)
    if path is not None:
        load_weights(network, path, name, trusted=request.allow_unsafe)
    made = f"seed {request.seed}" if path is None else describe_file(path)
    source = origin if has_weights else f"{origin}, {made}"
    make_deterministic()
    placement = find_placement(request, settings, home)
    placed = place(network, placement.device, settings, name)
    prepared = try_out(placed, placement, settings, name, inputs=inputs)
    settings, description = describe(request, prepared, settings, name, source, path)
    return assemble(prepared, module_ways(prepared, settings), settings, description, reader)


def _with_output(request: LoadRequest, settings: Settings) -> Settings:
    """The settings, with the output that is asked for apart from them."""
    return settings if request.output is None else replace(settings, output=request.output)


def _find_taken(
    network: Any, request: LoadRequest, settings: Settings, name: str
) -> tuple[tuple[InputSpec, ...], TextReader | None]:
    """What a network takes where that is not one picture, and what makes it of texts where texts go in."""
    if settings.tokenizer is None:
        return find_inputs(network, settings.inputs, request.shapes, name), None
    inputs = find_inputs(network, settings.inputs, None, name)
    length = settings.length or limit_length(network, DEFAULT_LENGTH)
    reader = make_reader(settings.tokenizer, inputs, length, request.shapes, name)
    return reader.inputs, reader


def load_file(request: LoadRequest) -> Model:
    """The model in a TorchScript or `torch.export` file, or in a pickled one that is trusted.

    Raises:
        InputError: If it cannot be loaded or analysed.
    """
    name, settings = split_model(request.model)
    settings = _with_output(request, settings)
    path = Path(name)
    kind = sniff(path)
    if request.weights is not None and kind != "pickle":
        raise InputError(f"{path} brings its own weights; --weights does not go with it")
    make_deterministic()
    if kind == "script":
        return _load_script(path, request, settings)
    if kind == "export":
        return _load_exported(path, request, settings)
    return _load_pickled(path, request, settings)


def _load_script(path: Path, request: LoadRequest, settings: Settings) -> Model:
    placement = find_placement(request, settings)
    device = placement.device
    module = place(load_script(path, trusted=request.allow_unsafe), device, settings, path.name)
    inputs, reader = _find_taken(module, request, settings, path.name)
    prepared = try_out(module, placement, settings, path.name, inputs=inputs)
    if inputs:
        example = make_values(inputs, FIXED_BATCH, device)
    else:
        example = make_noise((FIXED_BATCH, *prepared.batches[0].shape[1:]), device, input_dtype(module))
    recorded = replace(prepared, batches=(example,), expected=(prepared.run_all(example),))
    settings, description = describe(request, recorded, settings, path.stem, describe_file(path), path)
    way: Way = partial(trace_script, prepared.module, example, prepared.output)
    ways = [partial(_unwrap, way)] if prepared.is_wrapped else [way]
    return assemble(recorded, ways, settings, description, reader)


def _unwrap(way: Way) -> Traced:
    return without_wrapper(way())


def _load_exported(path: Path, request: LoadRequest, settings: Settings) -> Model:
    if settings.dtype is not None:
        raise InputError(f"{path} was exported with its types fixed; @dtype does not go with it")
    placement = find_placement(request, settings)
    exported = load_exported(path, trusted=request.allow_unsafe)
    inputs, settings = _read_stand_ins(path, exported_inputs(exported), request, settings)
    reader = None
    if settings.tokenizer is not None:
        length = settings.length or DEFAULT_LENGTH
        reader = make_reader(settings.tokenizer, inputs, length, request.shapes, path.name)
        inputs = reader.inputs
    if placement.device.type != "cpu":
        from torch.export.passes import move_to_device_pass

        exported = move_to_device_pass(exported, placement.device)
    batch = exported_batch(exported)
    prepared = try_out(_as_called(exported, by_position=bool(inputs)), placement, settings, path.name, batch, inputs)
    settings, description = describe(request, prepared, settings, path.stem, describe_file(path), path)
    way: Way = partial(read_exported, exported, prepared.output, "torch.export file", inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PyTorch's, about what it does itself as it copies a program
        return assemble(prepared, [way], settings, description, reader)


def _read_stand_ins(
    path: Path, stand_ins: Mapping[str, Any] | None, request: LoadRequest, settings: Settings
) -> tuple[tuple[InputSpec, ...], Settings]:
    """What an exported program takes, of a picture as settings."""
    if not stand_ins:
        raise InputError(f"{path} takes something else than tensors, of which stimuli cannot be made")
    (stand_in, *others) = stand_ins.values()
    if not others and stand_in.ndim == _PICTURE_AXES and stand_in.is_floating_point() and settings.inputs is None:
        sizes = [axis if isinstance(axis, int) else None for axis in stand_in.shape]
        if settings.size is None and sizes[2] is not None and sizes[3] is not None:
            settings = replace(settings, size=(sizes[2], sizes[3]))
        if settings.channels is None and sizes[1] is not None:
            settings = replace(settings, channels=sizes[1])
        return (), settings
    specs = []
    for name, tensor in stand_ins.items():
        if not tensor.ndim:
            raise InputError(f"{path}: input '{name}' is one number, without a row for each stimulus")
        sides = [axis if isinstance(axis, int) else None for axis in tensor.shape[1:]]
        specs.append(make_spec(name, str(tensor.dtype).removeprefix("torch."), sides))
    return fit(specs, None if settings.tokenizer else request.shapes), settings


def _as_called(exported: Any, *, by_position: bool) -> Any:
    """An exported program as a module that is called with its tensors by position, however it was called before.

    Args:
        exported: The program.
        by_position: Whether it is wrapped even where it takes one tensor by position: its module names what it takes,
            and refuses to be called by that name.
    """
    program = exported.module()
    spec = exported.call_spec.in_spec

    class Called(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.program = program

        def forward(self, *tensors: Any) -> Any:
            args, kwargs = torch.utils._pytree.tree_unflatten(tensors, spec)
            return self.program(*args, **kwargs)

    args, _ = torch.utils._pytree.tree_unflatten(list(range(spec.num_leaves)), spec)
    return Called() if by_position or spec.num_leaves > 1 or len(args) != 1 else program


def _load_pickled(path: Path, request: LoadRequest, settings: Settings) -> Model:
    """A module that was pickled as a whole, which is code; where it is trusted, as any other module."""
    content = read_file(path, trusted=request.allow_unsafe)
    if not isinstance(content, torch.nn.Module):
        raise InputError(
            f"{path} holds weights only: name the network, as in torch:package.module:factory --weights {path}"
        )
    content = unwrap(content)
    settings = settings.over(own_settings(content, path.name))
    return load_network(content, request, settings, name=path.stem, origin=describe_file(path), has_weights=True)

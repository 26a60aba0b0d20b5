"""Getting a network ready: where it runs, what it takes, whether it is a function of one image at a time.

Every network is tried on a few images of noise before it is analysed: it must take them, give the same
twice, and make of each image the same whatever else is in the batch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from layerwise.plugin import InputError
from torch.nn.parameter import is_lazy

from layerwise_torch.devices import Placement
from layerwise_torch.errors import describe_error
from layerwise_torch.settings import Settings

DEFAULT_SIZE = (224, 224)
_LIKELY_OUTPUTS = ("logits", "out")


@dataclass(frozen=True)
class Prepared:
    """A network that has been tried.

    Attributes:
        module: The network, in evaluation mode and where it runs.
        owner: What it is called, for messages.
        placement: Where it runs.
        dtype: What it takes.
        batches: Noise of (n, channels, height, width): three images and the first two of them, or one batch of the
            only size that it takes.
        output: Which of its outputs is meant, among all its tensors in order.
        expected: That output for each of the batches.
        run: From a batch to that output.
    """

    module: Any
    owner: str
    placement: Placement
    dtype: Any
    batches: tuple[Any, ...]
    output: int
    expected: tuple[Any, ...]
    run: Callable[[Any], Any]


def make_deterministic() -> None:
    """Choose the algorithms on GPUs that give the same numbers every time."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def place(module: Any, device: Any, settings: Settings, owner: str) -> Any:
    """The module in evaluation mode, on its device, in the type that is asked for, channels innermost in memory.

    Raises:
        InputError: If it does not go there.
    """
    try:
        module = module.eval()
        for weight in module.parameters():
            weight.requires_grad_(False)
        for part in () if isinstance(module, torch.jit.ScriptModule) else module.modules():
            if getattr(part, "inplace", False) is True:
                part.inplace = False  # what is written over cannot be analysed
        module = module.to(device=device, memory_format=torch.channels_last)
        return module if settings.dtype is None else module.to(dtype=getattr(torch, settings.dtype))
    except Exception as error:  # anything may go wrong in a stranger's module
        raise InputError(f"{owner} cannot be moved to {device}: {describe_error(error)}") from error


def complete_lazy(module: Any, settings: Settings, owner: str, seed: int) -> None:
    """Let modules that find their sizes in the first batch (`LazyLinear`) see one of noise, under the seed.

    Raises:
        InputError: If the network does not take images.
    """
    if any(map(is_lazy, (*module.parameters(), *module.buffers()))):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            _first_call(module.eval(), torch.device("cpu"), settings, owner, None)


def input_dtype(module: Any) -> Any:
    """The type of a module's first weights, which its input has to have."""
    tensors = (*module.parameters(), *module.buffers())
    dtypes = (tensor.dtype for tensor in tensors if tensor.dtype.is_floating_point)
    return next(dtypes, torch.float32)


def try_out(module: Any, placement: Placement, settings: Settings, owner: str, batch: int | None = None) -> Prepared:
    """Run a network on noise, and check that it can be analysed.

    Args:
        module: The network; called with one tensor.
        placement: Where it runs.
        settings: Size and channels of its input, and which output is meant.
        owner: What it is called, for messages.
        batch: The only batch size that it takes, if there is only one.

    Raises:
        InputError: If it does not take images, is not repeatable, or mixes the images of a batch.
    """
    with placement.precision():
        noise, value = _first_call(module, placement.device, settings, owner, batch)
    output = choose_output(value, settings.output, owner)

    def run(images: Any) -> Any:
        with placement.precision():
            return leaves_of(call(module, images))[output]

    batches = (noise,) if batch else (noise, noise[:2].clone(memory_format=torch.preserve_format))
    expected = (leaves_of(value)[output], *(run(images) for images in batches[1:]))
    prepared = Prepared(module, owner, placement, noise.dtype, batches, output, expected, run)
    _check(prepared)
    return prepared


def _first_call(module: Any, device: Any, settings: Settings, owner: str, batch: int | None) -> tuple[Any, Any]:
    """A batch of noise that a network takes, and what it makes of it; the number of channels is found by trying."""
    height, width = settings.size or DEFAULT_SIZE
    tried = (settings.channels,) if settings.channels else (3, 1)
    for channels in tried:
        noise = make_noise((batch or 3, channels, height, width), device, input_dtype(module))
        try:
            return noise, call(module, noise)
        except Exception as error:  # a network that does not take this input raises what it likes
            if channels == tried[-1] or "channel" not in str(error):
                what = f"a batch of {batch or 3} images of {channels} x {height} x {width}"
                hint = (
                    "say its input's size with @size=HEIGHTxWIDTH behind the MODEL, or in the network's own "
                    'attribute: layerwise = {"size": (HEIGHT, WIDTH)}'
                )
                raise InputError(f"{owner} does not take {what} ({describe_error(error)}); {hint}") from error
    raise AssertionError("the last try returns or raises")


def make_noise(shape: Sequence[int], device: Any, dtype: Any) -> Any:
    """The same normal noise every time, with channels innermost in memory."""
    noise = torch.randn(tuple(shape), generator=torch.Generator().manual_seed(0))
    return noise.to(device=device, dtype=dtype).contiguous(memory_format=torch.channels_last)


def call(module: Any, images: Any) -> Any:
    """What a network makes of a batch, without gradients."""
    with torch.no_grad():
        return module(images.clone(memory_format=torch.preserve_format))


def leaves_of(value: Any) -> list[Any]:
    """All that a network returns, in order, without its structure."""
    plain = dict(value) if isinstance(value, Mapping) else value
    leaves: list[Any] = torch.utils._pytree.tree_leaves(plain)
    return leaves


def choose_output(value: Any, wanted: str | None, owner: str) -> int:
    """The position of the output that is meant, among all that a network returns.

    Raises:
        InputError: If it is not there, or not clear which is meant.
    """
    entries = _entries(value)
    tensors = [key for key, part in entries.items() if isinstance(part, torch.Tensor)]
    likely = [key for key in tensors if key in _LIKELY_OUTPUTS]
    key = wanted if wanted is not None else tensors[0] if len(tensors) == 1 else likely[0] if likely else None
    if not tensors:
        raise InputError(f"{owner} returns a {type(value).__name__}, not a tensor")
    if key not in tensors:
        problem = "returns several tensors" if key is None else f"returns no tensor '{key}'"
        raise InputError(f"{owner} {problem}: choose one of {', '.join(tensors)} with @output=NAME behind the MODEL")
    before = list(entries)[: list(entries).index(key)]
    return sum(len(leaves_of(entries[name])) for name in before)


def _entries(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {str(key): part for key, part in value.items()}
    if isinstance(value, tuple | list):
        names = getattr(value, "_fields", range(len(value)))
        return {str(key): part for key, part in zip(names, value, strict=True)}
    return {"output": value}


def _check(prepared: Prepared) -> None:
    owner, (first, *others) = prepared.owner, prepared.expected
    n_images = len(prepared.batches[0])
    if not first.is_floating_point() or first.ndim < 2 or len(first) != n_images:
        came = f"{str(first.dtype).removeprefix('torch.')} of shape {tuple(first.shape)}"
        raise InputError(
            f"{owner} returns {came} for {n_images} images; numbers with a row for each image are needed"
        )
    if not is_close(prepared.run(prepared.batches[-1]), prepared.expected[-1]):
        raise InputError(f"{owner} gives something else every time it is asked: it has randomness in evaluation mode")
    if others and not is_close(others[0], first[:2]):
        reason = "batch normalisation without running statistics does that"
        raise InputError(f"what {owner} makes of an image depends on the others in its batch; {reason}")


def is_close(values: Any, expected: Any) -> bool:
    """Whether two tensors are the same but for rounding in the type that they were computed in."""
    if values.shape != expected.shape:
        return False
    tolerance = 1e-3 if expected.dtype in (torch.float32, torch.float64) else 5e-2
    reference = expected.double()
    finite = reference[torch.isfinite(reference)]
    scale = float(finite.abs().max()) if finite.numel() else 1.0
    return bool(torch.allclose(values.double(), reference, rtol=0, atol=tolerance * (scale or 1.0), equal_nan=True))

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
from layerwise.plugin import InputError, InputSpec
from torch.nn.parameter import is_lazy

from layerwise_torch.devices import Placement
from layerwise_torch.errors import describe_error
from layerwise_torch.inputs import Whole, make_values, name_outputs
from layerwise_torch.settings import Settings

DEFAULT_SIZE = (224, 224)
_LIKELY_OUTPUTS = ("logits", "out")
_INPUTS_HINT = "what it takes instead of pictures is said with @inputs=NAME:TYPE:SHAPE, as in tokens:int64:any"


@dataclass(frozen=True)
class Prepared:
    """A network that has been tried.

    Attributes:
        module: The network, in evaluation mode and where it runs, called with one tensor: `Whole`, where it takes or
            gives more than tensors.
        network: The network itself.
        owner: What it is called, for messages.
        placement: Where it runs.
        dtype: What it takes.
        batches: Noise of (n, channels, height, width): three images and the first two of them, or one batch of the
            only size that it takes; of a network that takes something else, of (n, all that goes in).
        output: Which of its outputs counts, among all its tensors in order.
        expected: All outputs for each of the batches.
        run_all: From a batch to all outputs.
        inputs: What goes in where that is not one picture.
        names: What the outputs are called; None for what is no tensor.
    """

    module: Any
    network: Any
    owner: str
    placement: Placement
    dtype: Any
    batches: tuple[Any, ...]
    output: int
    expected: tuple[tuple[Any, ...], ...]
    run_all: Callable[[Any], tuple[Any, ...]]
    inputs: tuple[InputSpec, ...] = ()
    names: tuple[str | None, ...] = ()

    def run(self, stimuli: Any) -> Any:
        """From a batch to the output that counts."""
        return self.run_all(stimuli)[self.output]

    @property
    def is_wrapped(self) -> bool:
        """Whether the module that is called is not the network itself."""
        return self.module is not self.network

    @property
    def answer(self) -> Any:
        """The output that counts, for the first batch."""
        return self.expected[0][self.output]


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


def complete_lazy(module: Any, settings: Settings, owner: str, seed: int, inputs: tuple[InputSpec, ...] = ()) -> None:
    """Let modules that find their sizes in the first batch (`LazyLinear`) see one of noise, under the seed.

    Raises:
        InputError: If the network does not take images.
    """
    if any(map(is_lazy, (*module.parameters(), *module.buffers()))):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            whole = Whole(module, inputs, torch.float32).eval()
            _first_call(whole, torch.device("cpu"), settings, owner, None, inputs)


def input_dtype(module: Any) -> Any:
    """The type of a module's first weights, which its input has to have."""
    tensors = (*module.parameters(), *module.buffers())
    dtypes = (tensor.dtype for tensor in tensors if tensor.dtype.is_floating_point)
    return next(dtypes, torch.float32)


def try_out(
    network: Any,
    placement: Placement,
    settings: Settings,
    owner: str,
    batch: int | None = None,
    inputs: tuple[InputSpec, ...] = (),
) -> Prepared:
    """Run a network on noise, and check that it can be analysed.

    Args:
        network: The network.
        placement: Where it runs.
        settings: Size and channels of its input, and which output counts.
        owner: What it is called, for messages.
        batch: The only batch size that it takes, if there is only one.
        inputs: What goes in where that is not one picture.

    Raises:
        InputError: If it does not take that, is not repeatable, or mixes the stimuli of a batch.
    """
    whole = Whole(network, inputs, input_dtype(network))
    with placement.precision():
        noise, value = _first_call(whole, placement.device, settings, owner, batch, inputs)
    is_plain = not inputs and isinstance(value, torch.Tensor | tuple | list | Mapping)
    module = network if is_plain else whole
    names = name_leaves(value) if is_plain else tuple(name_outputs(value))
    output = choose_output(names, value, settings.output, owner)

    def run_all(stimuli: Any) -> tuple[Any, ...]:
        with placement.precision():
            return tuple(leaves_of(call(module, stimuli)))

    batches = (noise,) if batch else (noise, noise[:2].clone(memory_format=torch.preserve_format))
    expected = tuple(map(run_all, batches))
    prepared = Prepared(
        module, network, owner, placement, noise.dtype, batches, output, expected, run_all, inputs, names
    )
    _check(prepared)
    return prepared


def _first_call(
    whole: Whole, device: Any, settings: Settings, owner: str, batch: int | None, inputs: Sequence[InputSpec]
) -> tuple[Any, Any]:
    """Noise that a network takes, and what it makes of it."""
    n_stimuli = batch or 3
    if not inputs:
        return _first_pictures(whole, device, settings, owner, n_stimuli)
    noise = make_values(inputs, n_stimuli, device)
    try:
        return noise, call(whole.call_network, noise)
    except Exception as error:  # a network that does not take this input raises what it likes
        what = f"{n_stimuli} stimuli of {', '.join(map(str, inputs))}"
        raise InputError(f"{owner} does not take {what} ({describe_error(error)}); {_INPUTS_HINT}") from error


def _first_pictures(whole: Whole, device: Any, settings: Settings, owner: str, n_images: int) -> tuple[Any, Any]:
    """The number of channels is found by trying."""
    height, width = settings.size or DEFAULT_SIZE
    tried = (settings.channels,) if settings.channels else (3, 1)
    for channels in tried:
        noise = make_noise((n_images, channels, height, width), device, input_dtype(whole.network))
        try:
            return noise, call(whole.call_network, noise)
        except Exception as error:  # as above
            if channels == tried[-1] or "channel" not in str(error):
                what = f"a batch of {n_images} images of {channels} x {height} x {width}"
                hint = (
                    "say its input's size with @size=HEIGHTxWIDTH behind the MODEL, or in the network's own "
                    f'attribute: layerwise = {{"size": (HEIGHT, WIDTH)}}; {_INPUTS_HINT}'
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


def name_leaves(value: Any) -> tuple[str | None, ...]:
    """What each of the leaves of a value is called; None for what is no tensor."""
    names = {id(tensor): name for name, tensor in name_outputs(value).items()}
    return tuple(names.get(id(leaf)) for leaf in leaves_of(value))


def choose_output(names: Sequence[str | None], value: Any, wanted: str | None, owner: str) -> int:
    """The position of the output that counts, among all that a network returns.

    Args:
        names: What these are called.
        value: What it returns, for messages.
        wanted: The one that is named, or the first in it; None for the one called `logits` or `out`, else the first.
        owner: What it is called, for messages.

    Raises:
        InputError: If it is not there.
    """
    tensors = [name for name in names if name is not None]
    if not tensors:
        raise InputError(f"{owner} returns a {type(value).__name__}, not a tensor")
    if wanted is None:
        return names.index(next((name for name in tensors if name in _LIKELY_OUTPUTS), tensors[0]))
    found = next((name for name in tensors if name == wanted or name.startswith(f"{wanted}.")), None)
    if found is None:
        raise InputError(f"{owner} returns no tensor '{wanted}': choose one of {', '.join(tensors)} with --output")
    return names.index(found)


def _check(prepared: Prepared) -> None:
    owner = prepared.owner
    first, *others = (leaves[prepared.output] for leaves in prepared.expected)
    n_images = len(prepared.batches[0])
    if not first.is_floating_point() or first.ndim < 2 or len(first) != n_images:
        came = f"{str(first.dtype).removeprefix('torch.')} of shape {tuple(first.shape)}"
        raise InputError(
            f"{owner} returns {came} for {n_images} stimuli; numbers with a row for each stimulus are needed"
        )
    if not is_close(prepared.run(prepared.batches[-1]), prepared.expected[-1][prepared.output]):
        raise InputError(f"{owner} gives something else every time it is asked: it has randomness in evaluation mode")
    if others and not is_close(others[0], first[:2]):
        one = "a stimulus" if prepared.inputs else "an image"
        reason = "batch normalisation without running statistics does that"
        raise InputError(f"what {owner} makes of {one} depends on the others in its batch; {reason}")


def is_close(values: Any, expected: Any) -> bool:
    """Whether two tensors are the same but for rounding in the type that they were computed in."""
    if values.shape != expected.shape:
        return False
    tolerance = 1e-3 if expected.dtype in (torch.float32, torch.float64) else 5e-2
    reference = expected.double()
    finite = reference[torch.isfinite(reference)]
    scale = float(finite.abs().max()) if finite.numel() else 1.0
    return bool(torch.allclose(values.double(), reference, rtol=0, atol=tolerance * (scale or 1.0), equal_nan=True))

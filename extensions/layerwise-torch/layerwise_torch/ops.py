"""What an operation of a PyTorch network is, in the words of Layerwise's graph."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

_KINDS: tuple[tuple[str, str], ...] = (
    (r"(lazy)?conv(olution)?(transpose)?\d?d?(normactivation)?", "conv"),
    (r"(lazy)?linear|addmm|nondynamicallyquantizablelinear", "dense"),
    (r"(native)?(adaptive|fractional|selectadaptive)?(avg|max|lp)?pool\d?d?(withindices)?|mean|amax", "pool"),
    (r"cat|concat|concatenate", "concat"),
    (r"add", "add"),
    (r"softmax(2d)?", "softmax"),
    (r"logsoftmax", "log_softmax"),
    (r"localresponsenorm|crossmaplrn2d", "lrn"),
    (r"(lazy|native|cudnn|mkldnn|sync|frozen)?(batch|layer|group|instance|rms)norm\w*", "norm"),
    (
        r"(leaky|p|r)?relu6?|(s|c)?elu|gelu\w*|silu|swish\w*|mish|(log|hard)?sigmoid|(hard)?tanh(shrink)?|hardswish"
        r"|softplus|softsign|(hard|soft)shrink|threshold|glu|clamp(min|max)?",
        "activation",
    ),
    (r"\w*dropout\d?d?|droppath|stochasticdepth", "dropout"),
    (r"flatten", "flatten"),
    (r"unsafeview|view|viewas|reshape|reshapeas|unflatten|unsqueeze|expand|expandas", "reshape"),
    (r"squeeze", "squeeze"),
    (r"permute|transpose|movedim|moveaxis|swapaxes|t", "transpose"),
    (r"(constant|reflection|replication|zero|circular)?pad(\d?d|nd)?", "pad"),
    (r"identity|contiguous|clone|detach|alias|liftfreshcopy", "identity"),
    (r"to|tocopy|type|float|half|bfloat16|double", "cast"),
    (r"getitem|slice|select|narrow|chunk|split\w*|unbind", "slice"),
    (r"placeholder", "input"),
)


def describe_op(name: str) -> str:
    """The kind of operation that a function's or module class's name stands for; the name itself where unknown."""
    bare = re.sub(r"[^a-z0-9]", "", name.lower())
    return next((kind for pattern, kind in _KINDS if re.fullmatch(pattern, bare)), name.lower())


def function_name(target: Callable[..., Any] | str) -> str:
    """The plain name of what an fx node calls: `cat`, `relu` for `relu_`, `add` for `iadd`, `conv2d` for ATen's."""
    packet = getattr(target, "overloadpacket", target)
    name = packet if isinstance(packet, str) else str(getattr(packet, "__name__", type(packet).__name__))
    name = name.rsplit(".", 1)[-1].strip("_") or name
    return {"iadd": "add", "imul": "mul", "isub": "sub", "itruediv": "div", "truediv": "div"}.get(name, name)


def module_window(module: Any) -> tuple[int, int] | None:
    """Height and width of the window of a convolution or pool."""
    return read_window(getattr(module, "kernel_size", None))


def read_window(sizes: Any) -> tuple[int, int] | None:
    """A window's height and width from one number or two."""
    if isinstance(sizes, int):
        return (sizes, sizes)
    if isinstance(sizes, Sequence) and sizes and all(isinstance(size, int) for size in sizes):
        return (int(sizes[0]), int(sizes[-1]))
    return None

"""What a Keras operation is, in the graph's words."""

from __future__ import annotations

import re
from typing import Any

_KINDS: tuple[tuple[str, str], ...] = (
    (r"(Separable|Depthwise)?Conv\d?D?(Transpose)?\w*", "conv"),
    (r"Dense|EinsumDense|Matmul", "dense"),
    (r"(Global)?(Max|Average|Adaptive\w*)Pool\w*|Mean|Max", "pool"),
    (r"Concat\w*", "concat"),
    (r"Add", "add"),
    (r"Softmax", "softmax"),
    (r"LogSoftmax", "log_softmax"),
    (r"(Batch|Layer|Group|Unit|Spectral|RMS)?Normali[sz]ation|RMSNorm", "norm"),
    (
        r"ReLU|Relu\d?|LeakyRe[lL][uU]|PReLU|ELU|Elu|Activation|Sigmoid|Tanh|Silu|Swish|Gelu|HardSwish|HardSilu",
        "activation",
    ),
    (r"\w*Dropout\w*|DropPath|StochasticDepth|GaussianNoise|ActivityRegularization", "dropout"),
    (r"Flatten", "flatten"),
    (r"Reshape|ExpandDims|Squeeze", "reshape"),
    (r"ZeroPadding\dD|Pad", "pad"),
    (r"Identity", "identity"),
    (r"LocalResponseNormalization", "lrn"),
    (r"InputLayer|InputSlice", "input"),
)


_SOFTMAXES = ("softmax", "log_softmax")


def describe_op(operation: Any, n_axes: int) -> tuple[str, tuple[int, int] | None]:
    """The kind of an operation and, for convolutions and pools, the height and width of its window.

    Args:
        operation: A Keras operation, a function (an activation called by itself), or None for the input.
        n_axes: Number of axes of its tensor, without the batch axis.
    """
    if operation is None:
        return "input", None
    function = getattr(operation, "__name__", "") or _activation_name(operation)
    if function in _SOFTMAXES:
        return function, None
    word = type(operation).__name__
    kind = next((kind for pattern, kind in _KINDS if re.fullmatch(pattern, word)), word.lower())
    if kind in _SOFTMAXES and getattr(operation, "axis", -1) not in (-1, n_axes):
        return f"axis_{kind}", None
    return kind, _window(operation) if kind in ("conv", "pool") else None


def has_fused_softmax(operation: Any) -> bool:
    """Whether a layer with weights ends by applying a softmax, or its logarithm, to what it computes.

    Recurrent layers apply theirs at each step, so that it cannot be taken off.
    """
    activation = getattr(getattr(operation, "activation", None), "__name__", "")
    return activation in _SOFTMAXES and describe_op(operation, 1)[0] in ("conv", "dense")


def _activation_name(operation: Any) -> str:
    """The function of a layer that is nothing but an activation."""
    if type(operation).__name__ != "Activation":
        return ""
    return str(getattr(operation.activation, "__name__", ""))


def _window(operation: Any) -> tuple[int, int] | None:
    sizes = getattr(operation, "kernel_size", None) or getattr(operation, "pool_size", None)
    if not isinstance(sizes, tuple | list) or not sizes:
        return None
    return (int(sizes[0]), int(sizes[-1]))

"""Whether what a network makes of a stimulus depends on the others in its batch.

Most networks consist of operations that leave rows alone, which their traced graph shows. Of any other the outputs
for a batch of noise are held against those for a part of it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from layerwise.core.base.errors import InputError
from layerwise.core.network.inputs import TEXT
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow

_ALONE = frozenset(
    (
        *("AddV2", "AddN", "AvgPool", "BiasAdd", "Cast", "Const", "Conv2D", "DepthwiseConv2dNative", "Elu"),
        *("Erf", "Exp", "Identity", "LeakyRelu", "LRN", "Log", "LogSoftmax", "MaxPool", "Maximum"),
        *("Minimum", "Mul", "Neg", "NoOp", "Pad", "PadV2", "Placeholder", "Pow", "ReadVariableOp"),
        *("RealDiv", "Relu", "Relu6", "ResourceGather", "Rsqrt", "Selu", "Sigmoid", "Softmax", "Softplus"),
        *("Sqrt", "SquaredDifference", "Square", "Squeeze", "Sub", "Tanh"),
    )
)
"""Operations that make each row of the same row, or of constants."""
_SIZES = (3, 2)
_TOLERANCE = 1e-3  # of the largest value: batches of other sizes give other last digits


def check_rows(function: Any, shape: tuple[int, ...], dtype: str, model: str) -> None:
    """See that each stimulus has a row of its own, which no other one has a part in.

    Args:
        function: The traced network, for batches of any size.
        shape: Of the tensor that goes in, for one stimulus.
        dtype: Type of the input.
        model: What it is called, for messages.

    Raises:
        InputError: If that is not so.
    """
    if all(_leaves_rows(op) for op in function.graph.get_operations()):
        return
    tf = import_tensorflow()
    noise = np.random.default_rng(0).random((_SIZES[0], *shape), np.float32)
    if dtype != "float32":
        noise = np.rint(noise) if dtype != TEXT else np.full_like(noise, ord("a"))
    large, small = (_run(function, tf.constant(noise[:size])) for size in _SIZES)
    for whole, part in zip(large, small, strict=True):
        if whole.shape[:1] != _SIZES[:1] or part.shape[:1] != _SIZES[1:]:
            n_rows = len(whole) if whole.ndim else 1
            raise InputError(
                f"Keras model '{model}' gives {n_rows} rows for {_SIZES[0]} stimuli: it joins or splits along the "
                "batch axis"
            )
        scale = float(np.abs(np.nan_to_num(whole)).max(initial=0))
        if not np.allclose(whole[: _SIZES[1]], part, rtol=0, atol=_TOLERANCE * (scale or 1), equal_nan=True):
            raise InputError(
                f"what Keras model '{model}' makes of a stimulus depends on the others in its batch, or on chance"
            )


def _run(function: Any, batch: Any) -> list[Any]:
    found = function(batch)
    return [
        np.asarray(import_tensorflow().cast(one, "float32"))
        for one in (found if isinstance(found, list) else [found])
    ]


def _leaves_rows(op: Any) -> bool:
    if op.type in _ALONE:
        return True
    if op.type in ("FusedBatchNormV3",):
        return not op.get_attr("is_training")
    if op.type == "MatMul":
        return not op.get_attr("transpose_a") and op.inputs[1].op.type in ("ReadVariableOp", "Cast")
    if op.type in ("Mean", "Max", "Sum", "ConcatV2"):
        axes = import_tensorflow().get_static_value(op.inputs[-1])
        n_axes = op.inputs[0].shape.rank
        return axes is not None and n_axes is not None and all(axis % n_axes for axis in np.ravel(axes))
    if op.type == "Reshape":
        before, after = op.inputs[0].shape, op.outputs[0].shape
        known = before.rank and after.rank and None not in (*before[1:], *after[1:]) and before[0] == after[0]
        return bool(known) and math.prod(before[1:]) == math.prod(after[1:])
    return False

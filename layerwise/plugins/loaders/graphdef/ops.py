"""What a TensorFlow operation is, in the graph's words."""

from __future__ import annotations

from typing import Any

_KINDS: dict[str, str] = {
    **dict.fromkeys(("Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "Conv3D", "_FusedConv2D"), "conv"),
    **dict.fromkeys(("MatMul", "BatchMatMulV2", "_FusedMatMul"), "dense"),
    **dict.fromkeys(("MaxPool", "MaxPoolV2", "AvgPool", "Mean", "Max"), "pool"),
    **dict.fromkeys(("ConcatV2", "Concat"), "concat"),
    **dict.fromkeys(("Add", "AddV2", "AddN", "Sub"), "add"),
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    **dict.fromkeys(
        ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "BatchNormWithGlobalNormalization"), "norm"
    ),
    **dict.fromkeys(
        ("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Erf"), "activation"
    ),
    **dict.fromkeys(("Reshape", "Squeeze", "ExpandDims"), "reshape"),
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), "pad"),
    **dict.fromkeys(("Mul", "RealDiv"), "multiply"),
    "LRN": "lrn",
    "Placeholder": "input",
}
_WITH_A_CONSTANT = {"add": "bias", "multiply": "scale"}
ALIASES = frozenset({"Identity", "StopGradient", "PreventGradient", "CheckNumerics", "Snapshot"})
"""Operations that hand on their first input."""


def describe_tf_op(op: Any, n_sources: int) -> tuple[str, tuple[int, int] | None]:
    """The kind of an operation and, for convolutions and pools, the height and width of its window.

    Args:
        op: A `tf.Operation`.
        n_sources: How many of its inputs are activations rather than constants.
    """
    kind = "bias" if op.type == "BiasAdd" else _KINDS.get(op.type, op.type.lower())
    if n_sources < 2:
        kind = _WITH_A_CONSTANT.get(kind, kind)
    if kind == "conv":
        sides = op.inputs[1].shape.as_list()[:2]
        return kind, (int(sides[0]), int(sides[1])) if all(sides) else None
    if op.type in ("MaxPool", "AvgPool"):
        window = op.get_attr("ksize")
        return kind, (int(window[1]), int(window[2]))
    return kind, None

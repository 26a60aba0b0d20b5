"""Reading the weights of a Caffe model: a `NetParameter` message, described here as far as weights need it.

Both generations of the format are read: `layer` (since 2014) and the older `layers`, whose blobs have four
legacy dimensions instead of a shape.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.opening import read_regular

Blobs = dict[str, tuple[NDArray[np.float32], ...]]


def read_caffemodel(path: Path) -> Blobs:
    """The blobs of each layer that has any, by layer name.

    Raises:
        InputError: If the file is missing, truncated, or no Caffe model with weights.
    """
    from google.protobuf.message import DecodeError

    net = _message_class()()
    try:
        net.ParseFromString(read_regular(path))
    except DecodeError as error:
        raise InputError(f"{path} is not a Caffe model, or is truncated") from error
    layers = [layer for layer in (*net.layer, *net.layers) if layer.blobs]
    if not layers:
        raise InputError(f"{path} is not a Caffe model with weights: no layer in it has any")
    blobs: Blobs = {}
    for layer in layers:
        name = layer.name.decode(errors="replace")
        blobs[name] = tuple(_read_blob(blob, name, path) for blob in layer.blobs)
    return blobs


def _read_blob(blob: Any, layer: str, path: Path) -> NDArray[np.float32]:
    shape = tuple(blob.shape.dim) or (blob.num, blob.channels, blob.height, blob.width)
    content = b"".join(blob.data)
    if len(content) != 4 * int(np.prod(shape)):
        n_values = len(content) // 4
        raise InputError(f"{path}: a blob of layer '{layer}' has shape {shape} but {n_values} values")
    return np.frombuffer(content, dtype="<f4").reshape(shape)


_FIELDS = {
    "BlobShape": (("dim", 1, "repeated", "int64"),),
    "BlobProto": (
        ("num", 1, "optional", "int32"),
        ("channels", 2, "optional", "int32"),
        ("height", 3, "optional", "int32"),
        ("width", 4, "optional", "int32"),
        # A packed list of floats is, on the wire, a run of bytes: read as such it becomes an array without a loop.
        ("data", 5, "repeated", "bytes"),
        ("shape", 7, "optional", "BlobShape"),
    ),
    "LayerParameter": (("name", 1, "optional", "bytes"), ("blobs", 7, "repeated", "BlobProto")),
    "V1LayerParameter": (("name", 4, "optional", "bytes"), ("blobs", 6, "repeated", "BlobProto")),
    "NetParameter": (("layers", 2, "repeated", "V1LayerParameter"), ("layer", 100, "repeated", "LayerParameter")),
}
"""Fields of each message: name, number, label, type."""


@cache
def _message_class() -> Any:
    """The class of `NetParameter`, made from `_FIELDS` so that no generated code is needed."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    package = "layerwise.caffe"
    file = descriptor_pb2.FileDescriptorProto(name="layerwise/caffe.proto", package=package, syntax="proto2")
    described = descriptor_pb2.FieldDescriptorProto
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field, number, label, kind in fields:
            added = message.field.add(
                name=field, number=number, label=described.Label.Value(f"LABEL_{label.upper()}")
            )
            if kind in _FIELDS:
                added.type, added.type_name = described.TYPE_MESSAGE, f".{package}.{kind}"
            else:
                added.type = described.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.NetParameter"))

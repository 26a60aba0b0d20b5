"""TensorFlow's tensors as an engine's arrays: sums are taken on the device, and only vectors and n x n leave it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.arrays import Arrays
from layerwise.core.network.model import Floats
from layerwise.core.network.partial import PartialSums
from layerwise.plugins.loaders.tensorflow.chunk_sums import sum_chunk
from layerwise.plugins.loaders.tensorflow.tensors import DeviceBuffer, DeviceTensor, Pieces
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow


class TensorFlowArrays(Arrays):
    """The tensors of one device; of any, the processor included, which tests use.

    Args:
        place: The device as TensorFlow calls it: `/GPU:0`, `/CPU:0`.
        words: What it is called where people read it.
        memory: Bytes that may be held there; None where that is the memory of the process.
    """

    def __init__(self, place: str, words: str, memory: int | None = None) -> None:
        self._place = place
        self.device = words
        self.memory = memory

    @contextmanager
    def on_device(self) -> Iterator[None]:
        """Within it, TensorFlow computes there, in full precision: its own default on a GPU is TF32."""
        tf = import_tensorflow()
        precision = tf.config.experimental
        before = precision.tensor_float_32_execution_enabled()
        precision.enable_tensor_float_32_execution(False)
        try:
            with tf.device(self._place):
                yield
        finally:
            precision.enable_tensor_float_32_execution(before)

    def empty(self, n_cells: int) -> DeviceBuffer:
        """A float32 buffer, which takes up what is written to it."""
        return DeviceBuffer(Pieces(), 0, (n_cells,))

    def write(self, rows: DeviceBuffer, values: Any) -> None:
        """Keep values in rows of a buffer, as float32."""
        tf = import_tensorflow()
        with self.on_device():
            rows.write(tf.cast(_tensor(values), tf.float32))

    def send(self, values: Floats) -> DeviceTensor:
        """Copy to the device."""
        with self.on_device():
            return DeviceTensor(import_tensorflow().identity(np.array(values)))

    def fetch(self, values: Any) -> NDArray[Any]:
        """Copy to the host; half precision becomes float32."""
        tf = import_tensorflow()
        tensor = _tensor(values)
        wide = tensor if tensor.dtype in (tf.float32, tf.float64) else tf.cast(tensor, tf.float32)
        found: NDArray[Any] = wide.numpy()
        return found

    def sum_chunk(self, values: Any, *, in_double: bool) -> PartialSums:
        """The sums of a chunk."""
        with self.on_device():
            return sum_chunk(_tensor(values), in_double=in_double)

    def is_exhausted(self, error: BaseException) -> bool:
        """Whether TensorFlow says that the device's memory is all taken."""
        return isinstance(error, import_tensorflow().errors.ResourceExhaustedError)


def _tensor(values: Any) -> Any:
    """TensorFlow's tensor behind a view."""
    return values.read().tensor if isinstance(values, DeviceBuffer) else values.tensor

"""Where TensorFlow computes: on the processor, where NumPy takes the sums, or on a GPU, where TensorFlow does."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from layerwise.core.network.graph import Graph
from layerwise.core.network.model import CompiledReplaced
from layerwise.plugins.loaders.tensorflow.arrays import TensorFlowArrays
from layerwise.plugins.loaders.tensorflow.tensors import DeviceTensor
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow

_SHARE = 0.7  # of the memory that is left once the network is there: the rest is for what it needs to compute
_FEWEST, _MOST = 16, 256  # stimuli of a batch
_N_WORKING = 8  # tensors as large as the widest that are alive, layers that are asked for included
_WORKING_SHARE = 1 / 8  # of a device's memory, for a batch inside the network
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class Placement:
    """Where a network runs.

    Attributes:
        arrays: What holds tensors and takes sums there; None on the processor, where NumPy's compiled pass is faster.
        memory: Bytes of all of the device's memory; None on the processor.
    """

    arrays: TensorFlowArrays | None = None
    memory: int | None = None

    def choose_batch(self, graph: Graph) -> int | None:
        """Stimuli per call that fill the device: a power of two, the same on every device of this size."""
        if self.memory is None:
            return None
        widest = max(node.n_features for node in graph) * _N_WORKING * _FLOAT_BYTES
        fitting = int(self.memory * _WORKING_SHARE) // widest
        return max(_FEWEST, min(_MOST, int(2 ** max(0, fitting.bit_length() - 1))))

    def on_device(self) -> AbstractContextManager[Any]:
        """Within it, TensorFlow computes there."""
        return nullcontext() if self.arrays is None else self.arrays.on_device()

    def wrap(self, run: CompiledReplaced) -> CompiledReplaced:
        """A function of NumPy's arrays, for tensors of the device."""
        arrays = self.arrays
        if arrays is None:
            return run

        def run_there(batch: Any, replaced: Sequence[Any]) -> Sequence[Any]:
            plain = [np.asarray(rows, np.float32) for rows in (batch, *replaced)]
            return [arrays.send(np.asarray(values)) for values in run(plain[0], plain[1:])]

        return run_there

    def send(self, values: Any) -> Any:
        """Numbers as what comes from the network; such as come from it as they are."""
        if isinstance(values, DeviceTensor):
            return values
        whole = np.ascontiguousarray(values)
        return whole if self.arrays is None else self.arrays.send(whole)

    def take_in(self, given: Any) -> Any:
        """What a function of TensorFlow is called with."""
        tf = import_tensorflow()
        if isinstance(given, DeviceTensor):
            return given.tensor
        return tf.convert_to_tensor(given, tf.float32)

    def hand_out(self, tensor: Any) -> Any:
        """What a compiled function gives: the tensor where it lies, for NumPy where that is the processor."""
        if self.arrays is not None:
            return DeviceTensor(tensor)
        # `Tensor.numpy()` copies; a memory view does not, and the array keeps the tensor alive.
        return np.asarray(memoryview(tensor))


PROCESSOR = Placement()


def find_placement() -> Placement:
    """Where networks run in this process: on a GPU if TensorFlow sees one (`check_device`), else on the processor."""
    tf = import_tensorflow()
    gpus = tf.config.list_logical_devices("GPU")
    if not gpus:
        return PROCESSOR
    visible = tf.config.get_visible_devices("GPU")[0]
    details = tf.config.experimental.get_device_details(visible)
    number = visible.name.rpartition(":")[2]
    words = f"{details.get('device_name', 'GPU')} (gpu:{number})"
    whole = _count_memory()
    taken = int(tf.config.experimental.get_memory_info("GPU:0")["current"])
    return Placement(TensorFlowArrays("/GPU:0", words, int(_SHARE * (whole - taken))), whole)


def _count_memory() -> int:
    """Bytes of the GPU's memory that TensorFlow may take."""
    from tensorflow.python.client import device_lib

    found = [device.memory_limit for device in device_lib.list_local_devices() if device.device_type == "GPU"]
    return int(found[0])

"""PyTorch's tensors as an engine's arrays: sums are taken on the device, and only vectors and n x n leave it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from layerwise.plugin import Arrays, Floats, PartialSums
from numpy.typing import NDArray

from layerwise_torch.chunk_sums import sum_double, sum_single

_ALIGNED = 256  # bytes; sums of what lies elsewhere are taken in another order, and have other last digits


class TorchArrays(Arrays):
    """The tensors of one device; of any, the processor included, which tests use.

    Args:
        device: The device.
        words: What it is called where people read it.
        memory: Bytes that may be held there; None where that is the memory of the process.
    """

    def __init__(self, device: Any, words: str | None = None, memory: int | None = None) -> None:
        self._device = torch.device(device)
        # Apple's GPUs have no float64: there what is added up between blocks is added up on the processor.
        self._sums_device = torch.device("cpu") if self._device.type == "mps" else self._device
        self.device = words or str(device)
        self.memory = memory

    def empty(self, n_cells: int) -> Any:
        """A float32 buffer."""
        return torch.empty(n_cells, dtype=torch.float32, device=self._device)

    def write(self, rows: Any, values: Any) -> None:
        """Copy, and convert."""
        with torch.no_grad():
            rows.copy_(values.reshape(rows.shape))

    def send(self, values: Floats) -> Any:
        """Copy to the device."""
        array = np.ascontiguousarray(values)
        tensor = torch.from_numpy(array if array.flags.writeable else array.copy())
        return tensor.to(self._device)

    def fetch(self, values: Any) -> NDArray[Any]:
        """Copy to the host; half precision becomes float32."""
        tensor = values.detach().cpu()
        array: NDArray[Any] = (tensor if tensor.dtype == torch.float64 else tensor.float()).numpy()
        return array

    def sum_chunk(self, values: Any, *, in_double: bool) -> PartialSums:
        """The sums of a chunk, whatever precision the surroundings ask for."""
        if values.data_ptr() % _ALIGNED:
            values = values.clone()
        with torch.no_grad(), torch.autocast(self._device.type, enabled=False):
            if in_double:
                return sum_double(values.to(self._sums_device))
            return sum_single(values, self._sums_device)

    def is_exhausted(self, error: BaseException) -> bool:
        """Whether PyTorch says that the device's memory is all taken."""
        if isinstance(error, torch.OutOfMemoryError):
            return True
        text = str(error) if isinstance(error, RuntimeError) else ""
        return "out of memory" in text or "CUBLAS_STATUS_ALLOC_FAILED" in text

    def release(self) -> None:
        """Give back what PyTorch keeps for later."""
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        elif self._device.type == "mps":
            torch.mps.empty_cache()

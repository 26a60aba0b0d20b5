"""Between what Layerwise sees (channels last) and the network's tensors (channels anywhere)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from layerwise.plugin import Affine
from numpy.typing import NDArray


@dataclass(frozen=True)
class Form:
    """How a tensor of the network differs from what stands for it outside: float32 or as precise, channels last.

    Outside are NumPy's arrays where the network is on the processor, elsewhere tensors of the same device; both share
    the memory of the network's tensors where that is as it must be.

    Attributes:
        axis: Its channel axis, the batch being axis 0.
        dtype: Its type.
        device: Where it is.
        is_channels_last: Whether it lies in memory with the channels innermost.
        keeps_tensors: Whether tensors are given, and not NumPy's arrays.
    """

    axis: int
    dtype: Any
    device: Any
    is_channels_last: bool = False
    keeps_tensors: bool = False

    def to_tensor(self, outside: Any) -> Any:
        """The tensor that something outside stands for, laid out in memory as the network has it."""
        if isinstance(outside, np.ndarray):
            writeable = outside if outside.flags.writeable else outside.copy()  # PyTorch warns of others
            outside = torch.from_numpy(writeable)
        tensor = outside.to(self.device, self.dtype).movedim(-1, self.axis)
        if self.is_channels_last:
            return tensor.contiguous(memory_format=torch.channels_last)
        return tensor.contiguous()

    def from_tensor(self, tensor: Any) -> Any:
        """What stands for a tensor outside, in the tensor's own memory where that is as it must be."""
        moved = tensor.detach().movedim(self.axis, -1)
        return moved if self.keeps_tensors else moved.to("cpu", torch.float32).contiguous().numpy()


def send_pixels(pixels: NDArray[np.generic], device: Any) -> Any:
    """Pixels on the device; a GPU fetches them from memory that stays in its place, while the network computes."""
    dtype = torch.from_numpy(np.empty(0, pixels.dtype)).dtype
    staged = torch.empty(pixels.shape, dtype=dtype, pin_memory=device.type == "cuda")
    np.copyto(staged.numpy(), pixels)
    return staged.to(device, non_blocking=True)


def apply_affine(affine: Affine, pixels: Any) -> Any:
    """What an affine preprocessing makes of pixels, (..., channels), in its arithmetic; float32."""
    given = pixels.flip(-1) if affine.bgr else pixels
    n_channels = pixels.shape[-1]
    scale, offset = (
        torch.tensor([values[min(place, len(values) - 1)] for place in range(n_channels)], dtype=torch.float32)
        for values in (affine.scale, affine.offset)
    )
    return given.float().mul_(scale.to(given.device)).add_(offset.to(given.device))


def to_values(tensor: Any) -> NDArray[np.floating]:
    """A weight tensor as an array; types that NumPy has not become float32."""
    tensor = tensor.detach().cpu()
    if tensor.dtype not in (torch.float16, torch.float32, torch.float64):
        tensor = tensor.float()
    values: NDArray[np.floating] = tensor.numpy()
    return values

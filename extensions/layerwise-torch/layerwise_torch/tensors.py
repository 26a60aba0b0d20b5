"""Between Layerwise's arrays (float32, channels last) and PyTorch's tensors (any type, channels anywhere)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from layerwise import Floats
from numpy.typing import NDArray


@dataclass(frozen=True)
class Form:
    """How a tensor of the network differs from the array that stands for it.

    Attributes:
        axis: Its channel axis, the batch being axis 0.
        dtype: Its type.
        device: Where it is.
        is_channels_last: Whether it lies in memory with the channels innermost.
    """

    axis: int
    dtype: Any
    device: Any
    is_channels_last: bool = False

    def to_tensor(self, array: Floats) -> Any:
        """The tensor that an array stands for, laid out in memory as the network has it."""
        writeable = array if array.flags.writeable else array.copy()  # PyTorch warns of others
        tensor = torch.from_numpy(writeable).to(self.device, self.dtype).movedim(-1, self.axis)
        if self.is_channels_last:
            return tensor.contiguous(memory_format=torch.channels_last)
        return tensor.contiguous()

    def to_array(self, tensor: Any) -> Floats:
        """The array that stands for a tensor; in the tensor's own memory where that is as it must be."""
        moved = tensor.detach().movedim(self.axis, -1)
        array: Floats = moved.to("cpu", torch.float32).contiguous().numpy()
        return array


def to_values(tensor: Any) -> NDArray[np.floating]:
    """A weight tensor as an array; types that NumPy has not become float32."""
    tensor = tensor.detach().cpu()
    if tensor.dtype not in (torch.float16, torch.float32, torch.float64):
        tensor = tensor.float()
    values: NDArray[np.floating] = tensor.numpy()
    return values

"""Where a network's tensors are, and the handful of things that an engine does with them there.

Sums are taken where the activations are: what leaves a device is n x n matrices and vectors, however wide a layer is.
A loader whose tensors are NumPy's needs none of this.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from layerwise.core.network.partial import PartialSums


class Arrays(ABC):
    """The arrays of one device. Provisional until 1.0.

    An engine asks for everything in order, so that work can be queued: for copies from one thread, for sums from one
    thread that may be another. What it holds are slices of one buffer, which are read and written as NumPy's are:
    `buffer[a:b]`, `.reshape(n, width)`.

    Attributes:
        device: What the device is called where people read it, such as `cpu` or `NVIDIA H100 (cuda:0)`.
        memory: Bytes of the device that may be held, beside the network; None where it is the memory of the process.
    """

    device: str
    memory: int | None = None

    @abstractmethod
    def empty(self, n_cells: int) -> Any:
        """A float32 buffer of so many cells."""

    @abstractmethod
    def write(self, rows: Any, values: Any) -> None:
        """Copy values of the device, of whatever precision and layout, into float32 rows of the same shape."""

    @abstractmethod
    def send(self, values: NDArray[np.float32]) -> Any:
        """Numbers of the host, on the device."""

    @abstractmethod
    def fetch(self, values: Any) -> NDArray[Any]:
        """Numbers of the device, on the host, in their precision but float32 at least."""

    @abstractmethod
    def sum_chunk(self, values: Any, *, in_double: bool) -> PartialSums:
        """All that is wanted of a chunk, (n, width) float32 with all stimuli; its `gram` stays on the device.

        Products are those of float32 numbers, added up in float64 between blocks of 4,096 columns or fewer; with
        `in_double` everything is in float64. `layerwise.testing.check_arrays` says how near to NumPy's it must be.
        """

    def is_exhausted(self, error: BaseException) -> bool:
        """Whether an error says that the device has no more memory: then less is held, and the work done again."""
        del error
        return False

    def release(self) -> None:
        """Give back what is kept for later, before less is held."""
        return

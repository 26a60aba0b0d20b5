"""What a network answered, whole: the output for every stimulus, as a run keeps it.

A run keeps of its layers what their Gram matrices say; of its output it keeps everything, because it is small and
says which stimuli a network tells apart, and how surely. Any two runs on the same stimuli can then be asked how
often, and by how much, they disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OutputScale = Literal["probabilities", "log-probabilities", "values"]
"""What the numbers of an output are: a distribution over classes, its logarithm, or anything else."""
OutputForm = Literal["float32", "float16", "none"]
"""In which precision outputs are kept, if they are."""

MOST_BYTES = 256 * 2**20
"""Outputs that take more than so much, before compression, are not kept."""


@dataclass(frozen=True, eq=False)
class Outputs:
    """The output of a network for all stimuli of a run.

    Attributes:
        layer: Name of the output layer.
        values: (n, n_classes), float32 or float16.
        scale: What the numbers are.
    """

    layer: str
    values: NDArray[np.floating]
    scale: OutputScale = "values"

    def probabilities(self) -> NDArray[np.float64] | None:
        """The distributions over classes, (n, n_classes), whose rows sum to 1; None where the output is none."""
        import numpy as np

        values = np.asarray(self.values, dtype=np.float64)
        if self.scale == "values":
            return None
        found = np.exp(values) if self.scale == "log-probabilities" else values
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(found / found.sum(axis=1, keepdims=True))

    def answers(self) -> NDArray[np.intp]:
        """The largest output of each stimulus, (n,): its most probable class; of equal ones the first."""
        import numpy as np

        return np.asarray(np.asarray(self.values, dtype=np.float64).argmax(axis=1), dtype=np.intp)

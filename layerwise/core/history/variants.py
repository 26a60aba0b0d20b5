"""What a variant is: a run of a network without some of its layers, and which run it differs from.

A variant names its baseline by what that is (the intact model's fingerprint, on the variant's own stimuli), not by a
run's id: the baseline may be computed later, deleted, or computed anew, and is still found.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """How a run differs from its baseline.

    Attributes:
        baseline: Fingerprint of the intact model.
        layers: Names of the layers that were silenced.
        substitute: What stood in for them: `zero`, `mean` or `shuffle`.
        seed: Of the shuffle; 0 where nothing was drawn.
    """

    baseline: str
    layers: tuple[str, ...]
    substitute: str
    seed: int = 0

    @property
    def described(self) -> str:
        """`mixed4d/5x5 set to 0`, in words."""
        how = {
            "zero": "set to 0",
            "mean": "set to each unit's mean",
            "shuffle": f"taken from other stimuli (seed {self.seed})",
        }
        return f"{', '.join(self.layers)} {how.get(self.substitute, self.substitute)}"

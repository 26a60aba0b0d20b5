"""What a run was predicted to cost, beside what it did cost: time, memory, disk.

Streaming and storing are meant, from the first batch to the last layer that is written. Loading and decoding come
before there is a plan, and are timed alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass(frozen=True)
class Pace:
    """Seconds for one unit of work: by the clock, and of processors; the latter None where others did the work."""

    seconds: float = 0.0
    processor: float | None = 0.0

    def times(self, amount: float) -> Pace:
        """Seconds for so many units."""
        return Pace(self.seconds * amount, None if self.processor is None else self.processor * amount)

    def plus(self, other: Pace) -> Pace:
        """Seconds for both."""
        known = self.processor is not None and other.processor is not None
        return Pace(
            self.seconds + other.seconds, (self.processor or 0.0) + (other.processor or 0.0) if known else None
        )


@dataclass(frozen=True)
class Rates:
    """How fast a network was streamed on a machine.

    Attributes:
        start: What each run takes once: functions that are traced, libraries that are loaded.
        network: For one stimulus and one forward pass, its activations put in their place.
        sums: For 1e9 products of a unit of one stimulus with that of another, in both orders.
        layers: For a million pairs of stimuli of a representation that is made, measured and written.
    """

    start: Pace
    network: Pace
    sums: Pace
    layers: Pace


@dataclass(frozen=True)
class Costs:
    """Time, memory and disk; None where it is not known.

    Attributes:
        seconds: By the clock.
        processor_seconds: Of all processors of this process.
        memory_bytes: Most at once, beyond the process as it was with model and libraries loaded and nothing decoded.
        spool_bytes: Most at once on disk, for what did not fit into memory.
        database_bytes: By which the history grew.
    """

    seconds: float | None = None
    processor_seconds: float | None = None
    memory_bytes: int | None = None
    spool_bytes: int | None = None
    database_bytes: int | None = None


@dataclass(frozen=True)
class RunCosts:
    """What was predicted before the first batch, and what happened.

    Attributes:
        predicted: Before.
        happened: After.
        basis: What the predicted time was told from, in words; empty where none was predicted.
        rates: How fast it went, for the next run of the network; None where that is not known.
    """

    predicted: Costs
    happened: Costs
    basis: str = ""
    rates: Rates | None = None

    def as_json(self) -> dict[str, Any]:
        """As a database and `--json` have it."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """The other way round; what a later version may have added is passed over."""
        rates = kept.get("rates")
        paces = None if rates is None else {item.name: Pace(**rates[item.name]) for item in fields(Rates)}
        return cls(
            predicted=_read_costs(kept["predicted"]),
            happened=_read_costs(kept["happened"]),
            basis=kept.get("basis", ""),
            rates=None if paces is None else Rates(**paces),
        )


def _read_costs(kept: Mapping[str, Any]) -> Costs:
    return Costs(**{item.name: kept.get(item.name) for item in fields(Costs)})

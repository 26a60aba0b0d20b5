"""Engines: what streams a run, on this machine or on several."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from layerwise.core.host.kinds.offer import Offer

if TYPE_CHECKING:
    from layerwise.core.host.jobs import LayerSink, StreamJob


class Engine(Offer):
    """Carries out the streaming of one run: on this machine, or on several. Provisional until 1.0."""

    _hook = "engines"

    @abstractmethod
    def stream(self, job: StreamJob, sink: LayerSink) -> None:
        """Compute every layer of the job, handing each to the sink as soon as it is finished."""

"""The engine that computes on this machine."""

from __future__ import annotations

from layerwise.core.host.jobs import LayerSink, StreamJob
from layerwise.core.host.kinds import Engine
from layerwise.core.runs.streaming.stream import stream_segments


class LocalEngine(Engine):
    """Streams in this process, on all of its cores. Provisional until 1.0."""

    name = "local"
    description = "this process, all cores, segment by segment"
    is_local = True
    revision = (
        2  # 1 centred each stimulus on its own mean, which lost what distinguishes stimuli that are nearly equal
    )

    def stream(self, job: StreamJob, sink: LayerSink) -> None:
        """Compute every layer of the job, handing each to the sink as soon as it is finished."""
        stream_segments(job, sink)

"""The engine that has workers of Dask compute: of this machine, or of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from layerwise.core.base.blas import single_threaded_blas
from layerwise.core.base.errors import InputError
from layerwise.core.base.parameters import Parameter
from layerwise.core.host.jobs import LayerSink, StreamJob
from layerwise.core.host.kinds import Engine
from layerwise.core.runs.streaming.stream import run_passes
from layerwise.plugins.engines.cluster import check_installed, connect, is_nearby, start_local


class DaskEngine(Engine):
    """Streams on the workers of a Dask cluster, with the numbers of the local engine. Provisional until 1.0."""

    name = "dask"
    description = "workers of Dask: of the scheduler named, or of this machine"
    revision = 2  # that of the local engine, whose numbers it gives
    parameters = (
        Parameter("scheduler", "", "address of the scheduler, such as tcp://host:8786; none for workers here"),
        Parameter("shared", "", "folder or URL that this process and all workers see"),
        Parameter("workers", 0, "how many workers, where no scheduler is named; 0 for one a core", minimum=0),
    )

    def check_ready(self) -> None:
        """See that Dask is installed, the scheduler answers, and the shared place can be written to."""
        check_installed()
        from layerwise.plugins.engines.shared import make_place

        scheduler, shared = self.settings["scheduler"], self.settings["shared"]
        if scheduler:
            with connect(scheduler) as client:
                self._choose_place(client, None)
        if shared:
            make_place(shared).remove()

    def stream(self, job: StreamJob, sink: LayerSink) -> None:
        """Have workers compute every layer of the job, and hand each to the sink as soon as it is finished."""
        check_installed()
        from layerwise.plugins.engines.crew import DaskCrew
        from layerwise.plugins.engines.shared import make_place

        with single_threaded_blas(), self._connected(job) as (client, is_live):
            place = make_place(self._choose_place(client, job))
            try:
                crew = DaskCrew(job, client, place, is_live=is_live)
                try:
                    run_passes(job, sink, crew)
                finally:
                    crew.close()
            finally:
                place.remove()

    @contextmanager
    def _connected(self, job: StreamJob) -> Iterator[tuple[Any, bool]]:
        """A client, and whether its workers are threads of this process, which a live model needs."""
        scheduler = self.settings["scheduler"]
        if scheduler:
            with connect(scheduler) as client:
                yield client, False
            return
        is_live = job.recipe is None
        with start_local(self.settings["workers"], processes=not is_live) as client:
            yield client, is_live

    def _choose_place(self, client: Any, job: StreamJob | None) -> str:
        from layerwise.plugins.engines.shared import local_folder, temporary_folder

        shared: str = self.settings["shared"]
        if shared:
            return shared
        if self.settings["scheduler"] and client.nthreads() and not is_nearby(client):
            raise InputError(
                "workers on other machines need a place that they share with this one: --shared with a folder or a "
                "URL that all of them see"
            )
        if self.settings["scheduler"] or job is None:
            return temporary_folder(None if job is None else job.spool_folder)
        return local_folder(job.plan, job.spool_folder)

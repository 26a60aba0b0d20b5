"""A history in Python: runs by filters, lineages, SQL."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from layerwise.core.base.errors import InputError
from layerwise.core.base.urls import show_database
from layerwise.core.base.words import near_names
from layerwise.core.network.representation import NO_TRANSFORM
from layerwise.notebook.opening import all_plugins, as_url, open_history
from layerwise.notebook.run import Run
from layerwise.notebook.watching import watching

if TYPE_CHECKING:
    import polars as pl

    from layerwise.core.base.parameters import Setting
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.history.records import Origin, RunStatus
    from layerwise.core.host.registry import Registry
    from layerwise.notebook.comparing import StoredRun
    from layerwise.notebook.labelled import LabelledMatrix
    from layerwise.storage import OpenHistory

_N_SHOWN = 20  # runs, in a notebook


class RunList(list[Run]):
    """Runs, newest first or in the order of their steps: a list with a frame and a picture of itself."""

    def to_polars(self) -> pl.DataFrame:
        """One line for each run."""
        import polars as pl

        records = [run.record for run in self]
        return pl.DataFrame(
            {
                "run_id": [record.id for record in records],
                "model": [record.model.title for record in records],
                "stimuli": [record.stimuli_name for record in records],
                "lineage": [record.lineage for record in records],
                "step": [record.step for record in records],
                "checkpoint": [record.checkpoint for record in records],
                "origin": [record.origin for record in records],
                "n_layers": [record.n_layers for record in records],
                "n_stimuli": [record.n_stimuli for record in records],
                "top1": [None if record.accuracy is None else record.accuracy.top1 for record in records],
                "started": [record.started_at for record in records],
            },
            schema_overrides={"lineage": pl.String, "step": pl.Int64, "checkpoint": pl.String, "top1": pl.Float64},
        )

    def _repr_html_(self) -> str:
        shown = RunList(self[:_N_SHOWN]).to_polars()._repr_html_()
        return f"{shown}<p>{len(self) - _N_SHOWN} more</p>" if len(self) > _N_SHOWN else shown


class History:
    """A history of analyses.

        import layerwise as lw

        with lw.History("layerwise.db") as history:
            history["latest"].compare("cka")

    Several threads may use one; several processes open one each.
    """

    def __init__(
        self,
        url: str | Path | None = None,
        *,
        create: bool = False,
        read_only: bool = False,
        registry: Registry | None = None,
    ) -> None:
        """Open it.

        Args:
            url: A file or a URL; `LAYERWISE_DB`, or `layerwise.db` in the current folder, if not given.
            create: Whether to start one where there is none.
            read_only: Whether every change shall be refused.
            registry: What plugins offer; all that are installed if not given.

        Raises:
            InputError: If there is none there, or it is not one.
        """
        given = url if url is not None else os.environ.get("LAYERWISE_DB", "layerwise.db")
        self._url = as_url(given)
        self._store: OpenHistory = open_history(given, create=create, read_only=read_only)
        self._given_registry = registry

    @property
    def url(self) -> str:
        """Where it is, without a password."""
        return show_database(self._url)

    @property
    def store(self) -> OpenHistory:
        """What `lw.charts` and the functions of the core take."""
        return self._store

    @property
    def registry(self) -> Registry:
        """What plugins offer."""
        return self._given_registry or all_plugins()

    def runs(
        self,
        words: str = "",
        *,
        model: str | None = None,
        stimuli: str | None = None,
        lineage: str | None = None,
        tags: Mapping[str, str] | None = None,
        origin: Origin | None = None,
        status: RunStatus | None = None,
        limit: int | None = None,
    ) -> RunList:
        """Runs that match everything, newest first.

        Args:
            words: All must be found in a run's id, model, stimuli, checkpoint, lineage, tags or command.
            model: Name of the model.
            stimuli: Name of the stimulus set.
            lineage: Name of the training; its runs come in the order of their steps.
            tags: All must match.
            origin: Where numbers come from: `computed`, `snapshot`, `ablated`, `imported`.
            status: `finished`, `running`, `failed` or `interrupted`.
            limit: No more than so many.
        """
        from layerwise.core.history.records import RunFilter

        where = RunFilter(
            words=words,
            model=model,
            stimuli=stimuli,
            lineage=lineage,
            tags=tags or {},
            origin=origin,
            status=status,
            limit=limit,
            order="started" if lineage is None else "checkpoint",
            descending=lineage is None,
        )
        return RunList(Run(record, self) for record in self._store.list_runs(where))

    def lineages(self) -> dict[str, int]:
        """Names of the trainings, each with the number of its runs."""
        return self._store.count_values("lineage")

    def lineage(self, name: str) -> RunList:
        """The runs of one training, in the order of their steps.

        Raises:
            InputError: If there is none of this name; near names are suggested.
        """
        found = self.runs(lineage=name)
        if not found:
            names = list(self.lineages())
            raise InputError(f"there is no lineage '{name}'{near_names(name, names)}")
        return found

    def compare(
        self,
        *runs: str | Run,
        measure: str = "rsa-pearson",
        layers: Sequence[str] | str | None = None,
        metric: str | None = None,
        transform: str = NO_TRANSFORM,
        partial: Sequence[str] | str = (),
        **settings: Setting,
    ) -> LabelledMatrix:
        """How alike the layers of one run, or of two, are; see `Run.compare`.

        Raises:
            InputError: If there is no such run, or more than two are given.
        """
        chosen = [run if isinstance(run, Run) else self[run] for run in runs or ("latest",)]
        if len(chosen) > 2:
            raise InputError(f"compare takes one run or two, not {len(chosen)}; Run.compare takes a lineage as other")
        other = chosen[1] if len(chosen) == 2 else None
        return chosen[0].compare(
            measure,
            other=other,
            layers=layers,
            metric=metric,
            transform=transform,
            partial=partial,
            **settings,
        )

    def import_files(
        self,
        *files: str | Path,
        name: str | None = None,
        stimuli: Run | str | None = None,
        kind: str = "auto",
        force: bool = False,
    ) -> Run:
        """Store matrices between stimuli, or activations, of a brain or another tool: a layer for each.

        Args:
            files: `.npz`, `.npy`, `.parquet`, `.h5` or `.hdf5`, also of rsatoolbox; docs/interchange.md has them.
            name: What to call it; by default the file's name.
            stimuli: The run, folder, manifest or array whose stimuli these are; rows are matched by name.
            kind: What the numbers are; by default what the file says, or its diagonal.
            force: Import anew, even where it is stored.

        Raises:
            InputError: If a file is not as it must be, or the stimuli do not match; nothing has been stored then.

        Warns:
            RunWarning: What was decided about the files.
        """
        from layerwise.interchange.importing import ImportRequest, execute_import, prepare_import

        request = ImportRequest(
            files=tuple(map(Path, files)),
            name=name,
            kind=kind,
            stimuli=stimuli.run_id if isinstance(stimuli, Run) else stimuli,
            force=force,
            command=f"History.import_files({', '.join(map(repr, map(str, files)))})",
        )
        with watching(progress=False) as observer:
            outcome = execute_import(prepare_import(request), self.registry, self._store, observer)
            for note in outcome.notes:
                observer.message(note)
        return self[outcome.run_id]

    def query(self, sql: str) -> pl.DataFrame:
        """The answer to an SQL query, which cannot change anything.

        Raises:
            InputError: If it is wrong, is no question, or the history is in memory.
        """
        return self._store.query(sql)

    def joined_with(self, runs: Sequence[StoredRun]) -> HistoryProtocol:
        """This history, and those of other runs with it where they are others."""
        others = [run for run in runs if run.history is not self]
        if not others:
            return self._store
        from layerwise.core.history.views.joined import JoinedHistory

        return JoinedHistory(self._store, [(run.run_id, run.history.store) for run in others])

    def close(self) -> None:
        """Close it; its runs can no longer be asked."""
        self._store.close()

    def __getitem__(self, run: str) -> Run:
        """The run with this id, unique prefix of an id, or `latest`.

        Raises:
            InputError: If there is none, or the prefix is ambiguous.
        """
        return Run(self._store.find_run(run), self)

    def __len__(self) -> int:
        """Number of runs."""
        return self._store.count_runs()

    def __iter__(self) -> Iterator[Run]:
        """All runs, newest first."""
        return iter(self.runs())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        """Where it is, and how many runs it has."""
        return f"<History {self.url}: {len(self)} run{'' if len(self) == 1 else 's'}>"

    def _repr_html_(self) -> Any:
        return self.runs(limit=_N_SHOWN)._repr_html_()

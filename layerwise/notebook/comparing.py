"""What a run can be compared with: itself, one of its layers, another run, a training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from layerwise.core.base.errors import InputError
from layerwise.notebook.labelled import LabelledMatrix

if TYPE_CHECKING:
    from layerwise.core.analysis.measure import Measure
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.history.records import LayerAddress, RunRecord
    from layerwise.core.host.registry import Registry

LINEAGE = "lineage:"


class Home(Protocol):
    """What a run needs of the history it is stored in."""

    @property
    def store(self) -> HistoryProtocol:
        """What functions of the core take."""

    @property
    def registry(self) -> Registry:
        """What plugins offer."""

    def lineage(self, name: str) -> Sequence[StoredRun]:
        """The runs of one training, in the order of their steps."""

    def joined_with(self, runs: Sequence[StoredRun]) -> HistoryProtocol:
        """This history, and those of other runs with it where they are others."""


class StoredRun(Protocol):
    """What is asked of a run that is compared."""

    @property
    def run_id(self) -> str:
        """The id."""

    @property
    def record(self) -> RunRecord:
        """All that is known of it."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of its layers."""

    @property
    def history(self) -> Home:
        """Where it is stored."""


@dataclass(frozen=True)
class Asked:
    """What is to be compared.

    Attributes:
        run: The run whose layers are the rows.
        other: A run, a layer of the run, `lineage:NAME`, several runs, or None for the run itself.
        layers: Selectors of layers, of both sides.
        transform: The activation transform of both.
        partial: Layers that are taken out of both sides, `LAYER` of the run or `RUN:LAYER`.
    """

    run: StoredRun
    other: StoredRun | str | Iterable[StoredRun] | None
    layers: Sequence[str] | None
    transform: str
    partial: tuple[str, ...] = ()


def compare_with(asked: Asked, measure: Measure) -> LabelledMatrix:
    """The run's layers against what was asked for.

    Raises:
        InputError: If there is no such thing, or its stimuli are others.
    """
    if asked.other is None:
        return _table(asked, measure, [asked.run])
    if isinstance(asked.other, str):
        if not asked.other.startswith(LINEAGE):
            return _with_layer(asked, measure, asked.other)
        return _over_runs(asked, measure, asked.run.history.lineage(asked.other.removeprefix(LINEAGE)))
    if isinstance(asked.other, Iterable):
        return _over_runs(asked, measure, list(asked.other))
    return _table(asked, measure, [asked.run, asked.other])


def _table(asked: Asked, measure: Measure, runs: Sequence[StoredRun]) -> LabelledMatrix:
    rows, columns = (_addresses(run, asked) for run in (runs[0], runs[-1]))
    names = [tuple(address.layer for address in side) for side in (rows, columns)]
    return _compare(asked, measure, runs, rows, columns, names[0], names[1])


def _with_layer(asked: Asked, measure: Measure, name: str) -> LabelledMatrix:
    from layerwise.core.history.records import LayerAddress
    from layerwise.core.network.layers import find_layer

    run = asked.run
    layer = find_layer(name, run.history.store.list_layers(run.run_id)).name
    rows = _addresses(run, asked)
    columns = [LayerAddress(run.run_id, layer, asked.transform)]
    return _compare(asked, measure, [run], rows, columns, tuple(row.layer for row in rows), (layer,))


def _over_runs(asked: Asked, measure: Measure, runs: Sequence[StoredRun]) -> LabelledMatrix:
    """Each layer against its own state in each of several runs."""
    if not runs:
        raise InputError("there is no run to compare with")
    names = [address.layer for address in _addresses(asked.run, asked)]
    shared = [name for name in names if all(name in run.layers for run in runs)]
    if not shared:
        raise InputError(f"run {asked.run.run_id} shares no layer with all of the {len(runs)} runs")
    columns = [
        _table(
            Asked(asked.run, run, shared, asked.transform, asked.partial), measure, [asked.run, run]
        ).values.diagonal()
        for run in runs
    ]
    labels = _tell_apart([_label(run) for run in runs], runs)
    title = f"{measure.name} with the same layer"
    return LabelledMatrix(
        np.stack(columns, axis=1), tuple(shared), labels, title, measure.kind, ("layer", "checkpoint")
    )


def _label(run: StoredRun) -> str:
    record = run.record
    return record.checkpoint or (f"step {record.step}" if record.step is not None else run.run_id)


def _tell_apart(labels: Sequence[str], runs: Sequence[StoredRun]) -> tuple[str, ...]:
    return tuple(
        label if labels.count(label) == 1 else f"{label} ({run.run_id})"
        for label, run in zip(labels, runs, strict=True)
    )


def _addresses(run: StoredRun, asked: Asked) -> list[LayerAddress]:
    from layerwise.core.analysis.choose import choose_layers
    from layerwise.core.history.records import LayerAddress

    chosen = choose_layers(run.history.registry, run.history.store, [run.record], asked.layers)
    return [LayerAddress(run.run_id, layer.name, asked.transform) for _, layer in chosen]


def _compare(
    asked: Asked,
    measure: Measure,
    runs: Sequence[StoredRun],
    rows: Sequence[LayerAddress],
    columns: Sequence[LayerAddress],
    row_names: tuple[str, ...],
    column_names: tuple[str, ...],
) -> LabelledMatrix:
    from layerwise.core.analysis.compare import describe_basis
    from layerwise.core.analysis.deconfounding.ask import compare_partial, find_confounders
    from layerwise.core.history.views.shared import share_stimuli

    joined = asked.run.history.joined_with(runs[1:])
    history, records, remark = share_stimuli(joined, [run.record for run in runs])
    registry = asked.run.history.registry
    out = find_confounders(history, records, asked.partial, asked.transform)
    table = compare_partial(registry, history, measure, rows, out, columns)
    called = dict(zip(table.rows, row_names, strict=True)), dict(zip(table.columns, column_names, strict=True))
    reasons = {(called[0][one], called[1][other]): why for (one, other), why in table.reasons.items()}
    return LabelledMatrix(
        table.matrix,
        row_names,
        column_names,
        measure.name,
        table.kind,
        reasons=reasons,
        warnings=(*filter(None, [remark, describe_basis(records)]), *table.warnings),
    )

"""Writing what is stored of a run into a file for other tools: representations, or what a metric makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

from layerwise.core.analysis.measure import compute_metric, explain_missing, find_read_address
from layerwise.core.analysis.working_memory import check_matrices
from layerwise.core.base.errors import InputError
from layerwise.core.base.writing import check_target, replacing
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress, RunRecord
from layerwise.core.host.kinds import Metric
from layerwise.core.host.registry import Registered
from layerwise.core.network.layers import Layer
from layerwise.core.network.representation import NO_TRANSFORM, Representation
from layerwise.interchange.exported import Export
from layerwise.interchange.files import choose_format, choose_matrix_writer, choose_writer
from layerwise.interchange.matrices import MatrixExport

_FEW = 2_000  # stimuli


def check_export(path: Path, form: str | None = None) -> None:
    """Find out before the work whether a file can be written.

    Raises:
        InputError: If there is no format of this name or suffix, or nothing can be written there.
    """
    choose_format(path, form)
    check_target(path)


def export_layers(
    history: HistoryProtocol,
    run: RunRecord,
    layers: Sequence[Layer],
    path: Path,
    *,
    form: str | None = None,
    metric: Registered[Metric] | None = None,
    transform: str = NO_TRANSFORM,
    prefixed: bool = True,
) -> None:
    """Write layers of a run into a file, whole or not at all.

    Args:
        history: Where they are stored.
        run: The run.
        layers: Its layers.
        path: The file; one that is there is replaced.
        form: The format, where the suffix does not tell.
        metric: Whose matrices to write, in place of representations.
        transform: Under which transform the layers were analysed.
        prefixed: Whether names in the file begin with the layer's, as they must where there are several.

    Raises:
        InputError: If a layer is not stored under the transform, or the file cannot be written.
    """
    addresses = [LayerAddress(run.id, layer.name, transform) for layer in layers]
    stimuli = [stimulus.name for stimulus in history.list_stimuli(run.id)]
    with replacing(path) as target:
        if metric is None:
            few = run.n_stimuli <= _FEW  # then all are read in one go, which is faster
            found = history.read_representations(addresses) if few else _Stored(history, addresses)
            outputs = history.read_outputs(run.id) if transform == NO_TRANSFORM else None
            content = Export(layers, found, stimuli, prefixed=prefixed, outputs=outputs)
            choose_writer(path, form)(target, content)
        else:
            matrices = _compute(history, run, layers, addresses, stimuli, prefixed, metric)
            choose_matrix_writer(path, form)(target, matrices)


class _Stored(Sequence[Representation]):
    """The representations at some addresses, each read when it is asked for: several may not fit into memory."""

    def __init__(self, history: HistoryProtocol, addresses: Sequence[LayerAddress]) -> None:
        self._history, self._addresses = history, addresses
        history.open_layers(addresses)  # says what is not there before a file is begun

    def __len__(self) -> int:
        return len(self._addresses)

    @overload
    def __getitem__(self, index: int) -> Representation: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Representation]: ...
    def __getitem__(self, index: int | slice) -> Representation | Sequence[Representation]:
        if isinstance(index, slice):
            return _Stored(self._history, self._addresses[index])
        return self._history.read_representation(self._addresses[index])


def _compute(
    history: HistoryProtocol,
    run: RunRecord,
    layers: Sequence[Layer],
    addresses: Sequence[LayerAddress],
    stimuli: Sequence[str],
    prefixed: bool,
    metric: Registered[Metric],
) -> MatrixExport:
    check_matrices(f"exporting {metric.name}", run.n_stimuli, 3 * len(layers))
    try:
        representations = history.read_representations([find_read_address(metric, one) for one in addresses])
    except InputError as error:
        raise explain_missing(metric, error) from error
    return MatrixExport(
        metric.name,
        f"{metric.qualified_name} {metric.version}",
        metric.offer.kind,
        layers,
        [compute_metric(metric, representation) for representation in representations],
        stimuli,
        prefixed=prefixed,
    )

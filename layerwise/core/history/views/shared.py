"""Runs on different stimuli, on those stimuli that all of them have: nothing of it needs a network.

What a layer makes of some stimuli is a part of what it makes of all: rows and columns of its matrix. So a recording
of 60 of a network's 500 photos is compared with the network on these 60. Stimuli are the same where their content is;
they come in the order of the first run. Numbers of a part are kept in memory, never beside those of the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.hashing import hash_texts
from layerwise.core.history.memory.kept import KeptResults
from layerwise.core.history.view import HistoryView

if TYPE_CHECKING:
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.history.records import LayerAddress, LayerStatistic, Prediction, RunRecord, StimulusRecord
    from layerwise.core.network.matrices.pairs import Pairs
    from layerwise.core.network.representation import Representation

MIN_SHARED = 3
"""Stimuli that must be shared: fewer have no two pairs to correlate."""


class SharedStimuliHistory(KeptResults, HistoryView):  # in this order: what is saved stays in memory
    """A history in which some runs have only the stimuli that all of them share.

    Statistics and predictions of stimuli that are left out are not there; those of a whole layer are none of a part,
    and are not either. As safe to share between threads as the history beneath.
    """

    def __init__(self, history: HistoryProtocol, rows: dict[str, NDArray[np.intp]]) -> None:
        """Look at parts of runs; `share_stimuli` finds them.

        Args:
            history: The history.
            rows: The positions that are kept of each run's stimuli, in the common order.
        """
        KeptResults.__init__(self)
        HistoryView.__init__(self, history)
        self._rows = rows

    def find_run(self, run: str) -> RunRecord:
        """The run, with as many stimuli as are shared."""
        return self._narrow(self._history.find_run(run))

    def list_stimuli(self, run_id: str) -> list[StimulusRecord]:
        """The shared stimuli, in the common order."""
        listed = self._history.list_stimuli(run_id)
        if run_id not in self._rows:
            return listed
        return [replace(listed[row], position=place) for place, row in enumerate(self._rows[run_id])]

    def read_representation(self, address: LayerAddress) -> Representation:
        """The part of a stored representation that is of shared stimuli."""
        found = self._history.read_representation(address)
        return found.take(self._rows[address.run_id]) if address.run_id in self._rows else found

    def read_representations(self, addresses: Sequence[LayerAddress]) -> list[Representation]:
        """The same of several."""
        return [self.read_representation(address) for address in addresses]

    def open_layers(self, addresses: Sequence[LayerAddress]) -> Sequence[Pairs]:
        """The same, held in memory: a part is small."""
        return self.read_representations(addresses)

    def read_statistics(self, run_id: str) -> list[LayerStatistic]:
        """Nothing of a part: a statistic is of all stimuli."""
        return [] if run_id in self._rows else self._history.read_statistics(run_id)

    def save_statistics(self, run_id: str, results: Sequence[LayerStatistic]) -> None:
        """Keep nothing."""

    def read_predictions(self, run_id: str) -> list[Prediction]:
        """The predictions of shared stimuli."""
        found = self._history.read_predictions(run_id)
        if run_id not in self._rows:
            return found
        place = {int(row): index for index, row in enumerate(self._rows[run_id])}
        return [replace(item, position=place[item.position]) for item in found if item.position in place]

    def _narrow(self, run: RunRecord) -> RunRecord:
        if run.id not in self._rows:
            return run
        hashes = [stimulus.content_hash for stimulus in self.list_stimuli(run.id)]
        return replace(run, n_stimuli=len(hashes), stimuli_fingerprint=hash_texts(hashes), accuracy=None)


def share_stimuli(
    history: HistoryProtocol, runs: Sequence[RunRecord]
) -> tuple[HistoryProtocol, list[RunRecord], str]:
    """Runs on the stimuli that all of them have.

    Args:
        history: Where they are.
        runs: The runs.

    Returns:
        The history and the runs to go on with, and what was left out, in words; the same and nothing where all have
        the same stimuli in the same order.

    Raises:
        InputError: If they share fewer than `MIN_SHARED`; says what to do.
    """
    if len({run.stimuli_fingerprint for run in runs}) <= 1:
        return history, list(runs), ""
    places = {run.id: _places(history, run) for run in runs}
    first = places[runs[0].id]
    common = [content for content in first if all(content in place for place in places.values())]
    if len(common) < MIN_SHARED:
        sets = ", ".join(f"run {run.id} is of '{run.stimuli_name}' ({run.n_stimuli} stimuli)" for run in runs)
        raise InputError(
            f"the runs share {len(common)} stimuli, and {MIN_SHARED} at least are needed: {sets}. Stimuli are the "
            "same where their content is; a recording is given those of a run with `import --stimuli RUN`"
        )
    rows = {run.id: np.array([places[run.id][content] for content in common], dtype=np.intp) for run in runs}
    shared = SharedStimuliHistory(history, rows)
    least, most = min(run.n_stimuli for run in runs), max(run.n_stimuli for run in runs)
    of = f"{most}" if least == most else f"{least} to {most}"
    return shared, [shared.find_run(run.id) for run in runs], f"compared on {len(common)} shared stimuli of {of}"


def _places(history: HistoryProtocol, run: RunRecord) -> dict[str, int]:
    """Where each stimulus of a run is, by its content; of several with the same content, the first."""
    places: dict[str, int] = {}
    for stimulus in history.list_stimuli(run.id):
        places.setdefault(stimulus.content_hash, stimulus.position)
    return places

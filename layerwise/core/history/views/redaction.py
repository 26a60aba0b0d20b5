"""A history without its pictures: for reports that are handed on although the stimuli must not be.

What is shown then are numbers over all stimuli. A stimulus has neither a picture nor its own name, only its place in
the set; labels stay, because they are what was measured against.
"""

from __future__ import annotations

from dataclasses import replace

from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import RunFilter, RunRecord, StimulusRecord
from layerwise.core.history.view import HistoryView

_EVERYTHING = RunFilter()


def without_pictures(history: HistoryProtocol) -> HistoryProtocol:
    """The same history, in which stimuli have no pictures and are called `stimulus 1`, `stimulus 2`, and so on."""
    return _WithoutPictures(history)


def hide_names(run: RunRecord) -> RunRecord:
    """A run that says how many stimuli were left out, but not which."""
    n_skipped = len(run.skipped)
    return replace(run, skipped=tuple(f"stimulus {index + 1} of {n_skipped}" for index in range(n_skipped)))


class _WithoutPictures(HistoryView):
    """Passes everything on but pictures and names."""

    def find_run(self, run: str) -> RunRecord:
        return hide_names(self._history.find_run(run))

    def list_runs(self, where: RunFilter = _EVERYTHING) -> list[RunRecord]:
        return [hide_names(run) for run in self._history.list_runs(where)]

    def list_stimuli(self, run_id: str) -> list[StimulusRecord]:
        return [
            replace(stimulus, name=f"stimulus {stimulus.position + 1}", thumbnail=b"")
            for stimulus in self._history.list_stimuli(run_id)
        ]

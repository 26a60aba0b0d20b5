"""How much each layer changes from one checkpoint to the next."""

from __future__ import annotations

from dataclasses import replace

from layerwise.core.analysis.profile_run import largest_value
from layerwise.core.analysis.training.checkpoints import Compared, TrainingQuestion


def ask_changes(question: TrainingQuestion) -> Compared:
    """How far each layer is from what it was one checkpoint before: largest minus found similarity, or distance.

    Returns:
        (n_checkpoints, n_layers); NaN at the first checkpoint, and where the measure is undefined.

    Raises:
        InputError: If the measure has no largest value, or can be negative as a distance.
    """
    largest = largest_value(question.measure)
    rows = question.addresses
    places = {}
    for row in range(1, len(rows)):
        for column, (before, here) in enumerate(zip(rows[row - 1], rows[row], strict=True)):
            if before is not None and here is not None:
                places[row, column] = (before, here)
    found = question.compare(places)
    return found if question.measure.kind == "distance" else replace(found, values=largest - found.values)

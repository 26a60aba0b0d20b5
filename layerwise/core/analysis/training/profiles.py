"""The profile of each checkpoint: how the way from input to output comes about while a network learns."""

from __future__ import annotations

from layerwise.core.analysis.profile_run import find_side_by_side, largest_value, profile_run
from layerwise.core.analysis.training.checkpoints import TrainingQuestion
from layerwise.core.base.errors import InputError
from layerwise.core.history.profiles import Profile


def ask_profiles(question: TrainingQuestion) -> list[Profile]:
    """A profile for each checkpoint, along those of the layers that it has.

    Raises:
        InputError: If the measure gives no steps, the layers run side by side, or a checkpoint has fewer than two.
    """
    largest_value(question.measure)
    block = find_side_by_side(question.layers)
    if block is not None:
        raise InputError(f"branches of {block} run side by side, so that steps between them are no way through")
    wanted = set(question.names)
    profiles = []
    for run in question.training.runs:
        layers = [layer for layer in question.history.list_layers(run.id) if layer.name in wanted]
        profiles.append(
            profile_run(
                question.registry, question.history, run, question.measure, layers, question.transform, question.save
            )
        )
    return profiles

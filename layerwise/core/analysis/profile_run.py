"""Profiling runs: from history where the profile is there, otherwise from the comparisons of their layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from layerwise.core.analysis.choose import list_main_layers
from layerwise.core.analysis.compare import ComparisonTable, compare_layers
from layerwise.core.analysis.measure import Measure, find_measure
from layerwise.core.analysis.profile import measure_profile
from layerwise.core.base.errors import InputError
from layerwise.core.history.profiles import Profile, ProfileKey
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress, RunRecord
from layerwise.core.host.registry import Registry
from layerwise.core.network.layers import Layer, find_end_point, list_up_to
from layerwise.core.network.representation import NO_TRANSFORM


def profile_run(
    registry: Registry,
    history: HistoryProtocol,
    run: RunRecord,
    measure: str | Measure,
    layers: Sequence[Layer] | None = None,
    transform: str = NO_TRANSFORM,
    save: bool = True,
    end_point: str | None = None,
) -> Profile:
    """How a run turns its input's structure into its output's, layer by layer.

    The way ends at the logits where these are among the layers, otherwise at the output; layers after the end point
    are no part of it.

    Args:
        registry: Knows the comparators.
        history: Where layers and earlier profiles are, and where new ones are kept.
        run: The run.
        measure: What compares layers: a comparator's name, or one with its settings.
        layers: Which layers, in any order; None for the main ones.
        transform: Under which transform they were analysed.
        save: Whether to keep the profile, which is done where nothing in it is undefined.
        end_point: Name or role of the layer that is the end point instead, such as `output`.

    Raises:
        InputError: If there are fewer than two layers, the end point is not among them, or the measure gives no steps
            (`largest_value`).
    """
    measure = find_measure(registry, measure) if isinstance(measure, str) else measure
    largest = largest_value(measure)
    chosen = choose_way(list_main_layers(history, run) if layers is None else layers, end_point)
    if len(chosen) < 2:
        raise InputError(f"a profile needs at least two layers, of run {run.id} there are {len(chosen)}")
    addresses = [measure.resolve(LayerAddress(run.id, layer.name, transform)) for layer in chosen]
    key = profile_key(run, chosen, measure, addresses[0].transform, end_point)
    kept = history.read_profile(key)
    if kept is not None:
        return kept
    table = compare_layers(registry, history, measure, addresses, save=save)
    profile = measure_profile(key.layers, table.matrix, measure.kind, largest, *find_ends(chosen, end_point))
    if not table.reasons and save:
        history.save_profile(key, profile)
    return _explain(profile, table)


def find_side_by_side(layers: Sequence[Layer]) -> str | None:
    """The first block of which several branches are among the layers: these run side by side, not one by one."""
    blocks = [layer.block for layer in layers if layer.block is not None and layer.branch is not None]
    return next((block for block in blocks if blocks.count(block) > 1), None)


def largest_value(measure: Measure) -> float:
    """What the measure says of a layer and itself, from which a step is counted; 0 for a distance.

    Raises:
        InputError: If the measure gives no steps: a similarity without a largest value, or a distance that can be
            negative.
    """
    low, high = measure.comparator.offer.value_range
    if measure.kind == "distance":
        if low is None or low < 0:
            raise InputError(
                f"'{measure.name}' can be negative, so it is no length of a step: choose another comparator"
            )
        return 0.0
    if high is None:
        raise InputError(
            f"'{measure.name}' has no largest value, so a step cannot be counted from it: choose another comparator"
        )
    return high


def choose_way(layers: Sequence[Layer], end_point: str | None = None) -> list[Layer]:
    """The layers of a profile, in order of computation: those that are not behind the end point.

    Raises:
        InputError: If the end point is not among the layers.
    """
    ordered = sorted(layers, key=lambda layer: layer.position)
    return list_up_to(find_end_point(ordered, end_point), ordered)


def profile_key(
    run: RunRecord, layers: Sequence[Layer], measure: Measure, transform: str, end_point: str | None = None
) -> ProfileKey:
    """Under what the profile of these layers is kept."""
    end = find_end_point(layers, end_point)
    names = tuple(layer.name for layer in layers)
    return ProfileKey(run.id, names, measure.provider, transform, "" if end is None else end.name)


def find_ends(layers: Sequence[Layer], end_point: str | None = None) -> tuple[int | None, int | None]:
    """Indices of the input and of the end point among some layers; None where it is not among them."""
    first = next((place for place, layer in enumerate(layers) if layer.role == "input"), None)
    end = find_end_point(layers, end_point)
    return first, None if end is None else list(layers).index(end)


def _explain(profile: Profile, table: ComparisonTable) -> Profile:
    """The same profile, with why the first undefined step is undefined."""
    undefined = np.flatnonzero(~np.isfinite(profile.steps[1:]))
    if not undefined.size:
        return profile
    index = int(undefined[0])
    why = table.reasons.get((table.rows[index], table.columns[index + 1]), "")
    return replace(profile, reason=f"{profile.reason} ({why})") if why else profile

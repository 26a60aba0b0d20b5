"""Choosing what a question is about: layers of runs by selectors, measures by name, pairs of comparisons."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from layerwise.core.analysis.measure import Measure, find_measure
from layerwise.core.analysis.measures.recommended import RECOMMENDED, RECOMMENDED_WORD
from layerwise.core.base.errors import InputError
from layerwise.core.base.parameters import Setting
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress, RunRecord
from layerwise.core.history.references import PREFIX, is_reference
from layerwise.core.host.kinds import Comparator, Metric, MetricComparator
from layerwise.core.host.registry import Registry
from layerwise.core.host.selection import select_layers
from layerwise.core.network.layers import Layer, find_layer
from layerwise.core.network.representation import NO_TRANSFORM

EVERY = "all"
"""The word that stands for all comparators."""

Chosen = list[tuple[RunRecord, Layer]]
Pair = tuple[LayerAddress, LayerAddress]


def choose_layers(
    registry: Registry, history: HistoryProtocol, runs: Sequence[RunRecord], selectors: Sequence[str] | None = None
) -> Chosen:
    """The stored layers of these runs that the selectors pick, all of them without selectors; each run once.

    Raises:
        InputError: If there is no such selector, or one picks nothing of a run.
    """
    chosen: Chosen = []
    for run in {run.id: run for run in runs}.values():
        stored = history.list_layers(run.id)
        chosen += [(run, layer) for layer in (select_layers(registry, selectors, stored) if selectors else stored)]
    return chosen


def list_main_layers(history: HistoryProtocol, run: RunRecord) -> list[Layer]:
    """The layers of a run that tell its story: the main ones; where none was analysed, all that are no branches."""
    layers = history.list_layers(run.id)
    return [layer for layer in layers if layer.is_main] or [layer for layer in layers if layer.branch is None]


def find_measures(
    registry: Registry,
    names: Sequence[str],
    settings: Mapping[str, Setting] | None = None,
    metric: str | None = None,
) -> list[Measure]:
    """Measures by the names of their comparators, each with those of the settings that it has.

    Args:
        registry: Knows the comparators and metrics.
        names: Bare or qualified names; `recommended` among them for the recommended set, `all` for every comparator.
        settings: Values of parameters, each of at least one of the comparators.
        metric: The metric whose matrices are compared by those that compare any.

    Raises:
        InputError: If there is no such comparator, or a setting or the metric is of no use to any of them.
    """
    settings = settings or {}
    words = [offer.qualified_name for offer in registry.all(Comparator)] if EVERY in names else _expand(names)
    offers = [registry.get(Comparator, word) for word in dict.fromkeys(words)]
    if len(offers) == 1:
        return [find_measure(registry, offers[0].qualified_name, settings, metric)]
    known = [{parameter.name for parameter in offer.offer.parameters} for offer in offers]
    for name in settings:
        if not any(name in parameters for parameters in known):
            asked = ", ".join(offer.name for offer in offers[:6])
            there = ", ".join(sorted(set().union(*known))) or "none"
            raise InputError(f"none of {asked} has a parameter '{name}'; their parameters: {there}")
    uses_metric = [isinstance(offer.offer, MetricComparator) for offer in offers]
    if metric is not None:
        registry.get(Metric, metric)
        if not any(uses_metric):
            raise InputError(f"none of {', '.join(offer.name for offer in offers)} compares a metric's matrices")
    return [
        find_measure(
            registry,
            offer.qualified_name,
            {name: value for name, value in settings.items() if name in parameters},
            metric if uses else None,
        )
        for offer, parameters, uses in zip(offers, known, uses_metric, strict=True)
    ]


def _expand(names: Sequence[str]) -> list[str]:
    """Names with the word for the recommended set replaced by its names."""
    return [one for name in names for one in (RECOMMENDED if name == RECOMMENDED_WORD else (name,))]


def list_neighbours(chosen: Chosen) -> list[tuple[int, int]]:
    """Indices of main layers that follow each other in the same run."""
    main = [index for index, (_, layer) in enumerate(chosen) if layer.is_main]
    pairs = itertools.pairwise(main)
    return [(first, second) for first, second in pairs if chosen[first][0].id == chosen[second][0].id]


def list_same_layers(chosen: Chosen) -> list[tuple[int, int]]:
    """Indices of each layer of the first run and the layer of the same name in every other run."""
    first_run = chosen[0][0].id if chosen else ""
    place = {layer.name: index for index, (run, layer) in enumerate(chosen) if run.id == first_run}
    others = [(index, layer.name) for index, (run, layer) in enumerate(chosen) if run.id != first_run]
    return [(place[name], index) for index, name in others if name in place]


def choose_differences(
    history: HistoryProtocol, first: str, second: str, transform: str = NO_TRANSFORM
) -> list[tuple[Pair, Pair]]:
    """The comparisons that are to be subtracted from each other.

    Args:
        history: Where the runs are.
        first: `RUN:LAYER,LAYER` for one comparison, or `RUN` for all steps between neighbouring main layers.
        second: What is taken from it, in the same form.
        transform: Under which transform the layers were analysed.

    Raises:
        InputError: If the two are not of the same form, or two runs share no step.
    """
    in_pairs = [_names_layers(history, text) for text in (first, second)]
    if in_pairs[0] != in_pairs[1]:
        raise InputError(f"'{first}' and '{second}' must both be RUN:LAYER,LAYER, or both a RUN")
    if in_pairs[0]:
        return [(_read_pair(history, first, transform), _read_pair(history, second, transform))]
    ones, others = (_list_steps(history, run, transform) for run in (first, second))
    pairs = [(pair, others[names]) for names, pair in ones.items() if names in others]
    if not pairs:
        raise InputError(f"the runs '{first}' and '{second}' have no step between main layers of the same names")
    return pairs


def _names_layers(history: HistoryProtocol, text: str) -> bool:
    """Whether a text goes on after a run; a lineage's name may have colons, too."""
    return ":" in text.removeprefix(PREFIX) and not (is_reference(text) and _is_run(history, text))


def _is_run(history: HistoryProtocol, text: str) -> bool:
    try:
        history.find_run(text)
    except InputError:
        return False
    return True


def _read_pair(history: HistoryProtocol, text: str, transform: str) -> Pair:
    run, both = split_layer_reference(history, text)
    ends = both.split(",")
    if len(ends) != 2 or not all(ends):
        raise InputError(f"'{text}' is not of the form RUN:LAYER,LAYER")
    layers = history.list_layers(run.id)
    one, other = (LayerAddress(run.id, find_layer(end.strip(), layers).name, transform) for end in ends)
    return one, other


def split_layer_reference(history: HistoryProtocol, text: str) -> tuple[RunRecord, str]:
    """The run of `RUN:REST`, and the rest; a lineage's name may have colons, too.

    Raises:
        InputError: If there is no such run.
    """
    start = len(PREFIX) if text.startswith(PREFIX) else 0
    places = [place for place, letter in enumerate(text) if letter == ":" and place >= start]
    if not places:
        raise InputError(f"'{text}' is not of the form RUN:LAYER")
    cut = next((place for place in places if _is_run(history, text[:place])), places[0])
    return history.find_run(text[:cut]), text[cut + 1 :]


def _list_steps(history: HistoryProtocol, name: str, transform: str) -> dict[tuple[str, str], Pair]:
    run = history.find_run(name)
    main = [layer.name for layer in history.list_layers(run.id) if layer.is_main]
    return {
        (before, after): (LayerAddress(run.id, before, transform), LayerAddress(run.id, after, transform))
        for before, after in itertools.pairwise(main)
    }

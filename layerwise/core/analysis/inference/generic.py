"""Bootstrap and permutation of any measure, block by block: other draws of the stimuli.

Where the comparator is a correlation over pairs of stimuli, a table of those answers for all draws (`pairwise`).
Otherwise layers are prepared anew for each draw, through `prepare` and `compare` alone: the same, but much slower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Generic, TypeVar

import numpy as np

from layerwise.core.analysis.calibration.products import ProductTable, offers_products, permute_products
from layerwise.core.analysis.inference.every_pair import compare_every_pair, compare_states, prepare_or_none
from layerwise.core.analysis.inference.layer_blocks import Places, choose_block_size, list_blocks, pick_layers
from layerwise.core.analysis.inference.pairwise import PairTable, has_scores, offers_scores, run_all, tabulate
from layerwise.core.analysis.inference.replicates import Replicates, Values
from layerwise.core.analysis.inference.resampling import (
    Draw,
    check_n_stimuli,
    draw_permutation,
    draw_subset,
    leave_out_groups,
    subset_size,
)
from layerwise.core.analysis.measure import Measure
from layerwise.core.analysis.working_memory import PAIRS_AT_ONCE, WorkingMemory, plan_memory, size_of
from layerwise.core.network.representation import Representation


@dataclass(frozen=True, eq=False)
class Permuted:
    """A measure between layers, and the same with the stimuli of the row's layer permuted; NaN where undefined.

    Attributes:
        estimate: (n_layers, n_layers).
        permuted: (n_permutations, n_layers, n_layers).
    """

    estimate: Values
    permuted: Values


def replicate(
    measure: Measure,
    representations: Sequence[Representation],
    n_resamples: int,
    seed: int,
    memory: int | None = None,
) -> Replicates:
    """A measure for every pair of layers, on all stimuli, on each resample, and with stimuli left out.

    Args:
        measure: The measure.
        representations: The layers, of the same stimuli; `StoredLayers` are read as they are needed.
        n_resamples: How many resamples to draw.
        seed: Decides the draws.
        memory: Bytes that may be taken at a time besides the result; None for a share of what is available.

    Returns:
        Replicates of (n_layers, n_layers).

    Raises:
        InputError: If there are fewer than four stimuli.
        PluginError: If the comparator fails.
    """
    blocks = replicate_blocks(measure, representations, n_resamples, seed, memory)
    first = next(blocks)
    parts = ((places, (block.estimate, block.resampled, block.left_out)) for places, block in chain([first], blocks))
    estimate, resampled, left_out = _join(parts, len(representations))
    return replace(first[1], estimate=estimate, resampled=resampled, left_out=left_out)


def replicate_blocks(
    measure: Measure,
    representations: Sequence[Representation],
    n_resamples: int,
    seed: int,
    memory: int | None = None,
) -> Iterator[tuple[Places, Replicates]]:
    """The same for blocks of layers that fit into memory, with their places; every two layers are in one of them.

    The draws depend on the seed alone, so that a block gives what all layers together would, and layers that are in
    several blocks give the same numbers in each.
    """
    n_stimuli = representations[0].n_stimuli
    check_n_stimuli(n_stimuli)

    def of_table(table: PairTable, n_threads: int) -> Replicates:
        resampled, left_out = table.resample(n_resamples, seed, n_threads), table.leave_out(n_threads)
        return Replicates(table.correlate(), resampled, left_out, n_stimuli, 0, (-1.0, 1.0))

    def of_layers(layers: Sequence[Representation], n_threads: int) -> Replicates:
        def on(chosen: Draw) -> Values:
            return compare_every_pair(measure, (item.take(chosen) for item in layers))

        groups = list(leave_out_groups(n_stimuli, seed))
        return Replicates(
            estimate=compare_every_pair(measure, layers),
            resampled=_run(lambda number: on(draw_subset(n_stimuli, number, seed)), n_resamples, n_threads),
            left_out=_run(lambda number: on(groups[number]), len(groups), n_threads),
            n_stimuli=n_stimuli,
            subset_size=subset_size(n_stimuli),
            value_range=measure.comparator.offer.value_range,
        )

    question = _Question(measure, n_resamples + n_stimuli, True, of_table, of_layers)
    return _answer_in_blocks(question, representations, plan_memory(memory, n_stimuli))


def permute(
    measure: Measure,
    representations: Sequence[Representation],
    n_permutations: int,
    seed: int,
    memory: int | None = None,
) -> tuple[Values, Values]:
    """A measure for every pair of layers, and the same with the stimuli of the row's layer permuted.

    Returns:
        (n_layers, n_layers) and (n_permutations, n_layers, n_layers); NaN where undefined.

    Raises:
        InputError: If there are fewer than four stimuli.
        PluginError: If the comparator fails.
    """
    blocks = permute_blocks(measure, representations, n_permutations, seed, memory)
    parts = ((places, (block.estimate, block.permuted)) for places, block in blocks)
    estimate, permuted = _join(parts, len(representations))
    return estimate, permuted


def permute_blocks(
    measure: Measure,
    representations: Sequence[Representation],
    n_permutations: int,
    seed: int,
    memory: int | None = None,
) -> Iterator[tuple[Places, Permuted]]:
    """The same for blocks of layers that fit into memory, with their places; every two layers are in one of them."""
    n_stimuli = representations[0].n_stimuli
    check_n_stimuli(n_stimuli)

    def of_table(table: PairTable, n_threads: int) -> Permuted:
        return Permuted(table.correlate(), table.permute(n_permutations, seed, n_threads))

    def of_layers(layers: Sequence[Representation], n_threads: int) -> Permuted:
        states = [prepare_or_none(measure, layer) for layer in layers]
        table = ProductTable(states, n_stimuli) if offers_products(measure) else None

        def of(number: int) -> Values:
            order = draw_permutation(n_stimuli, number, seed)
            if table is not None:
                return permute_products(measure, table, order)
            moved = [prepare_or_none(measure, layer.take(order)) for layer in layers]
            return compare_states(measure, moved, states, same=False)

        return Permuted(compare_states(measure, states, states, same=True), _run(of, n_permutations, n_threads))

    question = _Question(measure, n_permutations, False, of_table, of_layers)
    return _answer_in_blocks(question, representations, plan_memory(memory, n_stimuli))


Answer = TypeVar("Answer")


@dataclass(frozen=True)
class _Question(Generic[Answer]):
    """What is asked of each block of layers.

    Attributes:
        measure: What compares layers.
        n_draws: How many matrices the answer has.
        reweight: Whether stimuli are drawn anew, rather than permuted.
        of_table: The answer from pair scores, on so many threads.
        of_layers: The answer where there are none.
    """

    measure: Measure
    n_draws: int
    reweight: bool
    of_table: Callable[[PairTable, int], Answer]
    of_layers: Callable[[Sequence[Representation], int], Answer]


def _answer_in_blocks(
    question: _Question[Answer], layers: Sequence[Representation], memory: WorkingMemory
) -> Iterator[tuple[Places, Answer]]:
    measure, n_stimuli = question.measure, memory.n_stimuli
    if offers_scores(measure, reweight=question.reweight):
        predict_table = partial(predict_table_bytes, memory, question.n_draws)
        size, n_threads = choose_block_size(len(layers), memory.block_bytes, predict_table, threaded=True)
        blocks = list_blocks(len(layers), size)
        first = tabulate(measure, pick_layers(layers, blocks[0]))
        # One way or the other for all blocks: drawing with and without replacement doesn't mix.
        if first is not None and (len(blocks) == 1 or has_scores(measure, layers)):
            yield blocks[0], question.of_table(first, n_threads)
            del first
            for places in blocks[1:]:
                table = tabulate(measure, pick_layers(layers, places))
                if table is not None:
                    yield places, question.of_table(table, n_threads)
            return
        del first
    state_bytes = size_of(prepare_or_none(measure, layers[0]))

    def predict(n: int, n_threads: int) -> int:
        held = n * (4 * n_stimuli**2 + state_bytes)
        work = max(memory.task_bytes, PAIRS_AT_ONCE * memory.pair_bytes)
        return held + n_threads * (2 * n * state_bytes + work) + 8 * question.n_draws * n**2

    threaded = measure.comparator.offer.threaded
    size, n_threads = choose_block_size(len(layers), memory.block_bytes, predict, threaded=threaded)
    for places in list_blocks(len(layers), size):
        yield places, question.of_layers(list(pick_layers(layers, places)), n_threads if threaded else 0)


def predict_table_bytes(memory: WorkingMemory, n_draws: int, n_layers: int, n_threads: int) -> int:
    """What a table of pair scores takes, with the layer that is being put into it, the threads, and the answer."""
    table = PairTable.predict_bytes(n_layers, memory.n_stimuli)
    threads = n_threads * PairTable.predict_thread_bytes(n_layers, memory.n_stimuli)
    return table + max(threads, memory.task_bytes) + 8 * n_draws * n_layers**2


def _join(blocks: Iterable[tuple[Places, tuple[Values, ...]]], n_layers: int) -> list[Values]:
    """The numbers of all layers, (..., n_layers, n_layers), from those of blocks; as they are where there is one."""
    joined: list[Values] = []
    for places, parts in blocks:
        if len(places) == n_layers:
            return list(parts)
        joined = joined or [np.full((*part.shape[:-2], n_layers, n_layers), np.nan) for part in parts]
        for whole, part in zip(joined, parts, strict=True):
            whole[..., places[:, None], places] = part
    return joined


def _run(of: Callable[[int], Values], n_times: int, n_threads: int) -> Values:
    """Side by side; of no thread at all one after the other, with BLAS as it is."""
    return run_all(of, n_times, n_threads) if n_threads else np.stack([of(number) for number in range(n_times)])

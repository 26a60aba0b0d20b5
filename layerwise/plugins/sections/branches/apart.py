"""Branches that stand apart: less like their siblings than these are like each other."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.inference.matrix_numbers import ask_matrix_numbers
from layerwise.core.base.errors import InputError
from layerwise.core.history.intervals import Interval
from layerwise.core.history.records import RunRecord
from layerwise.plugins.sections.branches.queries import Block, find_blocks, query_branches
from layerwise.report.content import Finding, ReportContext
from layerwise.report.queries import address, chosen_measure, plan_bands

N_BRANCHES_LEAST = 3  # of two, neither is the odd one


@dataclass(frozen=True)
class Apart:
    """A branch that stands apart in its block.

    Attributes:
        block: Name of the block.
        branch: Label of the branch.
        to_siblings: Its similarities to them, smallest and largest.
        among_siblings: Those of the other branches among each other, smallest and largest.
        gap: Mean of those less mean of these, with its interval.
        interval: Of the gap.
    """

    block: str
    branch: str
    to_siblings: tuple[float, float]
    among_siblings: tuple[float, float]
    gap: float
    interval: Interval


def measure_gaps(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each branch of a block, how much more the others are like each other than it is like them.

    Args:
        matrix: (n_branches, n_branches); similarities.

    Returns:
        (n_branches,); mean over the pairs without the branch, less mean over its own pairs.
    """
    n_branches = len(matrix)
    own = matrix.sum(axis=1) - np.diagonal(matrix)
    pairs = n_branches * (n_branches - 1) / 2
    among = (own.sum() / 2 - own) / (pairs - (n_branches - 1))
    return np.asarray(among - own / (n_branches - 1), dtype=np.float64)


def query_apart(context: ReportContext, run: RunRecord) -> list[Apart]:
    """For each block the branch with the largest gap, where the interval of the gap lies above 0."""
    measure = chosen_measure(context)
    plan = plan_bands(context, measure)
    if plan is None or measure.kind != "similarity":
        return []
    found = query_branches(context, run)
    index = {layer.name: place for place, layer in enumerate(found.layers)}
    blocks = [block for block in found.blocks if len(block.branches) >= N_BRANCHES_LEAST]
    layers = [layer for block in blocks for layer in block.branches]
    if not layers:
        return []
    places = _split([len(block.branches) for block in blocks])

    def gaps_of(matrix: NDArray[np.float64]) -> dict[str, float]:
        gaps = [measure_gaps(matrix[np.ix_(here, here)]) for here in places]
        return {f"{block}:{branch}": gap for block, row in enumerate(gaps) for branch, gap in enumerate(row)}

    try:  # all blocks on the same resamples: drawing them is most of the work
        known = ask_matrix_numbers(
            context.history, measure, [address(context, run, layer) for layer in layers], plan, gaps_of
        )
    except InputError:  # too few stimuli
        return []
    apart = []
    for number, block in enumerate(blocks):
        gaps = [known[f"{number}:{branch}"] for branch in range(len(block.branches))]
        here = [index[layer.name] for layer in block.branches]
        standing = find_apart(block, found.matrix[np.ix_(here, here)], gaps)
        apart += [standing] if standing is not None else []
    return apart


def _split(sizes: Sequence[int]) -> list[NDArray[np.intp]]:
    """Places of blocks of these sizes, one after the other."""
    return np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])


def find_apart(block: Block, matrix: NDArray[np.float64], gaps: Sequence[tuple[float, Interval]]) -> Apart | None:
    """The branch of the largest gap; None where some similarity is undefined or the gap may be none."""
    if not np.isfinite(matrix).all():
        return None
    place = max(range(len(block.branches)), key=lambda index: gaps[index][0])
    gap, interval = gaps[place]
    if interval.low is None or interval.low <= 0:
        return None
    others = [index for index in range(len(matrix)) if index != place]
    to_siblings = [matrix[place, other] for other in others]
    among = [matrix[a, b] for a, b in itertools.combinations(others, 2)]
    ends = [(float(min(values)), float(max(values))) for values in (to_siblings, among)]
    return Apart(block.name, block.branches[place].branch or "", ends[0], ends[1], gap, interval)


def tell_apart(apart: Sequence[Apart], n_blocks: int) -> str:
    """The sentence on the kind of branch that stands apart most often, and on the block where it does most.

    The block is chosen for its gap, so the sentence says in how many blocks the same holds.
    """
    kind = Counter(one.branch for one in apart).most_common(1)[0][0]
    alike = [one for one in apart if one.branch == kind]
    most = max(alike, key=lambda one: one.gap)
    low, high = most.interval.low, most.interval.high
    where = (
        f"In {len(alike)} of {n_blocks} blocks the {kind} branch stands apart, most in {most.block}"
        if n_blocks > 1
        else f"In {most.block} the {kind} branch stands apart"
    )
    return (
        f"{where}: {_range(most.to_siblings)} to its siblings, which have {_range(most.among_siblings)} among each "
        f"other (on average {most.gap:.2f} less; {low:.2f} to {high:.2f})."
    )


def find_branch_findings(context: ReportContext, run: RunRecord, figure: str) -> list[Finding]:
    """What is found of a run's branches; `figure` shows it."""
    apart = query_apart(context, run)
    n_blocks = len(find_blocks(context.history.list_layers(run.id)))
    return [Finding(tell_apart(apart, n_blocks), figure, 0.65)] if apart else []


def _range(ends: tuple[float, float]) -> str:
    low, high = ends
    return f"{low:.2f} to {high:.2f}" if f"{low:.2f}" != f"{high:.2f}" else f"{low:.2f}"

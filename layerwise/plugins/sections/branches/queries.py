"""The branches of a network's blocks: which there are, and how alike they are to each other and to both ends."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from layerwise.core.history.records import RunRecord
from layerwise.core.network.layers import Layer
from layerwise.plugins.sections.layers.layer_matrix import pair_frame
from layerwise.report.content import ReportContext
from layerwise.report.queries import address, compare, end_point, layer_in_role, number

if TYPE_CHECKING:
    import polars as pl

MIN_BRANCHES = 3
N_BRANCHES_MOST = 100  # of so many branches each is held against each; of more, those of the middle blocks only


@dataclass(frozen=True)
class Block:
    """A block with its analysed branches, in order of computation."""

    name: str
    branches: tuple[Layer, ...]

    @property
    def widest(self) -> Layer | None:
        """The branch with the largest kernel, where one is larger than all others."""
        sizes = sorted(
            ((_kernel(layer.branch or ""), index) for index, layer in enumerate(self.branches)), reverse=True
        )
        alone = sizes[0][0] > 1 and (len(sizes) == 1 or sizes[0][0] > sizes[1][0])
        return self.branches[sizes[0][1]] if alone else None


@dataclass(frozen=True)
class BranchMatrix:
    """The numbers of a figure of blocks: names in order, similarities, frames and marks by name."""

    names: list[str]
    frame: pl.DataFrame
    blocks: tuple[Block, ...]


@dataclass(frozen=True, eq=False)
class BlockBranches:
    """Everything that is shown of the branches of one run.

    Attributes:
        blocks: Blocks, in order of computation.
        layers: All branches between the input and the logits and output, as far as these were analysed.
        matrix: float64 (len(layers), len(layers)); the chosen measure.
    """

    blocks: tuple[Block, ...]
    layers: list[Layer]
    matrix: NDArray[np.float64]

    def pick(self, blocks: Sequence[Block]) -> BranchMatrix:
        """The part of the matrix that is about some blocks, with input, logits and output."""
        wanted = {layer.name for block in blocks for layer in block.branches}
        places = [i for i, layer in enumerate(self.layers) if layer.name in wanted or layer.role != "hidden"]
        names = [self.layers[place].name for place in places]
        return BranchMatrix(names, pair_frame(names, self.matrix[np.ix_(places, places)]), tuple(blocks))


def find_blocks(layers: Sequence[Layer]) -> list[Block]:
    """The blocks of which at least three branches were analysed, in order of computation."""
    branches: dict[str, list[Layer]] = {}
    for layer in layers:
        if layer.block is not None and layer.branch is not None:
            branches.setdefault(layer.block, []).append(layer)
    return [Block(name, tuple(found)) for name, found in branches.items() if len(found) >= MIN_BRANCHES]


def list_kinds(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Labels of all branches of a run, in order of computation: the order of their colours, in every chart."""
    return tuple(dict.fromkeys(layer.branch for layer in layers if layer.branch is not None))


def middle_blocks(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """The two blocks in the middle of the network: `mixed4c` and `mixed4d` of GoogLeNet's nine."""
    start = (len(blocks) - 1) // 2
    return tuple(blocks[start : start + 2])


def query_branches(context: ReportContext, run: RunRecord) -> BlockBranches:
    """The branches of all blocks of a run, compared at once; of the middle two only, where there are very many."""
    layers = context.history.list_layers(run.id)
    blocks = tuple(find_blocks(layers))
    if sum(len(block.branches) for block in blocks) > N_BRANCHES_MOST:
        blocks = middle_blocks(blocks)
    first, *last = (layer_in_role(layers, role) for role in ("input", "logits", "output"))
    shown = [layer for layer in (first, *_all_branches(blocks), *last) if layer is not None]
    here = [address(context, run, layer) for layer in shown]
    return BlockBranches(blocks, shown, compare(context, here) if blocks else np.empty((0, 0)))


def query_branch_matrix(context: ReportContext, run: RunRecord) -> BranchMatrix:
    """Similarity among the input, the branches of the two middle blocks, the logits and the output."""
    found = query_branches(context, run)
    return found.pick(middle_blocks(found.blocks))


def query_depth(context: ReportContext, run: RunRecord, end: str = "output") -> pl.DataFrame:
    """Similarity of each branch to the input or the end: `layer` (its block), `series` (its label), `value`."""
    import polars as pl

    layers = context.history.list_layers(run.id)
    there = end_point(context, run) if end == "output" else layer_in_role(layers, end)
    branches = [(block.name, layer) for block in find_blocks(layers) for layer in block.branches]
    column = np.empty(0)
    if there is not None and branches:
        here = [address(context, run, layer) for _, layer in branches]
        column = compare(context, here, [address(context, run, there)])[:, 0]
    rows = [(block, layer.branch, number(value)) for (block, layer), value in zip(branches, column, strict=False)]
    schema = {"layer": pl.String, "series": pl.String, "value": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").drop_nulls("value")


def query_agreement(found: BlockBranches) -> pl.DataFrame:
    """How alike each two branches of one block are: `row` (both labels), `column` (the block), `value`."""
    import polars as pl

    place = {layer.name: index for index, layer in enumerate(found.layers)}
    rows = [
        (f"{one.branch} and {other.branch}", block.name, number(found.matrix[place[one.name], place[other.name]]))
        for block in found.blocks
        for one, other in itertools.combinations(block.branches, 2)
    ]
    schema = {"row": pl.String, "column": pl.String, "value": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _all_branches(blocks: Sequence[Block]) -> list[Layer]:
    return [layer for block in blocks for layer in block.branches]


def _kernel(label: str) -> int:
    """Side of the kernel that a branch is called after: 5 for `5x5`, 0 where it is called after something else."""
    found = re.match(r"(\d+)x(\d+)", label)
    return max(int(found[1]), int(found[2])) if found else 0

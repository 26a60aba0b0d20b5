"""The arms of a network's blocks: which there are, and how alike they are to each other and to both ends."""

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
from layerwise.report.queries import address, compare, layer_in_role, number

if TYPE_CHECKING:
    import polars as pl

MIN_ARMS = 3
N_ARMS_MOST = 100  # of so many arms each is held against each; of more, those of the middle blocks only


@dataclass(frozen=True)
class Module:
    """A block with its analysed arms, in order of computation."""

    name: str
    arms: tuple[Layer, ...]

    @property
    def widest(self) -> Layer | None:
        """The arm with the largest kernel, where one is larger than all others."""
        sizes = sorted(((_kernel(arm.branch or ""), index) for index, arm in enumerate(self.arms)), reverse=True)
        alone = sizes[0][0] > 1 and (len(sizes) == 1 or sizes[0][0] > sizes[1][0])
        return self.arms[sizes[0][1]] if alone else None


@dataclass(frozen=True)
class BranchMatrix:
    """The numbers of a figure of modules: names in order, similarities, frames and marks by name."""

    names: list[str]
    frame: pl.DataFrame
    modules: tuple[Module, ...]


@dataclass(frozen=True, eq=False)
class Arms:
    """Everything that is shown of the arms of one run.

    Attributes:
        modules: Blocks, in order of computation.
        layers: The input where it was analysed, all arms, the output where it was analysed.
        matrix: float64 (len(layers), len(layers)); the chosen measure.
    """

    modules: tuple[Module, ...]
    layers: list[Layer]
    matrix: NDArray[np.float64]

    def pick(self, modules: Sequence[Module]) -> BranchMatrix:
        """The part of the matrix that is about some modules, with input and output."""
        wanted = {arm.name for module in modules for arm in module.arms}
        places = [
            i for i, layer in enumerate(self.layers) if layer.name in wanted or layer.role in ("input", "output")
        ]
        names = [self.layers[place].name for place in places]
        return BranchMatrix(names, pair_frame(names, self.matrix[np.ix_(places, places)]), tuple(modules))


def find_modules(layers: Sequence[Layer]) -> list[Module]:
    """The blocks of which at least three arms were analysed, in order of computation."""
    arms: dict[str, list[Layer]] = {}
    for layer in layers:
        if layer.block is not None and layer.branch is not None:
            arms.setdefault(layer.block, []).append(layer)
    return [Module(name, tuple(found)) for name, found in arms.items() if len(found) >= MIN_ARMS]


def list_kinds(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Labels of all branches of a run, in order of computation: the order of their colours, in every chart."""
    return tuple(dict.fromkeys(layer.branch for layer in layers if layer.branch is not None))


def middle_modules(modules: Sequence[Module]) -> tuple[Module, ...]:
    """The two blocks in the middle of the network: `mixed4c` and `mixed4d` of GoogLeNet's nine."""
    start = (len(modules) - 1) // 2
    return tuple(modules[start : start + 2])


def query_arms(context: ReportContext, run: RunRecord) -> Arms:
    """The arms of all blocks of a run, compared at once; of the middle two only, where there are very many."""
    layers = context.history.list_layers(run.id)
    modules = tuple(find_modules(layers))
    if sum(len(module.arms) for module in modules) > N_ARMS_MOST:
        modules = middle_modules(modules)
    first, last = (layer_in_role(layers, role) for role in ("input", "output"))
    shown = [layer for layer in (first, *_all_arms(modules), last) if layer is not None]
    here = [address(context, run, layer) for layer in shown]
    return Arms(modules, shown, compare(context, here) if modules else np.empty((0, 0)))


def query_branch_matrix(context: ReportContext, run: RunRecord) -> BranchMatrix:
    """Similarity among the input, the arms of the two middle blocks, and the output."""
    found = query_arms(context, run)
    return found.pick(middle_modules(found.modules))


def query_depth(context: ReportContext, run: RunRecord, end: str = "output") -> pl.DataFrame:
    """Similarity of each arm to one end of the network: `layer` (the block), `series` (the arm's label), `value`."""
    import polars as pl

    layers = context.history.list_layers(run.id)
    there = layer_in_role(layers, end)
    arms = [(module.name, arm) for module in find_modules(layers) for arm in module.arms]
    column = np.empty(0)
    if there is not None and arms:
        here = [address(context, run, arm) for _, arm in arms]
        column = compare(context, here, [address(context, run, there)])[:, 0]
    rows = [(block, arm.branch, number(value)) for (block, arm), value in zip(arms, column, strict=False)]
    schema = {"layer": pl.String, "series": pl.String, "value": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").drop_nulls("value")


def query_agreement(found: Arms) -> pl.DataFrame:
    """How alike each two arms of one block are: `row` (both labels), `column` (the block), `value`."""
    import polars as pl

    place = {layer.name: index for index, layer in enumerate(found.layers)}
    rows = [
        (f"{one.branch} and {other.branch}", module.name, number(found.matrix[place[one.name], place[other.name]]))
        for module in found.modules
        for one, other in itertools.combinations(module.arms, 2)
    ]
    schema = {"row": pl.String, "column": pl.String, "value": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _all_arms(modules: Sequence[Module]) -> list[Layer]:
    return [arm for module in modules for arm in module.arms]


def _kernel(label: str) -> int:
    """Side of the kernel that an arm is called after: 5 for `5x5`, 0 where it is called after something else."""
    found = re.match(r"(\d+)x(\d+)", label)
    return max(int(found[1]), int(found[2])) if found else 0

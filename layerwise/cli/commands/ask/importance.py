"""`layerwise importance`: what each branch of a block gives that no sibling could."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerwise.cli.options.common import (
    DEFAULT_DATABASE,
    AsJson,
    Database,
    EndPoint,
    RunName,
    TransformName,
    split_names,
)
from layerwise.cli.output import make_table, number, print_json, stdout_console
from layerwise.cli.session import open_history, session_of

if TYPE_CHECKING:
    from layerwise.core.analysis.importance_run import Apportioned

_HEADS = ("block", "target", "explained", "shared", "branch", "corr.", "partial", "unique", "share")


def weigh_branches(
    context: typer.Context,
    run: RunName,
    block: Annotated[
        list[str] | None, typer.Option("--block", metavar="B", help="A block; repeatable. By default all.")
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            metavar="LAYER",
            help="What is explained: a layer, or `block`: the block itself; repeatable. By default the logits "
            "(without a softmax: the output) and block.",
        ),
    ] = None,
    output: EndPoint = None,
    metric: Annotated[
        str,
        typer.Option(
            "--metric", metavar="NAME", show_default="pearson", help="The metric whose matrices are explained."
        ),
    ] = "layerwise:pearson",
    transform: TransformName = "none",
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Weigh the branches of blocks: what each gives to a layer's similarity structure that no sibling could.

    `explained` is R^2 of all branches of a block, `unique` what is lost of it without one of them, `share` that over
    `explained`, `shared` what several branches could give, `partial` the correlation given the siblings.

    Examples:
        layerwise importance latest --block mixed4c --target output
    """
    from layerwise.core.analysis.importance_run import apportion_run, list_targets

    with open_history(database) as store:
        record = store.find_run(run)
        targets = split_names(target) or list_targets(store.list_layers(record.id), output)
        found = apportion_run(
            session_of(context).registry, store, record, split_names(block), targets, transform, metric
        )
    if as_json:
        print_json([_record(record.id, item) for item in found])
        return
    console = stdout_console()
    console.print(
        make_table(_HEADS, [row for item in found for row in _rows(item)], right=(*_HEADS[2:4], *_HEADS[5:]))
    )
    for remark in _remarks(found):
        console.print(remark, markup=False, soft_wrap=True)


def _record(run_id: str, item: Apportioned) -> dict[str, Any]:
    head = {"run_id": run_id, "block": item.block, "target": item.target}
    result = item.result
    if result is None:
        return {**head, "reason": item.reason}
    numbers = {name: getattr(result, name) for name in ("explained", "shared", "condition", "n_pairs", "warning")}
    return {**head, **numbers, "reason": "", "branches": [vars(branch) for branch in result.branches]}


def _rows(item: Apportioned) -> Iterator[tuple[str, ...]]:
    if item.result is None:
        return
    explained, shared = number(item.result.explained, 4), number(item.result.shared, 4)
    head: tuple[str, ...] = (item.block, item.target, explained, shared)
    for branch in item.result.branches:
        numbers = (number(branch.correlation), number(branch.partial), number(branch.unique, 4), number(branch.share))
        yield (*head, branch.branch, *numbers)
        head = ("", "", "", "")


def _remarks(found: Sequence[Apportioned]) -> Iterator[str]:
    for item in found:
        where = f"{item.block}, {item.target}"
        if item.result is None:
            yield f"{where}: {item.reason}"
            continue
        if item.result.warning:
            yield f"{where}: {item.result.warning}"
        for branch in item.result.branches:
            if branch.reason:
                yield f"{where}, {branch.branch}: {branch.reason}"

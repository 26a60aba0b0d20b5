"""What each branch of a block explains that no sibling could, along the blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from layerwise.core.analysis.importance_run import BLOCK, Apportioned, apportion_run, list_targets
from layerwise.core.base.errors import InputError
from layerwise.core.history.records import RunRecord
from layerwise.core.host.registry import distribution_version
from layerwise.plugins.sections.branches.queries import list_kinds
from layerwise.report import drawing
from layerwise.report.content import Chart, Figure, ReportContext
from layerwise.report.queries import end_of, shown_transform, title_for

if TYPE_CHECKING:
    import polars as pl

END = "output"
"""As a target: the end point, the logits or the output."""

_CAPTIONS = {
    END: "How much of the variance of the similarities in {end} one branch of a block explains and none of its "
    "siblings does: what is lost of R² without it.",
    BLOCK: "The same for the block itself, of which the branches are the parts: how much of its structure is one "
    "branch's alone. A tall bar is a branch that brings something into the block that no other branch has.",
}


def query_importance(context: ReportContext, run: RunRecord, target: str) -> pl.DataFrame:
    """One row for each branch of each block: `layer` (the block), `series` (the branch), and its numbers.

    Args:
        context: What is reported.
        run: A run.
        target: What is explained: `block`, or the end point.
    """
    import polars as pl

    numbers = dict.fromkeys(("share", "unique", "partial", "correlation", "explained"), pl.Float64)
    schema = {"layer": pl.String, "series": pl.String, **numbers}
    try:
        found = context.once(("importance", run.id), lambda: _apportion(context, run))
    except InputError:  # no blocks
        return pl.DataFrame(schema=schema)
    rows = [
        (item.block, branch.branch, *(getattr(branch, name) for name in list(numbers)[:-1]), item.result.explained)
        for item in found
        if item.result is not None and (target == BLOCK) == (item.target == item.block)
        for branch in item.result.branches
    ]
    return pl.DataFrame(rows, schema=schema, orient="row").drop_nulls("share")


def _apportion(context: ReportContext, run: RunRecord) -> list[Apportioned]:
    """The end point and each block, apportioned among the block's branches."""
    targets = list_targets(context.history.list_layers(run.id), context.choice.end_point)
    return apportion_run(context.registry, context.history, run, (), targets, shown_transform(context, run))


def draw_importance(frame: pl.DataFrame, among: Sequence[str] = ()) -> Any:
    """A group of bars for each block, one for each branch (of all `among`)."""
    import altair as alt

    blocks = frame["layer"].unique(maintain_order=True).to_list()
    kinds = frame["series"].unique(maintain_order=True).to_list()
    bars = alt.Chart(drawing.inline(frame)).mark_bar()
    return bars.encode(
        x=drawing.layer_axis(blocks, "block"),
        xOffset=alt.XOffset("series:N", scale=alt.Scale(domain=kinds)),
        y=alt.Y("unique:Q", title="variance explained by it alone"),
        color=drawing.series_colour(kinds, "branch", among),
        tooltip=[
            alt.Tooltip("layer:N", title="block"),
            alt.Tooltip("series:N", title="branch"),
            alt.Tooltip("unique:Q", title="unique R²", format=".4f"),
            alt.Tooltip("share:Q", title="share of all branches' R²", format=".1%"),
            alt.Tooltip("explained:Q", title="R² of all branches", format=".4f"),
            alt.Tooltip("partial:Q", title="partial correlation", format=".3f"),
            alt.Tooltip("correlation:Q", title="correlation", format=".3f"),
        ],
    ).properties(width="container", height=240)


def list_importance_figures(context: ReportContext, run: RunRecord) -> list[Figure]:
    """A figure for each target of which there is something to show."""
    figures = []
    for target in (END, BLOCK):
        frame = query_importance(context, run, target)
        if not frame.is_empty():
            method = (
                "Variance partitioning of the strict upper triangles of Pearson correlations: R² of all branches "
                f"minus R² without one; {run.n_stimuli} stimuli; layerwise "
                f"{distribution_version('layerwise')}."
            )
            end = end_of(context, [run])
            title = title_for(
                context, run, f"What only one branch gives to {'its block' if target == BLOCK else end}"
            )
            chart = Chart(draw_importance(frame, list_kinds(context.history.list_layers(run.id))))
            caption = f"{_CAPTIONS[target].format(end=end)} {_tell_explained(frame)}"
            figures.append(Figure(f"importance-{target}-{run.id}", title, chart, caption, method))
    return figures


def _tell_explained(frame: pl.DataFrame) -> str:
    """How much the branches explain together, without which nobody can tell whether a bar is tall."""
    explained = frame["explained"].to_list()
    low, high = min(explained), max(explained)
    some = f"{low:.2g}" if f"{low:.2g}" == f"{high:.2g}" else f"{low:.2g} to {high:.2g}"
    return f"All branches of a block together explain {some} of it."

"""Section: what changes over training, when the runs are checkpoints of one lineage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from layerwise.core.figures import NamedFigure, chart_of_section
from layerwise.core.kinds import SectionBuilder
from layerwise.core.records import LayerAddress, RunRecord
from layerwise.core.report import Chart, Figure, ReportContext, ReportSection
from layerwise.plugins.report import drawing
from layerwise.plugins.report.queries import (
    address,
    comparator_words,
    compare,
    layer_in_role,
    main_layers,
    number,
    run_label,
    shown_transform,
)
from layerwise.plugins.report.scale import Scale, find_scale

if TYPE_CHECKING:
    import polars as pl

VIEWS = {
    "input": ("Similarity to the input, over training", "each checkpoint's own input"),
    "output": ("Similarity to the output, over training", "each checkpoint's own output"),
    "final": ("Similarity to the same layer at the end of training", "the same layer in the last checkpoint"),
}


def is_training(runs: tuple[RunRecord, ...]) -> bool:
    """Whether the runs are checkpoints of one training on the same stimuli."""
    lineages = {run.lineage for run in runs}
    return (
        len(runs) > 1
        and len(lineages) == 1
        and None not in lineages
        and len({r.stimuli_fingerprint for r in runs}) == 1
    )


def checkpoint_names(runs: tuple[RunRecord, ...]) -> list[str]:
    """A different name for each checkpoint, in order."""
    labels = [run_label(run) for run in runs]
    return labels if len(set(labels)) == len(labels) else [f"{i + 1}: {label}" for i, label in enumerate(labels)]


def query_training(context: ReportContext) -> pl.DataFrame:
    """`checkpoint`, `layer`, and similarity to the `input`, the `output` and the `final` state of that layer."""
    import polars as pl

    runs = tuple(context.runs)
    cells: dict[tuple[str, str], dict[str, float | None]] = {}
    for name, run in zip(checkpoint_names(runs), runs, strict=True):
        layers = main_layers(context, run)
        for role in ("input", "output"):
            end = layer_in_role(layers, role)
            here = [address(context, run, layer) for layer in layers]
            column = (
                compare(context, here, [address(context, run, end)])[:, 0] if end else np.full(len(layers), np.nan)
            )
            for layer, value in zip(layers, column, strict=True):
                cells.setdefault((name, layer.name), {})[role] = number(value)
    _add_final(context, runs, cells)
    schema = {"checkpoint": pl.String, "layer": pl.String, **dict.fromkeys(VIEWS, pl.Float64)}
    return pl.DataFrame(
        [{"checkpoint": n, "layer": layer, **cell} for (n, layer), cell in cells.items()], schema=schema
    )


def _add_final(
    context: ReportContext, runs: tuple[RunRecord, ...], cells: dict[tuple[str, str], dict[str, float | None]]
) -> None:
    """Add each layer's similarity to itself in the last checkpoint."""
    for final in main_layers(context, runs[-1]):
        there = [(n, r) for n, r in zip(checkpoint_names(runs), runs, strict=True) if (n, final.name) in cells]
        rows = [LayerAddress(run.id, final.name, shown_transform(context, run)) for _, run in there]
        column = compare(context, rows, [address(context, runs[-1], final)])[:, 0]
        for (name, _), value in zip(there, column, strict=True):
            cells[name, final.name]["final"] = number(value)


def query_accuracy(context: ReportContext) -> pl.DataFrame:
    """`checkpoint`, `series` (top-1 or top-5) and `value`, for the runs whose accuracy is known."""
    import polars as pl

    runs = tuple(context.runs)
    rows = [
        (name, series, value)
        for name, run in zip(checkpoint_names(runs), runs, strict=True)
        if run.accuracy is not None
        for series, value in (("top-1", run.accuracy.top1), ("top-5", run.accuracy.top5))
    ]
    return pl.DataFrame(
        rows, schema={"checkpoint": pl.String, "series": pl.String, "value": pl.Float64}, orient="row"
    )


def _checkpoint_axis(names: list[str]) -> Any:
    import altair as alt

    axis = alt.Axis(
        labelAngle=-45, grid=False, ticks=False, domain=False, labelLimit=130, labelOverlap=len(names) > 32
    )
    return alt.X("checkpoint:N", title="checkpoint", scale=alt.Scale(domain=names), axis=axis)


def draw_training(frame: pl.DataFrame, view: str, scale: Scale) -> Any:
    """One view of the training: layers down, checkpoints across, similarity as colour."""
    import altair as alt

    layers = frame["layer"].unique(maintain_order=True).to_list()
    steps = frame["checkpoint"].unique(maintain_order=True).to_list()
    axis = {"ticks": False, "domain": False, "grid": False, "labelLimit": 130}
    base = alt.Chart(drawing.inline(frame.drop_nulls(view))).encode(
        x=_checkpoint_axis(steps),
        y=alt.Y("layer:N", title=None, scale=alt.Scale(domain=layers), axis=alt.Axis(labelOverlap=False, **axis)),
        tooltip=["checkpoint:N", "layer:N", alt.Tooltip(f"{view}:Q", title=scale.noun, format=".3f")],
    )
    bounds = scale.bounds(frame[view].drop_nulls())
    cells = base.mark_rect().encode(color=drawing.measure_colour(bounds, scale.axis(), view))
    ink = drawing.ink(bounds, view)
    words = base.mark_text(fontSize=9).encode(text=alt.Text(f"{view}:Q", format=".2f"), color=ink)
    meta = {"layerwise": {"cells": len(steps), "labels": drawing.label_room(layers)}}
    return (cells + words).properties(width="container", height=24 * len(layers), usermeta=meta)


def draw_accuracy(frame: pl.DataFrame) -> Any:
    """Accuracy at each checkpoint."""
    import altair as alt

    steps = frame["checkpoint"].unique(maintain_order=True).to_list()
    base = alt.Chart(drawing.inline(frame)).encode(
        x=_checkpoint_axis(steps),
        y=alt.Y("value:Q", title="accuracy", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
        color=drawing.series_colour(("top-1", "top-5")),
        tooltip=["checkpoint:N", alt.Tooltip("series:N", title="measure"), alt.Tooltip("value:Q", format=".1%")],
    )
    lines = base.mark_line(strokeWidth=2.5) + base.mark_point(filled=True, size=55, opacity=1)
    return lines.properties(width="container", height=220)


class Checkpoints(SectionBuilder):
    """How the structure of the layers comes about."""

    name = "checkpoints"
    description = "similarity to input, output and final state over the checkpoints of a training, and accuracy"
    position: ClassVar[int] = 15

    def applies(self, context: ReportContext) -> bool:
        """Whether there is something to show."""
        return is_training(tuple(context.runs))

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        frame, accuracy = query_training(context), query_accuracy(context)
        method = f"{comparator_words(context)}; {context.runs[0].n_stimuli} stimuli; {len(context.runs)} checkpoints."
        figures = []
        if len(accuracy):
            caption = (
                "Share of the labelled stimuli whose label comes first, or among the first five, at each checkpoint."
            )
            method_here = "Predictions on the analysed stimuli."
            figures.append(
                Figure("accuracy", "Accuracy over training", Chart(draw_accuracy(accuracy)), caption, method_here)
            )
        for view, (title, reference) in VIEWS.items():
            if frame[view].count():
                caption = f"Each row is a layer, each column a checkpoint; colour is the similarity to {reference}."
                figures.append(
                    Figure(
                        f"training-{view}",
                        title,
                        Chart(draw_training(frame, view, find_scale(context))),
                        caption,
                        method,
                    )
                )
        introduction = "The same layers on the same stimuli, while the network learns."
        return ReportSection("Over training", tuple(figures), introduction)

    def figures(self) -> Sequence[NamedFigure]:
        """What `layerwise figure` draws of it."""
        return (
            chart_of_section(
                self,
                "training-final",
                name="checkpoints",
                description="how alike each layer is to what it becomes, over training",
                needs="two checkpoints of one lineage or more",
                n_runs=(2, None),
            ),
            chart_of_section(
                self,
                "training-input",
                name="checkpoints-input",
                description="how alike each layer is to the input, over training",
                needs="two checkpoints of one lineage or more",
                n_runs=(2, None),
            ),
            chart_of_section(
                self,
                "training-output",
                name="checkpoints-output",
                description="how alike each layer is to the output, over training",
                needs="two checkpoints of one lineage or more",
                n_runs=(2, None),
            ),
            chart_of_section(
                self,
                "accuracy",
                name="accuracy",
                description="accuracy over training",
                needs="two checkpoints of one lineage or more",
                n_runs=(2, None),
                uses_layers=False,
            ),
        )

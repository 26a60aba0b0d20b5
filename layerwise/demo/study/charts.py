"""How a study is drawn: conditions over training and along the layers, with intervals over seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from layerwise.demo.study.answers import estimate
from layerwise.demo.study.carrying_out import of_condition
from layerwise.report import drawing

if TYPE_CHECKING:
    import polars as pl

    from layerwise.demo.study.plan import Study
    from layerwise.demo.study.training import Moment, Training


def over_training(study: Study, trainings: Sequence[Training], of: Callable[[Moment], float]) -> pl.DataFrame:
    """A number over the epochs: `series` (the condition), `epoch`, `value`, `low`, `high`."""
    rows = []
    for condition in study.conditions:
        done = of_condition(trainings, condition.name)
        for epoch in range(study.n_epochs + 1):
            found = estimate([of(training.moments[epoch]) for training in done])
            rows.append((condition.name, epoch, found.mean, found.low, found.high))
    return _frame(rows, "epoch")


def along_layers(study: Study, trainings: Sequence[Training], which: str) -> pl.DataFrame:
    """The steps of the first or last moment: `series`, `layer` (where the step ends), `value`, `low`, `high`."""
    rows = []
    for condition in study.conditions:
        done = of_condition(trainings, condition.name)
        for place, layer in enumerate(done[0].layers[1:]):
            found = estimate([getattr(training, which).steps[place] for training in done])
            rows.append((condition.name, layer, found.mean, found.low, found.high))
    return _frame(rows, "layer")


def _frame(rows: list[tuple[Any, ...]], across: str) -> pl.DataFrame:
    import polars as pl

    frame = pl.DataFrame(
        rows, schema={"series": pl.String, across: None, "value": float, "low": float, "high": float}, orient="row"
    )
    ends = ("value", "low", "high")
    return frame.with_columns(pl.when(pl.col(end).is_finite()).then(pl.col(end)).alias(end) for end in ends)


def draw_curves(study: Study, frame: pl.DataFrame, title: str, domain: tuple[float, float] | None = None) -> Any:
    """Curves with bands, one a condition, over the epochs or along the layers."""
    import altair as alt

    across = frame.columns[1]
    names = [condition.name for condition in study.conditions]
    if across == "layer":
        x = drawing.layer_axis(frame["layer"].unique(maintain_order=True).to_list(), "step to")
    else:
        x = alt.X("epoch:Q", title="epoch", axis=alt.Axis(format="d", values=list(range(study.n_epochs + 1))))
    scale = alt.Scale(domain=domain, clamp=True) if domain else alt.Scale(zero=False)
    y = alt.Y("value:Q", title=title, scale=scale)
    base = alt.Chart(drawing.inline(frame)).encode(x=x, color=drawing.series_colour(names))
    shown = [alt.Tooltip("series:N", title="condition"), f"{across}:{'N' if across == 'layer' else 'Q'}"]
    tooltips = [*shown, alt.Tooltip("value:Q", title=title, format=".3f"), *drawing.interval_tooltips(frame)]
    lines = base.encode(y=y, tooltip=tooltips)
    drawn = lines.mark_line(strokeWidth=2.5) + lines.mark_point(filled=True, size=50, opacity=1)
    if frame["low"].count():
        band = base.mark_area(opacity=0.15, tooltip=None).encode(
            y=alt.Y("low:Q", title=title, scale=scale), y2="high:Q"
        )
        drawn = band + drawn
    return drawn.properties(width="container", height=260)


def mean_of(name: str) -> Callable[[Moment], float]:
    """The mean over hidden layers, or over weight tensors, of one statistic."""
    return lambda moment: float(np.nanmean((moment.statistics | moment.weights)[name]))

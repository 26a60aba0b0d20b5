"""How a study is drawn: conditions over training and along the layers, with intervals over seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from layerwise.demo.study.answers import estimate
from layerwise.demo.study.carrying_out import of_condition
from layerwise.demo.study.training import PROBABILITIES
from layerwise.report import drawing

if TYPE_CHECKING:
    import polars as pl

    from layerwise.demo.study.plan import Study
    from layerwise.demo.study.training import Moment, Training

QUANTILES = tuple(f"{100 * probability:g} percent" for probability in PROBABILITIES)
"""Names of the quantiles of weights, from the least on."""


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


def weights_over_training(study: Study, trainings: Sequence[Training], condition: str) -> pl.DataFrame:
    """Quantiles of each weight tensor over the epochs, means over seeds: `tensor`, `epoch`, and one a probability."""
    import polars as pl

    done = of_condition(trainings, condition)
    rows = [
        (tensor, epoch, *np.mean([training.moments[epoch].quantiles[tensor] for training in done], axis=0))
        for tensor in done[0].last.quantiles
        for epoch in range(study.n_epochs + 1)
    ]
    schema = {"tensor": pl.String, "epoch": pl.Int64, **dict.fromkeys(QUANTILES, pl.Float64)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def draw_weights(frame: pl.DataFrame) -> Any:
    """How the weights of each tensor spread over training: the median, and bands that hold half, 90 and 98 %."""
    import altair as alt

    epochs = frame["epoch"].unique().sort().to_list()
    x = alt.X("epoch:Q", title="epoch", axis=alt.Axis(format="d", values=epochs))
    base = alt.Chart().encode(x=x)
    low_1, low_5, low_25, median, high_75, high_95, high_99 = QUANTILES
    title, scale = "weight", alt.Scale(zero=False)
    bands = [
        base.mark_area(opacity=0.2).encode(y=alt.Y(f"{low}:Q", title=title, scale=scale), y2=f"{high}:Q")
        for low, high in ((low_1, high_99), (low_5, high_95), (low_25, high_75))
    ]
    tooltips = ["tensor:N", "epoch:Q", *(alt.Tooltip(f"{name}:Q", format=".3f") for name in QUANTILES)]
    line = base.mark_line(strokeWidth=2).encode(y=alt.Y(f"{median}:Q", title=title, scale=scale), tooltip=tooltips)
    names = frame["tensor"].unique(maintain_order=True).to_list()
    drawn = alt.layer(*bands, line, data=drawing.inline(frame)).properties(width=190, height=130)
    facet = alt.Facet("tensor:N", sort=names, title=None, header=alt.Header(labelLimit=190))
    return drawn.facet(facet, columns=4).resolve_scale(y="independent")


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

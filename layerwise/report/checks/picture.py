"""A picture of a check: how far every layer moved, and what became of the pairs of stimuli of one of them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from layerwise.core.analysis.checking.check_run import Check, LayerCheck
from layerwise.core.analysis.checking.same_stimuli import align_with_baseline
from layerwise.core.analysis.measure import compute_metric, find_default_metric
from layerwise.core.base.errors import InputError
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress
from layerwise.core.host.kinds import Metric
from layerwise.core.host.registry import Registry
from layerwise.report.drawing import ACCENT, QUIET, SECOND

if TYPE_CHECKING:
    from altair.typing import ChartType

_COLOURS = {"pass": ACCENT, "fail": SECOND, "undecided": "#e69f00", "skipped": QUIET}
_WIDE, _PANEL, _ROW = 420, 130, 13
_N_SHOWN = 128  # stimuli of a matrix: more are not told apart at this size


def choose_shown(check: Check) -> LayerCheck:
    """The layer that is drawn: the first that broke, otherwise the one that moved most."""
    if check.broken is not None:
        return check.broken
    return max(check.layers, key=lambda item: -1.0 if item.change is None else item.change)


def draw_check(check: Check, registry: Registry, history: HistoryProtocol) -> ChartType:
    """All layers with their intervals and the margin; below it one layer's matrix before, now, and the difference.

    Args:
        check: What came out.
        registry: Knows the metrics.
        history: Where both runs are, as `check_run` was given it.
    """
    import altair as alt

    parts: list[Any] = [_draw_layers(check)]
    shown = choose_shown(check)
    with contextlib.suppress(InputError):  # a layer that is missing or has no matrix: the first half says so
        parts.append(_draw_matrices(check, shown, registry, history))
    return alt.vconcat(*parts, spacing=24)


def _draw_layers(check: Check) -> ChartType:
    import altair as alt

    rows = [
        {
            "layer": item.layer,
            "verdict": item.verdict,
            "value": item.value,
            "low": item.low if item.low is not None else item.value,
            "high": item.high if item.high is not None else item.value,
        }
        for item in check.layers
    ]
    data = alt.Data(values=rows)
    names = [item.layer for item in check.layers]
    y = alt.Y("layer:N", sort=names, title=None)
    present = [verdict for verdict in _COLOURS if any(row["verdict"] == verdict for row in rows)]
    colour = alt.Color("verdict:N", scale=alt.Scale(domain=present, range=[_COLOURS[one] for one in present]))
    axis = alt.Scale(zero=False)
    bars = alt.Chart(data).mark_rule().encode(y=y, x=alt.X("low:Q", scale=axis), x2="high:Q", color=colour)
    title = f"{check.measure.name} with the baseline"
    dots = alt.Chart(data).mark_point(filled=True, size=28, opacity=1)
    dots = dots.encode(y=y, x=alt.X("value:Q", title=title, scale=axis), color=colour)
    expected = [item.expected for item in check.layers if item.expected is not None]
    sign = -1 if check.measure.kind == "similarity" else 1
    limits = alt.Data(values=[{"limit": float(np.median(expected)) + sign * check.plan.margin}])
    margin = alt.Chart(limits).mark_rule(strokeDash=[4, 3], color=QUIET).encode(x="limit:Q")
    height = max(60, _ROW * len(rows))
    return alt.layer(margin, bars, dots).properties(width=_WIDE, height=height, title="All layers")


def _draw_matrices(check: Check, shown: LayerCheck, registry: Registry, history: HistoryProtocol) -> ChartType:
    import altair as alt

    shared, _ = align_with_baseline(history, check.baseline, check.run)
    metric = check.measure.metric or find_default_metric(registry, check.measure.comparator)
    metric = metric or registry.get(Metric, "layerwise:pearson")
    before, now = (
        compute_metric(metric, shared.read_representation(LayerAddress(run.id, shown.layer, check.plan.transform)))[
            :_N_SHOWN, :_N_SHOWN
        ]
        for run in (check.baseline, check.run)
    )
    ends = [float(end) for end in np.nanquantile(np.concatenate([before, now]), [0.0, 1.0])]
    reach = float(np.nanmax(np.abs(now - before))) or 1.0
    own = alt.Scale(scheme="viridis", domain=ends)
    apart = alt.Scale(scheme="blueorange", domain=[-reach, reach])
    panels = [
        _draw_matrix(before, f"{shown.layer}: baseline", own, metric.name),
        _draw_matrix(now, "now", own, metric.name),
        _draw_matrix(now - before, "difference", apart, "difference"),
    ]
    return alt.hconcat(*panels).resolve_scale(color="independent")


def _draw_matrix(matrix: Any, title: str, scale: Any, name: str) -> ChartType:
    import altair as alt

    rows, columns = np.indices(matrix.shape).reshape(2, -1)
    values = [
        {"row": int(row), "column": int(column), "value": None if np.isnan(value) else float(value)}
        for row, column, value in zip(rows, columns, matrix.ravel(), strict=True)
    ]
    plain = alt.Axis(labels=False, ticks=False, domain=False)
    chart = alt.Chart(alt.Data(values=values)).mark_rect()
    return chart.encode(
        x=alt.X("column:O", title="stimulus", axis=plain),
        y=alt.Y("row:O", title="stimulus", axis=plain),
        color=alt.Color("value:Q", scale=scale, title=name, legend=alt.Legend(orient="bottom")),
    ).properties(width=_PANEL, height=_PANEL, title=title)

"""When layers settle: the figure that says whether a network converges from the bottom up."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from layerwise.core.analysis.measure import Measure
from layerwise.core.analysis.training.checkpoints import TrainingQuestion, make_training
from layerwise.core.analysis.training.settling import Settling, ask_settling
from layerwise.core.base.errors import InputError
from layerwise.plugins.sections.training.queries import Training
from layerwise.report import drawing
from layerwise.report.content import Finding, ReportContext
from layerwise.report.queries import chosen_measure, main_layers, plan_bands, shown_transform

if TYPE_CHECKING:
    import polars as pl

N_DRAWN_MOST = 400  # layers times checkpoints that are resampled without being asked to
STATES = ("settled", "still changing at the end")
ROW = 24


def ask(context: ReportContext, training: Training) -> TrainingQuestion:
    """The question that a report asks about a training: the chosen measure, of the main layers."""
    last = training.runs[-1]
    return TrainingQuestion(
        context.registry,
        context.history,
        make_training(last.lineage or last.model.title, training.runs),
        chosen_measure(context),
        tuple(main_layers(context, last)),
        shown_transform(context, last),
    )


def query_settling(context: ReportContext, training: Training) -> Settling | None:
    """When each main layer settled; None where the measure has no largest value, so that no bound is known."""
    question = ask(context, training)

    def find() -> Settling | None:
        plan = plan_bands(context, question.measure)
        if context.choice.n_resamples is None and len(question.layers) * len(training.runs) > N_DRAWN_MOST:
            plan = None
        try:
            return ask_settling(question, plan=plan)
        except InputError:
            return None

    return context.once(("settling", *(run.id for run in training.runs)), find)


def settling_frame(settling: Settling, training: Training) -> pl.DataFrame:
    """A row a layer: `layer`, `checkpoint` at which it settled, `low` and `high` (or None), and its `state`."""
    import polars as pl

    names = dict(zip(settling.training.steps, training.names, strict=True))
    rows = [
        (
            one.layer,
            training.names[one.index],
            None if one.low is None else names[one.low],
            None if one.high is None else names[one.high],
            STATES[one.is_last],
        )
        for one in settling.settled
    ]
    schema = dict.fromkeys(("layer", "checkpoint", "low", "high", "state"), pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row")


def draw_settling(frame: pl.DataFrame, names: tuple[str, ...]) -> Any:
    """Layers down, checkpoints across: a point where each settled, and a bar for its interval."""
    import altair as alt

    layers = frame["layer"].to_list()
    axis = {"grid": False, "ticks": False, "domain": False, "labelLimit": 130}
    across = alt.Axis(labelAngle=-45, labelOverlap=len(names) > 32, **axis | {"grid": True})
    where = {
        "y": alt.Y("layer:N", title=None, scale=alt.Scale(domain=layers), axis=alt.Axis(labelOverlap=False, **axis)),
    }
    base = alt.Chart(drawing.inline(frame)).encode(**where)
    scale = alt.Scale(domain=list(names), padding=0.5)
    colour = alt.Color(
        "state:N",
        scale=alt.Scale(domain=list(STATES), range=[drawing.ACCENT, drawing.QUIET]),
        legend=alt.Legend(orient="top", title=None, symbolType="circle", symbolOpacity=1),
    )
    tips = [
        "layer:N",
        alt.Tooltip("checkpoint:N", title="settled at"),
        alt.Tooltip("low:N", title="interval from"),
        alt.Tooltip("high:N", title="to"),
    ]
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=alt.X("checkpoint:O", title="checkpoint", scale=scale, axis=across), color=colour, tooltip=tips
    )
    bars = (
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=6, opacity=0.35, strokeCap="round", tooltip=None)
        .encode(x=alt.X("low:O", scale=scale, title="checkpoint"), x2="high:O", color=colour)
    )
    return (bars + points).properties(width="container", height=ROW * len(layers))


def describe_order(settling: Settling) -> str:
    """Whether the network settled from the bottom up, in a sentence."""
    if math.isnan(settling.order):
        return "All layers settled at once, or there are fewer than three, so that there is no order."
    ends = settling.order_interval
    interval = "" if ends.low is None or ends.high is None else f" (95% from {ends.low:.2f} to {ends.high:.2f})"
    words = f"The rank correlation of depth with settling is {settling.order:.2f}{interval}"
    if ends.low is not None and ends.high is not None and ends.low <= 0 <= ends.high:
        return f"{words}: neither from the bottom up nor from the top down."
    way = "bottom up, early layers first" if settling.order > 0 else "top down, late layers first"
    return f"{words}: the network settles from the {way}."


def tell_settling(settling: Settling) -> Finding | None:
    """The order in which layers settled, where its interval does not hold 0."""
    ends = settling.order_interval
    if ends.low is None or ends.high is None or ends.low <= 0 <= ends.high or math.isnan(settling.order):
        return None
    way = "bottom up, early layers first" if settling.order > 0 else "top down, late layers first"
    known = f"{settling.order:.2f}, {ends.low:.2f} to {ends.high:.2f}"
    text = f"The network settles from the {way}: rank correlation of depth with when a layer settled {known}."
    return Finding(text, "settling", 0.95)


def describe_bound(settling: Settling, measure: Measure) -> str:
    """What counts as settled, as a sentence."""
    side = "at least" if settling.bound.kind == "similarity" else "at most"
    value = f"{settling.bound.value:.3g}"
    return f"A layer has settled where its {measure.kind} to its own final state stays {side} {value} from then on."

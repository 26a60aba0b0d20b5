"""Asking for a figure: the runs in their order, the measure checked, the layers chosen, then the section drawn."""

from __future__ import annotations

from collections.abc import Sequence

from layerwise.core.base.errors import InputError
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import RunRecord
from layerwise.core.host.registry import Registry
from layerwise.report.by_name import choose_main, draw_figure
from layerwise.report.content import Choice, Figure, ReportContext
from layerwise.report.page import in_order
from layerwise.report.queries import check_choice
from layerwise.report.section import FigureOptions


def ask_figure(
    name: str,
    runs: Sequence[RunRecord],
    registry: Registry,
    history: HistoryProtocol,
    *,
    choice: Choice = Choice(),  # noqa: B008 - frozen
    options: FigureOptions = FigureOptions(),  # noqa: B008 - frozen
) -> Figure:
    """The figure of this name, of these runs.

    Args:
        name: A named figure, `distribution:name`, or `SECTION/FIGURE`.
        runs: At least one; checkpoints of one training are shown in the order of their steps.
        registry: Where sections, comparators, metrics, reorderers and selectors come from.
        history: Where results are read; comparisons and orderings that are new are kept there.
        choice: How layers are compared.
        options: What else is asked of the figure; its `layers` choose the layers that are shown.

    Raises:
        InputError: If there is no such figure, layer, measure or transform, or it takes other runs.
        LayerwiseError: If there is nothing to show.
    """
    if not runs:
        raise InputError("a figure needs at least one run")
    context = ReportContext(in_order(runs), history, registry, choice)
    check_choice(context)
    return draw_figure(name, choose_main(context, options.layers) if options.layers else context, options)

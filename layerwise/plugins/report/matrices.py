"""Section: each layer's stimulus x stimulus matrix, in the order of a layer chosen in the page.

A matrix is sent to the page once, as one byte for each pair of stimuli; the page orders and colours it. So every
layer can be looked at in every order at its full resolution, and still fits into a file that can be mailed.
"""

from __future__ import annotations

import io
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from layerwise.core.errors import LayerwiseError
from layerwise.core.kinds import SectionBuilder
from layerwise.core.layers import Layer
from layerwise.core.ordering import order_stimuli
from layerwise.core.records import RunRecord, StimulusRecord
from layerwise.core.report import (
    CodedMatrix,
    Figure,
    MatrixBrowser,
    ReportContext,
    ReportSection,
    StimulusOrder,
)
from layerwise.plugins.report.queries import address, featured_runs, layer_in_role, shown_transform, title_for

N_PAIRS_MOST = 8_000_000  # bytes of all matrices of a page together, before they are compressed
UNDEFINED_CODE = 255
THUMBNAIL_SIDE = 72
REORDERER = "average-linkage"


def code_correlations(correlation: NDArray[np.floating]) -> bytes:
    """The strict upper triangle of a correlation matrix, (n, n), as one byte for each pair.

    A correlation r becomes round(127 r) + 127, so that 0 is exact and the step is 1/127; NaN becomes 255.
    """
    values = correlation[np.triu_indices(len(correlation), 1)].astype(np.float64)
    codes = np.rint(127 * np.clip(np.nan_to_num(values), -1, 1)) + 127
    codes[np.isnan(values)] = UNDEFINED_CODE
    return codes.astype(np.uint8).tobytes()


def choose_stimuli(n_stimuli: int, n_matrices: int, order: tuple[int, ...]) -> NDArray[np.intp]:
    """Positions of the stimuli that are shown: all, or as many evenly spaced in `order` as fit into the page."""
    most = int((1 + np.sqrt(1 + 8 * N_PAIRS_MOST / max(1, n_matrices))) / 2)
    if n_stimuli <= most:
        return np.arange(n_stimuli)
    spaced = np.linspace(0, n_stimuli - 1, most).round().astype(np.intp)
    return np.sort(np.asarray(order, dtype=np.intp)[spaced])


def query_orders(context: ReportContext, run: RunRecord) -> list[StimulusOrder]:
    """The orders that the page offers: by input, by output, those kept in history, by label, and the set's own."""
    layers = context.history.list_layers(run.id)
    found: dict[str, tuple[int, ...]] = {}
    for role in ("input", "output"):
        end = layer_in_role(layers, role)
        try:
            if end is not None:
                found[role] = _order_by(context, run, end)
        except LayerwiseError:
            continue  # too few stimuli, or constant ones only: the other orders can still be shown
    for ordering in context.history.read_orderings(run.id):
        layer = next((layer for layer in layers if layer.name == ordering.address.layer), None)
        if layer is not None and layer.role not in found:
            found.setdefault(layer.name, ordering.permutation)
    labels = [stimulus.label for stimulus in context.history.list_stimuli(run.id)]
    if all(label is not None for label in labels) and len(set(labels)) > 1:
        found["label"] = tuple(sorted(range(len(labels)), key=lambda index: (str(labels[index]), index)))
    found["order of the set"] = tuple(range(run.n_stimuli))
    return [StimulusOrder(name, permutation) for name, permutation in found.items()]


def _order_by(context: ReportContext, run: RunRecord, layer: Layer) -> tuple[int, ...]:
    ordering = order_stimuli(
        context.registry, context.history, run, layer.name, REORDERER, shown_transform(context, run)
    )
    return ordering.permutation


def shrink(thumbnail: bytes, side: int = THUMBNAIL_SIDE) -> bytes:
    """A picture as a JPEG of at most `side` pixels; as it is, where it cannot be read."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(thumbnail)) as opened:
            small = opened.convert("RGB")
    except (OSError, ValueError):
        return thumbnail
    small.thumbnail((side, side))
    written = io.BytesIO()
    small.save(written, "JPEG", quality=70)
    return written.getvalue()


def query_matrices(context: ReportContext, run: RunRecord, n_runs: int) -> MatrixBrowser:
    """The matrices of all layers of a run, those of `main` first, with the orders they can be seen in."""
    history = context.history
    layers = sorted(history.list_layers(run.id), key=lambda layer: not layer.is_main)
    orders = query_orders(context, run)
    chosen = choose_stimuli(run.n_stimuli, n_runs * len(layers), orders[0].permutation)
    coded = []
    for layer in layers:
        representation = history.read_representation(address(context, run, layer))
        correlation = representation.correlation[np.ix_(chosen, chosen)]
        lost = tuple(int(index) for index in np.flatnonzero(np.isin(chosen, representation.constant)))
        group = "Main layers" if layer.is_main else "Branches" if layer.branch else "Other layers"
        coded.append(CodedMatrix(layer.name, group, code_correlations(correlation), lost))
    stimuli: list[StimulusRecord] = [history.list_stimuli(run.id)[index] for index in chosen]
    pictured = all(stimulus.thumbnail for stimulus in stimuli)  # those known by name alone have no pictures
    return MatrixBrowser(
        tuple(coded),
        tuple(_restrict(order, chosen) for order in orders),
        tuple(stimulus.name for stimulus in stimuli),
        tuple(shrink(stimulus.thumbnail) for stimulus in stimuli) if pictured else (),
    )


def _restrict(order: StimulusOrder, chosen: NDArray[np.intp]) -> StimulusOrder:
    place = {int(position): index for index, position in enumerate(chosen)}
    return StimulusOrder(order.name, tuple(place[p] for p in order.permutation if p in place))


class Matrices(SectionBuilder):
    """What each layer finds alike."""

    name = "matrices"
    description = "each layer's stimulus x stimulus correlation matrix, in several orders"
    position: ClassVar[int] = 50

    def applies(self, context: ReportContext) -> bool:
        """Whether there is something to show."""
        return any(context.history.list_layers(run.id) for run in featured_runs(context))

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        runs = featured_runs(context)
        figures = tuple(self._figure(context, run, len(runs)) for run in runs)
        introduction = (
            "Which stimuli does a layer find alike? Order the stimuli by what the input finds alike, and watch its "
            "blocks dissolve from layer to layer; order them by the output, and watch its blocks appear."
        )
        return ReportSection("Stimulus by stimulus", figures, introduction)

    def _figure(self, context: ReportContext, run: RunRecord, n_runs: int) -> Figure:
        browser = query_matrices(context, run, n_runs)
        n_shown = len(browser.stimuli)
        part = "all" if n_shown == run.n_stimuli else f"{n_shown} stimuli, evenly spaced, of"
        lost = any(matrix.undefined for matrix in browser.matrices)
        grey = (
            " Grey rows belong to stimuli with constant activations, whose correlations are undefined."
            if lost
            else ""
        )
        return Figure(
            f"matrices-{run.id}",
            title_for(context, run, "Similarity between stimuli, layer by layer"),
            browser,
            "Each dot is a pair of stimuli: red where the layer's activations correlate, blue where they are "
            f"opposed, white where they are unrelated. Point at the large matrix to see the pair.{grey}",
            f"Pearson correlation between activation vectors, shown to 1/127; {part} {run.n_stimuli} stimuli. Orders "
            "by a layer: average linkage on its correlations with optimal leaf ordering.",
            "Stimulus by stimulus correlation matrices of each layer.",
        )

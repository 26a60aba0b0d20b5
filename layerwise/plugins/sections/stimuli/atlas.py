"""What the figures about single stimuli share: matrices as bytes, orders, names and pictures, queried once."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.measure import find_default_metric
from layerwise.core.analysis.order import order_stimuli
from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.history.records import Prediction, RunRecord
from layerwise.core.host.kinds import Metric, Reorderer
from layerwise.core.host.registry import Registered
from layerwise.core.host.validation import check_metric
from layerwise.core.network.class_words import label_classes
from layerwise.core.network.layers import Layer
from layerwise.core.network.matrices.derived import take_from
from layerwise.core.network.representation import NO_TRANSFORM, strict_upper
from layerwise.plugins.sections.stimuli.coding import code_values
from layerwise.report.atlas import CodedMatrix, PairMeasure, ShownStimulus, StimulusAtlas, StimulusOrder
from layerwise.report.content import ReportContext
from layerwise.report.queries import (
    address,
    chosen_measure,
    featured_runs,
    layer_in_role,
    main_layers,
    run_label,
    shown_transform,
)

N_PAIRS_MOST = 8_000_000  # bytes of all matrices of a page together, before they are compressed
N_STIMULI_ORDERED = 700  # of so many stimuli an order for each main layer is found in a few seconds
N_STIMULI_MOST = 2000  # of so many an order by input and by output
N_UNKNOWN_CLASSES = 10**9
N_PICTURE_BYTES = 1_600_000  # of all pictures together
SMALL_SIDE = 48
REORDERER = "layerwise:average-linkage"
PLAIN_METRIC = "layerwise:pearson"
SET_ORDER = "order of the set"


def shown_metric(context: ReportContext) -> Registered[Metric]:
    """The metric whose matrices are shown: that of the chosen comparator, Pearson correlation where it has none."""
    measure = chosen_measure(context)
    if measure.metric is not None:
        return measure.metric
    own = find_default_metric(context.registry, measure.comparator)
    return own or context.registry.get(Metric, PLAIN_METRIC)


def pair_measure(metric: Registered[Metric]) -> PairMeasure:
    """What a metric says of its values."""
    offer = metric.offer
    return PairMeasure(
        offer.name,
        offer.description,
        offer.kind,
        offer.symbol,
        offer.unit,
        offer.value_range,
        f"{metric.qualified_name} {metric.version}",
    )


def matrix_transform(context: ReportContext, run: RunRecord) -> str:
    """The transform whose representations the matrices are of: the metric's, else what the report shows."""
    needed = shown_metric(context).offer.needs_transform
    return shown_transform(context, run) if needed == NO_TRANSFORM else needed


def layers_shown(context: ReportContext, run: RunRecord) -> list[Layer]:
    """All layers of a run, those of `main` first, either in order of computation."""
    main = {layer.name for layer in main_layers(context, run)}
    return sorted(context.history.list_layers(run.id), key=lambda layer: layer.name not in main)


def choose_stimuli(n_stimuli: int, n_matrices: int, order: tuple[int, ...]) -> NDArray[np.intp]:
    """Positions of the stimuli that are shown: all, or as many evenly spaced in `order` as fit into the page."""
    most = int((1 + np.sqrt(1 + 8 * N_PAIRS_MOST / max(1, n_matrices))) / 2)
    if n_stimuli <= most:
        return np.arange(n_stimuli)
    spaced = np.linspace(0, n_stimuli - 1, most).round().astype(np.intp)
    return np.sort(np.asarray(order, dtype=np.intp)[spaced])


def read_matrices(context: ReportContext, run: RunRecord) -> list[tuple[Layer, NDArray[np.float32]]]:
    """Each layer with its matrix under the shown metric, (n, n) of the stimuli that are shown; read once."""
    return context.once(("matrices", run.id), lambda: list(_read_matrices(context, run)))


def _read_matrices(context: ReportContext, run: RunRecord) -> Iterator[tuple[Layer, NDArray[np.float32]]]:
    chosen = chosen_stimuli(context, run)
    metric = shown_metric(context)
    transform = matrix_transform(context, run)
    layers = layers_shown(context, run)
    places = [replace(address(context, run, layer), transform=transform) for layer in layers]
    for layer, opened in zip(layers, context.history.open_layers(places), strict=True):
        representation = take_from(opened, chosen)
        matrix = metric.call(metric.offer.compute, representation)
        yield layer, check_metric(metric, matrix, len(chosen), representation.constant).astype(np.float32)


def query_orders(context: ReportContext, run: RunRecord) -> list[StimulusOrder]:
    """The orders that the page offers: by input, by output, by label, the set's own, and by every main layer.

    Orders by a layer are those of the average-linkage reorderer on the shown metric's matrix; those that were kept in
    history by another one come besides. Where there are many stimuli, only input and output are ordered by; where
    there are very many, not even these.
    """
    layers = context.history.list_layers(run.id)
    ends = [layer for role in ("input", "output") if (layer := layer_in_role(layers, role)) is not None]
    quick = ends if run.n_stimuli <= N_STIMULI_MOST else []
    found = [order for layer in quick if (order := _order_by(context, run, layer, layer.role)) is not None]
    labels = [stimulus.label for stimulus in context.history.list_stimuli(run.id)]
    if all(label is not None for label in labels) and len(set(labels)) > 1:
        by_label = sorted(range(len(labels)), key=lambda index: (str(labels[index]), index))
        found.append(StimulusOrder("label", tuple(by_label), layer=False))
    found.append(StimulusOrder(SET_ORDER, tuple(range(run.n_stimuli)), layer=False))
    if run.n_stimuli <= N_STIMULI_ORDERED:
        inner = [layer for layer in main_layers(context, run) if layer not in ends]
        found += [order for layer in inner if (order := _order_by(context, run, layer, layer.name)) is not None]
    return found + _kept_orders(context, run, found)


def _order_by(context: ReportContext, run: RunRecord, layer: Layer, name: str) -> StimulusOrder | None:
    metric = shown_metric(context)
    wanted = None if metric.qualified_name == PLAIN_METRIC else metric.qualified_name
    transform = matrix_transform(context, run)
    try:
        found = order_stimuli(context.registry, context.history, run, layer.name, REORDERER, transform, metric=wanted)
    except InputError:
        return None  # too few stimuli, or constant ones only: the other orders can still be shown
    except PluginError as error:  # likewise, but nobody would know why an order is missing
        line = f"{error}; the stimuli are shown without the orders that it would give"
        context.once(("order failed", line), lambda: context.registry.caller.warn(line))
        return None
    return StimulusOrder(name, found.permutation)


def _kept_orders(context: ReportContext, run: RunRecord, found: Sequence[StimulusOrder]) -> list[StimulusOrder]:
    """Orders in history that are not among those found; by the name of the layer, and the reorderer if need be.

    What an earlier revision of an installed reorderer ordered is passed over, as it is everywhere else.
    """
    known, names = {order.permutation for order in found}, {order.name for order in found}
    revisions = {offer.qualified_name: offer.offer.revision for offer in context.registry.all(Reorderer)}
    kept: list[StimulusOrder] = []
    for stored in context.history.read_orderings(run.id):
        if stored.permutation in known or len(stored.permutation) != run.n_stimuli:
            continue
        if revisions.get(stored.reorderer.name, stored.reorderer.revision) != stored.reorderer.revision:
            continue
        name = stored.address.layer
        if name in names:
            name = f"{name} ({stored.reorderer.name.partition(':')[2] or stored.reorderer.name})"
        if name in names:
            name = f"{name} {len(kept) + 1}"
        known.add(stored.permutation)
        names.add(name)
        kept.append(StimulusOrder(name, stored.permutation))
    return kept


def describe_stimuli(context: ReportContext, run: RunRecord) -> list[ShownStimulus]:
    """The stimuli of a run, each with its label in words and with the model's answer, where they are known."""
    listed = context.history.list_stimuli(run.id)
    first = {found.position: found for found in context.history.read_predictions(run.id) if found.rank == 1}
    n_classes = len(run.model.class_names) or N_UNKNOWN_CLASSES
    classes = label_classes([stimulus.label for stimulus in listed], run.model, n_classes)
    described = []
    for stimulus, known in zip(listed, classes, strict=True):
        named = [run.model.class_names[index] for index in sorted(known) if index < len(run.model.class_names)]
        label = " or ".join(named) or stimulus.label or ""
        described.append(_with_answer(ShownStimulus(stimulus.name, label), first.get(stimulus.position), known))
    return described


def _with_answer(stimulus: ShownStimulus, prediction: Prediction | None, known: frozenset[int]) -> ShownStimulus:
    if prediction is None:
        return stimulus
    return replace(
        stimulus,
        answer=prediction.class_name or f"class {prediction.class_index}",
        confidence=prediction.probability,
        right=prediction.class_index in known if known else None,
    )


def shrink(thumbnail: bytes, side: int = SMALL_SIDE) -> bytes:
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


def query_atlas(context: ReportContext, run: RunRecord) -> StimulusAtlas:
    """The matrices of all layers of a run, with the stimuli and the orders they can be seen in; found once."""
    return context.once(("atlas", run.id), lambda: _query_atlas(context, run))


def chosen_stimuli(context: ReportContext, run: RunRecord) -> NDArray[np.intp]:
    """Positions of the stimuli that are shown of a run."""

    def choose() -> NDArray[np.intp]:
        n_matrices = len(featured_runs(context)) * len(context.history.list_layers(run.id))
        if run.n_landmarks is not None:  # of which alone all pairs are known
            return choose_stimuli(run.n_landmarks, n_matrices, tuple(range(run.n_landmarks)))
        return choose_stimuli(run.n_stimuli, n_matrices, _orders(context, run)[0].permutation)

    return context.once(("chosen stimuli", run.id), choose)


def _orders(context: ReportContext, run: RunRecord) -> list[StimulusOrder]:
    return context.once(("orders", run.id), lambda: query_orders(context, run))


def _query_atlas(context: ReportContext, run: RunRecord) -> StimulusAtlas:
    chosen = chosen_stimuli(context, run)
    main = {layer.name for layer in main_layers(context, run)}
    matrices = tuple(
        code_matrix(layer, matrix, "Main layers" if layer.name in main else "Branches" if layer.branch else "Others")
        for layer, matrix in read_matrices(context, run)
    )
    described = describe_stimuli(context, run)
    stimuli = context.history.list_stimuli(run.id)
    pictures = [stimuli[index].thumbnail for index in chosen]
    return StimulusAtlas(
        key=f"atlas-{run.id}",
        title=run_label(run),
        measure=pair_measure(shown_metric(context)),
        matrices=matrices,
        orders=tuple(_restrict(order, chosen) for order in _orders(context, run)),
        stimuli=tuple(described[index] for index in chosen),
        thumbnails=fit_pictures(pictures) if all(pictures) else (),
        n_stimuli=run.n_stimuli,
        n_landmarks=run.n_landmarks,
    )


def fit_pictures(pictures: Sequence[bytes]) -> tuple[bytes, ...]:
    """Pictures as they are stored; smaller where together they would take up too much of the page."""
    if sum(len(picture) for picture in pictures) <= N_PICTURE_BYTES:
        return tuple(pictures)
    return tuple(shrink(picture) for picture in pictures)


def code_matrix(layer: Layer, matrix: NDArray[np.floating], group: str) -> CodedMatrix:
    """A layer's matrix as bytes."""
    coded = code_values(strict_upper(matrix))
    diagonal = np.diagonal(matrix).astype(np.float64)
    defined = diagonal[np.isfinite(diagonal)]
    same = not defined.size or np.ptp(defined) <= 1e-5 * max(1.0, float(np.abs(defined).max()))
    written = np.nan_to_num(diagonal) if not same else defined[:1] if defined.size else np.zeros(1)
    own = tuple(float(f"{value:.6g}") for value in written)
    lost = tuple(int(index) for index in np.flatnonzero(~np.isfinite(diagonal)))
    return CodedMatrix(layer.name, group, coded.codes, coded.step, coded.offset, own, lost, layer.position)


def _restrict(order: StimulusOrder, chosen: NDArray[np.intp]) -> StimulusOrder:
    place = {int(position): index for index, position in enumerate(chosen)}
    return replace(order, permutation=tuple(place[p] for p in order.permutation if p in place))


def words_of(atlas: StimulusAtlas) -> str:
    """How the matrices were computed, and of how many stimuli."""
    n_shown = len(atlas.stimuli)
    part = "all" if n_shown == atlas.n_stimuli else f"{n_shown} stimuli, evenly spaced, of"
    if atlas.n_landmarks:
        part = f"{n_shown} stimuli, evenly spaced, of the {atlas.n_landmarks} landmarks of"
    unit = f" in {atlas.measure.unit}" if atlas.measure.unit else ""
    return f"{atlas.measure.description}{unit} ({atlas.measure.provider}); {part} {atlas.n_stimuli} stimuli."

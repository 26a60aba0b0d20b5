"""One run in Python: what its layers are, how alike they are, and pictures of it, without the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.network.representation import NO_TRANSFORM
from layerwise.notebook.labelled import LabelledMatrix, ProfileCurves, StimulusOrder
from layerwise.notebook.pictures import caption, picture

if TYPE_CHECKING:
    import polars as pl
    from altair.typing import ChartType

    from layerwise.core.analysis.choose import Chosen
    from layerwise.core.base.parameters import Setting
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.history.records import RunRecord
    from layerwise.core.host.registry import Registry
    from layerwise.notebook.comparing import Home

DEFAULT_MEASURE = "rsa-pearson"


class Run:
    """One model on one stimulus set, as it is stored.

    `lw.analyze` gives one, and `History` those of a database. Everything is answered from the history, which must
    stay open; what had to be computed is kept there. Several threads may use one run.
    """

    def __init__(self, record: RunRecord, history: Home, analyze_without: Callable[..., Run] | None = None) -> None:
        """Wrap a record; `History` and `analyze` do.

        Args:
            record: The run.
            history: Where it is stored.
            analyze_without: The same analysis again with layers silenced, where the network is still there.
        """
        self._record = record
        self._history = history
        self._analyze_without = analyze_without

    @property
    def run_id(self) -> str:
        """The id, as the command line and JSON have it."""
        return self._record.id

    @property
    def history(self) -> Home:
        """Where it is stored."""
        return self._history

    @property
    def record(self) -> RunRecord:
        """All that is known of it: model, stimuli, versions, times."""
        return self._record

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of its layers, in order of computation."""
        return tuple(layer.name for layer in self._store.list_layers(self.run_id))

    @property
    def stimuli(self) -> tuple[str, ...]:
        """Names of its stimuli, in order."""
        return tuple(stimulus.name for stimulus in self._store.list_stimuli(self.run_id))

    @property
    def labels(self) -> tuple[str | None, ...]:
        """Labels of its stimuli, in order; None where one is not known."""
        return tuple(stimulus.label for stimulus in self._store.list_stimuli(self.run_id))

    @property
    def accuracy(self) -> float | None:
        """Share of stimuli whose label is the most probable class; None where labels are not known."""
        return None if self._record.accuracy is None else self._record.accuracy.top1

    @property
    def _store(self) -> HistoryProtocol:
        return self._history.store

    @property
    def _registry(self) -> Registry:
        return self._history.registry

    def similarity(self, layer: str, metric: str = "pearson", *, transform: str = NO_TRANSFORM) -> LabelledMatrix:
        """How alike one layer finds every two stimuli.

        Args:
            layer: Name of a layer, or `input`, `logits`, `output`.
            metric: Name of a metric; `layerwise plugins --hook metrics` lists them.
            transform: The activation transform under which the layer was analysed.

        Raises:
            InputError: If there is no such layer or metric.
        """
        from layerwise.core.analysis.measure import compute_metric, find_read_address
        from layerwise.core.history.records import LayerAddress
        from layerwise.core.host.kinds import Metric
        from layerwise.core.network.layers import find_layer

        found = self._registry.get(Metric, metric)
        name = find_layer(layer, self._store.list_layers(self.run_id)).name
        address = find_read_address(found, LayerAddress(self.run_id, name, transform))
        matrix = compute_metric(found, self._store.read_representation(address))
        names = self.stimuli
        kind = found.offer.kind
        return LabelledMatrix(matrix, names, names, f"{found.name} of {name}", kind, ("stimulus", "stimulus"))

    @overload
    def compare(
        self,
        measure: str = ...,
        *,
        other: Run | str | Iterable[Run] | None = ...,
        layers: Sequence[str] | str | None = ...,
        metric: str | None = ...,
        transform: str = ...,
        partial: Sequence[str] | str = ...,
        **settings: Setting,
    ) -> LabelledMatrix: ...

    @overload
    def compare(
        self,
        measure: str,
        second: str,
        /,
        *more: str,
        other: Run | str | Iterable[Run] | None = ...,
        layers: Sequence[str] | str | None = ...,
        metric: str | None = ...,
        transform: str = ...,
        partial: Sequence[str] | str = ...,
        **settings: Setting,
    ) -> dict[str, LabelledMatrix]: ...

    def compare(  # type: ignore[misc]  # a setting may be called `measure`, and is none of ours
        self,
        measure: str = DEFAULT_MEASURE,
        *more: str,
        other: Run | str | Iterable[Run] | None = None,
        layers: Sequence[str] | str | None = None,
        metric: str | None = None,
        transform: str = NO_TRANSFORM,
        partial: Sequence[str] | str = (),
        **settings: Setting,
    ) -> LabelledMatrix | dict[str, LabelledMatrix]:
        """How alike layers are: within this run, or with something else on the same stimuli.

        Args:
            measure: Name of a comparator, `rsa-pearson` by default.
            more: Names of more; then a dictionary comes back.
            other: A run, also of another history; a layer of this run; `lineage:NAME`, or several runs, of which each
                layer is compared with its own state in each.
            layers: Selectors of the layers, such as `main`; all by default.
            metric: The metric whose matrices are compared, by comparators that compare any.
            transform: The activation transform under which layers were analysed.
            partial: Layers that are taken out of both, such as `input`; `RUN:LAYER` for one of another run.
            settings: Values of comparators' parameters.

        Raises:
            InputError: If there is no such measure, layer, run or lineage, or the stimuli are not the same.
        """
        from layerwise.core.analysis.choose import find_measures
        from layerwise.notebook.comparing import Asked, compare_with

        found = find_measures(self._registry, (measure, *more), settings, metric)
        out = (partial,) if isinstance(partial, str) else tuple(partial)
        asked = Asked(self, other, (layers,) if isinstance(layers, str) else layers, transform, out)
        tables = {one.name: compare_with(asked, one) for one in found}
        return tables if more else tables[found[0].name]

    def profile(
        self,
        measure: str = DEFAULT_MEASURE,
        *,
        layers: Sequence[str] | str | None = None,
        metric: str | None = None,
        transform: str = NO_TRANSFORM,
        end_point: str | None = None,
        **settings: Setting,
    ) -> ProfileCurves:
        """How the network turns its input's structure into its output's, layer by layer; see docs/profile.md.

        The way ends at the logits, where a softmax makes the output of them, unless `end_point` names another layer.

        Raises:
            InputError: If there are fewer than two layers, or the measure gives no steps.
        """
        from layerwise.core.analysis.measure import find_measure
        from layerwise.core.analysis.profile_run import profile_run

        found = find_measure(self._registry, measure, settings, metric)
        chosen = None if layers is None else [layer for _, layer in self._choose(layers)]
        profile = profile_run(
            self._registry, self._store, self._record, found, chosen, transform, end_point=end_point
        )
        selectors = {} if layers is None else {"layers": layers}
        options = {"comparator": measure, "settings": settings, "metric": metric, "transform": transform}
        options |= {} if end_point is None else {"end_point": end_point}
        return ProfileCurves(profile, found.name, lambda: self.figure("profile", **options, **selectors))

    def reorder(
        self,
        by: str | None = None,
        method: str = "average-linkage",
        *,
        metric: str | None = None,
        transform: str = NO_TRANSFORM,
    ) -> StimulusOrder:
        """An order of the stimuli in which those that one layer finds alike stand together.

        Args:
            by: Name of the layer, or `input`, `logits`, `output`; the input by default.
            method: Name of a reorderer; `layerwise plugins --hook reorderers` lists them.
            metric: The metric whose matrix decides.
            transform: The activation transform under which the layer was analysed.

        Raises:
            InputError: If there is no such layer or reorderer, or it needs labels that are not there.
        """
        from layerwise.core.analysis.order import order_stimuli

        found = order_stimuli(
            self._registry, self._store, self._record, by, method, transform=transform, metric=metric
        )
        layer = found.address.layer
        return StimulusOrder(
            np.array(found.permutation, dtype=np.int64),
            self.stimuli,
            f"{layer} ({method})",
            lambda: self.figure("matrices", by=layer, method=method),
        )

    def statistics(self) -> pl.DataFrame:
        """All statistics of the layers: a line for each, with its unit and the reason where there is no value."""
        import polars as pl

        rows = self._store.read_statistics(self.run_id)
        return pl.DataFrame(
            {
                "layer": [row.layer for row in rows],
                "transform": [row.transform for row in rows],
                "statistic": [row.result.name for row in rows],
                "value": [row.result.value for row in rows],
                "reason": [row.result.reason for row in rows],
            },
            schema_overrides={"value": pl.Float64},
        )

    def predictions(self) -> pl.DataFrame:
        """The most probable classes of each stimulus, with its label where that is known; empty of no classifier."""
        import polars as pl

        listed = self._store.list_stimuli(self.run_id)
        rows = self._store.read_predictions(self.run_id)
        return pl.DataFrame(
            {
                "stimulus": [listed[row.position].name for row in rows],
                "label": [listed[row.position].label for row in rows],
                "rank": [row.rank for row in rows],
                "class_index": [row.class_index for row in rows],
                "class_name": [row.class_name for row in rows],
                "probability": [row.probability for row in rows],
            },
            schema_overrides={"label": pl.String, "class_name": pl.String},
        )

    def report(self, path: str | Path = "report.html", *others: Run, sections: Sequence[str] | None = None) -> Path:
        """Write a report on this run, and others beside it: a single HTML file that needs nothing else.

        Raises:
            InputError: If the file cannot be written, or there is no such section.
        """
        from layerwise.report.page import render_report

        target = Path(path)
        if target.suffix.lower() not in (".html", ".htm"):
            raise InputError(f"cannot write {target}: a report is HTML, FILE.html; `figure` draws for PDF and PNG")
        runs = [self, *others]
        history = self._history.joined_with(others)
        return render_report([run.record for run in runs], self._registry, history, target, sections=sections)

    def figure(self, name: str, *others: Run, **asked: Any) -> ChartType:
        """Any figure that `layerwise figure --list` names, as an Altair chart; `lw.charts.save` writes it.

        Args:
            name: Its name, such as `layer-matrix`, `profile`, `matrix`.
            others: More runs, where a figure takes several.
            asked: `layers`, `comparator`, `by` and the rest of what `lw.charts.draw` takes.
        """
        from layerwise.notebook.charts import draw

        history = self._history.joined_with(others)
        return draw(history, name, self._record, *(run.record for run in others), registry=self._registry, **asked)

    def ablate(self, *layers: str, substitute: str = "zero") -> Run:
        """The same analysis without some layers or branches: the network must still be there.

        Args:
            layers: Names of what is silenced, such as `mixed4d/5x5`.
            substitute: What stands in for it: `zero` or `mean`.

        Raises:
            InputError: If this run was read from a history, so that nobody has the network.
        """
        if self._analyze_without is not None:
            return self._analyze_without(ablate=layers, ablate_with=substitute)
        raise InputError(
            f"run {self.run_id} was read from a history, which keeps no network: "
            "lw.analyze(model, images, ablate=...) silences layers of one"
        )

    def _choose(self, layers: Sequence[str] | str | None) -> Chosen:
        from layerwise.core.analysis.choose import choose_layers

        selectors = (layers,) if isinstance(layers, str) else layers
        return choose_layers(self._registry, self._store, [self._record], selectors)

    def __repr__(self) -> str:
        """What it is, in one line."""
        record = self._record
        step = "" if record.step is None else f", step {record.step}"
        extent = f"{record.n_layers} layers, {record.n_stimuli} stimuli"
        return f"<Run {self.run_id}: {record.model.title} on {record.stimuli_name}{step}, {extent}>"

    def _repr_html_(self) -> str:
        facts = {"top-1 accuracy": None if self.accuracy is None else f"{self.accuracy:.3f}"}
        lines = [f"{name}: {value}" for name, value in facts.items() if value is not None]
        try:
            drawn = picture(self.figure("layer-matrix"))
        except LayerwiseError as error:  # a run without a picture is shown all the same
            drawn, lines = "", [*lines, f"no picture: {error}"]
        return f"<div><b>{escape(repr(self)[1:-1])}</b></div>{drawn}{caption(*lines)}"

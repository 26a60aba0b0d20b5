"""Every chart of a report as a call that returns an Altair chart, for notebooks.

    import layerwise as lw

    history = lw.open_history("layerwise.db")
    lw.charts.layer_matrix(history, "latest")

A run is an id, a unique prefix of one, `latest`, `mine@3`, `lineage:mine` for all of a training, or a record that
`history.list_runs()` gives. All functions take the
keywords of `Asked`. A chart answers the pointer as in a report; `save` writes it as a figure for a paper, `numbers`
gives what it shows as a Polars frame, and `draw` draws any figure that `layerwise figure --list` names, plugins' too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, Unpack

from layerwise.core.history.records import RunRecord
from layerwise.core.history.references import find_runs

if TYPE_CHECKING:
    import polars as pl
    from altair.typing import ChartType

    from layerwise.core.base.parameters import Setting
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.host.registry import Registry
    from layerwise.report.content import Figure, ReportContext

__all__ = [
    "Asked",
    "ablation",
    "accuracy",
    "across_models",
    "across_sets",
    "branch_depth",
    "branch_matrix",
    "checkpoints",
    "counterparts",
    "dimension",
    "draw",
    "evidence",
    "importance",
    "layer_map",
    "layer_matrix",
    "matrices",
    "matrix",
    "names",
    "numbers",
    "pace",
    "profile",
    "profiles",
    "recordings",
    "save",
    "settling",
    "sparseness",
    "steps",
    "time_alignment",
    "weights",
]

Run: TypeAlias = str | RunRecord
WIDTH = 560  # pixels of a chart that fills the column of a page


class Asked(TypedDict, total=False):
    """What every chart can be asked with.

    Attributes:
        layers: Selectors of the layers to show, such as `main`, `mixed4*`; the main layers if not given.
        comparator: Name of the comparator; `rsa-pearson` if not given.
        settings: Values of its parameters.
        metric: Name of the metric whose matrices it compares, or whose matrices are shown.
        transform: The activation transform whose representations are shown.
        end_point: The layer that counts as the end; the logits, or without a softmax the output, if not given.
        registry: What plugins offer; all that are installed if not given.
        width: Width in pixels of a chart that has no width of its own; 560 if not given.
    """

    layers: Sequence[str]
    comparator: str
    settings: Mapping[str, Setting]
    metric: str | None
    transform: str | None
    end_point: str | None
    registry: Registry
    width: int


def draw(
    history: HistoryProtocol,
    name: str,
    *runs: Run,
    by: str | None = None,
    method: str | None = None,
    columns: int | None = None,
    **asked: Unpack[Asked],
) -> ChartType:
    """Any figure by its name, as `layerwise figure NAME RUN...` draws it.

    Args:
        history: Where the results are.
        name: A name that `layerwise figure --list` lists, or `SECTION/FIGURE` of a report's section.
        runs: The runs, `latest` if none is given.
        by: The layer that orders the stimuli, where stimuli are shown.
        method: The reorderer that orders them.
        columns: How many panels stand side by side, where there are several.
        asked: See `Asked`.

    Raises:
        InputError: If there is no such figure, run, layer or measure, or the figure takes other runs.
        LayerwiseError: If there is nothing to show.
    """
    import altair as alt

    from layerwise.report.by_name import chart_of

    figure = _ask(history, name, runs, {"by": by, "method": method, "columns": columns}, asked)
    chart = chart_of(figure).drawing.copy()
    chart.usermeta = alt.Undefined  # what only the page needs; Altair puts no chart that has it beside another
    if getattr(chart, "width", None) == "container":
        return chart.properties(width=asked.get("width", WIDTH))
    return chart


def numbers(
    history: HistoryProtocol,
    name: str,
    *runs: Run,
    by: str | None = None,
    method: str | None = None,
    **asked: Unpack[Asked],
) -> pl.DataFrame:
    """What a figure shows, as a Polars frame; arguments are those of `draw`."""
    from layerwise.report.by_name import chart_of
    from layerwise.report.paper.numbers import read_numbers

    return read_numbers(chart_of(_ask(history, name, runs, {"by": by, "method": method}, asked)))


def names(history: HistoryProtocol, *runs: Run, **asked: Unpack[Asked]) -> dict[str, str]:
    """Every chart that a report of these runs shows: the name that `draw` takes, and the title. It draws them all."""
    from layerwise.report.by_name import list_charts

    return list_charts(_context(history, runs, asked))


def _ask(
    history: HistoryProtocol, name: str, runs: Sequence[Run], options: Mapping[str, Any], asked: Mapping[str, Any]
) -> Figure:
    from layerwise.report.paper.ask import ask_figure
    from layerwise.report.section import FigureOptions

    layers = asked.get("layers", ())
    chosen = FigureOptions(**options, layers=(layers,) if isinstance(layers, str) else tuple(layers))
    found = _context(history, runs, asked)
    return ask_figure(name, found.runs, found.registry, history, choice=found.choice, options=chosen)


def _context(history: HistoryProtocol, runs: Sequence[Run], asked: Mapping[str, Any]) -> ReportContext:
    from layerwise.notebook.opening import all_plugins
    from layerwise.report.content import Choice, ReportContext
    from layerwise.report.page import in_order

    found = [[run] if isinstance(run, RunRecord) else find_runs(history, [run]) for run in runs or ("latest",)]
    records = list({run.id: run for some in found for run in some}.values())
    choice = Choice(
        asked.get("comparator", Choice.comparator),
        asked.get("settings", {}),
        asked.get("metric"),
        asked.get("transform"),
        end_point=asked.get("end_point"),
    )
    return ReportContext(in_order(records), history, asked.get("registry") or all_plugins(), choice)


def layer_matrix(history: HistoryProtocol, run: Run = "latest", **asked: Unpack[Asked]) -> ChartType:
    """How alike every two main layers of a run are."""
    return draw(history, "layer-matrix", run, **asked)


def profile(history: HistoryProtocol, run: Run = "latest", **asked: Unpack[Asked]) -> ChartType:
    """How alike each layer is to the input and to the output."""
    return draw(history, "profile", run, **asked)


def steps(history: HistoryProtocol, run: Run = "latest", **asked: Unpack[Asked]) -> ChartType:
    """How much each layer changes what it gets from the one before."""
    return draw(history, "steps", run, **asked)


def pace(history: HistoryProtocol, *runs: Run, **asked: Unpack[Asked]) -> ChartType:
    """How much of all change is done, against relative depth, for one run or several."""
    return draw(history, "pace", *runs, **asked)


def branch_matrix(history: HistoryProtocol, run: Run = "latest", **asked: Unpack[Asked]) -> ChartType:
    """The branches of the two middle blocks, with the input and the output."""
    return draw(history, "branch-matrix", run, **asked)


def branch_depth(history: HistoryProtocol, run: Run = "latest", **asked: Unpack[Asked]) -> ChartType:
    """How alike each kind of branch is to the output, along the blocks."""
    return draw(history, "branch-depth", run, **asked)


def importance(history: HistoryProtocol, run: Run = "latest", **asked: Unpack[Asked]) -> ChartType:
    """What only one branch of a block explains of the output's similarities."""
    return draw(history, "importance", run, **asked)


def ablation(history: HistoryProtocol, run: Run = "latest", **asked: Unpack[Asked]) -> ChartType:
    """What the output loses without each layer that was set to 0."""
    return draw(history, "ablation", run, **asked)


def evidence(history: HistoryProtocol, run: Run = "latest", **asked: Unpack[Asked]) -> ChartType:
    """Similarity to the output beside what the output loses without a layer."""
    return draw(history, "evidence", run, **asked)


def matrix(
    history: HistoryProtocol,
    run: Run = "latest",
    layer: str | None = None,
    *,
    by: str | None = None,
    method: str | None = None,
    **asked: Unpack[Asked],
) -> ChartType:
    """One layer's stimulus x stimulus matrix, by default the output's, ordered by the input or by the layer `by`."""
    if layer is not None:
        asked["layers"] = (layer,)
    return draw(history, "matrix", run, by=by, method=method, **asked)


def matrices(
    history: HistoryProtocol,
    run: Run = "latest",
    *,
    by: str | None = None,
    method: str | None = None,
    columns: int | None = None,
    **asked: Unpack[Asked],
) -> ChartType:
    """The stimulus x stimulus matrices of all main layers in one order, beside each other."""
    return draw(history, "matrices", run, by=by, method=method, columns=columns, **asked)


def sparseness(history: HistoryProtocol, run: Run = "latest", **asked: Unpack[Asked]) -> ChartType:
    """How sparse the activations of each layer are."""
    return draw(history, "sparseness", run, **asked)


def weights(history: HistoryProtocol, run: Run = "latest", **asked: Unpack[Asked]) -> ChartType:
    """How the weights of each tensor are distributed."""
    return draw(history, "weights", run, **asked)


def checkpoints(history: HistoryProtocol, *runs: Run, to: str = "final", **asked: Unpack[Asked]) -> ChartType:
    """How alike layers are to their `final` state, `input` or `output` over a training; `layers`, `dimension`."""
    return draw(history, "checkpoints" if to == "final" else f"checkpoints-{to}", *runs, **asked)


def settling(history: HistoryProtocol, *runs: Run, **asked: Unpack[Asked]) -> ChartType:
    """When each layer of a training becomes what it will be."""
    return draw(history, "settling", *runs, **asked)


def time_alignment(history: HistoryProtocol, *runs: Run, **asked: Unpack[Asked]) -> ChartType:
    """The checkpoints of one training against those of another, with the best path."""
    return draw(history, "time-alignment", *runs, **asked)


def dimension(history: HistoryProtocol, run: Run = "latest", **asked: Unpack[Asked]) -> ChartType:
    """Over how many dimensions each layer spreads the stimuli."""
    return draw(history, "dimension", run, **asked)


def layer_map(history: HistoryProtocol, run: Run = "latest", **asked: Unpack[Asked]) -> ChartType:
    """A map on which similar layers lie close together."""
    return draw(history, "layer-map", run, **asked)


def across_models(history: HistoryProtocol, first: Run, second: Run, **asked: Unpack[Asked]) -> ChartType:
    """The layers of one model against those of another, with the best path through both."""
    return draw(history, "across-models", first, second, **asked)


def counterparts(history: HistoryProtocol, first: Run, second: Run, **asked: Unpack[Asked]) -> ChartType:
    """How like the most similar layer of the other model each layer is."""
    return draw(history, "counterparts", first, second, **asked)


def profiles(history: HistoryProtocol, *runs: Run, to: str = "output", **asked: Unpack[Asked]) -> ChartType:
    """How alike layers are to the `input` or the end (`output`), of several models on relative depth."""
    return draw(history, f"profiles-to-{to}", *runs, **asked)


def recordings(history: HistoryProtocol, *runs: Run, show: str = "along", **asked: Unpack[Asked]) -> ChartType:
    """Imported recordings beside networks: `along` the layers, as `matrix`, by `networks`, or under the `ceiling`."""
    return draw(history, "recordings" if show == "along" else f"recordings-{show}", *runs, **asked)


def across_sets(history: HistoryProtocol, first: Run, second: Run, **asked: Unpack[Asked]) -> ChartType:
    """Where the layer x layer matrices of a model differ between two sets of stimuli."""
    return draw(history, "across-sets", first, second, **asked)


def accuracy(history: HistoryProtocol, *runs: Run, **asked: Unpack[Asked]) -> ChartType:
    """Accuracy over the checkpoints of a training."""
    return draw(history, "accuracy", *runs, **asked)


def save(
    chart: ChartType,
    path: str | Path,
    *,
    width: str | float = "column",
    font: str = "Liberation Sans",
    font_size: float = 7.0,
    theme: str = "print",
    dpi: float = 300.0,
    title: str = "",
) -> Path:
    """Write a chart as a figure for a paper; any Altair chart will do.

    Args:
        chart: The chart.
        path: The file; its suffix, .svg, .png or .pdf, decides on the format.
        width: Millimetres, or a word that `layerwise figure --width` takes.
        font: A font that is there.
        font_size: Of labels, in points.
        theme: `print`, `light` or `dark`.
        dpi: Pixels an inch, of PNG.
        title: Put above the figure.

    Raises:
        InputError: If the file cannot be written, or an argument is not one of those.
    """
    from layerwise.core.base.writing import replacing
    from layerwise.report.paper.files import check_suffix, encode
    from layerwise.report.paper.look import Look, find_theme, read_width
    from layerwise.report.paper.render import draw_on_paper

    target = Path(path)
    check_suffix(target)
    look = Look(read_width(str(width)), font, font_size, find_theme(theme), title=bool(title))
    drawing = draw_on_paper(chart.to_dict(), look, title)
    with replacing(target) as written:
        written.write_bytes(encode(drawing, target, title, dpi))
    return target

"""Figures by name: what `layerwise figure` draws, found among what report sections offer.

A section gives its figures in two ways. What its `build` makes is offered as `SECTION/FIGURE`, wherever the content
is a chart: a plugin's section needs to do nothing for that. What deserves a name and a drawing of its own comes from
its `figures`. Either way the result is a `Figure` whose content is a `Chart`; how it looks on paper is not decided
here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from layerwise.core.base.errors import InputError, LayerwiseError, PluginError
from layerwise.core.base.words import near_names
from layerwise.core.history.view import HistoryView
from layerwise.core.host.registry import Registered, Registry
from layerwise.core.host.selection import select_layers
from layerwise.core.network.layers import Layer
from layerwise.report.content import Alternatives, Chart, Figure, ReportContext, ReportSection, SideBySide
from layerwise.report.section import FigureOptions, NamedFigure, SectionBuilder

if TYPE_CHECKING:
    from layerwise.core.history.protocols import HistoryProtocol

NO_OPTIONS = FigureOptions()


@dataclass(frozen=True)
class OfferedFigure:
    """A named figure and the section that offers it."""

    section: Registered[SectionBuilder]
    figure: NamedFigure

    @property
    def qualified_name(self) -> str:
        """`distribution:name`."""
        return f"{self.section.distribution}:{self.figure.name}"

    def draw(self, context: ReportContext, options: FigureOptions) -> Figure:
        """The figure.

        Raises:
            InputError: If it is not drawn from so many runs, or has no use for an option.
            LayerwiseError: If there is nothing to show.
            PluginError: If it fails, or gives no chart.
        """
        self._check(context, options)
        figure = self.section.call(self.figure.build, context, options)
        if not isinstance(figure, Figure) or not isinstance(figure.content, Chart):
            content = figure.content if isinstance(figure, Figure) else figure
            came = f"figure '{self.figure.name}' gave a {type(content).__name__}"
            raise PluginError(self.section.plugin, self.section.hook, came, "a Figure with a Chart")
        return figure

    def _check(self, context: ReportContext, options: FigureOptions) -> None:
        least, most = self.figure.n_runs
        n_runs = len(context.runs)
        if n_runs < least or (most is not None and n_runs > most):
            raise InputError(f"figure '{self.figure.name}' is drawn from {self.figure.needs}; {n_runs} given")
        if (options.by or options.method) and not self.figure.ordered:
            raise InputError(f"figure '{self.figure.name}' shows no stimuli that an order could change")
        if options.layers and not self.figure.uses_layers:
            raise InputError(f"figure '{self.figure.name}' shows no layers that a choice could change")
        if options.columns and not self.figure.paneled:
            raise InputError(f"figure '{self.figure.name}' has no panels to put into columns")


@dataclass(frozen=True)
class FigureList:
    """The named figures of all sections, and one line for each section that failed to say what it offers."""

    figures: tuple[OfferedFigure, ...]
    problems: tuple[str, ...] = ()


def list_figures(registry: Registry) -> FigureList:
    """All named figures, in the order of the report's sections."""
    found: list[OfferedFigure] = []
    problems: list[str] = []
    for section in sorted(registry.all(SectionBuilder), key=lambda section: section.offer.position):
        try:
            found += [OfferedFigure(section, figure) for figure in _ask_for_figures(section)]
        except LayerwiseError as error:
            problems.append(error.message)
    return FigureList(tuple(found), tuple(problems))


def _ask_for_figures(section: Registered[SectionBuilder]) -> list[NamedFigure]:
    figures = list(section.call(section.offer.figures))
    for figure in figures:
        if not isinstance(figure, NamedFigure):
            came = f"{section.name}.figures returned a {type(figure).__name__}"
            raise PluginError(section.plugin, section.hook, came, "NamedFigures")
    return figures


def draw_figure(name: str, context: ReportContext, options: FigureOptions = NO_OPTIONS) -> Figure:
    """The figure of this name: a named one, `distribution:name`, or a chart of a section as `SECTION/FIGURE`.

    Raises:
        InputError: If there is none, or several; near names are listed.
        LayerwiseError: If there is nothing to show.
    """
    offered = list_figures(context.registry).figures
    found = [one for one in offered if name in (one.figure.name, one.qualified_name)]
    if len(found) > 1:
        choices = " or ".join(one.qualified_name for one in found)
        raise InputError(f"figure '{name}' is offered by several plugins: say {choices}")
    if found:
        return found[0].draw(context, options)
    word, slash, rest = name.partition("/")
    sections = [s for s in context.registry.all(SectionBuilder) if word in (s.name, s.qualified_name)]
    if not sections:
        known = [one.figure.name for one in offered]
        sections_known = [section.name for section in context.registry.all(SectionBuilder)]
        near = near_names(name, list(dict.fromkeys([*known, *sections_known])))
        raise InputError(f"no figure '{name}'{near or '; layerwise figure --list lists all'}")
    if options != FigureOptions(layers=options.layers):
        raise InputError(f"figure '{name}' takes no order of the stimuli, and has no panels to put into columns")
    return _choose_chart(name, rest if slash else "", context.registry.get(SectionBuilder, word), context)


def list_charts(context: ReportContext) -> dict[str, str]:
    """Every chart that the report of these runs shows: the name that draws it, `SECTION/FIGURE`, and its title.

    Raises:
        LayerwiseError: If a section fails.
    """
    found: dict[str, str] = {}
    for section in sorted(context.registry.all(SectionBuilder), key=lambda section: section.offer.position):
        if section.call(section.offer.applies, context):
            charts = list(find_charts(_build(section, context).figures))
            found |= {f"{section.name}/{_short_name(one, charts, context)}": one.title for one in charts}
    return found


def _build(section: Registered[SectionBuilder], context: ReportContext) -> ReportSection:
    built = section.call(section.offer.build, context)
    if not isinstance(built, ReportSection):
        came = f"{section.name}.build returned a {type(built).__name__}"
        raise PluginError(section.plugin, section.hook, came, "a ReportSection")
    return built


def _choose_chart(name: str, wanted: str, section: Registered[SectionBuilder], context: ReportContext) -> Figure:
    """The chart of a section by its figure's name."""
    if not section.call(section.offer.applies, context):
        raise LayerwiseError(f"section '{section.name}' has nothing to show of these runs")
    charts = list(find_charts(_build(section, context).figures))
    found = match_charts(charts, wanted, context) if wanted else charts
    if len(found) == 1:
        return found[0]
    there = ", ".join(f"{section.name}/{_short_name(figure, charts, context)}" for figure in charts)
    problem = "is several" if found else "is none of its charts" if charts else "has no chart"
    raise InputError(f"figure '{name}' {problem}{'; there are: ' if charts else ''}{there}")


def _short_name(figure: Figure, charts: Sequence[Figure], context: ReportContext) -> str:
    """A figure's name without the id of its run, where that still finds it alone."""
    for run in context.runs:
        short = figure.name.removesuffix(f"-{run.id}")
        if match_charts(charts, short, context) == [figure]:
            return short
    return figure.name


def match_charts(charts: Sequence[Figure], name: str, context: ReportContext) -> list[Figure]:
    """The charts whose figure has this name, or has it but for the id of a run at its end."""
    exact = [figure for figure in charts if figure.name == name]
    return exact or [figure for figure in charts if any(figure.name == f"{name}-{run.id}" for run in context.runs)]


def chart_of_section(section: SectionBuilder, chart: str, **named: Any) -> NamedFigure:
    """A named figure that is one of the charts a section's `build` makes.

    Args:
        section: The section.
        chart: Name of the chart's figure, without the id of a run.
        named: What `NamedFigure` takes, except `build`.
    """

    def build(context: ReportContext, options: FigureOptions) -> Figure:
        del options
        figures = section.build(context).figures if section.applies(context) else ()
        found = match_charts(list(find_charts(figures)), chart, context)
        if not found:
            raise LayerwiseError(f"there is nothing to show in figure '{named['name']}': {named['needs']} needed")
        return found[0]

    return NamedFigure(build=build, **named)


def chart_of(figure: Figure) -> Chart:
    """The chart of a figure that was drawn by name."""
    if not isinstance(figure.content, Chart):
        raise TypeError(f"figure '{figure.name}' holds a {type(figure.content).__name__}")
    return figure.content


def find_charts(figures: Iterable[Figure]) -> Iterator[Figure]:
    """The figures whose content is a chart; one inside another has that one's words where it has none of its own."""
    for figure in figures:
        if isinstance(figure.content, Chart):
            yield figure
        elif isinstance(figure.content, SideBySide | Alternatives):
            for inner in find_charts(figure.content.figures):
                yield replace(
                    inner,
                    title=f"{figure.title}: {inner.title}",
                    caption=inner.caption or figure.caption,
                    method=inner.method or figure.method,
                )


def choose_main(context: ReportContext, selectors: Sequence[str]) -> ReportContext:
    """The same context, in which the main layers are those that the selectors pick.

    Every query that asks for the main layers then finds these, whichever plugin it belongs to; roles, blocks and
    branches stay as they are.

    Raises:
        InputError: If a selector picks nothing.
    """
    listed = {run.id: context.history.list_layers(run.id) for run in context.runs}
    marked = {run_id: _mark(context.registry, selectors, layers) for run_id, layers in listed.items()}
    return replace(context, history=_WithMain(context.history, marked))


class _WithMain(HistoryView):
    """A history that calls other layers `main`; everything else is passed on."""

    def __init__(self, history: HistoryProtocol, layers: Mapping[str, Sequence[Layer]]) -> None:
        super().__init__(history)
        self._layers = layers

    def list_layers(self, run_id: str) -> list[Layer]:
        return list(self._layers.get(run_id) or self._history.list_layers(run_id))


def _mark(registry: Registry, selectors: Sequence[str], layers: Sequence[Layer]) -> list[Layer]:
    chosen = {layer.name for layer in select_layers(registry, selectors, layers)}
    return [replace(layer, is_main=layer.name in chosen) for layer in layers]

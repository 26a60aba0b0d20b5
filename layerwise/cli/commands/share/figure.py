"""`layerwise figure`: one figure for a paper, as SVG, PNG or PDF of an exact width."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from layerwise.cli.figures import check_call, print_figures, print_written, write_files
from layerwise.cli.options.bundling import bundled
from layerwise.cli.options.common import (
    COMPLETE_RUNS,
    DEFAULT_DATABASE,
    RUNS_HELP,
    AsJson,
    Database,
    EndPointLong,
    Selectors,
)
from layerwise.cli.options.completing import complete_figures, complete_layer, quietly
from layerwise.cli.options.measure_options import DEFAULT_COMPARATOR, MeasureOptions, OneComparator
from layerwise.cli.output import stderr_console
from layerwise.cli.session import open_history, session_of

if TYPE_CHECKING:
    from layerwise.report.paper.look import Look
    from layerwise.report.section import FigureOptions

Name = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME",
        help="Which figure; --list lists them. Also SECTION/FIGURE of a report's section.",
        autocompletion=quietly(complete_figures),
    ),
]
FigureRuns = Annotated[
    list[str] | None, typer.Argument(metavar="RUN...", help=RUNS_HELP, autocompletion=COMPLETE_RUNS)
]
Outputs = Annotated[
    list[Path] | None,
    typer.Option("--output", "-o", metavar="FILE", help="The file to write: .svg, .png or .pdf; repeatable."),
]
Width = Annotated[
    str,
    typer.Option(
        metavar="W",
        help="Width in mm (also 3.5in, 9cm, 252pt), or column (89 mm), 1.5 (120 mm), page (183 mm), or a journal's: "
        "nature, science, plos, ieee, each also with -page; neurips, a4.",
    ),
]


@dataclass(frozen=True)
class LookOptions:
    """How a figure looks on paper."""

    heading: ClassVar[str] = "Looks"
    width: Width = "column"
    font: Annotated[str, typer.Option(metavar="NAME", help="Font of all text.")] = "Liberation Sans"
    font_size: Annotated[
        float,
        typer.Option(metavar="PT", min=4, max=24, help="Size of labels in points; what is drawn scales with it."),
    ] = 7.0
    theme: Annotated[str, typer.Option(metavar="THEME", help="print, light or dark.")] = "print"
    dpi: Annotated[float, typer.Option(metavar="N", min=36, max=1200, help="Pixels an inch of a .png.")] = 300.0
    title: Annotated[bool, typer.Option("--title/--no-title", help="Whether it carries its title.")] = False

    def read(self) -> Look:
        """The look that the options ask for.

        Raises:
            InputError: If there is no such font or theme, or the width is none.
        """
        from layerwise.report.paper.look import Look, find_theme, read_width
        from layerwise.report.paper.render import check_font

        check_font(self.font)
        return Look(read_width(self.width), self.font, self.font_size, find_theme(self.theme), self.title)


@dataclass(frozen=True)
class DrawingOptions:
    """What a figure is asked to show, and in which order."""

    heading: ClassVar[str] = "What is drawn"
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="LAYER",
            help="The layer that orders the stimuli (input).",
            autocompletion=quietly(complete_layer),
        ),
    ] = None
    method: Annotated[
        str | None, typer.Option("--method", metavar="NAME", help="The reorderer that orders them (average-linkage).")
    ] = None
    columns: Annotated[
        int | None, typer.Option("--columns", metavar="N", min=1, help="How many panels stand side by side.")
    ] = None
    layers: Selectors = None
    end_point: EndPointLong = None

    def read(self) -> FigureOptions:
        """The same, as figures are asked with it."""
        from layerwise.report.section import FigureOptions

        return FigureOptions(self.by, self.method, self.columns, tuple(self.layers or ()))


@bundled
def write_figure(
    context: typer.Context,
    name: Name = None,
    runs: FigureRuns = None,
    outputs: Outputs = None,
    list_them: Annotated[bool, typer.Option("--list", help="List the figures there are, and stop.")] = False,
    *,
    looks: LookOptions,
    options: DrawingOptions,
    comparator: OneComparator = DEFAULT_COMPARATOR,
    measuring: MeasureOptions,
    transform: Annotated[
        str | None, typer.Option("--transform", metavar="T", help="Of the representations under this transform.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="Write the numbers behind the figure to this CSV.")
    ] = None,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Draw one figure for a paper: text of the size journals ask for, nothing that needs a screen.

    In `print`, lines differ in dashes and points in shape besides colour.

    Examples:
        layerwise figure --list
        layerwise figure layer-matrix latest -o layers.pdf --width page
        layerwise figure profile latest -o profile.svg -o profile.png --data profile.csv
    """
    from layerwise.core.history.references import find_runs
    from layerwise.report.by_name import chart_of
    from layerwise.report.content import Choice
    from layerwise.report.paper.ask import ask_figure
    from layerwise.report.paper.render import draw_on_paper

    registry = session_of(context).registry
    if list_them:
        print_figures(registry, as_json=as_json)
        return
    look = looks.read()
    named, targets = check_call(name, runs, outputs, data)
    choice = Choice(comparator, measuring.read_settings(), measuring.metric, transform, end_point=options.end_point)
    with open_history(database) as store, stderr_console().status("drawing the figure"):
        records = find_runs(store, runs or ())
        figure = ask_figure(named, records, registry, store, choice=choice, options=options.read())
        drawing = draw_on_paper(chart_of(figure).drawing.to_dict(), look, figure.title)
        written = write_files(figure, drawing, targets, data, looks.dpi)
    print_written(figure, look, drawing, written, records, as_json=as_json)

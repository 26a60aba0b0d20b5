"""What `layerwise figure` checks before it draws, the files it writes, and what it says of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from layerwise.cli.output import make_table, print_json, size, stdout_console
from layerwise.core.base.errors import InputError

if TYPE_CHECKING:
    from layerwise.core.history.records import RunRecord
    from layerwise.core.host.registry import Registry
    from layerwise.report.content import Figure
    from layerwise.report.paper.look import Look
    from layerwise.report.paper.render import Drawing


def check_call(
    name: str | None, runs: list[str] | None, outputs: list[Path] | None, data: Path | None
) -> tuple[str, list[Path]]:
    """The figure's name and the files to write, all of which can be written."""
    from layerwise.core.base.writing import check_target
    from layerwise.report.paper.files import check_suffix

    if name is None:
        raise InputError("which figure? `layerwise figure --list` lists them")
    if not runs:
        raise InputError(f"of which run? write: layerwise figure {name} RUN -o FILE, RUN may be `latest`")
    targets = list(dict.fromkeys(outputs or ()))
    if not targets and data is None:
        raise InputError("where to? -o FILE.svg, .png or .pdf, or --data FILE.csv")
    for path in targets:
        check_suffix(path)
    if data is not None and data.suffix.lower() != ".csv":
        raise InputError(f"cannot write {data}: --data writes .csv")
    for path in [*targets, data] if data else targets:
        check_target(path)
    return name, targets


def write_files(
    figure: Figure, drawing: Drawing, targets: Sequence[Path], data: Path | None, dpi: float
) -> list[Path]:
    """Write a figure in every format that is asked for, and the numbers behind it; the files that were written."""
    from layerwise.cli.tabular import as_csv
    from layerwise.report.by_name import chart_of
    from layerwise.report.paper.files import encode
    from layerwise.report.paper.numbers import read_numbers

    words = f"{figure.title}. {figure.caption}"
    written = [_write(path, encode(drawing, path, words, dpi)) for path in targets]
    if data is not None:
        written.append(_write(data, as_csv(read_numbers(chart_of(figure))).encode()))
    return written


def _write(path: Path, content: bytes) -> Path:
    from layerwise.core.base.writing import replacing

    with replacing(path) as target:
        target.write_bytes(content)
    return path


def print_written(
    figure: Figure, look: Look, drawing: Drawing, written: list[Path], runs: list[RunRecord], *, as_json: bool
) -> None:
    """Say which files were written, how large the figure is, and how it was computed."""
    from layerwise.report.paper.look import MM

    height = round(drawing.height / MM, 1)
    if as_json:
        files = [{"path": str(path), "n_bytes": path.stat().st_size} for path in written]
        words = {"figure": figure.name, "title": figure.title, "caption": figure.caption, "method": figure.method}
        sizes = {"width_mm": look.width, "height_mm": height}
        print_json({**words, "runs": [run.id for run in runs], **sizes, "files": files})
        return
    for path in written:
        about = "" if path.suffix.lower() == ".csv" else f"{look.width:g} x {height:g} mm, "
        typer.echo(f"Wrote {path} ({about}{size(path.stat().st_size)}).")
    if figure.method:
        typer.echo(figure.method)


def print_figures(registry: Registry, *, as_json: bool) -> None:
    """The named figures; then the sections, whose charts are figures too."""
    from layerwise.report.by_name import list_figures
    from layerwise.report.section import SectionBuilder

    found = list_figures(registry)
    sections = sorted(registry.all(SectionBuilder), key=lambda section: section.offer.position)
    if as_json:
        figures = [
            {
                "name": one.figure.name,
                "qualified_name": one.qualified_name,
                "description": one.figure.description,
                "needs": one.figure.needs,
                "section": one.section.name,
                "by": one.figure.ordered,
                "columns": one.figure.paneled,
                "layers": one.figure.uses_layers,
            }
            for one in found.figures
        ]
        words = [{"name": section.name, "description": section.offer.description} for section in sections]
        print_json({"figures": figures, "sections": words, "problems": list(found.problems)})
        return
    console = stdout_console()
    rows = [
        (one.figure.name, one.figure.needs, one.figure.description, one.section.distribution) for one in found.figures
    ]
    console.print(make_table(("figure", "drawn from", "what it shows", "from"), rows))
    console.print("Every other chart of a report is a figure too, as SECTION/FIGURE; sections are:", markup=False)
    console.print(", ".join(section.name for section in sections), markup=False, soft_wrap=True)
    for problem in found.problems:
        console.print(f"Failed: {problem}", markup=False, soft_wrap=True)

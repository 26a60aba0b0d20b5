"""Does a report section say when it applies, and show something that a page can draw?"""

from __future__ import annotations

import json
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from layerwise.core.base.errors import LayerwiseError
from layerwise.report import content as report
from layerwise.report.content import Chart, Facts, Figure, Listing, ReportContext, ReportSection, Table
from layerwise.report.section import SectionBuilder
from layerwise.testing.expecting import ask, expect, expect_named
from layerwise.testing.histories import make_history

NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def check_section(section: SectionBuilder, context: ReportContext | None = None) -> None:
    """Check that a section applies to something, builds content that a page can show, and the same when asked twice.

    Titles and captions are there, names of figures unique and fit for a link, charts are valid, carry their data with
    them and load nothing. It is asked about one run and three checkpoints of the toy network, or about `context`, and
    about no runs at all. What cannot be shown is a `LayerwiseError` that says why, nothing else.

    Args:
        section: The section.
        context: Runs to which it applies, where the toy network's have nothing for it.

    Raises:
        AssertionError: If it is not so; says what.
    """
    expect_named(section, SectionBuilder)
    position = getattr(section, "position", None)
    expect(
        isinstance(position, int), section, f"has position {position!r}, expected a whole number that orders the page"
    )
    if context is not None:
        expect(_build(section, context), section, "does not apply to the runs it was given, expected that it does")
        return
    from layerwise.plugins import load_plugins
    from layerwise.storage import open_store

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        path.write_bytes(_three_checkpoints())
        with open_store(f"sqlite:///{path}") as store:
            registry = load_plugins()
            runs = sorted(store.list_runs(), key=lambda run: run.step or 0)
            built = [
                _build(section, ReportContext(runs=chosen, history=store, registry=registry))
                for chosen in (runs[-1:], runs, [])
            ]
    expect(
        any(built), section, "applies neither to a run nor to three checkpoints: give `context` runs to which it does"
    )


@lru_cache(maxsize=1)
def _three_checkpoints() -> bytes:
    """A history, as the bytes of its file: made once, a copy for each check."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        make_history(path, learned=(0.0, 0.5, 1.0))
        return path.read_bytes()


def _build(section: SectionBuilder, context: ReportContext) -> bool:
    """Whether it applies; what it builds is looked at."""
    what = f"for {len(context.runs)} runs"
    applies = ask(section, f"when asked whether it applies {what}", lambda: section.applies(context))
    expect(isinstance(applies, bool), section, f"answers {applies!r} when asked whether it applies, expected a bool")
    if not applies:
        return False
    try:
        built = [ask(section, f"when it is built {what}", lambda: section.build(context)) for _ in range(2)]
    except LayerwiseError as error:
        raise AssertionError(
            f"{section.name} says that it applies {what}, but refuses to be built: {error}"
        ) from error
    for item in built:
        _check_content(section, item)
    drawn = [json.dumps([_describe(figure) for figure in item.figures], default=repr) for item in built]
    expect(drawn[0] == drawn[1], section, f"shows something else when it is built twice {what}")
    return True


def _check_content(section: SectionBuilder, built: Any) -> None:
    expect(
        isinstance(built, ReportSection),
        section,
        f"builds a {type(built).__name__}, expected a layerwise.plugin.ReportSection",
    )
    expect(bool(built.title.strip()), section, "has no title, expected a few words")
    expect(bool(built.figures), section, "has no figures, expected at least one where it applies")
    names = [figure.name for figure in built.figures]
    expect(len(set(names)) == len(names), section, f"has figures with the same name: {names}, expected unique ones")
    for figure in built.figures:
        _check_figure(section, figure)


def _check_figure(section: SectionBuilder, figure: Figure) -> None:
    where = f"in figure '{figure.name}'"
    fit = bool(figure.name) and set(figure.name) <= NAME_LETTERS
    expect(fit, section, f"has a figure called {figure.name!r}, expected letters, digits, '-' and '_'")
    expect(bool(figure.title.strip()), section, f"has no title {where}, expected a few words")
    is_text = isinstance(figure.content, Table | Facts | Listing)
    has_words = is_text or bool((figure.caption or figure.description).strip())
    expect(has_words, section, f"has no caption {where}, expected a sentence on what is seen")
    kinds = get_args(report.Content)
    known = ", ".join(kind.__name__ for kind in kinds)
    expect(
        isinstance(figure.content, kinds),
        section,
        f"shows a {type(figure.content).__name__} {where}, expected one of {known}",
    )
    if isinstance(figure.content, Chart):
        _check_chart(section, figure.content, where)


def _check_chart(section: SectionBuilder, chart: Chart, where: str) -> None:
    drawing = ask(section, f"when its chart is written {where}", chart.drawing.to_dict)
    try:
        text = json.dumps(drawing, allow_nan=False)
    except ValueError as error:
        raise AssertionError(
            f"{section.name} has a chart with NaN or infinite values {where}, expected None"
        ) from error
    urls = [data["url"] for data in _find_data(drawing) if "url" in data]
    expect(not urls, section, f"has a chart that loads {urls} {where}, expected its data inside")
    expect(len(text) < 20_000_000, section, f"has a chart of {len(text):,} bytes {where}, expected less than 20 MB")


def _find_data(spec: Any) -> list[dict[str, Any]]:
    if isinstance(spec, list):
        return [found for item in spec for found in _find_data(item)]
    if not isinstance(spec, dict):
        return []
    own = [spec["data"]] if isinstance(spec.get("data"), dict) else []
    return own + [found for key, item in spec.items() if key != "datasets" for found in _find_data(item)]


def _describe(figure: Figure) -> Any:
    content: Any = figure.content
    shown = content.drawing.to_dict() if isinstance(content, Chart) else content
    return [figure.name, figure.title, figure.caption, figure.method, figure.description, shown]

"""The page: all sections that apply, in one HTML file that needs nothing else and loads nothing.

Vega's libraries are put in once; every chart is data beside it, drawn as it scrolls into view. Two things keep
strangers' text from becoming code: Jinja escapes it in HTML, `embed_json` in data; and should either fail, the
page's Content-Security-Policy runs the two scripts whose hashes it names, evaluates no strings (Vega
runs its expressions with an interpreter), and lets nothing load or leave.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.base.writing import check_target, replacing
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import RunRecord
from layerwise.core.host.registry import Registered, Registry, distribution_version
from layerwise.report.assets import content_policy, page_script, page_style, script_safe
from layerwise.report.atlas_markup import shared_data
from layerwise.report.bundle import vega_bundle
from layerwise.report.content import Alternatives, Choice, Figure, Preview, ReportContext, ReportSection
from layerwise.report.findings import find_preview, gather_findings
from layerwise.report.markup import panel_anchor, render_content, templates
from layerwise.report.queries import check_choice
from layerwise.report.section import SectionBuilder


@dataclass(frozen=True)
class PlacedSection:
    """A section on the page: its anchor, its figures with their HTML, or one line on why there are none.

    Attributes:
        problem: That line.
        has_failed: Whether it is there because making the section failed.
        folded: Whether it is closed until a reader opens it.
    """

    anchor: str
    title: str
    introduction: str = ""
    figures: tuple[tuple[Figure, Markup], ...] = ()
    problem: str = ""
    has_failed: bool = False
    folded: bool = False


@dataclass(frozen=True)
class PlacedFinding:
    """A sentence at the head of the page, and where the page shows it."""

    text: str
    anchor: str


@dataclass(frozen=True)
class Head:
    """What stands before all sections: sentences, and a small picture with the anchor of the large one."""

    findings: tuple[PlacedFinding, ...] = ()
    preview: Preview | None = None
    preview_anchor: str = ""


def render_report(  # noqa: PLR0913 - a page has so many choices
    runs: Sequence[RunRecord],
    registry: Registry,
    history: HistoryProtocol,
    path: Path,
    *,
    title: str | None = None,
    sections: Sequence[str] | None = None,
    choice: Choice = Choice(),  # noqa: B008 - frozen
    command: str = "",
    tell: Callable[[str, PlacedSection], None] | None = None,
    first: Sequence[str] = (),
) -> Path:
    """Write the report of one or several runs to `path`; a file that is there is replaced once the new one is whole.

    Args:
        runs: At least one; checkpoints of one training are shown in the order of their steps.
        registry: Where the sections, comparators and reorderers come from.
        history: Where the results are read; comparisons and orderings that are new are kept there.
        path: The HTML file.
        title: Heading of the page; by default, the names of the models, or of the training, and of the stimuli.
        sections: Names of the sections to show, in their usual order; by default all that apply.
        choice: How layers are compared.
        command: The command that makes the report again, for the box that says how to.
        first: Names of sections that come before all others, in this order.
        tell: Called with name and section where one has a `problem` in the place of figures.

    Raises:
        InputError: If there is no such section, measure, transform or folder, the file cannot be written, or `runs`
            is empty.
    """
    if not runs:
        raise InputError("a report needs at least one run")
    check_target(path)
    context = ReportContext(in_order(runs), history, registry, choice, command)
    check_choice(context)
    placed = []
    builders = lead_with(choose_sections(registry, sections), first)
    for builder in builders:
        found = build_section(builder, context)
        if found is None and sections is not None:  # what was asked for by name does not vanish without a word
            found = note(builder, "These runs have nothing to show in it.")
        placed += [found] if found is not None else []
        if found is not None and found.problem and tell is not None:
            tell(builder.name, found)
    page = render_page(placed, context, title, place_head(builders, context, placed))
    with replacing(path) as target:
        target.write_text(page, encoding="utf-8", errors="replace", newline="\n")
    return path


def in_order(runs: Sequence[RunRecord]) -> tuple[RunRecord, ...]:
    """Checkpoints of one lineage by step; other runs as they were asked for. Each once."""
    once = {run.id: run for run in runs}.values()
    if len({run.lineage for run in once}) == 1 and all(run.lineage and run.step is not None for run in once):
        return tuple(sorted(once, key=lambda run: run.step or 0))
    return tuple(once)


def choose_sections(registry: Registry, names: Sequence[str] | None) -> list[Registered[SectionBuilder]]:
    """The sections of these names, or all, by position.

    Raises:
        InputError: If there is none of a name (near names are listed), or several plugins offer it.
    """
    chosen = registry.all(SectionBuilder) if names is None else [registry.get(SectionBuilder, name) for name in names]
    return sorted({offer.qualified_name: offer for offer in chosen}.values(), key=lambda offer: offer.offer.position)


def lead_with(
    builders: Sequence[Registered[SectionBuilder]], first: Sequence[str]
) -> list[Registered[SectionBuilder]]:
    """The sections, those of some names before all others."""
    return sorted(builders, key=lambda one: first.index(one.name) if one.name in first else len(first))


def build_section(builder: Registered[SectionBuilder], context: ReportContext) -> PlacedSection | None:
    """The section, None where it does not apply; one that fails becomes a note, and stops no other."""
    from altair.utils.schemapi import debug_mode

    anchor = anchor_of(builder)
    try:
        if not builder.call(builder.offer.applies, context):
            return None
        with debug_mode(False):  # each chart is checked once it is whole, not at every step to it
            section = builder.call(builder.offer.build, context)
        figures = builder.call(render_figures, section, anchor)
        if not figures:
            return None
        return PlacedSection(anchor, section.title, section.introduction, figures, folded=section.folded)
    except LayerwiseError as error:
        words = str(error)
        blamed = words if builder.plugin in words else f"plugin '{builder.plugin}': {words}"
        return replace(note(builder, f"This section could not be made. {blamed}"), has_failed=True)


def note(builder: Registered[SectionBuilder], problem: str) -> PlacedSection:
    """A section of one line: why there is nothing to see."""
    return PlacedSection(anchor_of(builder), builder.name, problem=problem)


def anchor_of(builder: Registered[SectionBuilder]) -> str:
    """The HTML id of a section."""
    return f"section-{builder.distribution}-{builder.name}"


def render_figures(section: object, anchor: str) -> tuple[tuple[Figure, Markup], ...]:
    """The figures of a section with their HTML; here, so that what cannot be shown is its plugin's failure."""
    if not isinstance(section, ReportSection):
        raise TypeError(f"build returned a {type(section).__name__}, expected a ReportSection")
    return tuple(
        (figure, render_content(figure.content, f"{anchor}-{figure.name}", figure)) for figure in section.figures
    )


def place_head(
    builders: Sequence[Registered[SectionBuilder]], context: ReportContext, placed: Sequence[PlacedSection]
) -> Head:
    """What the sections have found, each sentence with the place on the page that shows it."""
    shown = {place.anchor: anchors_of(place) for place in placed if not place.problem}
    able = [builder for builder in builders if anchor_of(builder) in shown]

    def place(builder: Registered[SectionBuilder], figure: str) -> str:
        anchor = anchor_of(builder)
        return shown[anchor].get(figure, anchor)

    findings = tuple(
        PlacedFinding(found.finding.text, place(found.section, found.finding.figure))
        for found in gather_findings(able, context)
    )
    preview = find_preview(able, context) if findings else None
    if preview is None:
        return Head(findings)
    return Head(findings, preview[1], place(preview[0], preview[1].figure))


def anchors_of(place: PlacedSection) -> dict[str, str]:
    """The HTML ids of the figures of a section, also of those that are shown one at a time, by name."""
    inner = {
        panel.name: panel_anchor(f"{place.anchor}-{figure.name}", panel.name)
        for figure, _ in place.figures
        if isinstance(figure.content, Alternatives)
        for panel in figure.content.figures
    }
    return inner | {figure.name: figure_anchor(place.anchor, figure.name) for figure, _ in place.figures}


def figure_anchor(anchor: str, name: str) -> str:
    """The HTML id of a section's figure."""
    return f"{anchor}-{name}-figure"


def render_page(
    placed: Sequence[PlacedSection],
    context: ReportContext,
    title: str | None,
    head: Head = Head(),
) -> str:
    """The whole page as text."""
    scripts = [Markup(script_safe(source)) for source in (vega_bundle(), page_script())]
    return (
        templates()
        .get_template("page.html")
        .render(
            title=title or title_of(context.runs),
            runs=context.runs,
            placed=placed,
            head=head,
            figure_anchor=figure_anchor,
            shared=shared_data(figure.content for place in placed for figure, _ in place.figures),
            css=Markup(page_style()),
            scripts=scripts,
            policy=content_policy(scripts),
            version=distribution_version("layerwise"),
        )
    )


def title_of(runs: Sequence[RunRecord]) -> str:
    """What a page about these runs is called: the training that they are of, or their models, and the stimuli."""
    lineage = runs[0].lineage if len(runs) > 1 and len({run.lineage for run in runs}) == 1 else None
    models = [lineage] if lineage else [run.model.title for run in runs]
    return f"{_join(models)} on {_join([run.stimuli_name for run in runs])}"


def _join(names: Sequence[str]) -> str:
    """Names in words, each once; of many the first."""
    once = list(dict.fromkeys(names))
    return " and ".join(once) if len(once) <= 3 else f"{once[0]} and {len(once) - 1} others"

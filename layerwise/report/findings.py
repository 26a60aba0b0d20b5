"""The head of a page: what its sections have found, in a few sentences, beside a small picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import RunRecord
from layerwise.core.host.registry import Registered, Registry
from layerwise.report.content import Choice, Finding, Preview, ReportContext
from layerwise.report.section import SectionBuilder

MOST = 5
"""Sentences at the head of a page: as many as are read."""


@dataclass(frozen=True)
class Found:
    """What one section has found.

    Attributes:
        section: Who found it.
        finding: The sentence.
    """

    section: Registered[SectionBuilder]
    finding: Finding


def gather_findings(
    builders: Sequence[Registered[SectionBuilder]], context: ReportContext, most: int = MOST
) -> list[Found]:
    """The most telling sentences of all sections that apply, in the order of the sections.

    A section that fails has found nothing: what it shows says why.

    Args:
        builders: The sections, in the order of the page.
        context: What they are asked about.
        most: How many sentences at most.
    """
    found = [Found(builder, finding) for builder in builders for finding in _ask(builder, context)]
    told = sorted(found, key=lambda one: -one.finding.weight)[:most]
    return [one for one in found if one in told]


def find_findings(registry: Registry, history: HistoryProtocol, run: RunRecord, choice: Choice) -> list[str]:
    """What the sections of a report would say of one run, in sentences; none where layers cannot be compared."""
    context = ReportContext((run,), history, registry, choice)
    builders = sorted(registry.all(SectionBuilder), key=lambda builder: builder.offer.position)
    return [one.finding.text for one in gather_findings(builders, context)]


def find_preview(
    builders: Sequence[Registered[SectionBuilder]], context: ReportContext
) -> tuple[Registered[SectionBuilder], Preview] | None:
    """The small picture of the first section that has one."""
    for builder in builders:
        try:
            applies = builder.call(builder.offer.applies, context)
            preview = builder.call(builder.offer.preview, context) if applies else None
        except LayerwiseError:
            continue
        if preview is not None:
            return builder, preview
    return None


def _ask(builder: Registered[SectionBuilder], context: ReportContext) -> Sequence[Finding]:
    if getattr(type(builder.offer), "findings", None) is SectionBuilder.findings:  # it has none, so nothing is asked
        return ()
    try:
        if not builder.call(builder.offer.applies, context):
            return ()
        found: Sequence[Finding] = builder.call(_checked, builder.offer, context)
    except LayerwiseError:
        return ()
    return found


def _checked(section: SectionBuilder, context: ReportContext) -> Sequence[Finding]:
    found = tuple(section.findings(context))
    for finding in found:
        if not isinstance(finding, Finding):
            raise TypeError(f"findings returned a {type(finding).__name__}, expected a Finding")
    return found

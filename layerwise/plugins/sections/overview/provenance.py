"""Section: where the numbers come from, and how to get them again."""

from __future__ import annotations

from typing import ClassVar

from layerwise.core.history.attempts import describe_attempts
from layerwise.core.history.records import RunRecord
from layerwise.report.content import Figure, Listing, ReportContext, ReportSection, Table
from layerwise.report.queries import featured_runs, title_for
from layerwise.report.section import SectionBuilder

Row = tuple[str | float | int | None, ...]


def list_provenance(run: RunRecord) -> tuple[Row, ...]:
    """What is recorded of a run, as pairs of a name and a value."""
    rows: list[Row] = [
        ("run", run.id),
        ("status", run.status),
        ("origin", run.origin),
        ("model", f"{run.model.name} ({run.model.source})"),
        ("model fingerprint", run.model.fingerprint),
        ("preprocessing", f"{run.model.preprocessing}; resized by {run.resize}"),
        ("stimuli", f"{run.n_stimuli} from {run.stimuli_source}"),
        *([("landmarks", f"pairs with the first {run.n_landmarks} stimuli")] if run.n_landmarks else []),
        ("stimuli fingerprint", run.stimuli_fingerprint),
        ("left out", "; ".join(run.skipped) or "none"),
        ("checkpoint", _join(run.lineage, run.checkpoint, run.step)),
        ("tags", ", ".join(f"{key}={value}" for key, value in run.tags.items()) or "none"),
        ("loader", f"{run.loader.name} {run.loader.version}"),
        ("engine", f"{run.engine.name} {run.engine.version}"),
        ("batch size", run.batch_size),
        ("features per product", run.chunk_width),
        ("transforms", ", ".join(run.transforms)),
        ("started", f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("finished", f"{run.finished_at:%Y-%m-%d %H:%M:%S} UTC" if run.finished_at else "not finished"),
        ("seconds", ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in run.timings.items()) or "not recorded"),
        ("plugins", ", ".join(run.plugins) or "none"),
        ("versions", ", ".join(f"{package} {release}" for package, release in run.versions.items())),
        ("host", ", ".join(f"{key}: {value}" for key, value in run.host.items())),
        *describe_attempts(run.attempts),
    ]
    return tuple(rows)


def _join(lineage: str | None, checkpoint: str | None, step: int | None) -> str:
    found = [lineage, checkpoint, None if step is None else f"step {step}"]
    return ", ".join(part for part in found if part) or "none"


def spell_commands(context: ReportContext) -> str:
    """What to type to get the page again, with the versions that it was made with as comments."""
    lines = []
    known: set[str] = set()
    for run in context.runs:
        versions = ", ".join(f"{package} {release}" for package, release in run.versions.items())
        if versions and versions not in known:
            lines.append(f"# {' '.join(versions.split())}")
            known.add(versions)
        lines.append(run.command or f"# run {run.id} was made from Python")
    ids = " ".join(run.id for run in context.runs)
    return "\n".join([*lines, context.command or f"layerwise report {ids} -o report.html"])


class Provenance(SectionBuilder):
    """How to reproduce the report."""

    name = "provenance"
    description = "commands, versions, plugins, host, timings and fingerprints"
    position: ClassVar[int] = 100

    def applies(self, context: ReportContext) -> bool:
        """Whether there is something to show."""
        return bool(context.runs)

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        commands = Figure(
            "reproduce",
            "How to reproduce",
            Listing(spell_commands(context)),
            "The exact commands: those that analysed, then the one that wrote this page. With these versions, the "
            "same files, the same batch size and the same machine, they give the same numbers.",
            "As recorded when the analysis was made; all that was recorded is listed below.",
            "The commands that make the runs and this page again.",
        )
        details = tuple(
            Figure(
                f"provenance-{run.id}",
                title_for(context, run, "What was run, where and with what"),
                Table(("what", "value"), list_provenance(run)),
                "All that is recorded of the run. Two runs with the same fingerprints saw the same weights and the "
                "same stimuli, wherever they were made.",
                f"Recorded by layerwise {run.versions.get('layerwise', 'of an unknown version')} while it ran.",
            )
            for run in featured_runs(context)
        )
        words = "Where every number of this page comes from."
        return ReportSection("Provenance", (commands, *details), words, folded=True)

"""What a report section is asked for: whether it applies, its figures, and figures that have names of their own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from layerwise.core.host.kinds.offer import Offer
from layerwise.report.content import Figure, Finding, Preview, ReportContext, ReportSection


@dataclass(frozen=True)
class FigureOptions:
    """What is asked of a figure besides its runs.

    Attributes:
        by: The layer that orders the stimuli; None for the figure's own choice.
        method: The reorderer that orders them; None for the figure's own choice.
        columns: How many panels stand side by side; None for the figure's own choice.
        layers: The selectors that have chosen the main layers of the context; empty for the run's own.
    """

    by: str | None = None
    method: str | None = None
    columns: int | None = None
    layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class NamedFigure:
    """A figure that a section offers under a name of its own.

    Attributes:
        name: What people type.
        description: What it shows, in one line.
        needs: Which runs it is drawn from, in a few words.
        build: Queries and draws; the figure's content is a `Chart`.
        n_runs: How many runs it takes: at least, and at most (None for any number).
        ordered: Whether it shows stimuli in an order, so that `by` and `method` mean something.
        paneled: Whether it has panels side by side, so that `columns` means something.
        uses_layers: Whether it shows the main layers, so that a choice of layers means something.
    """

    name: str
    description: str
    needs: str
    build: Callable[[ReportContext, FigureOptions], Figure]
    n_runs: tuple[int, int | None] = (1, 1)
    ordered: bool = False
    paneled: bool = False
    uses_layers: bool = True


class SectionBuilder(Offer):
    """Builds one section of a report from queries. `position` orders the sections."""

    _hook = "report_sections"
    position: ClassVar[int]

    @abstractmethod
    def applies(self, context: ReportContext) -> bool:
        """Whether the section has something to show for the runs of `context`; cheap."""

    @abstractmethod
    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw.

        Raises:
            LayerwiseError: If it cannot be shown; the page says so in one line, and goes on with the next section.
        """

    def findings(self, context: ReportContext) -> Sequence[Finding]:  # noqa: ARG002
        """What it found, in sentences that their intervals carry; none unless the section says otherwise.

        They stand at the head of the page, and `layerwise show` prints them. Asked only where the section applies.
        """
        return ()

    def preview(self, context: ReportContext) -> Preview | None:  # noqa: ARG002
        """A small picture for the head of the page, which shows that of the first section that has one."""
        return None

    def figures(self) -> Sequence[NamedFigure]:
        """Figures that `layerwise figure` draws under a name of their own; none unless the section says otherwise.

        The charts that `build` makes are offered as `SECTION/FIGURE` besides.
        """
        return ()

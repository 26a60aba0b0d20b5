"""What stands around the measures: engines that stream a run, sections of reports, and commands."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from layerwise.core.kinds.offer import Offer

if TYPE_CHECKING:
    from layerwise.core.figures import NamedFigure
    from layerwise.core.report import ReportContext, ReportSection
    from layerwise.core.streaming.job import LayerSink, StreamJob


class Engine(Offer):
    """Carries out the streaming of one run: on this machine, or on several."""

    @abstractmethod
    def stream(self, job: StreamJob, sink: LayerSink) -> None:
        """Compute every layer of the job, handing each to the sink as soon as it is finished."""


class SectionBuilder(Offer):
    """Builds one section of a report from queries. `position` orders the sections."""

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

    def figures(self) -> Sequence[NamedFigure]:
        """Figures that `layerwise figure` draws under a name of their own; none unless the section says otherwise.

        The charts that `build` makes are offered as `SECTION/FIGURE` besides.
        """
        return ()


class CommandGroup(Offer):
    """Adds commands to the command line."""

    @abstractmethod
    def attach(self, app: Any) -> None:
        """Add commands to the Typer application `app`."""

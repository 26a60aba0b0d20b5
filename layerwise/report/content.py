"""What a report is made of: sections of figures, and a few typed kinds of content that a page can show.

Sections say *what* there is to see; only the page knows HTML. Everything in here is plain text and numbers,
which the page escapes: file names, labels and layer names are hostile until then.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from layerwise.report.atlas import MatrixBrowser, PairExplorer, StimulusMap

if TYPE_CHECKING:
    import polars as pl

    from layerwise.core.base.parameters import Setting
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.history.records import RunRecord
    from layerwise.core.host.registry import Registry

Found = TypeVar("Found")
Verdict = Literal["right", "near", "wrong", "unknown"]


@dataclass(frozen=True)
class Chart:
    """An Altair chart.

    Attributes:
        drawing: The chart. A width of `"container"` fills the page's column; a chart in `usermeta` marked
            with `{"layerwise": {"square": allowance}}` is given equal width and height, `allowance` pixels
            less than the column.
        numbers: Gives the numbers behind it as a Polars frame, where the chart does not carry them itself (a
            picture does not).
    """

    drawing: Any
    numbers: Callable[[], pl.DataFrame] | None = None


@dataclass(frozen=True)
class Table:
    """A table; the cells are plain text or numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | float | int | None, ...], ...]


@dataclass(frozen=True)
class Fact:
    """One number that a person wants, with its name and a few words on what it means."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Facts:
    """A row of large numbers."""

    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Bar:
    """A labelled share between 0 and 1; `marked` where it is the right answer."""

    label: str
    share: float
    marked: bool = False


@dataclass(frozen=True)
class Card:
    """One stimulus with its bars.

    Attributes:
        image: A small JPEG or PNG.
        title: Name of the stimulus.
        subtitle: Its label, or empty.
        verdict: Whether the first bar is right, another one is (`near`), none is, or nobody knows.
        bars: Shares, largest first.
    """

    image: bytes
    title: str
    subtitle: str
    verdict: Verdict
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Gallery:
    """Cards in a grid."""

    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Listing:
    """Text to be copied as it is, such as a command."""

    text: str


@dataclass(frozen=True)
class SideBySide:
    """Figures beside each other where there is room, otherwise one below the other.

    Attributes:
        figures: Two or three, each with a title of its own; captions are left to the figure around them.
    """

    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Alternatives:
    """Figures of which one is seen at a time; which one is chosen in the page.

    Attributes:
        label: What is chosen, such as `Models`.
        figures: At least one, each with a title of its own, which is what is chosen from.
        first: Index of the one that is seen first.
    """

    label: str
    figures: tuple[Figure, ...]
    first: int = 0


Content = (
    Chart | Table | Facts | Gallery | Listing | MatrixBrowser | PairExplorer | StimulusMap | SideBySide | Alternatives
)


@dataclass(frozen=True)
class Figure:
    """One figure of a report.

    Attributes:
        name: Unique within the section; becomes an HTML id.
        title: Short heading.
        content: What is shown.
        caption: What it shows, in a sentence or two; plain text.
        method: How it was computed: measure, number of stimuli, order, version; plain text.
        description: What a person who cannot see it should be told; the caption where empty.
    """

    name: str
    title: str
    content: Content
    caption: str = ""
    method: str = ""
    description: str = ""


@dataclass(frozen=True)
class Finding:
    """One sentence on what was found, which a reader may repeat.

    Attributes:
        text: The sentence, with the interval that carries it; plain text.
        figure: Name of the figure of the section that shows it, also one among `Alternatives`, which is then chosen;
            empty for the section as a whole.
        weight: How telling it is, from 0 to 1: a page begins with those that tell most.
    """

    text: str
    figure: str = ""
    weight: float = 0.5


@dataclass(frozen=True)
class Preview:
    """A small picture of what a section shows, for the head of a page.

    Attributes:
        image: A PNG.
        figure: Name of the figure of the section that it is the small picture of.
        description: What a person who cannot see it should be told.
    """

    image: bytes
    figure: str
    description: str


@dataclass(frozen=True)
class ReportSection:
    """The content of one section: its figures, in order, and an introduction in plain text.

    Attributes:
        title: Its heading.
        figures: In order; none where there is nothing to show.
        introduction: Plain text.
        folded: Whether the page shows its heading alone until a reader opens it.
    """

    title: str
    figures: tuple[Figure, ...]
    introduction: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Choice:
    """How layers are compared wherever a section leaves it open.

    Attributes:
        comparator: Bare or qualified name of the comparator.
        settings: Values of its parameters.
        metric: Name of the metric whose matrices it compares; None for its own default.
        transform: Whose representations are shown; None for plain activations, where there are any.
        n_resamples: From how many resamples of the stimuli intervals are made; 0 for none, None for as many as take
            no more than a moment.
        end_point: Name or role of the layer that counts as the end of a network; None for the logits, where a softmax
            makes the output of them, otherwise the output.
    """

    comparator: str = "layerwise:rsa-pearson"
    settings: Mapping[str, Setting] = field(default_factory=dict)
    metric: str | None = None
    transform: str | None = None
    n_resamples: int | None = None
    end_point: str | None = None


@dataclass(frozen=True)
class ReportContext:
    """What a section is built from.

    Attributes:
        runs: The runs that are reported, in the order in which they are shown.
        history: Where their results are read.
        registry: What plugins offer, for comparisons and orderings that are not stored yet.
        choice: How layers are compared.
        command: The command that makes the report again; empty where it was asked for from Python.
        memory: What one section has found and another needs too; see `once`.
    """

    runs: Sequence[RunRecord]
    history: HistoryProtocol
    registry: Registry
    choice: Choice = Choice()
    command: str = ""
    memory: dict[Hashable, Any] = field(default_factory=dict, compare=False, repr=False)

    def once(self, key: Hashable, find: Callable[[], Found]) -> Found:
        """What `find` gives, found once for all sections of this report that ask under the same key."""
        place = (key, id(self.history))
        if place not in self.memory:
            self.memory[place] = (self.history, find())  # kept alive, so that no other takes its id
        return cast("Found", self.memory[place][1])

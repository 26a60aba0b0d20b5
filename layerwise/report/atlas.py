"""What a page knows of single stimuli and pairs of them: kept once, shown by several figures.

The matrices of all layers are by far the largest part of a report, so they are sent once, a byte for each pair, in
an atlas that every figure about pairs of stimuli refers to. What must be exact where a byte is not (the pairs that
are listed by name, the correlation of two layers) is computed before, and sent as numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

UNDEFINED_CODE = 255


@dataclass(frozen=True)
class PairMeasure:
    """What the cells of a stimulus x stimulus matrix are.

    Attributes:
        name: The metric's bare name.
        description: What it is, in one line.
        kind: Whether larger means more alike, or less.
        symbol: What a value is called where there is little room: `r` of a correlation; may be empty.
        unit: Of its values; empty for plain numbers.
        value_range: Smallest and largest possible value, None where unbounded.
        provider: `distribution:name version` of who computed it.
    """

    name: str
    description: str
    kind: Literal["similarity", "distance"]
    symbol: str = ""
    unit: str = ""
    value_range: tuple[float | None, float | None] = (None, None)
    provider: str = ""


@dataclass(frozen=True)
class CodedMatrix:
    """A layer's (n, n) matrix, coded in one byte for each pair: `value = (code + offset) * step`.

    Attributes:
        name: Name of the layer.
        group: Heading it is listed under.
        codes: Strict upper triangle by rows, n (n - 1) / 2 bytes; 255 where undefined.
        step: Distance between two codes; a value is off by half of it at most.
        offset: Code number of zero, negated; zero is exact.
        diagonal: The value of each stimulus with itself; a single one where all are the same.
        undefined: Positions of the stimuli of which nothing is defined.
        position: The layer's place in the order of computation.
    """

    name: str
    group: str
    codes: bytes
    step: float
    offset: int
    diagonal: tuple[float, ...] = (1.0,)
    undefined: tuple[int, ...] = ()
    position: int = 0


@dataclass(frozen=True)
class StimulusOrder:
    """A named order of the stimuli: position in the picture to position in the set.

    Attributes:
        name: What it is called.
        permutation: The stimuli, first to last.
        layer: Whether it comes from a layer's matrix, rather than from what is known of the stimuli.
    """

    name: str
    permutation: tuple[int, ...]
    layer: bool = True


@dataclass(frozen=True)
class ShownStimulus:
    """A stimulus as figures show it.

    Attributes:
        name: Its name, which is a file's name more often than not.
        label: What it is, as people say it; empty where unknown.
        answer: The model's most probable class; empty where unknown.
        confidence: The probability of that class.
        right: Whether that class is the label's; None where unknown.
    """

    name: str
    label: str = ""
    answer: str = ""
    confidence: float | None = None
    right: bool | None = None


@dataclass(frozen=True)
class StimulusAtlas:
    """The matrices of a run's layers with the stimuli they are about.

    Attributes:
        key: Tells atlases of one page apart.
        title: What the run is called.
        measure: What the matrices hold.
        matrices: One for each layer, those of `main` first, in order of computation.
        orders: At least one; the first is shown first.
        stimuli: The n stimuli that are shown.
        thumbnails: One small picture for each stimulus, or none at all.
        n_stimuli: How many stimuli the run has; more than are shown where the page would grow too large.
        n_landmarks: Of how many of these all pairs are known; None of all.
    """

    key: str
    title: str
    measure: PairMeasure
    matrices: tuple[CodedMatrix, ...]
    orders: tuple[StimulusOrder, ...]
    stimuli: tuple[ShownStimulus, ...]
    thumbnails: tuple[bytes, ...] = ()
    n_stimuli: int = 0
    n_landmarks: int | None = None


@dataclass(frozen=True)
class MatrixBrowser:
    """The (n, n) matrices of many layers, to be looked at one by one and side by side, in several orders."""

    atlas: StimulusAtlas


@dataclass(frozen=True)
class ChangedPair:
    """A pair of stimuli that two layers see differently.

    Attributes:
        first: Position of one stimulus.
        second: Position of the other, behind the first.
        values: The measure's value in either layer.
        places: Where that is between the least (0) and the most (1) alike pair of either layer.
    """

    first: int
    second: int
    values: tuple[float, float]
    places: tuple[float, float]


@dataclass(frozen=True)
class LayerPair:
    """Two layers held against each other, pair of stimuli by pair of stimuli.

    Attributes:
        layers: Positions of the two matrices in the atlas, the earlier layer first.
        n_pairs: Pairs of stimuli that are defined in both.
        correlation: Pearson correlation of the two layers' values over these; None where undefined.
        parted: The pairs that are more alike in the first, those that changed most first.
        joined: The pairs that are more alike in the second, likewise.
    """

    layers: tuple[int, int]
    n_pairs: int
    correlation: float | None
    parted: tuple[ChangedPair, ...] = ()
    joined: tuple[ChangedPair, ...] = ()


@dataclass(frozen=True)
class PairExplorer:
    """A scatter of pair values of any two layers, with the pairs that changed most.

    Attributes:
        atlas: Matrices, names and pictures.
        pairs: Every two of the layers that can be chosen.
        start: Positions of the two matrices that are shown first.
    """

    atlas: StimulusAtlas
    pairs: tuple[LayerPair, ...]
    start: tuple[int, int]


@dataclass(frozen=True)
class LayerMap:
    """The stimuli of one layer as points on a plane.

    Attributes:
        matrix: Position of the layer's matrix in the atlas.
        points: (x, y) of each stimulus, None where it is undefined; x and y share a scale.
        stress: Kruskal's stress-1 of the map; None where nothing is apart.
        kept: Squared correlation between the distances of the layer and those of the map; None where undefined.
    """

    matrix: int
    points: tuple[tuple[float, float] | None, ...]
    stress: float | None
    kept: float | None


@dataclass(frozen=True)
class StimulusMap:
    """Maps of the stimuli, one for each layer, each turned to lie as close to the one before as it can.

    Attributes:
        atlas: Matrices, names and pictures.
        maps: In the order in which they are moved through.
    """

    atlas: StimulusAtlas
    maps: tuple[LayerMap, ...]

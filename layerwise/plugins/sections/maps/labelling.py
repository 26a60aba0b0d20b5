"""Where the names of points are written, so that none covers another; in shares of a square chart's half side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LABEL_HEIGHT, LETTER_WIDTH = 0.048, 0.02  # of a label of 10 pixels on a chart of 600
ON_A_PHONE = 2.1  # times as large a part of the chart
REACH = 1.16  # where the chart ends, if points lie within 1

Label = tuple[float, float, str]
Box = tuple[float, float, float, float]


def place_labels(names: Sequence[str], points: NDArray[np.float64]) -> list[Label]:
    """Where each name is written so that it covers as little as can be: x, y and alignment; points lie within 1.

    Of six places around its point each name takes, in turn, the one with the least of points and names under it.
    """
    taken: list[Box] = []
    dots = [(x - 0.02, y - 0.02, x + 0.02, y + 0.02) for x, y in points]
    placed: list[Label] = []
    for name, (x, y) in zip(names, points, strict=True):
        width, height = LETTER_WIDTH * len(name), LABEL_HEIGHT
        choices = [
            (x + dx, y + dy, align)
            for dx, dy, align in (
                (0.035, 0.0, "left"), (-0.035, 0.0, "right"), (0.0, 0.055, "center"), (0.0, -0.055, "center"),
                (0.025, 0.045, "left"), (0.025, -0.045, "left"), (-0.025, 0.045, "right"), (-0.025, -0.045, "right"),
            )
        ]  # fmt: skip
        best = min(choices, key=lambda place: covered_area(label_box(place, width, height), dots + taken))
        placed.append((float(best[0]), float(best[1]), best[2]))
        if name:
            taken.append(label_box(best, width, height))
    return placed


def choose_major(names: Sequence[str], labels: Sequence[Label]) -> list[bool]:
    """Which names can be written on a small chart too: the first and the last, and others that touch none of them."""
    taken: list[Box] = []
    major = [False] * len(names)
    written = [index for index, name in enumerate(names) if name]
    for index in [*written[:1], *written[-1:], *written[1:-1]]:
        size = (LETTER_WIDTH * ON_A_PHONE * len(names[index]), LABEL_HEIGHT * ON_A_PHONE)
        box = label_box(labels[index], *size)
        if not covered_area(box, taken):
            taken.append(box)
            major[index] = True
    return major


def label_box(place: Label, width: float, height: float) -> Box:
    """What a label of this size covers: left, bottom, right, top."""
    x, y, align = place
    left = {"left": x, "right": x - width, "center": x - width / 2}[align]
    return left, y - height / 2, left + width, y + height / 2


def covered_area(box: Box, others: list[Box]) -> float:
    """Area of a box that lies on others, or beyond the chart."""
    area = 0.0
    for other in others:
        wide = min(box[2], other[2]) - max(box[0], other[0])
        high = min(box[3], other[3]) - max(box[1], other[1])
        area += max(0.0, wide) * max(0.0, high)
    beyond = max(0.0, box[2] - REACH) + max(0.0, -REACH - box[0])
    return area + beyond

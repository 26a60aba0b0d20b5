"""What recordings say in sentences: which layer each area is most like, and whether others would do as well."""

from __future__ import annotations

from collections.abc import Sequence

from layerwise.plugins.sections.recordings.queries import Match, match_frame
from layerwise.report.content import Finding

N_AREAS_MOST = 3  # areas that are named at the head of a page


def find_in_matches(matches: Sequence[Match], figure: str) -> list[Finding]:
    """A sentence for each of the areas that are best explained, by the network whose layer is most like it."""
    told: dict[str, tuple[float, str]] = {}
    for match in matches:
        for row in match_frame(match).filter(standing="best").drop_nulls(["low", "high"]).to_dicts():
            if row["series"] not in told or row["value"] > told[row["series"]][0]:
                told[row["series"]] = (row["value"], _tell(match, row, len(matches) > 1))
    best = sorted(told.values(), reverse=True)[:N_AREAS_MOST]
    return [Finding(text, figure, 0.95) for _, text in best]


def _tell(match: Match, row: dict[str, object], several: bool) -> str:
    of = f" of {match.name}" if several else ""
    place = next(index for index, area in enumerate(match.areas) if area.name == row["series"])
    n_rivals = len(match.rivals[place]) if match.rivals else 0
    others = "no other layer does as well" if not n_rivals else f"{n_rivals} others are not clearly worse"
    if n_rivals == 1:
        others = "1 other is not clearly worse"
    interval = f"{row['value']:.2f}, {row['low']:.2f} to {row['high']:.2f}"
    return f"{row['series']} is most like {row['layer']}{of} ({interval}; {others})."

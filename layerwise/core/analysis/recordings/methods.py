"""A methods paragraph: what was done, in sentences to paste, with the papers that they come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layerwise.core.analysis.measure import Measure
    from layerwise.core.history.intervals import IntervalPlan, PermutationPlan
    from layerwise.core.history.records import RunRecord

RSA = (
    "Kriegeskorte, N., Mur, M. & Bandettini, P. (2008). Representational similarity analysis: connecting the "
    "branches of systems neuroscience. Frontiers in Systems Neuroscience 2, 4."
)
TOOLBOX = (
    "Nili, H., Wingfield, C., Walther, A., Su, L., Marslen-Wilson, W. & Kriegeskorte, N. (2014). A toolbox for "
    "representational similarity analysis. PLOS Computational Biology 10, e1003553."
)
MAX_T = (
    "Nichols, T. E. & Holmes, A. P. (2002). Nonparametric permutation tests for functional neuroimaging: a primer "
    "with examples. Human Brain Mapping 15, 1-25."
)
MANTEL = (
    "Mantel, N. (1967). The detection of disease clustering and a generalized regression approach. Cancer Research "
    "27, 209-220."
)
HOLM = (
    "Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6, "
    "65-70."
)


def write_methods(
    network: RunRecord,
    recordings: Sequence[RunRecord],
    measure: Measure,
    n_areas: int,
    n_layers: int,
    intervals: IntervalPlan | None,
    tests: PermutationPlan | None,
) -> tuple[str, tuple[str, ...]]:
    """What was done, and what to cite.

    Args:
        network: The network's run.
        recordings: The recordings' runs.
        measure: What compared them.
        n_areas: How many areas there were.
        n_layers: How many layers were searched.
        intervals: How intervals were made.
        tests: How the best layer was tested.

    Returns:
        The paragraph, and the references.
    """
    references = [RSA] if measure.name.startswith("rsa") else []
    said = (
        f"Representations of {_count(n_areas, 'area')} ({_count(len(recordings), 'recording')}) were compared with "
        f"those of {_count(n_layers, 'layer')} of {network.model.name} on {network.n_stimuli} stimuli, by "
        f"{measure.name}{_in_words(measure)}."
    )
    if intervals is not None:
        said += (
            f" {intervals.level:.0%} intervals ({intervals.method}) are over the stimuli, from "
            f"{intervals.n_resamples} resamples. A layer counts as no worse than the best one where the interval of "
            "their difference includes 0."
        )
    if tests is not None:
        references += [MANTEL, MAX_T, HOLM]
        said += (
            f" The best layer of each area was tested against the best layer of each of {tests.n_permutations} "
            "permutations of the stimuli (Mantel 1967; Nichols & Holmes 2002), which corrects for the search over "
            "layers; p-values were corrected for the number of areas (Holm 1979)."
        )
    if len(recordings) > 1:
        references.append(TOOLBOX)
        said += " Noise ceilings are those of Nili et al. (2014), over recordings."
    version = network.versions.get("layerwise", "")
    said += f" Analyses were done with Layerwise {version}".rstrip() + "."
    return said, tuple(references)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _in_words(measure: Measure) -> str:
    offer = measure.comparator.offer
    words = " ".join(str(offer.description).split()).rstrip(".")
    return f" ({words})" if words else ""

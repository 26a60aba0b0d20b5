"""Numbers that docs/profile.md and docs/measures.md state of the published GoogLeNet on 500 photos, measured again.

python benchmarks/documented_numbers.py HISTORY [profile] [rank] [width] [diagonal]

HISTORY is the URL of a database with that run (docs/study.md has the command); everything is asked of its newest run.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.choose import list_main_layers
from layerwise.core.analysis.inference.every_pair import compare_every_pair
from layerwise.core.analysis.measure import Measure, find_measure
from layerwise.core.analysis.profile import measure_profile
from layerwise.core.analysis.profile_run import largest_value
from layerwise.core.history.profiles import Profile
from layerwise.core.history.records import LayerAddress
from layerwise.core.network.products import represent
from layerwise.core.network.representation import Representation, strict_upper
from layerwise.plugin import open_history
from layerwise.plugins import load_plugins

Floats = NDArray[np.float64]
Layers = dict[str, Representation]
REGISTRY = load_plugins()
N_DRAWS = 200


def read_layers(url: str, main_only: bool) -> Layers:
    """The layers of the newest run in order of computation."""
    with open_history(url) as history:
        run = history.find_run("latest")
        layers = list_main_layers(history, run) if main_only else history.list_layers(run.id)
        return {layer.name: history.read_representation(LayerAddress(run.id, layer.name)) for layer in layers}


def profile(measure: Measure, layers: Layers) -> Profile:
    matrix = compare_every_pair(measure, layers.values())
    return measure_profile(list(layers), matrix, measure.kind, largest_value(measure))


def profile_some(names: Sequence[str], matrix: Floats, kept: Sequence[int]) -> float:
    """Smoothness of a selection of layers."""
    found = measure_profile([names[index] for index in kept], matrix[np.ix_(kept, kept)], "similarity")
    return float(found.smoothness or 0)


def show_profile(url: str) -> None:
    """docs/profile.md: selections of layers, comparators, and selections of photos."""
    layers = read_layers(url, main_only=True)
    rsa = find_measure(REGISTRY, "rsa-pearson")
    names, matrix = list(layers), compare_every_pair(rsa, layers.values())
    places = range(len(names))
    without = {names[left]: profile_some(names, matrix, [i for i in places if i != left]) for left in places}
    inner = {name: value for name, value in without.items() if name not in (names[0], names[-1])}
    print(f"smoothness {profile_some(names, matrix, list(places)):.3f}")
    for what, some in (("any", without), ("one that is neither input nor output", inner)):
        low, high = min(some, key=some.__getitem__), max(some, key=some.__getitem__)
        print(f"without one layer, {what}: {some[low]:.3f} ({low}) to {some[high]:.3f} ({high})")
    print(f"every second layer {profile_some(names, matrix, list(places)[::2]):.3f}")
    blocks = [index for index in places if names[index].startswith("mixed")]
    print(f"the {len(blocks)} blocks alone {profile_some(names, matrix, blocks):.3f}")
    for name in ("rsa-pearson", "rsa-spearman", "cka", "procrustes"):
        found = profile(find_measure(REGISTRY, name), layers)
        step = int(np.nanargmax(found.shares))
        where = f"{names[step - 1]} to {names[step]}"
        print(f"{name}: smoothness {found.smoothness:.3f}, largest share {found.shares[step]:.3f}, {where}")
    for n_photos in (250, 100, 50):
        drawn = [draw_profile(rsa, layers, n_photos, seed) for seed in range(N_DRAWS)]
        spread = [np.std([of(one) for one in drawn], ddof=1) for of in (smoothness, crossing)]
        print(f"{n_photos} photos, {N_DRAWS} draws: smoothness +- {spread[0]:.3f}, crossing +- {spread[1]:.3f}")


def draw_profile(measure: Measure, layers: Layers, n_photos: int, seed: int) -> Profile:
    n_stimuli = next(iter(layers.values())).n_stimuli
    drawn = np.random.default_rng(seed).choice(n_stimuli, n_photos, replace=False)
    return profile(measure, {name: layer.take(drawn) for name, layer in layers.items()})


def smoothness(found: Profile) -> float:
    return float(found.smoothness or np.nan)


def crossing(found: Profile) -> float:
    return found.crossings[0].depth


def show_rank(url: str) -> None:
    """docs/measures.md: how many directions SVCCA keeps, and what ReSi's rule for that makes of the layers."""
    layers = read_layers(url, main_only=False)
    svcca = find_measure(REGISTRY, "svcca")
    kept = {name: svcca.prepare(layer).rank for name, layer in layers.items()}
    print(f"99 % of the variance: {min(kept.values())} to {max(kept.values())} directions")
    theirs = [count_as_resi(layer.spectrum) for layer in layers.values()]
    print(f"by ReSi's rule: {min(theirs)} to {max(theirs)} directions")
    one = find_measure(REGISTRY, "svcca", {"rank": 1})
    pair = [layers["mixed4a"], layers["mixed4b"]]
    print("svcca mixed4a : mixed4b", *(compare_every_pair(which, pair)[0, 1].round(3) for which in (svcca, one)))


def count_as_resi(values: Floats) -> int:
    """How many directions ReSi's code keeps, which holds shares of the variance against 0.99 times the total."""
    return int(np.argmax(np.cumsum(values) / values.sum() >= 0.99 * values.sum())) + 1


def show_width(url: str) -> None:
    """docs/measures.md: `cka-rbf` with the median distance, and as in the published notebook."""
    layers = read_layers(url, main_only=False)
    for n_photos in (500, 20):
        some = [layer.take(np.arange(n_photos)).squared_distances() for layer in layers.values()]
        ours = compare_kernels(some, [float(np.median(np.sqrt(strict_upper(each)))) ** 2 for each in some])
        theirs = compare_kernels(some, [float(np.median(each)) for each in some])
        largest = np.abs(ours - theirs).max()
        print(f"cka-rbf, the first {n_photos} photos: the notebook's differs by {largest:.1e} at most")


def compare_kernels(squared: Sequence[Floats], widths: Sequence[float]) -> Floats:
    """CKA of Gaussian kernels with these squared widths, for every pair of layers."""
    kernels = [np.exp(-each / (2 * width)) for each, width in zip(squared, widths, strict=True)]
    centred = [k - k.mean(axis=0) - k.mean(axis=1)[:, None] + k.mean() for k in kernels]
    flat = np.array([(k / np.linalg.norm(k)).ravel() for k in centred])
    alike: Floats = flat @ flat.T
    return alike


def show_diagonal(url: str) -> None:
    """docs/measures.md: what RSA is of unrelated layers when the diagonal is not left out."""
    rng, found = np.random.default_rng(0), []
    for _ in range(1000):
        one, other = (represent(rng.normal(size=(40, 500))).correlation.astype(float) for _ in range(2))
        found.append(
            [np.corrcoef(one[kept], other[kept])[0, 1] for kept in (np.triu_indices(40), np.triu_indices(40, 1))]
        )
    with_it, without = np.mean(found, axis=0)
    print(f"RSA of noise, 40 stimuli and 500 units: {with_it:.3f} with the diagonal, {without:.3f} without")
    layers = read_layers(url, main_only=True)
    ends = [layers[name].correlation.astype(float) for name in ("input", "output")]
    for offset in (0, 1):
        kept = np.triu_indices(len(ends[0]), offset)
        print(f"input and output, offset {offset}: {np.corrcoef(ends[0][kept], ends[1][kept])[0, 1]:.3f}")


PARTS = {"profile": show_profile, "rank": show_rank, "width": show_width, "diagonal": show_diagonal}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("history", help="URL of a database: sqlite:///layerwise.db")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"which of {', '.join(PARTS)}; all")
    wanted = parser.parse_args()
    for part in wanted.parts or PARTS:
        PARTS[part](wanted.history)


if __name__ == "__main__":
    main()

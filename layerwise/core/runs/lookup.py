"""Finding a stored answer before anything is loaded: a run asked for again needs no network and no photos.

A request is known again by what its files hold. Loaders and sources say which files decide what they give
(`list_files`); their content, hashed, together with every option, and with the versions of whatever computes, is the
*digest* of the request, which is kept beside the run that answered it. What is trusted is that the same bytes, read
by the same release of the same packages, are the same model and the same stimuli. In doubt (a loader that does not
know its files, weights that a framework fetches, an object instead of a name, another release of anything) there is
no digest, or another one: then the model is loaded and its fingerprint decides, as it does with `force`. Where a
network computes is left to its loader (`--device auto`), which goes by what the machine has: that is in the digest.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from stat import S_ISREG
from typing import Any

from layerwise.core.base.hashing import hash_files
from layerwise.core.base.machine import list_accelerators
from layerwise.core.history.protocols import Archive
from layerwise.core.history.records import RunFilter, RunHeader
from layerwise.core.host import kinds
from layerwise.core.host.registry import Registered, Registry, distribution_version
from layerwise.core.runs.add_statistics import measure_run
from layerwise.core.runs.decode.stimuli import find_source
from layerwise.core.runs.loading import find_loader
from layerwise.core.runs.provenance import digest_key, list_decisive, provenance
from layerwise.core.runs.request import RunOutcome, RunRequest
from layerwise.core.runs.resolve import load_request

_N_LOOKED_AT = 8  # of the newest runs of the same model
_COMPUTING = ("layerwise", "numpy", "pillow", "tensorflow", "keras", "torch")


def digest_request(request: RunRequest, registry: Registry) -> str | None:
    """Hex digest of all that decides what a run comes to; None where that is not known without loading.

    Raises:
        LayerwiseError: If there is no loader, source, transform or engine of a name.
    """
    if not isinstance(request.model, str) or not isinstance(request.stimuli, str):
        return None
    asked = load_request(request)
    loader, source = find_loader(registry, request.model), find_source(registry, request.stimuli)
    model_files = loader.call(loader.offer.list_files, asked)
    stimulus_files = source.call(source.offer.list_files, request.stimuli)
    if model_files is None or stimulus_files is None:
        return None
    hashed = _hash([*model_files, *stimulus_files])
    if hashed is None:
        return None
    place = Path(request.stimuli).expanduser().resolve()
    transforms = [registry.get(kinds.Transform, name) for name in request.transforms if name != "none"]
    offers: list[Registered[Any]] = [
        loader,
        source,
        registry.get(kinds.Engine, request.engine),
        *transforms,
        *list_decisive(registry),
    ]
    versions = {offer.distribution: offer.version for offer in offers}
    return digest_key(
        {
            "model": [Path(request.model).name, request.seed, request.preprocessing, request.allow_unsafe],
            "settings": [request.output, [list(pair) for pair in request.feed], list(request.imports)],
            "weights": None if request.weights is None else Path(request.weights).name,
            "model files": [[file.name, hashed[file]] for file in model_files],
            "stimuli": [place.name, request.limit, request.resize, request.skip_bad, request.value_range],
            "stimulus files": [[os.path.relpath(file, place), hashed[file]] for file in stimulus_files],
            "layers": list(request.layers),
            "transforms": list(request.transforms),
            "offers": provenance(offers),
            "batch_size": request.batch_size,
            "filed": request.filed,
            "device": [request.device, *(list_accelerators() if request.device == "auto" else ())],
            "ablated": [*request.ablate, request.ablate_with],
            "versions": versions | {name: distribution_version(name) for name in _COMPUTING},
        }
        | ({} if request.landmarks is None else {"landmarks": request.landmarks})
    )


def find_answer(
    digest: str | None, request: RunRequest, registry: Registry, store: Archive, remark: Callable[[str], None]
) -> RunOutcome | None:
    """The run that answered the same request, with the statistics that have come since; None if there is none.

    Args:
        digest: Of the request, as `digest_request` gives it.
        request: The request; with `force` nothing is an answer.
        registry: Knows the statistics.
        store: The history.
        remark: Told what plugins failed on.
    """
    run_id = None if digest is None or request.force else store.find_request(digest)
    return None if run_id is None else answer(run_id, registry, store, remark)


def answer(run_id: str, registry: Registry | None, store: Archive, remark: Callable[[str], None]) -> RunOutcome:
    """A stored run as an outcome; where statistics are known, with those of representations that have come since."""
    record = store.find_run(run_id)
    if registry is not None:
        measure_run(registry, store, record, (), remark, asked=False)
    return RunOutcome(
        run_id=run_id,
        status="stored",
        n_stimuli=record.n_stimuli,
        layers=tuple(layer.name for layer in store.list_layers(run_id)),
        seconds=dict(record.timings),
        accuracy=record.accuracy,
        weights=record.model.source,
    )


def describe_extended(store: Archive, header: RunHeader) -> str:
    """Which run a new one extends by some stimuli, and why that spares it nothing, in one line; empty where none.

    Pairs of an old stimulus with a new one need the activations of both, and no run keeps any. Sums of old pairs
    could be moved to the new mean stimulus, but only as well as they are stored, so that results would depend on what
    happens to be in the history.
    """
    n_stimuli, hashes = header.stimuli.n_stimuli, set(header.stimuli.content_hashes)
    for run in store.list_runs(RunFilter(model=header.model.name, status="finished", limit=_N_LOOKED_AT)):
        is_same = run.model.fingerprint == header.model.fingerprint and run.origin == header.origin
        if not is_same or run.n_stimuli >= n_stimuli:
            continue
        if hashes.issuperset(stimulus.content_hash for stimulus in store.list_stimuli(run.id)):
            return (
                f"{run.n_stimuli:,} of these {n_stimuli:,} stimuli are those of run {run.id}; nothing of it can be "
                "reused, because pairs of old with new stimuli need the activations of both, which no run keeps"
            )
    return ""


def _hash(files: Sequence[Path]) -> dict[Path, str] | None:
    """The hash of each file; None where one cannot be read, which loading it will say better."""
    try:
        if not all(S_ISREG(file.stat().st_mode) for file in files):  # a pipe would be waited for
            return None
        return dict(zip(files, hash_files(files), strict=True))
    except (OSError, ValueError):  # a NUL in a manifest, for instance
        return None

"""An import as a run: claimed, stored layer by layer, finished; answered from history when asked for again.

An import is all or nothing: one that fails is taken out again; one whose process was killed goes on when it is
asked for again.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from layerwise.core.base.errors import InputError
from layerwise.core.base.provider import Provider
from layerwise.core.history.protocols import Archive
from layerwise.core.history.records import Claim, LayerResult, RunHeader
from layerwise.core.history.references import PREFIX, find_with_stimuli
from layerwise.core.host import kinds
from layerwise.core.host.registry import Registry, distribution_version
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import ModelInfo
from layerwise.core.network.representation import NO_TRANSFORM
from layerwise.core.network.stimuli import LoadedStimuli
from layerwise.core.runs.add_statistics import measure_run
from layerwise.core.runs.decode.stimuli import load_stimuli
from layerwise.core.runs.holding import holding
from layerwise.core.runs.provenance import collect_versions, describe_host, digest_key, list_plugins
from layerwise.core.runs.request import Observer
from layerwise.core.runs.sink import measure_representation
from layerwise.interchange.content import stem_of
from layerwise.interchange.conversion import describe_kind
from layerwise.interchange.files import hash_file
from layerwise.interchange.gathering import AUTO, Gathered, ImportedLayer, arrange_layers, gather, reorder
from layerwise.interchange.matching import Match, align, align_part, check_running
from layerwise.interchange.stimulus_names import (
    check_count,
    new_stimuli,
    read_names,
    stored_stimuli,
    take_stimuli,
)
from layerwise.interchange.structure import Structure, list_subjects

EACH_FILE = "file"
"""As the descriptor that says whose a matrix is: each file is a subject's."""
TAG = "imported-as"
"""The tag that says what kind of matrix an imported run was made of."""
LOADER = "layerwise:import"
"""Who has loaded an imported run."""
REVISION = 2
"""Counted up whenever the same file gives other representations; what was imported under another does not count."""
_THUMBNAIL_SIZE = (64, 64)


@dataclass(frozen=True)
class ImportRequest:
    """What is to be imported, and as what.

    Attributes:
        files: The files.
        name: The model's name; None for the first file's.
        kind: A key of `conversion.KINDS`, `activations`, or `auto`.
        layers: Names of the layers to take; all if empty.
        first: Name of the layer in the role `input`.
        last: Name of the layer in the role `output`.
        stimuli: A run, or the path of stimuli, whose set this is; None for a set from the file's names.
        names: A file with the names of the stimuli, in the order of the rows.
        stimulus_column: The column, array or descriptor of the files that has the names.
        structure: Which descriptors of the matrices name layers and subjects, and whose are taken.
        tags: Free `key=value` pairs.
        force: Import again what is stored already.
        command: The command as typed.
    """

    files: tuple[Path, ...]
    name: str | None = None
    kind: str = AUTO
    layers: tuple[str, ...] = ()
    first: str | None = None
    last: str | None = None
    stimuli: str | None = None
    names: Path | None = None
    stimulus_column: str | None = None
    structure: Structure = field(default_factory=Structure)
    tags: Mapping[str, str] = field(default_factory=dict)
    force: bool = False
    command: str = ""


@dataclass(frozen=True)
class ImportOutcome:
    """What an import came to.

    Attributes:
        run_id: Identifier of the run.
        status: `finished` if it was stored now, `stored` if the same import was there already.
        n_stimuli: Number of stimuli.
        layers: Names of the layers, in order.
        kinds: What each was made of.
        notes: What was assumed or found, in words.
    """

    run_id: str
    status: Literal["finished", "stored"]
    n_stimuli: int
    layers: tuple[str, ...]
    kinds: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class PreparedImport:
    """Files that have been read, checked and converted; no history has been touched.

    Attributes:
        request: What was asked for.
        gathered: The layers.
        content: Hex SHA-256 of each file.
        seconds: How long it took.
    """

    request: ImportRequest
    gathered: Gathered
    content: tuple[str, ...]
    seconds: float


def split_by_subject(request: ImportRequest) -> list[ImportRequest]:
    """The same request for each subject of its files; itself, where it does not tell them apart.

    Raises:
        InputError: If a file has no such descriptor, or cannot be read.
    """
    structure = request.structure
    if not structure.subject_from:
        return [request]
    if structure.subject_from == EACH_FILE:
        return [_take_file(request, file) for file in request.files]
    return [
        dataclasses.replace(
            request,
            name=f"{request.name} {subject}" if request.name else subject,
            structure=dataclasses.replace(structure, subject=subject),
            tags={structure.subject_from: subject, **request.tags},
        )
        for subject in list_subjects(request.files, structure, request.stimulus_column)
    ]


def _take_file(request: ImportRequest, file: Path) -> ImportRequest:
    """The same request for the file of one subject."""
    subject = stem_of(file)
    return dataclasses.replace(
        request,
        files=(file,),
        name=f"{request.name} {subject}" if request.name else subject,
        structure=dataclasses.replace(request.structure, subject_from=""),
        tags={"subject": subject, **request.tags},
    )


def prepare_import(request: ImportRequest) -> PreparedImport:
    """Read, check and convert.

    Raises:
        InputError: If a file is not as it must be.
    """
    started = time.perf_counter()
    names = read_names(request.names) if request.names is not None else None
    gathered = gather(request.files, request.kind, request.layers, names, request.stimulus_column, request.structure)
    content = tuple(hash_file(file) for file in request.files)
    return PreparedImport(request, gathered, content, time.perf_counter() - started)


def execute_import(prepared: PreparedImport, registry: Registry, store: Archive, observer: Observer) -> ImportOutcome:
    """Find the stimuli that the rows belong to, and store.

    Raises:
        InputError: If the stimuli do not match; nothing is stored then.
        LayerwiseError: If storing failed; nothing is left of it, unless another process goes on with it.
    """
    request, content, started = prepared.request, prepared.content, time.perf_counter()
    stimuli, gathered, notes = _find_stimuli(request, registry, store, prepared.gathered, "".join(content))
    layers = arrange_layers(gathered.layers, request.first, request.last)
    notes = (*notes, *_collect_notes(gathered.layers))
    model = _describe_model(request, gathered, content, notes)
    tags = {TAG: ",".join(dict.fromkeys(layer.converted.kind for layer in gathered.layers)), **request.tags}
    header = _describe(registry, model, stimuli, layers, tags, request.command)
    claim = store.begin_run(header, force=request.force)
    outcome = ImportOutcome(
        run_id=claim.run_id,
        status="stored" if claim.finished else "finished",
        n_stimuli=gathered.n_stimuli,
        layers=tuple(layer.name for layer in layers),
        kinds=tuple(layer.converted.kind for layer in gathered.layers),
        notes=notes,
    )
    if claim.finished:
        measure_run(registry, store, store.find_run(claim.run_id), (), observer.message, asked=False)
        return outcome
    with holding(store, claim, lambda _: store.discard_run(claim)):
        _store_layers(gathered.layers, registry, store, observer, claim)
        store.finish_run(claim, {"read": prepared.seconds, "store": time.perf_counter() - started})
    return outcome


def _find_stimuli(
    request: ImportRequest, registry: Registry, store: Archive, gathered: Gathered, content: str
) -> tuple[LoadedStimuli, Gathered, tuple[str, ...]]:
    """The set the rows belong to, the layers in that set's order, and what was assumed."""
    if request.stimuli is None:
        stimuli = new_stimuli(gathered.names, gathered.n_stimuli, request.files, content)
        unnamed = "no stimulus names: comparable only with what is imported with it; see --stimuli and --names"
        return stimuli, gathered, ((unnamed,) if gathered.names is None else ()) + gathered.notes
    stimuli, what = _ask_stimuli(request.stimuli, registry, store)
    files = ", ".join(str(file) for file in request.files)
    if gathered.names is not None and gathered.n_stimuli < stimuli.n_stimuli:
        return _take_part(stimuli, gathered, what)
    check_count(gathered.n_stimuli, stimuli.n_stimuli, f"{what}, for which {files} was given,")
    known = [stimulus.name for stimulus in stimuli.stimuli]
    if gathered.names is None:
        check_running(gathered.running, known, what)
        unnamed = f"no stimulus names: the rows are taken to be in the order of {what}"
        return stimuli, gathered, (unnamed, *gathered.notes)
    match = _match(gathered.names, known, what, gathered.source)
    notes = (*match.notes, *gathered.notes)
    if not match.n_moved:
        return stimuli, gathered, notes
    if gathered.unnamed:
        raise InputError(
            f"{', '.join(gathered.unnamed)}: no stimulus names, and the rows of the other files are in another order "
            f"than {what}: import it alone, or give names with --names"
        )
    layers = tuple(reorder(layer, match.order) for layer in gathered.layers)
    moved = f"{match.n_moved} rows were moved to the order of {what}"
    return stimuli, dataclasses.replace(gathered, layers=layers), (moved, *notes)


def _take_part(
    stimuli: LoadedStimuli, gathered: Gathered, what: str
) -> tuple[LoadedStimuli, Gathered, tuple[str, ...]]:
    """The stimuli of a set that the files have, where these are only some of it."""
    if gathered.unnamed:
        raise InputError(
            f"{', '.join(gathered.unnamed)}: no stimulus names, which a part of {what} needs: give --names"
        )
    names = gathered.names or ()
    with _telling_source(gathered.source):
        there, match = align_part(names, [stimulus.name for stimulus in stimuli.stimuli], what)
    kept = take_stimuli(stimuli, there)
    layers = tuple(reorder(layer, match.order) for layer in gathered.layers)
    part = f"of the {stimuli.n_stimuli} stimuli of {what} these are {len(there)}: comparisons are on those alone"
    return kept, dataclasses.replace(gathered, layers=layers), (part, *match.notes, *gathered.notes)


def _match(names: Sequence[str], known: Sequence[str], what: str, source: str) -> Match:
    with _telling_source(source):
        return align(names, known, what)


@contextmanager
def _telling_source(source: str) -> Iterator[None]:
    """Say where names are that do not match."""
    try:
        yield
    except InputError as error:
        hint = f"; the file's names are those in {source}: others with --stimulus-column or --names" if source else ""
        raise InputError(f"{error}{hint}") from error


def _ask_stimuli(asked: str, registry: Registry, store: Archive) -> tuple[LoadedStimuli, str]:
    """The set that the user names, and what it is called in messages."""
    if Path(asked).exists() or (":" in asked and not asked.startswith(PREFIX)):
        return load_stimuli(registry, asked, _THUMBNAIL_SIZE, "squash"), asked
    run = find_with_stimuli(store, asked)
    return stored_stimuli(run, store.list_stimuli(run.id)), f"run {run.id}"


def _collect_notes(layers: Sequence[ImportedLayer]) -> tuple[str, ...]:
    """The notes of all layers; one that all of them share is said once."""
    notes: dict[str, list[str]] = {}
    for layer in layers:
        for note in layer.converted.notes:
            notes.setdefault(note, []).append(layer.name)
    return tuple(
        note if len(names) == len(layers) else f"{', '.join(names)}: {note}" for note, names in notes.items()
    )


def _describe_model(
    request: ImportRequest, gathered: Gathered, content: Sequence[str], notes: Sequence[str]
) -> ModelInfo:
    used = dict.fromkeys(layer.converted.kind for layer in gathered.layers)
    said = [f"{kind} ({describe_kind(kind)})" for kind in used]
    return ModelInfo(
        name=request.name or stem_of(request.files[0]),
        source=", ".join(file.name for file in request.files),
        fingerprint=digest_key({"imported": list(content)} | _whose(request.structure)),
        input_shape=(),
        preprocessing="; ".join([*said, *notes]),
        resize="squash",
        n_parameters=0,
    )


def _whose(structure: Structure) -> dict[str, object]:
    """Which of a file's matrices a run was made of; nothing where it is all of them, as it ever was."""
    return {"structure": dataclasses.astuple(structure)} if structure else {}


def _describe(
    registry: Registry,
    model: ModelInfo,
    stimuli: LoadedStimuli,
    layers: Sequence[Layer],
    tags: Mapping[str, str],
    command: str,
) -> RunHeader:
    provider = Provider(LOADER, distribution_version("layerwise"), revision=REVISION)
    key = {
        "import": [provider.name, provider.revision, model.fingerprint, model.name, model.preprocessing],
        "stimuli": stimuli.fingerprint,
        "names": [stimulus.name for stimulus in stimuli.stimuli],
        "layers": [[layer.name, layer.op, layer.role] for layer in layers],
        "filed": dict(tags),
    }
    return RunHeader(
        key=digest_key(key),
        model=model,
        loader=provider,
        stimuli=stimuli,
        layers=tuple(layers),
        transforms=(NO_TRANSFORM,),
        engine=provider,
        batch_size=0,
        chunk_width=0,
        command=command,
        tags=tags,
        versions=collect_versions({}),
        plugins=list_plugins(registry),
        host=describe_host(),
        origin="imported",
    )


def _store_layers(
    layers: Sequence[ImportedLayer], registry: Registry, store: Archive, observer: Observer, claim: Claim
) -> None:
    """Each with the statistics that follow from a representation."""
    statistics = registry.all(kinds.Statistic)
    chosen = [each for each in statistics if isinstance(each.offer, kinds.RepresentationStatistic)]
    for layer in layers:
        representation = layer.converted.representation
        results = tuple(measure_representation(statistic, observer.message, representation) for statistic in chosen)
        if layer.outputs is not None:
            store.save_outputs(claim, layer.outputs)
        store.save_layer(claim, LayerResult(layer.name, NO_TRANSFORM, representation, results))
        observer.layer_finished(layer.name)

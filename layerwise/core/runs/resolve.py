"""From what is asked for to what can be run: a model from a name, a path or a live object, and decoded stimuli.

A name or a path goes to the first loader or source that accepts it. An object that is there already (a Keras model
that is being trained, an array of pixels) goes to the first that adopts it; a `Model` and `LoadedStimuli` are used
as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from layerwise.core.base.errors import InputError
from layerwise.core.base.provider import Provider
from layerwise.core.host.checked_model import AttributedModel
from layerwise.core.host.kinds import Engine, ModelLoader, StimulusSource, Transform
from layerwise.core.host.plans import Budget
from layerwise.core.host.registry import Registered, Registry, distribution_version
from layerwise.core.network.inputs import describe_inputs, packed_shape
from layerwise.core.network.model import LoadRequest, Model
from layerwise.core.network.pixels import ChosenRows
from layerwise.core.network.representation import NO_TRANSFORM
from layerwise.core.network.stimuli import LoadedStimuli, StimulusSet
from layerwise.core.runs.decode.inputs import decode_inputs, open_inputs
from layerwise.core.runs.decode.stimuli import (
    MIN_STIMULI,
    check_listing,
    decode_stimuli,
    find_source,
    fingerprint_stimuli,
    in_range,
    open_stimuli,
)
from layerwise.core.runs.keeping import KeepingBudget
from layerwise.core.runs.loading import check_model, find_able_loader, find_flaw, load_model
from layerwise.core.runs.planning import find_budget
from layerwise.core.runs.request import Observer, RunRequest, describe_untrained


@dataclass(frozen=True)
class ResolvedModel:
    """A model that can be run.

    Attributes:
        loader: Who made it a `Model`.
        model: The model; every call of it is its loader's.
    """

    loader: Provider
    model: Model


def load_request(request: RunRequest) -> LoadRequest:
    """What a loader is asked for, where the model is named.

    Raises:
        InputError: If the model is an object and not a name.
    """
    if not isinstance(request.model, str):
        raise InputError(f"a model's name or path is needed here, not {_describe(request.model)}")
    return _ask(request, request.model)


def _ask(request: RunRequest, model: str) -> LoadRequest:
    return LoadRequest(
        model=model,
        weights=request.weights,
        seed=request.seed,
        allow_unsafe=request.allow_unsafe,
        class_names=request.class_names,
        preprocessing=request.preprocessing,
        device=request.device,
        open_size=request.open_size,
        shapes=request.shapes,
        output=request.output,
        feed=request.feed,
        imports=request.imports,
    )


def resolve_model(registry: Registry, request: RunRequest) -> ResolvedModel:
    """The model of a request, loaded where it is named, adopted where it is a framework's object.

    Raises:
        InputError: If no loader accepts or adopts it, or it is not as it must be.
        PluginError: If a loader fails, or what it gives is no sound model.
    """
    given = request.model
    if isinstance(given, str):
        loader, model = load_model(registry, load_request(request))
        return ResolvedModel(loader.provider, model)
    if isinstance(given, Model):
        flaw = find_flaw(given)
        if flaw is not None:
            raise InputError(f"the model given is {flaw.came}, expected {flaw.expected}")
        return ResolvedModel(Provider("layerwise:given", distribution_version("layerwise")), given)
    asked = _ask(request, _name(given))
    for offered in registry.all(ModelLoader):
        adopted = offered.call(offered.offer.adopt, given, asked)
        if adopted is not None:
            return ResolvedModel(offered.provider, AttributedModel(offered, check_model(offered, adopted)))
    raise InputError(f"no loader knows what to do with {_describe(given)}: give a model, its name or its path")


def resolve_sized_model(registry: Registry, request: RunRequest) -> tuple[ResolvedModel, str]:
    """The model of a request; one that takes images of any size at that of the stimuli, where they agree.

    Returns:
        The model, and what was decided, in words.

    Raises:
        InputError: As `resolve_model`, or if there are no such stimuli.
    """
    resolved = resolve_model(registry, request)
    if not resolved.model.takes_any_size:
        return resolved, ""
    if resolved.model.inputs:
        return _resolve_inputs(registry, request, resolved)
    size, why = _find_size(registry, request), "the size of the stimuli"
    if size is None:
        why = "because the stimuli differ in size"
    elif size != resolved.model.info.input_shape[:2]:
        resolved = resolve_model(registry, replace(request, open_size=size))
    height, width, _ = resolved.model.info.input_shape
    return resolved, f"{resolved.model.info.name} takes images of any size: run at {height} x {width}, {why}"


def _resolve_inputs(registry: Registry, request: RunRequest, resolved: ResolvedModel) -> tuple[ResolvedModel, str]:
    """A model that takes something else than pictures, of any length, at the length of the stimuli."""
    inputs = resolved.model.inputs
    if isinstance(request.stimuli, LoadedStimuli):
        return resolved, ""
    _, listed = open_inputs(registry, request.stimuli, inputs)
    if listed.shapes != tuple(spec.shape for spec in inputs):
        resolved = resolve_model(registry, replace(request, shapes=listed.shapes))
    lengths = ", ".join(
        f"'{spec.name}' at {' x '.join(map(str, spec.shape))}" for spec in resolved.model.inputs if spec.is_open
    )
    return resolved, f"{resolved.model.info.name} takes stimuli of any length: run with {lengths}"


def _find_size(registry: Registry, request: RunRequest) -> tuple[int, int] | None:
    if isinstance(request.stimuli, LoadedStimuli):
        height, width = request.stimuli.pixels.shape[1:3]
        return height, width
    source, listed = _list_stimuli(registry, request)
    size: tuple[int, int] | None = source.call(listed.find_size)
    return size


def check_locations(registry: Registry, request: RunRequest) -> None:
    """See that the model's files are there, and stimuli to be read, as far as that can be told without loading.

    Raises:
        InputError: If no loader loads the model or a file of it is missing; no source reads the place of the stimuli,
            or there are none.
    """
    if isinstance(request.model, str):
        find_able_loader(registry, load_request(request))
    if isinstance(request.stimuli, str):
        source = find_source(registry, request.stimuli)
        files = source.call(source.offer.list_files, request.stimuli)
        if files is not None and not files:
            _list_stimuli(registry, request)


def resolve_stimuli(
    registry: Registry, request: RunRequest, model: Model, budget: KeepingBudget | None = None
) -> LoadedStimuli:
    """The stimuli of a request, decoded at the size that the model wants.

    Args:
        registry: Knows the sources.
        request: What is asked for.
        model: The model.
        budget: Memory and disk for decoded stimuli; None for as much memory as it takes.

    Raises:
        InputError: If no source reads or adopts them, some cannot be decoded (all are listed), fewer than two are
            left, there is no room for them, or stimuli that are decoded already have another size.
        LayerwiseError: If the disk is full.
    """
    given = request.stimuli
    if isinstance(given, LoadedStimuli):
        return _take(given, model, request.limit)
    if model.inputs:
        return _decode_inputs(registry, request, model, budget)
    height, width, _ = model.info.input_shape
    resize = request.resize or model.info.resize
    source, listed = _list_stimuli(registry, request)
    return decode_stimuli(
        source, listed, (height, width), resize, limit=request.limit, skip_bad=request.skip_bad, budget=budget
    )


def _decode_inputs(
    registry: Registry, request: RunRequest, model: Model, budget: KeepingBudget | None
) -> LoadedStimuli:
    for option, value in (("--range", request.value_range), ("--resize", request.resize)):
        if value is not None:
            raise InputError(f"{option} is for pictures; the model takes {describe_inputs(model.inputs)}")
    source, listed = open_inputs(registry, request.stimuli, model.inputs)
    return decode_inputs(source, listed, model.inputs, limit=request.limit, skip_bad=request.skip_bad, budget=budget)


def _list_stimuli(registry: Registry, request: RunRequest) -> tuple[Registered[StimulusSource], StimulusSet]:
    given, values = request.stimuli, request.value_range
    if isinstance(given, str):
        return open_stimuli(registry, given, values, request.max_pixels)
    for found in registry.all(StimulusSource):
        has_range = type(found.offer).in_range is not StimulusSource.in_range
        source = in_range(found, values) if has_range else found
        adopted = source.call(source.offer.adopt, given)
        if adopted is not None:
            return source, check_listing(source, adopted, StimulusSet)
    raise InputError(f"no stimulus source knows what to do with {_describe(given)}: give pixels, or their path")


def _take(given: LoadedStimuli, model: Model, limit: int | None) -> LoadedStimuli:
    """The first of decoded stimuli, which must have the model's size."""
    wanted = packed_shape(model.inputs) if model.inputs else (*model.info.input_shape[:2], 3)
    if given.pixels.shape[1:] != wanted:
        unit = "values" if model.inputs else "pixels"
        n_sides = None if model.inputs else 2
        came, takes = (" x ".join(map(str, shape[:n_sides])) for shape in (given.pixels.shape[1:], wanted))
        raise InputError(f"the stimuli given are decoded at {came} {unit}, but the model takes {takes}")
    n_stimuli = given.n_stimuli if limit is None else min(limit, given.n_stimuli)
    if n_stimuli < MIN_STIMULI:
        raise InputError(f"{n_stimuli} stimulus leaves nothing to compare: at least {MIN_STIMULI} are needed")
    if n_stimuli == given.n_stimuli:
        return given
    hashes = given.content_hashes[:n_stimuli]
    return replace(
        given,
        stimuli=given.stimuli[:n_stimuli],
        pixels=ChosenRows(given.pixels, range(n_stimuli)),
        thumbnails=given.thumbnails[:n_stimuli],
        content_hashes=hashes,
        fingerprint=fingerprint_stimuli(hashes),
    )


def describe_given(given: object) -> str:
    """What a model or stimuli are called while they are resolved."""
    if isinstance(given, str):
        return given
    if isinstance(given, Model):
        return given.info.name
    return given.name if isinstance(given, LoadedStimuli) else _describe(given)


def _name(given: object) -> str:
    """What a framework's object calls itself, else its class."""
    name = getattr(given, "name", None)
    return name if isinstance(name, str) and name else type(given).__name__


def _describe(given: object) -> str:
    kind = type(given)
    return f"a {kind.__qualname__}" if kind.__module__ == "builtins" else f"a {kind.__module__}.{kind.__qualname__}"


def load_subject(request: RunRequest, registry: Registry, observer: Observer) -> ResolvedModel:
    """The model of a request; says what was decided about it, and whether it has learned nothing.

    Raises:
        InputError: If no loader accepts or adopts it, or it is not as it must be.
    """
    observer.stage(f"loading {describe_given(request.model)}")
    resolved, decided = resolve_sized_model(registry, request)
    for line in (*resolved.model.notes, *([decided] if decided else [])):
        observer.message(line)
    if resolved.model.info.is_untrained:
        observer.message(describe_untrained(resolved.model.info))
    return resolved


def decode_subject(
    request: RunRequest, registry: Registry, model: Model, observer: Observer
) -> tuple[LoadedStimuli, Budget]:
    """The stimuli of a request, decoded, and what may be used; says what was decided about them and left out.

    Raises:
        InputError: If they cannot be found, decoded, or kept.
    """
    observer.stage(f"decoding {describe_given(request.stimuli)}")
    budget = find_budget(request, model)
    keeping = KeepingBudget.of_run(budget.memory, budget.spool, request.spool_folder)
    stimuli = resolve_stimuli(registry, request, model, keeping)
    for line in (*stimuli.notes, *(f"left out {skipped}" for skipped in stimuli.skipped)):
        observer.message(line)
    return stimuli, budget


def choose_engine(registry: Registry, request: RunRequest) -> Registered[Engine]:
    """The engine of a request, set as the request says, and ready."""
    found = registry.get(Engine, request.engine)
    engine = replace(found, offer=found.offer.configured(**request.engine_settings))
    engine.call(engine.offer.check_ready)
    return engine


def choose_transforms(registry: Registry, names: Sequence[str]) -> list[Registered[Transform]]:
    """The transforms of these names, each once. Layers are filed under their bare names, so these must differ.

    Raises:
        InputError: If there is none of a name, or two of them are called the same.
    """
    chosen: dict[str, Registered[Transform]] = {}
    for name in names:
        if name == NO_TRANSFORM:
            continue
        found = registry.get(Transform, name)
        other = chosen.setdefault(found.name, found)
        if other.qualified_name != found.qualified_name or found.name == NO_TRANSFORM:
            taken = "no transform" if found.name == NO_TRANSFORM else other.qualified_name
            raise InputError(
                f"one run cannot have transform {found.qualified_name} and {taken}: they are called alike"
            )
    return list(chosen.values())

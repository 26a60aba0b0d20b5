"""A job as bytes that another process can make it from: what is large or lives in a process is sent by reference.

The model is loaded again there, by the same loader from the same request, and must have the same fingerprint;
transforms are looked up by qualified name in what is installed there; stimuli are rows in the shared place.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.host.jobs import ModelRecipe, StreamJob
from layerwise.core.host.kinds import ModelLoader
from layerwise.core.host.registered import Registered
from layerwise.core.host.registry import Registry, distribution_version
from layerwise.core.network.model import LoadRequest, Model
from layerwise.core.runs.loading import check_model

_MODEL, _STIMULI, _OFFER = "model", "stimuli", "offer"


def pack(job: StreamJob) -> bytes:
    """A job as bytes.

    Raises:
        InputError: If its model is an object of this process.
    """
    recipe = job.recipe
    if recipe is None:
        raise InputError(
            f"the model '{job.model.info.name}' lives in this process, and workers of a cluster cannot reach it: "
            "save it and give its path, or leave the scheduler out"
        )
    sent = replace(job, statistics=(), spool_folder=None, recipe=replace(recipe, request=_settle(recipe.request)))
    written = io.BytesIO()
    _Packer(written, sent).dump((distribution_version("layerwise"), sent.recipe, sent))
    return written.getvalue()


def unpack(packed: bytes, registry: Registry, load: Callable[[ModelRecipe], Model], where: str) -> StreamJob:
    """A job from bytes; its stimuli are None.

    Args:
        packed: What `pack` gave.
        registry: What is installed here.
        load: Gives the model of a recipe.
        where: What this process is called in errors.

    Raises:
        LayerwiseError: If this process would compute something else: another release, plugin, model or device.
    """
    release, recipe, job = _Unpacker(io.BytesIO(packed), registry, load, where).load()
    del recipe
    own = distribution_version("layerwise")
    if release != own:
        raise LayerwiseError(f"{where} has layerwise {own}, and the analysis runs with {release}: install the same")
    if job.model.device != job.plan.device:
        raise LayerwiseError(
            f"{where} computes on {job.model.device}, and the plan is for {job.plan.device}: "
            "say where with --device, and take workers that have it"
        )
    return job  # type: ignore[no-any-return]


def load_from(recipe: ModelRecipe, registry: Registry, where: str) -> Model:
    """The model of a recipe, loaded in this process.

    Raises:
        LayerwiseError: If it cannot be loaded here, or is another one.
    """
    from layerwise.core.host.checked_model import AttributedModel

    try:
        loader = registry.get(ModelLoader, recipe.loader)
        model = check_model(loader, loader.call(loader.offer.load, recipe.request))
    except LayerwiseError as error:
        raise LayerwiseError(f"{where} cannot load the model: {error}") from error
    if model.info.fingerprint != recipe.fingerprint:
        raise LayerwiseError(
            f"{where} finds another model at '{recipe.request.model}' than the analysis began with: "
            "the file has changed, or is another one there"
        )
    return AttributedModel(loader, model)


class _Packer(pickle.Pickler):
    def __init__(self, file: io.BytesIO, job: StreamJob) -> None:
        super().__init__(file, protocol=5)
        self._job = job

    def persistent_id(self, given: object) -> tuple[object, ...] | None:
        """References of what is not sent."""
        if given is self._job.model:
            return (_MODEL, self._job.recipe)
        if given is self._job.stimuli:
            return (_STIMULI,)
        if isinstance(given, Registered):
            return (_OFFER, given.hook.removeprefix("register_"), given.qualified_name, given.version)
        return None


class _Unpacker(pickle.Unpickler):
    def __init__(
        self, file: io.BytesIO, registry: Registry, load: Callable[[ModelRecipe], Model], where: str
    ) -> None:
        super().__init__(file)
        self._registry, self._load, self._where = registry, load, where

    def persistent_load(self, reference: Any) -> Any:
        """What a reference is of, in this process."""
        kind, *rest = reference
        if kind == _MODEL:
            return self._load(rest[0])
        return self._find(*rest) if kind == _OFFER else None

    def _find(self, hook: str, name: str, version: str) -> Registered[Any]:
        from layerwise.plugins import KINDS

        try:
            found = self._registry.get(KINDS[hook], name)
        except InputError as error:
            raise LayerwiseError(f"{self._where}: {error}; install there what is installed here") from error
        if found.version != version:
            raise LayerwiseError(f"{self._where} has {name} {found.version}, and the analysis runs with {version}")
        return found


def _settle(request: LoadRequest) -> LoadRequest:
    """Paths of files as they are read from any folder."""
    return replace(
        request,
        model=_absolute(request.model),
        weights=request.weights and _absolute(request.weights),
        class_names=request.class_names and _absolute(request.class_names),
    )


def _absolute(text: str) -> str:
    """A path, where the text is one; names of models and words such as `imagenet` stay as they are."""
    path = Path(text).expanduser()
    return str(path.absolute()) if path.exists() and (path.suffix or len(path.parts) > 1) else text

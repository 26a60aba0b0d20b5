"""What is known of a run before its first layer: its key, its header, and what decides how fast it goes."""

from __future__ import annotations

from typing import Any

from layerwise.core.history.records import RunHeader
from layerwise.core.history.variants import Variant
from layerwise.core.network.ablating.ablation import AblatedModel, Ablation
from layerwise.core.network.model import ModelInfo
from layerwise.core.runs.costing.recalling import Circumstances
from layerwise.core.runs.prepared import PreparedRun
from layerwise.core.runs.provenance import (
    collect_versions,
    describe_host,
    digest_key,
    list_decisive,
    list_plugins,
    provenance,
)
from layerwise.core.runs.request import RunRequest


def describe_run(prepared: PreparedRun) -> RunHeader:
    """What is known of a run before its first layer."""
    request, model, stimuli = prepared.request, prepared.model, prepared.stimuli
    transforms = tuple(dict.fromkeys(target.transform_name for target in prepared.targets))
    return RunHeader(
        key=_identify(prepared),
        model=model.info,
        loader=prepared.loader,
        stimuli=stimuli,
        layers=prepared.layers,
        transforms=transforms,
        engine=prepared.engine.provider,
        batch_size=prepared.plan.batch_size,
        chunk_width=prepared.plan.chunk_width,
        command=request.command,
        checkpoint=request.checkpoint,
        step=request.step,
        lineage=request.lineage,
        tags={**request.tags, **_tag_ablation(request)},
        versions=collect_versions(model.info.versions),
        plugins=list_plugins(prepared.registry),
        host=describe_host(model.device),
        n_landmarks=request.landmarks,
        **_describe_origin(prepared),
    )


def _tag_ablation(request: RunRequest) -> dict[str, str]:
    """What was silenced, so that it can be asked for."""
    if not request.ablate:
        return {}
    return {"ablated": ", ".join(request.ablate), "ablated-with": request.ablate_with}


def _describe_origin(prepared: PreparedRun) -> dict[str, Any]:
    """Where the numbers come from, and of an ablated model what it differs from and how."""
    if not isinstance(prepared.model, AblatedModel):
        return {}
    return {"origin": "ablated", "variant": describe_variant(prepared.model.intact.info, prepared.model.ablation)}


def describe_variant(intact: ModelInfo, ablation: Ablation) -> Variant:
    """How a model without some layers differs from the intact one."""
    seed = ablation.seed if ablation.substitute == "shuffle" else 0
    return Variant(intact.fingerprint, tuple(dict.fromkeys(ablation.layers)), ablation.substitute, seed)


def _identify(prepared: PreparedRun) -> str:
    """The run's key: all that decides what only the network can give, and the labels it is filed under."""
    request, stimuli = prepared.request, prepared.stimuli
    rest: dict[str, object] = {} if prepared.model.arrays is None else {"device": prepared.model.device}
    if not prepared.is_measured:
        rest["measured"] = False
    if request.landmarks is not None:
        rest["landmarks"] = request.landmarks
    transforms = {
        target.transform.qualified_name: target.transform for target in prepared.targets if target.transform
    }
    return digest_key(
        {
            "model": prepared.model.info.fingerprint,
            "stimuli": stimuli.fingerprint,
            "names": [[stimulus.name, stimulus.label] for stimulus in stimuli.stimuli],
            "resize": stimuli.resize,
            "layers": [layer.name for layer in prepared.layers],
            "transforms": provenance(transforms.values()),
            "statistics": provenance(list_decisive(prepared.registry)),
            "loader": [f"{prepared.loader.name} {prepared.loader.revision}"],
            "engine": provenance([prepared.engine]),
            "batch_size": prepared.plan.batch_size,
            "filed": request.filed,
        }
        | rest
    )


def find_circumstances(prepared: PreparedRun) -> Circumstances:
    """What decides how fast a run goes."""
    transforms = tuple(dict.fromkeys(target.transform_name for target in prepared.targets))
    host = describe_host(prepared.model.device)
    return Circumstances(
        prepared.model.info, prepared.engine.qualified_name, prepared.plan.batch_size, transforms, host
    )

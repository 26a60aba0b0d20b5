"""Decoding stimuli for a model that takes something else than one picture: by name, into the tensor that goes in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.host.kinds import StimulusSource
from layerwise.core.host.registered import Registered
from layerwise.core.host.registry import Registry
from layerwise.core.host.validation import describe
from layerwise.core.network.inputs import InputSpec, describe_inputs, pack, packed_shape
from layerwise.core.network.stimuli import Decoded, DecodedArrays, InputSet, LoadedStimuli
from layerwise.core.runs.decode.collected import MIN_STIMULI, collect
from layerwise.core.runs.decode.stimuli import check_listing, find_source
from layerwise.core.runs.keeping import KeepingBudget, PixelKeeper


def open_inputs(
    registry: Registry, given: object, inputs: Sequence[InputSpec]
) -> tuple[Registered[StimulusSource], InputSet]:
    """The source of stimuli for these inputs, and what it lists.

    Args:
        registry: Knows the sources.
        given: The PATH argument, or an object that a source adopts.
        inputs: What the model takes.

    Raises:
        InputError: If no source has anything for them, or stimuli have other shapes than the model takes.
        PluginError: If what the source lists is no sound set.
    """
    source, listed = _find(registry, given, inputs)
    checked = check_listing(source, listed, InputSet)
    if len(checked.shapes) != len(inputs):
        came = f"{source.name} lists {len(checked.shapes)} shapes"
        raise PluginError(source.plugin, source.hook, came, f"one for each of {len(inputs)} inputs")
    for spec, shape in zip(inputs, checked.shapes, strict=True):
        if not spec.allows(shape):
            raise InputError(f"{checked.source}: stimuli have the shape {tuple(shape)} where the model takes {spec}")
    return source, checked


def _find(
    registry: Registry, given: object, inputs: Sequence[InputSpec]
) -> tuple[Registered[StimulusSource], object]:
    if isinstance(given, str):
        source = find_source(registry, given)
        return source, source.call(source.offer.open_inputs, given, inputs)
    for source in registry.all(StimulusSource):
        adopted = source.call(source.offer.adopt_inputs, given, inputs)
        if adopted is not None:
            return source, adopted
    raise InputError(
        f"the model takes {describe_inputs(inputs)}: no stimulus source makes that of a {type(given).__name__}"
    )


def decode_inputs(
    source: Registered[StimulusSource],
    listed: InputSet,
    inputs: Sequence[InputSpec],
    *,
    limit: int | None = None,
    skip_bad: bool = False,
    budget: KeepingBudget | None = None,
) -> LoadedStimuli:
    """Decode what a source has listed, each stimulus as the tensor that goes into the first segment.

    Args:
        source: The source.
        listed: What it lists.
        inputs: What the model takes, in the shapes of these stimuli.
        limit: Only the first so many stimuli.
        skip_bad: Leave out what cannot be decoded, instead of stopping.
        budget: Memory and disk for decoded stimuli; None for as much memory as it takes.

    Raises:
        InputError: If stimuli cannot be decoded (all are listed), fewer than two are left, or there is no room.
        LayerwiseError: If the disk is full.
    """
    if limit is not None and limit < MIN_STIMULI:
        raise InputError(f"a limit of {limit} leaves nothing to compare: at least {MIN_STIMULI} stimuli are needed")
    n_stimuli = len(listed.stimuli[:limit])
    keeper = PixelKeeper(n_stimuli, packed_shape(inputs), budget or KeepingBudget())

    def decode(index: int) -> Decoded:
        found = source.call(listed.decode, index)
        if not isinstance(found, DecodedArrays):
            came = f"{source.name}.decode returned {describe(found)}"
            raise PluginError(source.plugin, source.hook, came, "DecodedArrays")
        return Decoded(pack(inputs, found.arrays), found.preview, found.content_hash)

    return collect(listed, n_stimuli, decode, keeper, None, "squash", skip_bad=skip_bad, progress=None)


def fit_to(inputs: Sequence[InputSpec], listed: InputSet) -> tuple[InputSpec, ...]:
    """The inputs in the shapes of listed stimuli."""
    return tuple(replace(spec, shape=tuple(shape)) for spec, shape in zip(inputs, listed.shapes, strict=True))

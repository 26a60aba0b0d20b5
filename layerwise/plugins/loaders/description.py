"""What a loader knows of a network, and the record of a model that is made from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.network.graph import Graph
from layerwise.core.network.inputs import InputSpec, describe_inputs
from layerwise.core.network.layer_naming import gives_probabilities
from layerwise.core.network.model import ModelInfo
from layerwise.core.network.stimuli import Resize
from layerwise.plugins.loaders.fingerprint import fingerprint_model
from layerwise.plugins.loaders.preprocessing import AS_GIVEN, Preprocessing, find_preprocessing


@dataclass(frozen=True)
class ModelDescription:
    """What a loader knows of a network besides its graph and its weights.

    Attributes:
        name: What it is called in lists and reports.
        source: Where architecture and weights came from, in words.
        preprocessing: What is done to pixels.
        resize: The resize policy its authors used.
        class_names: Names of the outputs, if known.
        class_ids: Identifiers of the outputs, if known.
        versions: Versions of what computes it.
    """

    name: str
    source: str
    preprocessing: Preprocessing
    resize: Resize = "squash"
    class_names: tuple[str, ...] = ()
    class_ids: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


def take_as_given(description: ModelDescription, owner: str, inputs: Sequence[InputSpec]) -> ModelDescription:
    """The description of a model that takes something else than one picture: values go in as they are.

    Args:
        description: What is known of it.
        owner: What it is called, for messages.
        inputs: What it takes.

    Raises:
        InputError: If something is to be done to pixels.
    """
    if description.preprocessing.words != find_preprocessing("none").words:
        raise InputError(
            f"{owner} takes {describe_inputs(inputs)} and no pictures, so that --preprocessing has no meaning"
        )
    return replace(description, preprocessing=AS_GIVEN)


def describe_choice(n_outputs: int, counts: str, others: str) -> str:
    """What is said where a model has several outputs and one was chosen.

    Args:
        n_outputs: How many.
        counts: The one that counts.
        others: What became of the others, in words.
    """
    return f"of {n_outputs} outputs '{counts}' counts; --output (output= in Python) names another; {others}"


def describe_model(
    graph: Graph,
    description: ModelDescription,
    program: object,
    state: Iterable[NDArray[np.generic]],
    n_parameters: int,
) -> ModelInfo:
    """What is recorded of a model, its fingerprint included.

    Args:
        graph: Its computation.
        description: What else is known of it.
        program: All that decides what it computes besides numbers in arrays, as plain values: operations, their
            arguments and constants, who reads whom.
        state: Every array that it computes with, in an order that is the same every time: weights of whatever type,
            running statistics, constants.
        n_parameters: Number of its weights.

    Raises:
        TypeError: If the program is more than plain values.
    """
    words = description.preprocessing.words
    settings = {"program": program, "resize": description.resize}
    return ModelInfo(
        name=description.name,
        source=description.source,
        fingerprint=fingerprint_model(graph, settings, state, words),
        input_shape=graph[graph.input].shape,
        preprocessing=words,
        resize=description.resize,
        n_parameters=n_parameters,
        class_names=description.class_names,
        class_ids=description.class_ids,
        has_probabilities=gives_probabilities(graph),
        versions=dict(description.versions),
    )

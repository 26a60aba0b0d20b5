"""The eleven hooks of Layerwise.

Each is called at most once per process and plugin, the first time something of its kind is looked up, and
returns a sequence of objects of one base class from `layerwise.core.host.kinds`. Hooks only register: the engine
calls the registered objects, so that every failure is attributed to a plugin by name. A hook must be
cheap; heavy libraries are imported inside the objects' methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from layerwise.core.host.kinds import (
        CommandGroup,
        Comparator,
        Engine,
        LayerSelector,
        Metric,
        ModelLoader,
        Offer,
        Reorderer,
        Statistic,
        StimulusSource,
        Transform,
    )

PROJECT = "layerwise"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_model_loaders() -> Sequence[ModelLoader]:  # type: ignore[empty-body]
    """Loaders; asked in order of registration whether they accept the MODEL argument, when one is loaded."""


@hookspec
def register_stimulus_sources() -> Sequence[StimulusSource]:  # type: ignore[empty-body]
    """Sources; asked in order of registration whether they accept the PATH argument of `run --stimuli`."""


@hookspec
def register_layer_selectors() -> Sequence[LayerSelector]:  # type: ignore[empty-body]
    """Selectors, looked up by the word before the colon of each `--layers` option."""


@hookspec
def register_transforms() -> Sequence[Transform]:  # type: ignore[empty-body]
    """Activation transforms for `run --transform`; get (batch, *shape), give (batch, features) float32."""


@hookspec
def register_statistics() -> Sequence[Statistic]:  # type: ignore[empty-body]
    """Statistics of layers and weight tensors; all that are registered are computed in every run."""


@hookspec
def register_metrics() -> Sequence[Metric]:  # type: ignore[empty-body]
    """First-order measures: a representation of n stimuli to an (n, n) matrix."""


@hookspec
def register_comparators() -> Sequence[Comparator]:  # type: ignore[empty-body]
    """Second-order measures for `compare --with`: two representations of the same stimuli to a number."""


@hookspec
def register_reorderers() -> Sequence[Reorderer]:  # type: ignore[empty-body]
    """Orders for `reorder --method`: an (n, n) similarity to a permutation of n."""


@hookspec
def register_engines() -> Sequence[Engine]:  # type: ignore[empty-body]
    """Engines for `run --engine`; each streams the layers of a job to the store."""


@hookspec
def register_report_sections() -> Sequence[Offer]:  # type: ignore[empty-body]
    """Sections of `layerwise report`, each a `layerwise.plugin.SectionBuilder`: whether it applies, what it shows.

    Core does not know reports: their kind is declared in `layerwise.report.section`.
    """


@hookspec
def register_commands() -> Sequence[CommandGroup]:  # type: ignore[empty-body]
    """Commands that are added to the command line when it starts."""


HOOKS = tuple(name.removeprefix("register_") for name in list(globals()) if name.startswith("register_"))
"""The names of all hooks, without `register_`."""

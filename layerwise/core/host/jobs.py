"""What an engine is handed, and where it puts what it has finished."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from layerwise.core.network.model import Floats, LoadRequest, Model
from layerwise.core.network.products import Products
from layerwise.core.network.stimuli import LoadedStimuli
from layerwise.core.network.summary import LayerSummary
from layerwise.core.network.tiled_products import TiledProducts

if TYPE_CHECKING:
    from layerwise.core.host.kinds.statistics import StatisticValue, StreamedStatistic
    from layerwise.core.host.plans import StreamPlan, Target
    from layerwise.core.host.registered import Registered


@dataclass(frozen=True)
class ModelRecipe:
    """How another process comes to the same model. Provisional until 1.0.

    Attributes:
        loader: Qualified name of who loads it.
        request: What that loader is asked for.
        fingerprint: What the model must be.
    """

    loader: str
    request: LoadRequest
    fingerprint: str


@dataclass(frozen=True)
class StreamJob:
    """One streaming of a network over its stimuli. Provisional until 1.0.

    Attributes:
        model: The network.
        stimuli: The decoded stimuli.
        targets: What is wanted, in order of computation.
        plan: Segments, passes, memory and spool.
        statistics: Statistics that must see single units.
        keep: Names of layers whose raw activations are handed over as well (the output, for predictions).
        spool_folder: Where to spool; None for the system's temporary folder.
        recipe: How another process comes to the model; None for one that lives in this process alone.
    """

    model: Model
    stimuli: LoadedStimuli
    targets: tuple[Target, ...]
    plan: StreamPlan
    statistics: tuple[Registered[StreamedStatistic], ...] = ()
    keep: frozenset[str] = frozenset()
    spool_folder: Path | None = None
    recipe: ModelRecipe | None = None


@dataclass(frozen=True)
class StreamedLayer:
    """A layer that has gone by. Provisional until 1.0.

    Attributes:
        target: Which layer, under which transform.
        products: What its representation is made of; in tiles where there are more stimuli than matrices are held of.
        summary: Its moments and counts.
        streamed: What the streamed statistics say, in the job's order.
        activations: float32 (n, n_features), only for layers in the job's `keep`.
        failures: What plugins of streamed statistics failed with.
    """

    target: Target
    products: Products | TiledProducts
    summary: LayerSummary
    streamed: tuple[tuple[Registered[Any], StatisticValue], ...] = ()
    activations: Floats | None = None
    failures: tuple[str, ...] = ()


class LayerSink(Protocol):
    """Receives finished layers and news of progress; called from one thread. Provisional until 1.0.

    Both calls raise what an earlier write has failed with; it must come out of the engine. Once the engine has
    returned, everything is written before the run counts as finished.
    """

    def layer_finished(self, streamed: StreamedLayer) -> None:
        """A layer is finished: queue it to be written, and wait while two are there that are not written yet."""

    def advance(self, n_stimuli: int, what: str) -> None:
        """`n_stimuli` more of the plan's stimulus passes are done; `what` names the present segment."""

"""How much there is to do in a plan, in units of which each takes about as long on one machine."""

from __future__ import annotations

from dataclasses import dataclass

from layerwise.core.history.costs import Pace, Rates
from layerwise.core.host.plans import StreamPlan
from layerwise.core.network.matrices.landmarks import count_pairs

_LEAST = 0.01  # of a forward pass: what goes in must be fetched, too
_PASS_OVER = 200  # products that take as long as centring an activation and summing its moments
_SMALLEST = 30_000  # pairs of stimuli that take as long as the one transaction of a layer


@dataclass(frozen=True)
class Amounts:
    """What a run has to do.

    Attributes:
        passes: Stimuli times forward passes.
        products: 1e9 products of a unit's activations by two stimuli, in both orders, with what each activation takes
            besides.
        pairs: Millions of pairs of stimuli in representations that are made and written.
    """

    passes: float
    products: float
    pairs: float

    @staticmethod
    def of_layer(n_stimuli: int, n_landmarks: int | None = None) -> float:
        """The pairs of one layer."""
        return (2 * count_pairs(n_stimuli, n_landmarks) + n_stimuli + _SMALLEST) / 1e6


def count_amounts(plan: StreamPlan) -> Amounts:
    """What a plan comes to."""
    n_stimuli, n_layers = plan.n_stimuli, len(plan.streamed) + len(plan.derived)
    n_pairs = 2 * count_pairs(n_stimuli, plan.n_landmarks) + n_stimuli
    return Amounts(
        passes=n_stimuli * max(plan.forward_passes, _LEAST),
        products=(n_pairs + n_stimuli * _PASS_OVER) * plan.n_features / 1e9,
        pairs=n_layers * Amounts.of_layer(n_stimuli, plan.n_landmarks),
    )


def foretell(rates: Rates, plan: StreamPlan) -> Pace:
    """Time that a plan takes at these rates."""
    amounts = count_amounts(plan)
    found = rates.start.plus(rates.network.times(amounts.passes))
    return found.plus(rates.sums.times(amounts.products)).plus(rates.layers.times(amounts.pairs))

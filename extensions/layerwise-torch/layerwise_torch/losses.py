"""Losses on what the layers of a network make of a batch: DeCov, and equal steps of decorrelation.

    watched = layerwise_torch.WatchedLayers(network, ["stem", "mixed", "head"])
    smooth = layerwise_torch.SmoothDecorrelation(0.1)
    loss = criterion(network(images), labels) + smooth([images, *watched.tensors])

The numbers are those of Layerwise's statistic `decov` and of the smoothness of a profile (`rsa-pearson`).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import torch
from layerwise.plugin import InputError, near_names

_TINY = 1e-12  # below the squares of anything that float32 tells from 0 here


def measure_decov(activations: torch.Tensor) -> torch.Tensor:
    """(|C|_F^2 - |diag C|^2) / 2, C the covariance between units with 1/n (Cogswell et al. 2016); a scalar.

    |C|_F is had from the n x n Gram matrix, so that the number of units does not matter.

    Args:
        activations: (n, ...); all but the first axis are units.
    """
    rows = _as_rows(activations)
    apart = rows - rows.mean(dim=0, keepdim=True)
    gram = apart @ apart.T / len(rows)
    variances = apart.square().mean(dim=0)
    return (gram.square().sum() - variances.square().sum()) / 2


def measure_steps(layers: Sequence[torch.Tensor]) -> torch.Tensor:
    """The step from each layer to the next, (k,): 1 - Pearson correlation of their correlation distances.

    Args:
        layers: k + 1 tensors (n, ...) of the same n stimuli, in order of computation.
    """
    pairs = [_centred_distances(layer) for layer in layers]
    steps = []
    for before, after in itertools.pairwise(pairs):
        product = before.square().sum() * after.square().sum()
        steps.append(1 - (before * after).sum() / (product + _TINY).sqrt())
    return torch.stack(steps).clamp(min=0)


def measure_smoothness(steps: torch.Tensor) -> torch.Tensor:
    """How evenly a change is spread over k steps, from 0 to 1: (exp(H) - 1) / (k - 1), H the entropy of their shares.

    Args:
        steps: (k,); never negative.
    """
    shares = steps / (steps.sum() + _TINY)
    entropy = -(shares * shares.clamp(min=_TINY).log()).sum()
    return (entropy.exp() - 1) / (len(steps) - 1)


def _as_rows(activations: torch.Tensor) -> torch.Tensor:
    """(n, units) in float32, or in float64 where it comes so: half precision would lose what is subtracted."""
    rows = activations.reshape(len(activations), -1)
    return rows if rows.dtype == torch.float64 else rows.float()


def _centred_distances(activations: torch.Tensor) -> torch.Tensor:
    """Correlation distances of all pairs of stimuli less their mean, (n, n), with 0 on the diagonal."""
    rows = _as_rows(activations)
    rows = rows - rows.mean(dim=1, keepdim=True)
    rows = rows / (rows.square().sum(dim=1, keepdim=True) + _TINY).sqrt()
    is_pair = 1 - torch.eye(len(rows), dtype=rows.dtype, device=rows.device)
    distances = (1 - rows @ rows.T) * is_pair
    mean = distances.sum() / is_pair.sum().clamp(min=1)
    return (distances - mean) * is_pair


class _RepresentationLoss(torch.nn.Module):  # type: ignore[misc]
    n_layers_least = 1

    def __init__(self, weight: float) -> None:
        super().__init__()
        if not weight >= 0:
            raise InputError(f"{type(self).__name__}: the weight must not be negative, and is {weight}")
        self.weight = float(weight)

    def measure(self, layers: Sequence[torch.Tensor]) -> torch.Tensor:
        """The loss, before it is weighted; a scalar."""
        raise NotImplementedError

    def forward(self, layers: torch.Tensor | Sequence[torch.Tensor]) -> torch.Tensor:
        """The weighted loss, a scalar to be added to another one; in float32 also under autocast.

        Args:
            layers: A tensor (n, ...), or several of the same stimuli in order of computation.

        Raises:
            InputError: If there are too few.
        """
        found = [layers] if isinstance(layers, torch.Tensor) else list(layers)
        if len(found) < self.n_layers_least:
            raise InputError(f"{type(self).__name__} needs {self.n_layers_least} layers, and is given {len(found)}")
        with torch.autocast(found[0].device.type, enabled=False):
            return self.weight * self.measure(found)


class DeCov(_RepresentationLoss):
    """`weight` times DeCov, summed over the tensors that it is called with (Cogswell et al. 2016).

    The covariance between units over the batch is pushed to 0: (|C|_F^2 - |diag C|^2) / 2, C with 1/n. That grows
    with the fourth power of the activations and with the square of the number of units, so a weight that suits one
    layer suits no other; the paper has it on fully connected layers.
    """

    def measure(self, layers: Sequence[torch.Tensor]) -> torch.Tensor:
        """The sum of the tensors' DeCov."""
        return torch.stack([measure_decov(layer) for layer in layers]).sum()


class SmoothDecorrelation(_RepresentationLoss):
    """`weight` times 1 - smoothness of the way that a batch takes through the tensors it is called with.

    The steps from layer to layer are those of `layerwise profile` (1 - `rsa-pearson`), taken on the batch; smoothness
    is 1 where all are equal. A batch of n stimuli has n (n - 1) / 2 pairs: of few, the smoothness varies from batch
    to batch, and on average is somewhat below that of many stimuli. A batch of one or two says nothing, and has no
    gradient.
    """

    n_layers_least = 3

    def measure(self, layers: Sequence[torch.Tensor]) -> torch.Tensor:
        """1 - smoothness."""
        return 1 - measure_smoothness(measure_steps(layers))


class WatchedLayers:
    """What some modules of a network gave in its last forward pass; until `close`, or the end of a `with`.

    Args:
        network: The network.
        names: Of modules, as in `named_modules()`, in order of computation.

    Raises:
        InputError: If it has no module of a name.
    """

    def __init__(self, network: torch.nn.Module, names: Sequence[str]) -> None:
        modules = dict(network.named_modules())
        for name in names:
            if name not in modules:
                raise InputError(f"there is no module '{name}' in the network{near_names(name, list(modules))}")
        self._names = tuple(names)
        self._found: dict[str, torch.Tensor] = {}
        self._handles = [modules[name].register_forward_hook(self._hook(name)) for name in names]

    def _hook(self, name: str) -> Any:
        def keep(module: torch.nn.Module, given: Any, output: Any) -> None:
            del module, given
            self._found[name] = output

        return keep

    @property
    def tensors(self) -> list[torch.Tensor]:
        """What each module gave, in the order of the names.

        Raises:
            InputError: If one was not called, or gave something else than one tensor.
        """
        for name in self._names:
            if not isinstance(self._found.get(name), torch.Tensor):
                raise InputError(f"module '{name}' gave no tensor in the last forward pass")
        return [self._found[name] for name in self._names]

    def close(self) -> None:
        """Watch no longer."""
        for handle in self._handles:
            handle.remove()
        self._found.clear()

    def __enter__(self) -> WatchedLayers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

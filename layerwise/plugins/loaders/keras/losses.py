"""Losses on what the layers of a Keras model make of a batch: DeCov, and equal steps of decorrelation.

They are Keras layers that hand on what they are given and add a loss, so that they are saved with the model. An
analysis passes over them: they compute nothing that the network uses. Imported only once Keras is wanted; the numbers
are those of the statistic `decov` and of the smoothness of a profile (`rsa-pearson`), in operations of Keras's, so
that gradients go through them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from layerwise.core.base.errors import InputError

_TINY = 1e-12  # below the squares of anything that float32 tells from 0 here


def measure_decov(activations: Any) -> Any:
    """(|C|_F^2 - |diag C|^2) / 2, C the covariance between units with 1/n (Cogswell et al. 2016); a scalar.

    |C|_F is had from the n x n Gram matrix, so that the number of units does not matter.

    Args:
        activations: (n, ...); all but the first axis are units.
    """
    rows = _as_rows(activations)
    apart = rows - ops.mean(rows, axis=0, keepdims=True)
    size = ops.cast(ops.shape(rows)[0], rows.dtype)
    gram = ops.matmul(apart, ops.transpose(apart)) / size
    variances = ops.mean(ops.square(apart), axis=0)
    return (ops.sum(ops.square(gram)) - ops.sum(ops.square(variances))) / 2


def measure_steps(layers: Sequence[Any]) -> Any:
    """The step from each layer to the next, (k,): 1 - Pearson correlation of their correlation distances.

    Args:
        layers: k + 1 tensors (n, ...) of the same n stimuli, in order of computation.
    """
    pairs = [_centred_distances(layer) for layer in layers]
    steps = []
    for before, after in itertools.pairwise(pairs):
        product = ops.sum(ops.square(before)) * ops.sum(ops.square(after))
        steps.append(1 - ops.sum(before * after) / ops.sqrt(product + _TINY))
    return ops.maximum(ops.stack(steps), 0)


def measure_smoothness(steps: Any) -> Any:
    """How evenly a change is spread over k steps, from 0 to 1: (exp(H) - 1) / (k - 1), H the entropy of their shares.

    Args:
        steps: (k,); never negative.
    """
    shares = steps / (ops.sum(steps) + _TINY)
    entropy = -ops.sum(shares * ops.log(ops.maximum(shares, _TINY)))
    return (ops.exp(entropy) - 1) / (steps.shape[0] - 1)


def _as_rows(activations: Any) -> Any:
    """(n, units) in float32, or in float64 where it comes so: half precision would lose what is subtracted."""
    rows = ops.reshape(activations, (ops.shape(activations)[0], -1))
    return rows if keras.backend.standardize_dtype(rows.dtype) == "float64" else ops.cast(rows, "float32")


def _centred_distances(activations: Any) -> Any:
    """Correlation distances of all pairs of stimuli less their mean, (n, n), with 0 on the diagonal."""
    rows = _as_rows(activations)
    rows = rows - ops.mean(rows, axis=1, keepdims=True)
    rows = rows / ops.sqrt(ops.sum(ops.square(rows), axis=1, keepdims=True) + _TINY)
    places = ops.arange(ops.shape(rows)[0])
    is_pair = ops.cast(places[:, None] != places[None, :], rows.dtype)
    distances = (1 - ops.matmul(rows, ops.transpose(rows))) * is_pair
    mean = ops.sum(distances) / ops.maximum(ops.sum(is_pair), 1)
    return (distances - mean) * is_pair


class RepresentationLoss(keras.layers.Layer):  # type: ignore[misc]
    """A layer that adds a loss on the tensors it is called with, and hands on the last one as it is.

    Args:
        weight: What the loss is multiplied by.
        layers: On which layers of a model `lw.keras.with_losses` puts it: names or selectors.
        options: Of a Keras layer, such as its name.
    """

    adds_only_loss = True
    """What the graph of a model is read by: such a layer is none of the network's."""
    n_layers_least = 1

    def __init__(self, weight: float, layers: Sequence[str] | str = "main", **options: Any) -> None:
        if not weight >= 0:
            raise InputError(f"{type(self).__name__}: the weight must not be negative, and is {weight}")
        super().__init__(autocast=False, **options)  # half precision is handed on as it came
        self.weight = float(weight)
        self.layers = (layers,) if isinstance(layers, str) else tuple(layers)

    def measure(self, tensors: Sequence[Any]) -> Any:
        """The loss, before it is weighted; a scalar."""
        raise NotImplementedError

    def call(self, inputs: Any, passed: Any = None) -> Any:
        """Add the loss.

        Args:
            inputs: A tensor (n, ...), or several of the same stimuli in order of computation.
            passed: What is handed on; by default the last of the inputs.
        """
        tensors = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        if len(tensors) < self.n_layers_least:
            raise InputError(f"{type(self).__name__} needs {self.n_layers_least} layers, and is given {len(tensors)}")
        self.add_loss(self.weight * self.measure(tensors))
        return tensors[-1] if passed is None else passed

    def get_config(self) -> dict[str, Any]:
        """The layer's settings."""
        known = super().get_config()
        known.pop("autocast", None)
        return {**known, "weight": self.weight, "layers": list(self.layers)}


@keras.saving.register_keras_serializable(package="layerwise")
class DeCov(RepresentationLoss):
    """`weight` times DeCov, summed over the tensors that it is called with (Cogswell et al. 2016).

    The covariance between units over the batch is pushed to 0: (|C|_F^2 - |diag C|^2) / 2, C with 1/n. That grows
    with the fourth power of the activations and with the square of the number of units, so a weight that suits one
    layer suits no other; the paper has it on fully connected layers.
    """

    def measure(self, tensors: Sequence[Any]) -> Any:
        """The sum of the tensors' DeCov."""
        return sum(measure_decov(tensor) for tensor in tensors)


@keras.saving.register_keras_serializable(package="layerwise")
class SmoothDecorrelation(RepresentationLoss):
    """`weight` times 1 - smoothness of the way that a batch takes through the tensors it is called with.

    The steps from layer to layer are those of `layerwise profile` (1 - `rsa-pearson`), taken on the batch; smoothness
    is 1 where all are equal. A batch of n stimuli has n (n - 1) / 2 pairs: of few, the smoothness varies from batch
    to batch, and on average is somewhat below that of many stimuli. A batch of one or two says nothing, and has no
    gradient.
    """

    n_layers_least = 3

    def measure(self, tensors: Sequence[Any]) -> Any:
        """1 - smoothness."""
        return 1 - measure_smoothness(measure_steps(tensors))

"""Linear predictivity: how well one layer's representation predicts another's, on stimuli left out.

Ridge regression predicts all units of the second layer from all units of the first. Its predictions are weighted sums
of the training stimuli's activations, and the weights depend on the first layer's Gram matrix only; so the
error follows from the weights and the second layer's Gram matrix, and neither layer's units are needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.parameters import Parameter
from layerwise.core.host.kinds import Comparator
from layerwise.core.network.representation import Representation
from layerwise.plugins.comparators.vectors import centred_gram, flatten

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Predictor:
    """One layer, prepared.

    Attributes:
        error: The symmetric R'R as a vector, R mapping a layer's activations to the errors of predicting them.
        target: The layer's own Gram matrix as a vector.
        total: Its sum of squares about the training means.
    """

    error: Vector
    target: Vector
    total: float


class LinearPredictivity(Comparator):
    """Cross-validated R^2 of ridge regression from the row's layer to the column's.

    R^2 = 1 - sum_f |Y_f - Yhat_f|_F^2 / sum_f |Y_f - mean Y_-f|_F^2 over folds f, Yhat_f predicted by ridge
    regression on the other folds, columns centred there. In kernel form (Saunders, Gammerman and Vovk 1998) Yhat_f
    = W Y with W = K_f,-f (K_-f,-f + a I)^-1; a is `alpha` times the mean of the diagonal of the centred training
    kernel, so that it does not depend on the layer's scale. Fold of stimulus i is i modulo `folds`: no chance is
    involved, but the order of the set matters (with as many folds as stimuli it does not). Used as in Yamins et
    al. 2014; Kornblith et al. 2019.
    """

    name = "linear-predictivity"
    description = "cross-validated R^2 of ridge regression from the row's layer to the column's"
    kind = "similarity"
    symmetric = False
    value_range = (None, 1.0)
    invariant_to = frozenset({"orthogonal", "isotropic-scaling", "translation"})
    threaded = True
    parameters = (
        Parameter("alpha", 0.1, "ridge penalty, of the mean squared length of a centred stimulus", minimum=1e-9),
        Parameter("folds", 5, "into how many parts the stimuli are split", minimum=2),
    )

    def prepare(self, representation: Representation) -> Predictor:
        """Solve each fold's regression.

        Raises:
            InputError: If there are fewer stimuli than folds or than three, or no differences to predict from.
        """
        n_folds, alpha = self.settings["folds"], self.settings["alpha"]
        gram = centred_gram(representation, self.name)
        n_stimuli = len(gram)
        if n_stimuli < max(n_folds, 3):
            raise InputError(
                f"{n_folds} folds need at least as many stimuli, here are {n_stimuli}; set fewer `folds`"
            )
        fold_of = np.arange(n_stimuli) % n_folds
        residual, spread = np.eye(n_stimuli), np.eye(n_stimuli)
        for fold in range(n_folds):
            test, train = np.flatnonzero(fold_of == fold), np.flatnonzero(fold_of != fold)
            spread[np.ix_(test, train)] = -1 / len(train)
            residual[np.ix_(test, train)] = -_prediction_weights(gram, test, train, alpha, representation.gram_error)
        target = flatten(gram)
        total = float(flatten(spread.T @ spread) @ target)
        if total <= representation.gram_error:
            raise InputError("linear-predictivity is undefined: no fold differs from the others' mean")
        return Predictor(flatten(residual.T @ residual), target, total)

    def compare(self, first: Predictor, second: Predictor) -> float:
        """R^2 of predicting the second from the first."""
        return float(self.compare_all([first], [second])[0, 0])

    def compare_all(self, rows: Sequence[Predictor], columns: Sequence[Predictor]) -> Vector:
        """All R^2 with one product."""
        errors = np.stack([row.error for row in rows]) @ np.stack([column.target for column in columns]).T
        explained: Vector = 1 - errors / np.array([column.total for column in columns])
        return np.minimum(explained, 1)


def _prediction_weights(
    gram: Vector, test: NDArray[np.intp], train: NDArray[np.intp], alpha: float, error: float
) -> Vector:
    """(n_test, n_train); what each training stimulus counts in the prediction of each test stimulus.

    With the training mean: Yhat = mean Y + K (K + a I)^-1 (Y - mean Y), kernels centred on the training stimuli.
    """
    inner, across = gram[np.ix_(train, train)], gram[np.ix_(test, train)]
    column, row, overall = inner.mean(axis=0), across.mean(axis=1), inner.mean()
    inner = inner - column[:, None] - column[None, :] + overall
    across = across - row[:, None] - column[None, :] + overall
    size = float(np.trace(inner))
    if size <= error:
        raise InputError(
            "the stimuli of all folds but one have the same activations, as far as the layer's resolution tells"
        )
    penalty = alpha * size / len(train)
    weights: Vector = np.linalg.solve(inner + penalty * np.eye(len(train)), across.T).T
    weights += 1 / len(train) - weights.mean(axis=1, keepdims=True)
    return weights

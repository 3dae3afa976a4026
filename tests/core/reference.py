"""The course report's formulas, written down once more: float64, whole matrices, nothing taken from the core."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.core import plain_trainer
from tests.core.plain_trainer import Validation

Matrix = NDArray[np.float64]


def scale(images: NDArray[np.uint8]) -> Matrix:
    """x / 127.5 - 1, with a 1 appended: (n, 785)."""
    return np.column_stack([images.reshape(-1, 784) / 127.5 - 1, np.ones(len(images))])


def cross_entropy(weights: Matrix, x: Matrix, one_hot: Matrix) -> float:
    """C of both models; ``one_hot`` is (n, n_classes), ``weights`` (785, 1) for logistic, else (785, n_classes)."""
    z = x @ weights
    if z.shape[1] == 1:  # sigmoid(z) is the softmax of (z, 0)
        z = np.column_stack([z, np.zeros(len(z))])
    return float(np.mean(np.log(np.exp(z).sum(axis=1)) - (one_hot * z).sum(axis=1)))


def penalty(weights: Matrix, l2_penalty: float, convention: str) -> float:
    """What the objective adds to C; the last row of the weights is the bias."""
    counted = weights[:-1] if convention == "squared_without_bias" else weights
    return l2_penalty / (2 if convention == "half_squared" else 1) * float((counted**2).sum())


def train_logistic(x: Matrix, t: Matrix, x_val: Matrix, t_val: Matrix, *, rate: float) -> list[Validation]:
    """Batches of 128 in the given order, 5 checks an epoch, stopping as the report words it; t is 1 or 0."""
    one_epoch = np.arange(len(x) // 128 * 128).reshape(-1, 128)
    order = np.broadcast_to(one_epoch, (500, *one_epoch.shape))
    y, y_val = (1 - t).astype(np.int64), (1 - t_val).astype(np.int64)
    return plain_trainer.train(x, y, x_val, y_val, order, n_outputs=1, rate=rate)[1]

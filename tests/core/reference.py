"""The course report's formulas, written down once more: float64, whole matrices, nothing taken from the core."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


class Validation(NamedTuple):
    """One row of the curve: after the update of ``step``."""

    epoch: int
    step: int
    loss: float
    accuracy: float
    train_accuracy: float


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
    w, curve, losses = np.zeros(785), list[Validation](), list[float]()
    n_batches, step = len(x) // 128, 0
    for epoch in range(500):
        for batch in range(n_batches):
            part = slice(128 * batch, 128 * (batch + 1))
            y = 1 / (1 + np.exp(-x[part] @ w))
            w = w + rate * np.mean((t[part] - y)[:, None] * x[part], axis=0)
            if step % (n_batches // 5) == 0:
                y = 1 / (1 + np.exp(-x_val @ w))
                losses.append(float(-np.mean(t_val * np.log(y) + (1 - t_val) * np.log(1 - y))))
                accuracy, train_accuracy = np.mean((y > 0.5) == t_val), np.mean((x @ w > 0) == t)
                curve.append(Validation(epoch, step, losses[-1], float(accuracy), float(train_accuracy)))
                if len(losses) > 10 and losses[-11] == min(losses[-11:]):
                    return curve
            step += 1
    return curve

"""Training as a textbook writes it: one run, one step after the other, every check where it falls.

The fast trainer of the core is held against this one. Nothing is taken from the core; which images each step sees
is said by the caller. dtype of the images is dtype of the arithmetic.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


class Validation(NamedTuple):
    """One row of the curve: after the update of ``step``; ``train_loss`` is of its batch, before it."""

    epoch: int
    step: int
    loss: float
    accuracy: float
    train_accuracy: float
    train_loss: float


def train(
    x: Floats, y: Ints, x_val: Floats, y_val: Ints, order: Ints,
    *, n_outputs: int, rate: float, l2: float = 0, patience: int = 10, checks_per_epoch: int = 5,
) -> tuple[Floats, list[Validation]]:  # fmt: skip
    """Return the last weights, (785, n_outputs), and the curve; ``order``, (n_epochs, n_batches, size), of images."""
    w, curve = np.zeros((x.shape[1], n_outputs), x.dtype), list[Validation]()
    n_batches = order.shape[1]
    for step, batch in enumerate(order.reshape(-1, order.shape[2])):
        y_hat = probabilities(x[batch], w)
        train_loss = cross_entropy(y_hat, y[batch])
        y_hat[np.arange(len(batch)), y[batch]] -= 1
        w = w - rate * (x[batch].T @ y_hat[:, :n_outputs] / len(batch) + 2 * l2 * w)
        if step % max(1, n_batches // checks_per_epoch) == 0:
            y_hat, y_hat_train = probabilities(x_val, w), probabilities(x, w)
            accuracy, train_accuracy = (
                float(np.mean(p.argmax(axis=1) == t)) for p, t in ((y_hat, y_val), (y_hat_train, y))
            )
            loss = cross_entropy(y_hat, y_val)
            curve.append(Validation(step // n_batches, step, loss, accuracy, train_accuracy, train_loss))
            newest = [row.loss for row in curve[-1 - patience :]]
            if len(newest) > patience and newest[0] == min(newest):
                break
    return w, curve


def probabilities(x: Floats, w: Floats) -> Floats:
    """Softmax of X W; with one output, of (X W, 0), whose first column is its sigmoid."""
    z = x @ w if w.shape[1] > 1 else np.hstack([x @ w, np.zeros((len(x), 1), x.dtype)])
    exponentials: Floats = np.exp(z - z.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def cross_entropy(y_hat: Floats, y: Ints) -> float:
    return float(-np.log(y_hat[np.arange(len(y)), y]).mean())

"""Softmax regression: one logit a class."""

from __future__ import annotations

import numpy as np

from service.core.data import Floats, Ints


def loss_and_gradient(logits: Floats, y: Ints) -> tuple[Floats, Floats]:
    """Mean cross-entropy of each member of the stack, and its gradient with respect to the logits.

    With y_hat_k = exp(z_k) / sum_j exp(z_j)::

        C = -mean_i ln y_hat_{y_i}          dC/dz_ki = (y_hat_ki - [k = y_i]) / n_images

    The largest logit of each image is subtracted first, so no exponential overflows and no logarithm sees 0.
    Source: course report, task 1b.

    Parameters
    ----------
    logits : (n_members, n_classes, n_images), float32 or float64.
    y : (n_images,), the place of each image's class.

    Returns
    -------
    loss : (n_members,) float64.
    d_logits : (n_members, n_classes, n_images), dtype of the logits.
    """
    losses, exponentials, totals = _cross_entropy(logits, y)
    d_logits = np.divide(exponentials, totals, out=exponentials)
    d_logits[:, y, np.arange(len(y))] -= 1
    d_logits /= len(y)
    return losses, d_logits


def loss(logits: Floats, y: Ints) -> Floats:
    """Mean cross-entropy of each member, (n_members,) float64, without the gradient."""
    return _cross_entropy(logits, y)[0]


def accuracy(logits: Floats, y: Ints) -> Floats:
    """Share of images whose largest logit is that of their class, (n_members,) float64."""
    is_highest = logits == logits.max(axis=1, keepdims=True)
    if np.count_nonzero(is_highest) == logits.size // logits.shape[1]:  # no ties: ten times faster than argmax
        right = is_highest[:, y, np.arange(len(y))]
    else:
        right = logits.argmax(axis=1) == y
    shares: Floats = right.mean(axis=1, dtype=np.float64)
    return shares


def probabilities(logits: Floats) -> Floats:
    """Probability of each class, (n_members, n_classes, n_images)."""
    exponentials: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    exponentials /= exponentials.sum(axis=1, keepdims=True)
    return exponentials


def _cross_entropy(logits: Floats, y: Ints) -> tuple[Floats, Floats, Floats]:
    """Mean loss, (n_members,); and exp(z - max z) with its sum over the classes, which the gradient needs."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    true_logits = shifted[:, y, np.arange(len(y))]
    exponentials = np.exp(shifted, out=shifted)
    totals = exponentials.sum(axis=1, keepdims=True)
    losses = (np.log(totals[:, 0]) - true_logits).mean(axis=1, dtype=np.float64)
    return losses, exponentials, totals

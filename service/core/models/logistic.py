"""Logistic regression: one logit, for the class that is named first."""

from __future__ import annotations

import numpy as np

from service.core.data import Floats, Ints


def loss_and_gradient(logits: Floats, y: Ints) -> tuple[Floats, Floats]:
    """Mean binary cross-entropy of each member of the stack, and its gradient with respect to the logits.

    With t_i = 1 for images of the first class, else 0, and y_hat = sigmoid(z)::

        C = -mean_i (t_i ln y_hat_i + (1 - t_i) ln(1 - y_hat_i))          dC/dz_i = (y_hat_i - t_i) / n_images

    Computed as ln(1 + exp(-z)) for t = 1 and ln(1 + exp(z)) for t = 0, which neither overflows nor cancels.
    Source: course report, task 1a.

    Parameters
    ----------
    logits : (n_members, 1, n_images), float32 or float64.
    y : (n_images,), 0 for the first class and 1 for the second.

    Returns
    -------
    loss : (n_members,) float64.
    d_logits : (n_members, 1, n_images), dtype of the logits.
    """
    d_logits = _sigmoid(logits)
    d_logits -= y == 0
    d_logits /= len(y)
    return loss(logits, y), d_logits


def loss(logits: Floats, y: Ints) -> Floats:
    """Mean binary cross-entropy of each member, (n_members,) float64, without the gradient."""
    against = np.where(y == 0, -logits[:, 0], logits[:, 0])
    losses: Floats = np.logaddexp(against.dtype.type(0), against).mean(axis=1, dtype=np.float64)
    return losses


def accuracy(logits: Floats, y: Ints) -> Floats:
    """Share of images on the right side of probability one half, (n_members,) float64."""
    shares: Floats = ((logits[:, 0] > 0) == (y == 0)).mean(axis=1, dtype=np.float64)
    return shares


def probabilities(logits: Floats) -> Floats:
    """Probability of the first and of the second class, (n_members, 2, n_images)."""
    return np.concatenate((_sigmoid(logits), _sigmoid(-logits)), axis=1)


def _sigmoid(z: Floats) -> Floats:
    """1 / (1 + exp(-z)), as (1 + tanh(z / 2)) / 2: no exponential of a large number anywhere."""
    half = np.tanh(z / 2)
    half += 1
    half /= 2
    return half

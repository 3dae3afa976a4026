"""The gradients that training uses, compared with numerical derivatives of the objective."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from service.core import (
    MODELS,
    EarlyStopping,
    Floats,
    Ints,
    TrainingConfig,
    TrainingData,
    TrainingState,
    train,
)
from service.datasets import Dataset, split

N_IMAGES = 32
STEP_WIDTH = 1e-5
_SELECTED = 500
"""Among so many training images there are enough of any two classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientCheck:
    """The differences between the gradient of a training step and central differences, in float64, over all entries.

    ``largest_relative_error`` is in units of the largest entry of the gradient.
    """

    model: str
    l2_penalty: float
    n_entries: int
    n_images: int
    step_width: float
    largest_gradient: float
    largest_error: float
    largest_relative_error: float


@lru_cache(32)
def check_gradient(dataset: Dataset, model: Any, *, l2_penalty: float, seed: int, classes: Any = ()) -> GradientCheck:
    """Make one step of training with learning rate 1 from random weights, and compare it with the objective.

    The objective is C + l2_penalty * ||W||^2. Its derivative by each entry of W is taken as
    (J(W + h) - J(W - h)) / 2h on real images. No run is needed, so this can be done while they train.
    """
    config = TrainingConfig(
        model=model,
        classes=classes,
        learning_rate=1,
        epochs=1,
        batch_size=N_IMAGES,
        train_size=_SELECTED,
        validation_size=_SELECTED,
        shuffle=False,
        l2_penalty=l2_penalty,
        dtype="float64",
    )
    selected = split(dataset, config)
    x, y = selected.x_train[:N_IMAGES], selected.y_train[:N_IMAGES]
    weights = np.random.default_rng(seed).normal(scale=0.05, size=(x.shape[1], config.n_outputs))
    data = TrainingData(x_train=x, y_train=y, x_validation=x, y_validation=y)
    gradient = weights - train(config, data, resume_from=state_at(weights, next_step=0)).last
    numerical = _central_differences(model, weights, x, y, l2_penalty)
    error, largest = float(np.abs(gradient - numerical).max()), float(np.abs(gradient).max())
    return GradientCheck(
        model=model,
        l2_penalty=l2_penalty,
        n_entries=weights.size,
        n_images=len(x),
        step_width=STEP_WIDTH,
        largest_gradient=largest,
        largest_error=error,
        largest_relative_error=error / largest,
    )


def state_at(weights: Floats, *, next_step: int) -> TrainingState:
    """Return a state from which training can continue with these weights."""
    return TrainingState(
        next_step=next_step,
        last=weights,
        best=weights,
        stopping=EarlyStopping(patience=None),
        best_check=None,
        last_check=None,
        pending_losses=np.zeros(0),
    )


def _central_differences(model: str, weights: Floats, x: Floats, y: Ints, l2_penalty: float) -> Floats:
    """Return dJ/dW entry by entry; moving W[j, k] by h moves the logits of output k by h x[:, j]."""
    logits = weights.T @ x.T
    numerical = np.empty_like(weights)
    for k in range(weights.shape[1]):
        ends = []
        for h in (STEP_WIDTH, -STEP_WIDTH):
            moved = np.repeat(logits[np.newaxis], len(weights), axis=0)
            moved[:, k] += h * x.T
            squares = np.square(weights).sum() - weights[:, k] ** 2 + (weights[:, k] + h) ** 2
            ends.append(MODELS[model].loss(moved, y) + l2_penalty * squares)
        numerical[:, k] = (ends[0] - ends[1]) / (2 * STEP_WIDTH)
    return numerical

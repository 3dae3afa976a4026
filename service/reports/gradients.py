"""The gradients that training uses, compared with numerical derivatives of the objective."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from service.core import Floats, Ints, Model, TrainingConfig, TrainingData, TrainingState, train
from service.datasets import Dataset, split

N_IMAGES = 32
STEP_WIDTH = 1e-5
_SELECTED = 500
"""Among so many training images there are enough of any two classes."""

_ENTRIES = 256
"""Moved side by side: 16 MB of parameters."""


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
    function = config.build_model()
    parameters = np.random.default_rng(seed).normal(scale=0.05, size=function.layout.size)
    data = TrainingData(x_train=x, y_train=y, x_validation=x, y_validation=y)
    gradient = parameters - train(config, data, resume_from=TrainingState.at_start(parameters, None)).last
    numerical = _central_differences(function, parameters, x, y, l2_penalty)
    error, largest = float(np.abs(gradient - numerical).max()), float(np.abs(gradient).max())
    return GradientCheck(
        model=model,
        l2_penalty=l2_penalty,
        n_entries=parameters.size,
        n_images=len(x),
        step_width=STEP_WIDTH,
        largest_gradient=largest,
        largest_error=error,
        largest_relative_error=error / largest,
    )


def _central_differences(function: Model, parameters: Floats, x: Floats, y: Ints, l2_penalty: float) -> Floats:
    """Return dJ/dtheta entry by entry."""
    numerical = np.empty_like(parameters)
    squares = np.square(parameters)
    for start in range(0, len(parameters), _ENTRIES):
        entries = np.arange(start, min(start + _ENTRIES, len(parameters)))
        ends = []
        for h in (STEP_WIDTH, -STEP_WIDTH):
            moved = np.repeat(parameters[np.newaxis], len(entries), axis=0)
            moved[np.arange(len(entries)), entries] += h
            losses = function.output.losses(function.joint_logits(moved, x), y).mean(axis=1)
            penalties = squares.sum() - squares[entries] + (parameters[entries] + h) ** 2
            ends.append(losses + l2_penalty * penalties)
        numerical[entries] = (ends[0] - ends[1]) / (2 * STEP_WIDTH)
    return numerical

"""The L2 penalty, in the convention the report uses and in the two others that people mean by it."""

from __future__ import annotations

import numpy as np

from .config import TrainingConfig
from .data import N_FEATURES, Floats

FORMULAS = {
    "squared": "J = C + lambda * ||W||^2, bias row included; the gradient gains 2 * lambda * W",
    "half_squared": "J = C + lambda/2 * ||W||^2, bias row included; the gradient gains lambda * W",
    "squared_without_bias": "J = C + lambda * ||W||^2 without the bias row; the gradient gains 2 * lambda * W there",
}


def equivalent_squared_penalty(config: TrainingConfig) -> float:
    """Return the lambda of the `squared` convention that pulls the pixel weights as hard."""
    return config.l2_penalty / 2 if config.l2_convention == "half_squared" else config.l2_penalty


def decay(config: TrainingConfig) -> Floats:
    """Return the factor d by which the penalty's gradient is d * W, shape (785,), dtype of the run.

    Source: course report, task 4a, for ``squared``: d = 2 * lambda everywhere.
    """
    factor = np.full(N_FEATURES, 2 * equivalent_squared_penalty(config), dtype=config.float_type)
    if config.l2_convention == "squared_without_bias":
        factor[-1] = 0
    return factor

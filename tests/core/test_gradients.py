"""Two routes, one answer: what a step of training does, against the objective as the report states it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from service.core import (
    FORMULAS,
    StopReason,
    TrainingConfig,
    TrainingData,
    TrainingState,
    design_matrix,
    train,
)
from service.datasets import Dataset, split
from tests.core import reference
from tests.core.recording import matrix, record


@pytest.mark.parametrize("model", ["logistic", "softmax"])
@pytest.mark.parametrize(("convention", "l2_penalty"), [("squared", 0.0), *((name, 0.3) for name in FORMULAS)])
def test_a_step_of_training_follows_the_gradient_of_the_objective(
    mnist: Dataset, model: Any, convention: Any, l2_penalty: float
) -> None:
    classes = (2, 3) if model == "logistic" else (2, 3, 5, 7)
    config = TrainingConfig(
        model=model,
        classes=classes,
        learning_rate=1,
        epochs=1,
        l2_penalty=l2_penalty,
        l2_convention=convention,
        dtype="float64",
    )
    x: Any = design_matrix(mnist.training.images[:20], np.float64)
    y = mnist.training.labels[:20].astype(np.int64) % len(classes)  # any classes will do
    data = TrainingData(x_train=x, y_train=y, x_validation=x, y_validation=y)
    model_, rng = config.build_model(), np.random.default_rng(6)
    weights = rng.normal(scale=0.05, size=(785, model_.n_outputs))
    begin = TrainingState.at_start(model_.layout.row({"W": weights}), None)
    step = weights - matrix(config, train(config, data, resume_from=begin).state.last)

    one_hot = np.eye(len(classes))[y]

    def objective(w: Any) -> float:
        return reference.cross_entropy(w, x, one_hot) + reference.penalty(w, l2_penalty, convention)

    numeric, h = np.empty_like(weights), 1e-5
    for entry in np.ndindex(weights.shape):
        move = np.zeros_like(weights)
        move[entry] = h
        numeric[entry] = (objective(weights + move) - objective(weights - move)) / (2 * h)
    np.testing.assert_allclose(step, numeric, rtol=0, atol=1e-7 * np.abs(numeric).max())


@pytest.mark.parametrize(("logistic_penalty", "logistic_convention"), [(0.02, "squared"), (0.04, "half_squared")])
def test_logistic_is_softmax_over_two_classes(
    mnist: Dataset, logistic_penalty: float, logistic_convention: Any
) -> None:
    """From zero the two columns of softmax stay opposite, w = w_1 - w_2 = 2 w_1.

    Then sigmoid(w x) is softmax's probability, w moves twice as far a step as w_1, and the penalty
    lambda (||w_1||^2 + ||w_2||^2) is lambda/2 ||w||^2.
    """
    common: dict[str, Any] = {"classes": (2, 3), "train_size": 5000, "dtype": "float64", "patience": 3}
    two_columns = TrainingConfig(learning_rate=0.05, l2_penalty=0.04, **common)
    one_column = TrainingConfig(
        model="logistic",
        learning_rate=0.1,
        l2_penalty=logistic_penalty,
        l2_convention=logistic_convention,
        **common,
    )
    data = split(mnist, one_column)
    softmax, logistic = record(two_columns, data), record(one_column, data)

    assert softmax.result.stop_reason is logistic.result.stop_reason is StopReason.EARLY_STOPPING
    np.testing.assert_allclose(softmax.metrics(), logistic.metrics(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        two_columns.build_model().probabilities(softmax.result.state.last, data.x_validation),
        one_column.build_model().probabilities(logistic.result.state.last, data.x_validation),
        rtol=0,
        atol=1e-12,
    )

"""The fast trainer against the plain one, on MNIST: the same checks, the same numbers, the same stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from service.core import Floats, Ints, Schedule, StopReason, TrainingConfig, TrainingData
from service.core.data import epoch_batches
from tests.core import plain_trainer
from tests.core.recording import matrix, record, record_stack

DataFor = Callable[[TrainingConfig], TrainingData]

SMALL: dict[str, Any] = {"train_size": 3000, "validation_size": 2000, "patience": 3}
RUNS_ITS_EPOCHS: dict[str, Any] = {"epochs": 4, "learning_rate": 0.01}
STOPS_EARLY: dict[str, Any] = {"epochs": 40, "learning_rate": 0.03, "l2_penalty": 0.05}


def order_of(config: TrainingConfig, n_images: int) -> Ints:
    """The images of each step, (n_epochs, n_batches, batch size)."""
    schedule = Schedule.of(config, n_images)
    starts = range(0, config.epochs * schedule.batches_per_epoch, schedule.batches_per_epoch)
    return np.array([[np.arange(n_images)[batch] for batch in epoch_batches(config, schedule, s)] for s in starts])


def plainly(config: TrainingConfig, data: TrainingData) -> tuple[Floats, list[plain_trainer.Validation]]:
    return plain_trainer.train(
        data.x_train,
        data.y_train,
        data.x_validation,
        data.y_validation,
        order_of(config, len(data.y_train)),
        n_outputs=config.build_model().n_outputs,
        rate=config.learning_rate,
        l2=config.l2_penalty,
        patience=SMALL["patience"],
    )


# Measured: at most 5e-7 in float32 and 4e-15 in float64.
@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
@pytest.mark.parametrize("model", ["softmax", "logistic"])
@pytest.mark.parametrize("changes", [RUNS_ITS_EPOCHS, STOPS_EARLY, STOPS_EARLY | {"shuffle": False}])
def test_every_check_is_that_of_the_plain_trainer(
    data_for: DataFor, changes: dict[str, Any], model: Any, dtype: Any, tolerance: float
) -> None:
    config = TrainingConfig(**SMALL, **changes, model=model, dtype=dtype)
    data = data_for(config)
    fast = record(config, data)
    weights, curve = plainly(config, data)

    assert [(check.epoch, check.step) for check in fast.checks] == [row[:2] for row in curve]
    stopped = fast.result.stop_reason is StopReason.EARLY_STOPPING
    assert stopped is ("l2_penalty" in changes)
    if stopped:
        assert fast.result.state.next_step == curve[-1].step + 1
    for name, ours in (
        ("loss", "validation_loss"),
        ("accuracy", "validation_accuracy"),
        ("train_accuracy", "train_accuracy"),
        ("train_loss", "train_loss"),
    ):
        expected = [getattr(row, name) for row in curve]
        found = [getattr(check, ours) for check in fast.checks]
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance, err_msg=name)
    np.testing.assert_allclose(matrix(config, fast.result.state.last), weights, rtol=0, atol=tolerance)


@pytest.mark.slow
def test_so_is_each_member_of_a_stack(data_for: DataFor) -> None:
    configs = [TrainingConfig(**SMALL, dtype="float64", epochs=10, l2_penalty=l2) for l2 in (0.0, 0.01, 0.1, 1.0)]
    data = data_for(configs[0])
    stops = set()
    for run in record_stack(configs, data):
        weights, curve = plainly(run.config, data)
        assert [check.step for check in run.checks] == [row.step for row in curve]
        np.testing.assert_allclose(matrix(run.config, run.result.state.last), weights, rtol=0, atol=1e-12)
        stops.add(curve[-1].step)
    assert len(stops) > 1

"""Runs that are trained as one stack go as each would alone; see also the report's stack in test_report_table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from service.core import StopReason, TrainingConfig, TrainingData
from tests.core.recording import assert_agreement, record, record_stack

DataFor = Callable[[TrainingConfig], TrainingData]

DIFFERENT: list[dict[str, Any]] = [
    {},
    {"epochs": 2},
    {"learning_rate": 0.02},
    {"l2_penalty": 5.0, "learning_rate": 0.02, "patience": 2},
    {"l2_penalty": 0.2},
    {"l2_penalty": 0.2, "l2_convention": "half_squared"},
    {"l2_penalty": 0.2, "l2_convention": "squared_without_bias", "patience": None},
]
TOO_FAST: list[dict[str, Any]] = [{"learning_rate": 0.3}, {"learning_rate": 0.3, "patience": 3}]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("model", "train_size"), [("logistic", 10_000), ("softmax", 2000)])
def test_each_member_goes_as_it_would_alone(data_for: DataFor, model: Any, train_size: int, dtype: Any) -> None:
    common: dict[str, Any] = {"model": model, "train_size": train_size, "validation_size": 2000, "epochs": 5}
    configs = [TrainingConfig(**{**common, **change}, dtype=dtype) for change in DIFFERENT + TOO_FAST]
    data = data_for(configs[0])
    stacked = record_stack(configs, data)
    for run in stacked:
        alone = record(run.config, data)
        assert run.result.stop_reason is alone.result.stop_reason
        assert_agreement(run, alone)
        assert run.result.state.best_check is not None
        assert alone.result.state.best_check is not None
        assert run.result.state.best_check.step == alone.result.state.best_check.step
    reasons = {run.result.stop_reason for run in stacked}
    assert reasons == {StopReason.MAX_EPOCHS, StopReason.EARLY_STOPPING}


def test_equal_members_stay_equal(data_for: DataFor) -> None:
    config = TrainingConfig(train_size=1000, validation_size=500, epochs=2)
    runs = record_stack([config] * 4, data_for(config))
    for run in runs[1:]:
        np.testing.assert_array_equal(run.result.state.last, runs[0].result.state.last)


def test_one_member_may_be_cancelled(data_for: DataFor) -> None:
    config = TrainingConfig(train_size=1000, validation_size=500, epochs=4)
    asked: list[int] = []

    def should_stop(member: int) -> bool:
        asked.append(member)
        return member == 1 and asked.count(1) == 10

    runs = record_stack([config] * 3, data_for(config), should_stop=should_stop)
    assert [run.result.stop_reason for run in runs] == [
        StopReason.MAX_EPOCHS,
        StopReason.CANCELLED,
        StopReason.MAX_EPOCHS,
    ]
    assert [run.result.state.next_step for run in runs] == [28, 9, 28]
    assert asked.count(1) == 10  # it is not asked about any more
    assert len(runs[1].checks) == 9


def test_results_and_reports_are_in_the_order_of_the_members(data_for: DataFor) -> None:
    epochs = [3, 1, 4, 2]
    configs = [TrainingConfig(train_size=1000, validation_size=500, epochs=n) for n in epochs]
    runs = record_stack(configs, data_for(configs[0]))
    assert [run.result.state.next_step for run in runs] == [7 * n for n in epochs]
    assert [run.checks[-1].epoch + 1 for run in runs] == epochs
    assert all(report.member == number for number, run in enumerate(runs) for report in run.reports)

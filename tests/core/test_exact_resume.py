"""A run that goes on from a saved state ends as if nothing had happened, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.core import StopReason, TrainingConfig, TrainingData, TrainingState, train, train_stack
from tests.core.recording import Recording, after, record, record_stack

DataFor = Callable[[TrainingConfig], TrainingData]

COMMON: dict[str, Any] = {"train_size": 2000, "validation_size": 500, "batch_size": 64, "epochs": 2}
SOFTMAX = TrainingConfig(**COMMON, learning_rate=0.05, l2_penalty=0.01)
LOGISTIC = TrainingConfig(**COMMON, learning_rate=0.05, model="logistic", drop_last=False, shuffle=False)
STOPPING = replace(SOFTMAX, learning_rate=0.5, patience=3, epochs=100)
NETWORK = TrainingConfig(**COMMON, learning_rate=0.05, hidden_layers=(12, 7), l2_penalty=1e-4)
every_config = pytest.mark.parametrize(
    "config",
    [
        SOFTMAX,
        LOGISTIC,
        STOPPING,
        replace(SOFTMAX, dtype="float64"),
        NETWORK,
        replace(NETWORK, learning_rate=1.0, patience=2),
    ],
    ids=["softmax", "logistic", "early stopping", "float64", "network", "network, early stopping"],
)


def stored(state: TrainingState) -> TrainingState:
    """The state as it comes back from a file: equal numbers at other places in memory."""
    arrays = ("last", "best", "optimizer", "pending_losses")
    return replace(state, **{name: getattr(state, name).copy() for name in arrays})


def assert_same_state(state: TrainingState, expected: TrainingState) -> None:
    assert state.last.tobytes() == expected.last.tobytes()
    assert state.best.tobytes() == expected.best.tobytes()
    assert state.optimizer.tobytes() == expected.optimizer.tobytes()
    assert state.pending_losses.tobytes() == expected.pending_losses.tobytes()
    for name in ("next_step", "stopping", "best_check", "last_check"):
        assert getattr(state, name) == getattr(expected, name)


def assert_same_end(resumed: Recording, whole: Recording) -> None:
    """The resumed run made the last of the whole run's checks, and ended as it did."""
    n = len(resumed.reports)
    assert resumed.checks == whole.checks[len(whole.checks) - n :]
    for report, expected in zip(resumed.reports, whole.reports[len(whole.reports) - n :], strict=True):
        assert report.step_losses.tobytes() == expected.step_losses.tobytes()
        assert_same_state(report.state, expected.state)
    assert resumed.result.stop_reason is whole.result.stop_reason
    assert_same_state(resumed.result.state, whole.result.state)


@pytest.mark.slow
@every_config
def test_from_every_check(data_for: DataFor, config: TrainingConfig) -> None:
    whole = record(config, data_for(config))
    for done, report in enumerate(whole.reports, start=1):
        resumed = record(config, data_for(config), resume_from=stored(report.state))
        assert len(resumed.reports) == len(whole.reports) - done
        assert_same_end(resumed, whole)


@pytest.mark.slow
@every_config
def test_from_any_step_at_which_it_was_cancelled(data_for: DataFor, config: TrainingConfig) -> None:
    whole = record(config, data_for(config))
    for step in (0, 1, 4, 6, 7, whole.result.state.next_step - 1):
        cancelled = train(config, data_for(config), should_stop=after(step))
        assert cancelled.state.next_step == step
        assert_same_end(record(config, data_for(config), resume_from=stored(cancelled.state)), whole)


def test_made_again_until_any_step(data_for: DataFor) -> None:
    for step in (0, 1, 7, 31, 40):
        cancelled = train(SOFTMAX, data_for(SOFTMAX), should_stop=after(step))
        (again,) = train_stack([SOFTMAX], data_for(SOFTMAX), until_step=step)
        assert again.stop_reason is StopReason.CANCELLED
        assert_same_state(again.state, cancelled.state)


def test_interrupted_at_every_step(data_for: DataFor) -> None:
    whole = record(LOGISTIC, data_for(LOGISTIC))
    state, resumed = None, 0
    while True:
        result = train(LOGISTIC, data_for(LOGISTIC), should_stop=after(1), resume_from=state)
        state = stored(result.state)
        if result.stop_reason is not StopReason.CANCELLED:
            break
        resumed += 1
    assert resumed == whole.result.state.next_step - 1
    assert_same_state(state, whole.result.state)


class TestEnded:
    """A state in which a run has ended already: of a worker that died before it could say so."""

    def test_stopped_early(self, data_for: DataFor) -> None:
        whole = record(STOPPING, data_for(STOPPING))
        assert whole.result.stop_reason is StopReason.EARLY_STOPPING
        resumed = record(STOPPING, data_for(STOPPING), resume_from=whole.reports[-1].state)
        assert resumed.reports == []
        assert_same_end(resumed, whole)

    def test_all_epochs_made(self, data_for: DataFor) -> None:
        whole = record(LOGISTIC, data_for(LOGISTIC))
        assert whole.result.stop_reason is StopReason.MAX_EPOCHS
        resumed = record(LOGISTIC, data_for(LOGISTIC), resume_from=whole.result.state)
        assert resumed.reports == []
        assert_same_end(resumed, whole)

    def test_more_epochs_equal_one_long_run(self, data_for: DataFor) -> None:
        longer = replace(SOFTMAX, epochs=5)
        first = train(SOFTMAX, data_for(SOFTMAX))
        assert_same_end(
            record(longer, data_for(longer), resume_from=stored(first.state)), record(longer, data_for(longer))
        )

    @pytest.mark.parametrize("patience", [9, None])
    def test_more_patience_equals_one_patient_run(self, data_for: DataFor, patience: int | None) -> None:
        patient = replace(STOPPING, patience=patience, epochs=8)
        first = train(STOPPING, data_for(STOPPING))
        assert first.stop_reason is StopReason.EARLY_STOPPING
        whole = record(patient, data_for(patient))
        resumed = record(patient, data_for(patient), resume_from=stored(first.state))
        assert len(resumed.reports) > 5
        # The reports differ in nothing but the patience that was left to the first run.
        assert_same_end(resumed, whole)


@pytest.mark.slow
def test_a_stack_from_every_check_with_those_who_are_still_in_it(data_for: DataFor) -> None:
    config = replace(SOFTMAX, patience=3, epochs=3)
    configs = [
        config,
        replace(config, learning_rate=0.5, epochs=50),
        replace(config, l2_penalty=1.0, epochs=50, patience=4),
        replace(config, epochs=1),
    ]
    whole = record_stack(configs, data_for(config))
    assert len({run.result.state.next_step for run in whole}) == 4
    for step in sorted({check.step for run in whole for check in run.checks}):
        present = [run for run in whole if step in [check.step for check in run.checks]]
        states = [stored(r.state) for run in present for r in run.reports if r.check.step == step]
        resumed = record_stack([run.config for run in present], data_for(config), resume_from=states)
        for run, expected in zip(resumed, present, strict=True):
            assert_same_end(run, expected)


class TestWrongUse:
    def test_a_state_of_another_run(self, data_for: DataFor) -> None:
        state = train(SOFTMAX, data_for(SOFTMAX)).state
        double = replace(SOFTMAX, dtype="float64")
        with pytest.raises(ValueError, match="layout and dtype"):
            train(double, data_for(double), resume_from=state)
        with pytest.raises(ValueError, match="layout and dtype"):
            train(LOGISTIC, data_for(LOGISTIC), resume_from=state)

    def test_states_that_do_not_belong_together(self, data_for: DataFor) -> None:
        reports = record(SOFTMAX, data_for(SOFTMAX)).reports
        with pytest.raises(ValueError, match="one state for each member"):
            train_stack([SOFTMAX] * 2, data_for(SOFTMAX), resume_from=[reports[0].state])
        with pytest.raises(ValueError, match="all at the same step"):
            train_stack([SOFTMAX] * 2, data_for(SOFTMAX), resume_from=[r.state for r in reports[:2]])


def test_arrays_are_copied_not_kept(data_for: DataFor) -> None:
    report = record(SOFTMAX, data_for(SOFTMAX)).reports[2]
    state = stored(report.state)
    train(SOFTMAX, data_for(SOFTMAX), resume_from=state)
    np.testing.assert_array_equal(state.last, report.state.last)
    np.testing.assert_array_equal(state.best, report.state.best)

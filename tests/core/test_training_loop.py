"""The loop: what it tells, what it hands out, how it ends."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.core import CheckReport, StopReason, TrainingConfig, TrainingData, norm, train, train_stack
from service.core.checks import MAX_CHECKS
from tests.core.recording import Recording, after, assert_agreement, record, record_stack

DataFor = Callable[[TrainingConfig], TrainingData]

COMMON: dict[str, Any] = {"train_size": 2000, "validation_size": 500, "batch_size": 64, "epochs": 3}
SOFTMAX = TrainingConfig(**COMMON, learning_rate=0.05)  # 31 steps an epoch, a check every 6
LOGISTIC = TrainingConfig(**COMMON, learning_rate=0.05, model="logistic")  # 6 steps an epoch, a check at each
DIVERGING: dict[str, Any] = {"learning_rate": 10, "l2_penalty": 100}  # the decay alone multiplies W by -1999

both_models = pytest.mark.parametrize("config", [SOFTMAX, LOGISTIC], ids=["softmax", "logistic"])


class TestWhatItTells:
    @both_models
    def test_every_step_and_every_check_once(self, data_for: DataFor, config: TrainingConfig) -> None:
        run = record(config, data_for(config))
        n_steps = 93 if config is SOFTMAX else 18
        interval = 6 if config is SOFTMAX else 1
        assert run.result.stop_reason is StopReason.MAX_EPOCHS
        assert run.result.state.next_step == n_steps
        assert run.result.failed_step is None
        assert [check.step for check in run.checks] == list(range(0, n_steps, interval))
        assert [check.epoch for check in run.checks] == [c.step // (n_steps // 3) for c in run.checks]
        assert [len(report.step_losses) for report in run.reports] == [1] + [interval] * (len(run.checks) - 1)
        assert all(report.step_losses[-1] == report.check.train_loss for report in run.reports)
        assert len(run.result.state.pending_losses) == n_steps - 1 - run.checks[-1].step
        assert [report.state.next_step for report in run.reports] == [c.step + 1 for c in run.checks]

    @both_models
    def test_the_first_loss_is_that_of_knowing_nothing(self, data_for: DataFor, config: TrainingConfig) -> None:
        first = record(config, data_for(config)).checks[0]
        n_classes = len(config.classes)
        assert first.train_loss == pytest.approx(np.log(n_classes), rel=1e-6)
        assert first.validation_loss < np.log(n_classes)  # the check sees the weights after the update

    @both_models
    def test_a_check_can_be_made_again_from_the_weights_in_its_report(
        self, data_for: DataFor, config: TrainingConfig
    ) -> None:
        data, model = data_for(config), config.build_model()
        for report in record(config, data).reports[::5]:
            logits = model.logits(report.state.last[np.newaxis], data.x_validation)
            assert report.check.validation_loss == pytest.approx(
                model.output.losses(logits, data.y_validation).mean(), abs=5e-6
            )
            one_image = 1 / len(data.y_validation)  # which may stand between two classes
            accuracy = model.output.accuracy(logits, data.y_validation)[0]
            assert report.check.validation_accuracy == pytest.approx(accuracy, abs=1.01 * one_image)
            logits = model.logits(report.state.last[np.newaxis], data.x_train)
            accuracy = model.output.accuracy(logits, data.y_train)[0]
            assert report.check.train_accuracy == pytest.approx(accuracy, abs=1.01 / len(data.y_train))

    @pytest.mark.parametrize("helped", [False, True])
    def test_a_report_comes_two_groups_of_checks_after_its_step_at_most(self, data_for: DataFor, helped: bool) -> None:
        config = replace(LOGISTIC, checks_per_epoch=3, epochs=20)  # a check every 2 of 6 steps
        n_asked, lags = 0, []

        def should_stop(member: int) -> bool:
            nonlocal n_asked
            n_asked += 1
            return False

        def on_check(report: CheckReport) -> None:
            lags.append(n_asked - 1 - report.check.step)

        with ThreadPoolExecutor(1) as helper:
            train(
                config, data_for(config), on_check=on_check, should_stop=should_stop, helper=helper if helped else None
            )
        assert len(lags) == 60
        assert max(lags) <= 2 * (2 * MAX_CHECKS - 1)

    def test_what_a_callback_raises_passes_through(self, data_for: DataFor) -> None:
        def on_check(report: CheckReport) -> None:
            raise LookupError("the disk is full")

        with pytest.raises(LookupError, match="the disk is full"):
            train(LOGISTIC, data_for(LOGISTIC), on_check=on_check)


class TestWeights:
    @pytest.mark.parametrize("n_members", [1, 3])
    @both_models
    def test_what_was_handed_out_never_changes(self, data_for: DataFor, config: TrainingConfig, n_members: int) -> None:
        seen: list[tuple[CheckReport, Any, Any]] = []

        def on_check(report: CheckReport) -> None:
            seen.append((report, report.state.last.copy(), report.state.best.copy()))

        results = train_stack([config] * n_members, data_for(config), on_check=on_check)

        for report, last, best in seen:
            np.testing.assert_array_equal(report.state.last, last, strict=True)
            np.testing.assert_array_equal(report.state.best, best, strict=True)
        of_reports = [report.state.last for report, *_ in seen]
        for weights in (*of_reports, *(result.state.last for result in results)):
            assert weights.shape == (785 * config.build_model().n_outputs,)
            assert weights.dtype == np.float32
            assert weights.flags.c_contiguous
            with pytest.raises(ValueError, match="read-only"):
                weights[0] = 1
        for one, other in zip(of_reports, of_reports[n_members:], strict=False):  # of one check and the next
            assert not np.shares_memory(one, other)
            assert not np.array_equal(one, other)

    @both_models
    def test_the_best_are_those_of_the_lowest_validation_loss(self, data_for: DataFor, config: TrainingConfig) -> None:
        config = replace(config, learning_rate=0.5, epochs=5)  # too fast: the loss goes up and down
        run = record(config, data_for(config))
        lowest: Any = None
        for report in run.reports:
            if lowest is None or report.check.validation_loss < lowest.check.validation_loss:
                lowest = report
            assert report.state.best_check == lowest.check
            np.testing.assert_array_equal(report.state.best, lowest.state.last)
        assert lowest is not run.reports[-1]
        assert run.result.state.best_check == lowest.check
        assert run.result.state.last_check == run.checks[-1]
        np.testing.assert_array_equal(run.result.state.best, lowest.state.last)
        assert not np.array_equal(run.result.state.last, run.result.state.best)

    @both_models
    def test_the_same_configuration_gives_the_same_bits(self, data_for: DataFor, config: TrainingConfig) -> None:
        once, again = record(config, data_for(config)), record(config, data_for(config))
        assert once.result.state.last.tobytes() == again.result.state.last.tobytes()
        assert once.checks == again.checks
        other = record(replace(config, seed=1), data_for(config))
        assert once.result.state.last.tobytes() != other.result.state.last.tobytes()

    def test_precision_is_what_was_asked_for(self, data_for: DataFor) -> None:
        config = replace(SOFTMAX, dtype="float64", l2_penalty=0.01)
        double = train(config, data_for(config))
        single = train(replace(config, dtype="float32"), data_for(replace(config, dtype="float32")))
        assert double.state.last.dtype == np.float64
        assert single.state.last.dtype == np.float32
        np.testing.assert_allclose(single.state.last, double.state.last, rtol=0, atol=1e-5)

    def test_norm(self) -> None:
        assert norm(np.full((785, 10), -2, np.float32)) == pytest.approx(2 * np.sqrt(7850), rel=1e-12)
        assert norm(np.full((785, 10), 1e30, np.float32)) == pytest.approx(1e30 * np.sqrt(7850), rel=1e-6)


class TestCancelling:
    @pytest.mark.parametrize("step", [0, 1, 5, 30, 31, 92])
    def test_no_step_is_made_after_the_answer(self, data_for: DataFor, step: int) -> None:
        asked = iter(range(1000))
        run = record(SOFTMAX, data_for(SOFTMAX), should_stop=lambda _: next(asked) == step)
        assert run.result.stop_reason is StopReason.CANCELLED
        assert run.result.state.next_step == step
        assert len(run.checks) == -(-step // 6)
        assert sum(len(r.step_losses) for r in run.reports) + len(run.result.state.pending_losses) == step

    def test_checks_before_the_answer_are_told_and_none_after_it(self, data_for: DataFor) -> None:
        told: list[CheckReport] = []
        config = replace(SOFTMAX, epochs=20)
        result = train(config, data_for(config), on_check=told.append, should_stop=lambda _: len(told) >= 5)
        assert result.stop_reason is StopReason.CANCELLED
        steps = [report.check.step for report in told]
        assert steps == list(range(0, result.state.next_step, 6))

    def test_the_best_so_far_is_kept(self, data_for: DataFor) -> None:
        told: list[CheckReport] = []
        result = train(SOFTMAX, data_for(SOFTMAX), on_check=told.append, should_stop=lambda _: len(told) >= 9)
        lowest = min(told, key=lambda report: report.check.validation_loss)
        assert result.state.best_check == lowest.check
        np.testing.assert_array_equal(result.state.best, lowest.state.last)

    def test_before_the_first_step_there_are_only_zeros(self, data_for: DataFor) -> None:
        result = train(SOFTMAX, data_for(SOFTMAX), should_stop=lambda _: True)
        assert result.stop_reason is StopReason.CANCELLED
        assert not result.state.last.any()
        assert not result.state.best.any()
        assert (result.state.best_check, result.state.last_check) == (None, None)


class TestDiverging:
    def assert_failed(self, run: Recording) -> None:
        """Of what it tells and hands out, all is finite; it ends where it was at its last check."""
        assert run.result.stop_reason is StopReason.NON_FINITE_LOSS
        assert np.isfinite(run.metrics()).all()
        for report in run.reports:
            assert np.isfinite(report.step_losses).all()
            assert np.isfinite(report.state.last).all()
            assert np.isfinite(report.state.best).all()
        assert run.result.state is run.reports[-1].state

    @pytest.mark.parametrize(("dtype", "n_steps"), [("float32", 20), ("float64", 110)])
    @both_models
    def test_a_check_finds_it(self, data_for: DataFor, config: TrainingConfig, dtype: Any, n_steps: int) -> None:
        config = replace(config, dtype=dtype, checks_per_epoch=1000, epochs=100, patience=None, **DIVERGING)
        run = record(config, data_for(config))
        self.assert_failed(run)
        assert run.result.failed_step == run.checks[-1].step + 1 < n_steps

    @pytest.mark.parametrize(("dtype", "n_steps"), [("float32", 20), ("float64", 110)])
    @both_models
    def test_a_step_finds_it(self, data_for: DataFor, config: TrainingConfig, dtype: Any, n_steps: int) -> None:
        config = replace(config, dtype=dtype, checks_per_epoch=1000, epochs=100, patience=None, **DIVERGING)
        at_each_step = record(config, data_for(config)).result.failed_step
        config = replace(config, checks_per_epoch=1)
        run = record(config, data_for(config))
        self.assert_failed(run)
        assert at_each_step is not None
        # One step later: there the loss is that of the weights before the update.
        assert run.result.failed_step == at_each_step + 1 < n_steps

    def test_before_the_first_check_it_ends_where_it_began(self, data_for: DataFor) -> None:
        config = replace(SOFTMAX, checks_per_epoch=1, epochs=2, **DIVERGING)
        whole = train(config, data_for(config), should_stop=after(5))
        assert whole.stop_reason is StopReason.CANCELLED
        resumed = record(config, data_for(config), resume_from=whole.state)
        assert resumed.result.stop_reason is StopReason.NON_FINITE_LOSS
        assert resumed.reports == []
        assert resumed.result.state.next_step == 5
        np.testing.assert_array_equal(resumed.result.state.last, whole.state.last)

    def test_weights_that_overflowed_are_never_handed_out(self, data_for: DataFor) -> None:
        config = replace(SOFTMAX, checks_per_epoch=1, learning_rate=10, l2_penalty=80)
        failed_step = train(config, data_for(config)).failed_step
        assert failed_step is not None
        # The update before was too much for the weights already, but nothing asks for a loss any more.
        cancelled = train(config, data_for(config), should_stop=after(failed_step))
        assert cancelled.stop_reason is StopReason.NON_FINITE_LOSS
        assert cancelled.failed_step == failed_step - 1
        assert np.isfinite(cancelled.state.last).all()

    @pytest.mark.parametrize("checks_per_epoch", [1, 1000])
    @both_models
    def test_in_a_stack_only_that_member_leaves(
        self, data_for: DataFor, config: TrainingConfig, checks_per_epoch: int
    ) -> None:
        config = replace(config, learning_rate=0.01, checks_per_epoch=checks_per_epoch, patience=None)
        configs = [config, replace(config, **DIVERGING), replace(config, l2_penalty=1)]
        runs = record_stack(configs, data_for(config))
        reasons = [run.result.stop_reason for run in runs]
        assert reasons == [StopReason.MAX_EPOCHS, StopReason.NON_FINITE_LOSS, StopReason.MAX_EPOCHS]
        self.assert_failed(runs[1])
        for run in (runs[0], runs[2]):
            assert_agreement(run, record(run.config, run.data))

    def test_all_members_may_leave_at_once(self, data_for: DataFor) -> None:
        runs = record_stack([replace(SOFTMAX, **DIVERGING)] * 2, data_for(SOFTMAX))
        assert [run.result.stop_reason for run in runs] == [StopReason.NON_FINITE_LOSS] * 2

    @both_models
    def test_the_longest_step_alone_does_not_overflow(self, data_for: DataFor, config: TrainingConfig) -> None:
        run = record(replace(config, learning_rate=10), data_for(config))
        assert run.result.stop_reason in (StopReason.MAX_EPOCHS, StopReason.EARLY_STOPPING)
        assert np.isfinite(run.metrics()).all()


class TestWrongUse:
    def test_data_of_another_dtype(self, data_for: DataFor) -> None:
        with pytest.raises(ValueError, match="the data must be float64"):
            train(replace(SOFTMAX, dtype="float64"), data_for(SOFTMAX))

    def test_members_that_do_not_belong_together(self, data_for: DataFor) -> None:
        with pytest.raises(ValueError, match="must share data"):
            train_stack([SOFTMAX, replace(SOFTMAX, seed=1)], data_for(SOFTMAX))
        with pytest.raises(ValueError, match="must share data"):
            train_stack([], data_for(SOFTMAX))

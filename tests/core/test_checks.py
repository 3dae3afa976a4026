"""Checks made side by side and on another thread: the same bits, whoever makes them and whatever stands beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from threading import Event
from typing import Any

import numpy as np
import pytest

from service.core import CheckReport, StopReason, TrainingConfig, TrainingData, train, train_stack
from service.core.checks import CheckGroup, PendingCheck, group_size
from tests.core.recording import record_stack

DataFor = Callable[[TrainingConfig], TrainingData]

COMMON: dict[str, Any] = {"train_size": 3000, "validation_size": 1000, "batch_size": 64, "epochs": 6}
SOFTMAX = TrainingConfig(**COMMON, learning_rate=0.05)
STOPPING = replace(SOFTMAX, learning_rate=0.5, patience=3, epochs=100)
LOGISTIC = TrainingConfig(**COMMON, learning_rate=0.05, model="logistic")
NETWORK = TrainingConfig(**COMMON, learning_rate=0.05, hidden_layers=(16,), patience=5)
NETWORKS = [NETWORK, replace(NETWORK, learning_rate=1.0, patience=2), replace(NETWORK, l2_penalty=0.01)]
STACK = [SOFTMAX, replace(STOPPING, patience=2), replace(SOFTMAX, l2_penalty=1.0, patience=4), STOPPING]
CASES = {"softmax": [SOFTMAX], "stopping": [STOPPING], "logistic": [LOGISTIC], "stack": STACK, "networks": NETWORKS}


def everything(configs: list[TrainingConfig], data: TrainingData, **options: Any) -> list[Any]:
    """All that a training told and handed out, in a form that compares by bits."""
    found: list[Any] = []
    for run in record_stack(configs, data, **options):
        found.append((run.result.stop_reason, run.result.state.next_step, run.result.state.last.tobytes()))
        for report in run.reports:
            weights = (report.state.last.tobytes(), report.state.best.tobytes())
            found.append((report.check, report.step_losses.tobytes(), *weights))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("configs", CASES.values(), ids=CASES.keys())
def test_a_helper_changes_no_bit(data_for: DataFor, configs: list[TrainingConfig]) -> None:
    """Neither one that helps, nor one that never finds time."""
    alone = everything(configs, data_for(configs[0]))
    with ThreadPoolExecutor(1) as helper:
        assert everything(configs, data_for(configs[0]), helper=helper) == alone
        released = Event()
        helper.submit(released.wait)
        helped = everything(configs, data_for(configs[0]), helper=helper)
        released.set()
    assert helped == alone


def test_before_each_step_and_block_whoever_waits_gets_the_core(
    data_for: DataFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service answers predictions on the same cores."""
    given: Counter[str] = Counter()
    for module in ("training", "checks"):
        monkeypatch.setattr(f"service.core.{module}.yield_cpu", partial(given.update, [module]))
    (run,) = record_stack([SOFTMAX], data_for(SOFTMAX))
    assert given["training"] == run.result.state.next_step
    n_blocks = -(-3000 // 512) + -(-1000 // 512)
    n_groups = -(
        -len(run.checks) // group_size(10, run.checks[1].step - run.checks[0].step, run.result.state.last.nbytes)
    )
    assert given["checks"] == n_blocks * n_groups


@pytest.mark.slow
def test_when_one_stops_the_others_go_on_as_if_training_had_waited(data_for: DataFor) -> None:
    """From the check at which the first one stopped, those who are left make the same bits as a stack of their own."""
    whole = record_stack(STACK, data_for(SOFTMAX))
    first = min(whole, key=lambda run: run.result.state.next_step)
    assert first.result.stop_reason is StopReason.EARLY_STOPPING
    step = first.result.state.next_step
    others = [run for run in whole if run is not first]
    states = [next(r.state for r in run.reports if r.state.next_step == step) for run in others]
    alone = record_stack([run.config for run in others], data_for(SOFTMAX), resume_from=states)
    for run, expected in zip(alone, others, strict=True):
        assert run.result.state.last.tobytes() == expected.result.state.last.tobytes()
        assert run.checks == expected.checks[-len(run.checks) :]


def test_each_step_is_made_and_reported_once(data_for: DataFor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who go on keep the steps that they made before the check that ended another one was known."""
    steps: list[None] = []
    monkeypatch.setattr("service.core.training.yield_cpu", partial(steps.append, None))
    runs = record_stack(STACK, data_for(SOFTMAX))
    assert len({run.result.state.next_step for run in runs}) > 1
    assert len(steps) == max(run.result.state.next_step for run in runs)
    for run in runs:
        told = np.concatenate([report.step_losses for report in run.reports])
        assert len(told) + len(run.result.state.pending_losses) == run.result.state.next_step
        assert len({check.step for check in run.checks}) == len(run.checks)


def test_what_a_helper_raises_passes_through(data_for: DataFor) -> None:
    data = data_for(SOFTMAX)
    broken = replace(data, y_validation=data.y_validation + 10)  # there are no such classes
    with ThreadPoolExecutor(1) as helper, pytest.raises(IndexError):
        train(SOFTMAX, broken, helper=helper)


@pytest.mark.parametrize("model", ["logistic", "softmax"])
def test_a_check_has_the_same_bits_alone_and_in_company(data_for: DataFor, model: Any) -> None:
    config = replace(LOGISTIC if model == "logistic" else SOFTMAX, train_size=1000)
    data, reports = data_for(config), list[CheckReport]()
    train_stack([config], data, on_check=reports.append)
    pending = [
        PendingCheck(number=15 + n, step=0, rows=r.state.last[np.newaxis, np.newaxis], step_losses=[])
        for n, r in enumerate(reports[:5])
    ]
    together = CheckGroup(pending, 5, config.build_model(), data, None).scores()
    for place, check in enumerate(pending):
        alone = CheckGroup([check], 5, config.build_model(), data, None).scores()
        for name in ("train_accuracy", "validation_loss", "validation_accuracy"):
            assert alone[name][0] == together[name][place]


def test_the_scores_are_those_of_the_model(data_for: DataFor) -> None:
    data = data_for(replace(SOFTMAX, dtype="float64"))
    weights = np.random.default_rng(0).normal(size=(3, 10, 785)) / 28
    model, rows = SOFTMAX.build_model(), weights.reshape(1, 3, -1)
    scores = CheckGroup([PendingCheck(number=3, step=0, rows=rows, step_losses=[])], 2, model, data, None).scores()
    logits = weights @ data.x_validation.T
    np.testing.assert_allclose(
        scores["validation_loss"][0], model.output.losses(logits, data.y_validation).mean(axis=1), rtol=1e-12
    )
    digits, train_digits = logits.argmax(axis=1), (weights @ data.x_train.T).argmax(axis=1)
    np.testing.assert_array_equal(scores["validation_accuracy"][0], (digits == data.y_validation).mean(axis=1))
    np.testing.assert_array_equal(scores["train_accuracy"][0], (train_digits == data.y_train).mean(axis=1))


@pytest.mark.parametrize(
    ("n_columns", "check_interval", "n_bytes", "size"),
    [
        (10, 31, 31_400, 16),
        (1, 6, 3_140, 16),
        (50, 31, 157_000, 5),
        (320, 31, 1_004_800, 1),
        (10, 12_000, 31_400, 1),
        (10, 93, 31_400, 11),
        (10, 31, 16_000_000, 4),
    ],
)
def test_groups_are_wide_enough_for_the_product_and_short_enough_for_the_news(
    n_columns: int, check_interval: int, n_bytes: int, size: int
) -> None:
    assert group_size(n_columns, check_interval, n_bytes) == size

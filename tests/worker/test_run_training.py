"""What a worker says, in which order, and how it stops and goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from service.core import Certainty, StopReason, TrainingConfig, design_matrix, train, unpack_losses
from service.datasets import load_dataset, select_unseen, split
from service.worker import (
    Checked,
    Checkpointed,
    Ended,
    Failed,
    MemberSpec,
    Message,
    StackSpec,
    Started,
    StopRequests,
    decode_checkpoint,
    decode_message,
    encode_message,
    run_training,
)

Run = Callable[..., list[Message]]


def checks_of(messages: list[Message]) -> list[Checked]:
    return [message for message in messages if isinstance(message, Checked)]


def end_of(messages: list[Message]) -> Ended:
    assert isinstance(messages[-1], Ended)
    return messages[-1]


def bits_of(ended: Ended, config: TrainingConfig) -> str:
    state = decode_checkpoint(ended.checkpoint, config)
    return hashlib.sha256(state.best.tobytes() + state.last.tobytes()).hexdigest()


def test_messages_come_in_order(run: Run) -> None:
    messages = run()
    kinds = [type(message) for message in messages]
    assert kinds[:3] == [Started, Checked, Checkpointed], "the first check is there to be shown at once"
    assert kinds[-1] is Ended
    assert kinds.count(Started) == kinds.count(Ended) == 1
    for before, after in pairwise(messages):
        if isinstance(after, Checkpointed):
            assert isinstance(before, Checked) and before.check.step == after.step
            assert decode_checkpoint(after.checkpoint, TrainingConfig()).next_step == after.step + 1


def test_the_start_says_where_the_bits_come_from(run: Run) -> None:
    started = run()[0]
    assert isinstance(started, Started)
    assert started.dataset_sha256 == load_dataset("mnist").sha256
    assert started.batches_per_epoch == 4
    assert started.environment.blas_threads == 1
    assert started.environment.numpy == np.__version__


@pytest.mark.parametrize("changes", [{}, {"model": "logistic", "classes": (2, 3)}, {"hidden_layers": (8,)}], ids=str)
def test_the_end_says_how_certain_the_model_may_be(run: Run, changes: dict[str, Any]) -> None:
    """Measured on images that had no part in the training, as the published parameters classify them."""
    about = {"train_size": 1000, "validation_size": 500, "epochs": 3, **changes}
    ended, config = end_of(run(**about)), TrainingConfig(**about)
    unseen, part = select_unseen(load_dataset("mnist"), config)
    function, row = config.build_model(), decode_checkpoint(ended.checkpoint, config).best
    x, y = unseen.arrays(config)
    logits = function.joint_logits(row[np.newaxis], x)[0]
    assert ended.certainty == Certainty.measure(function.output, logits, y, part)
    assert ended.certainty is not None and ended.certainty.temperature != 1
    assert (ended.certainty.part, ended.certainty.n_images) == ("training", len(y))
    assert decode_message(encode_message(ended)) == ended


def test_progress_rises_to_one(run: Run) -> None:
    messages = run(epochs=4, checks_per_epoch=4, patience=7)
    progresses = [checked.progress for checked in checks_of(messages)]
    assert [progress.step for progress in progresses] == list(range(16))
    assert [progress.fraction for progress in progresses] == [(step + 1) / 16 for step in range(16)]
    assert [progress.epoch for progress in progresses] == [step // 4 for step in range(16)]
    assert progresses[-1].eta_s == 0
    for progress in progresses:
        assert progress.images_per_s is not None and progress.images_per_s > 0
        assert progress.eta_s is not None and progress.eta_s >= 0
        assert progress.patience_left is not None and 0 <= progress.patience_left <= 7


def test_every_step_has_its_loss_in_one_check(run: Run) -> None:
    messages = run(checks_per_epoch=2)
    next_step = 0
    for checked in checks_of(messages):
        losses = unpack_losses(checked.step_losses)
        assert checked.check.step == next_step + len(losses) - 1
        assert losses[-1] == checked.check.train_loss
        next_step = checked.check.step + 1


def test_improved_marks_the_new_lowest_losses(run: Run) -> None:
    lowest = float("inf")
    for checked in checks_of(run(learning_rate=0.5, epochs=10)):
        assert checked.improved == (checked.check.validation_loss < lowest)
        lowest = min(lowest, checked.check.validation_loss)


def test_the_result_is_that_of_the_core(run: Run) -> None:
    config = TrainingConfig(train_size=512, validation_size=500, epochs=3)
    result = train(config, split(load_dataset("mnist"), config))
    ended = end_of(run())
    assert ended.stop_reason is result.stop_reason is StopReason.MAX_EPOCHS
    state = decode_checkpoint(ended.checkpoint, config)
    assert state.last.tobytes() == result.state.last.tobytes()
    assert state.best.tobytes() == result.state.best.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("stop_after", [1, 5, 11])
@pytest.mark.parametrize(
    "hyperparameters",
    [
        {},
        {"model": "logistic", "batch_size": 32, "shuffle": False},
        {"checks_per_epoch": 1, "dtype": "float64", "l2_penalty": 0.1},
    ],
    ids=["softmax", "logistic", "float64"],
)
def test_a_run_that_was_handed_back_ends_with_the_same_bits(
    run: Run, stop_after: int, hyperparameters: dict[str, Any]
) -> None:
    about = {"epochs": 60, "patience": None, **hyperparameters}
    config = TrainingConfig(train_size=512, validation_size=500, **about)
    undisturbed = run(**about)
    first = run(**about, stop_after=stop_after, ask=StopRequests.hand_back)
    assert end_of(first).handed_back and end_of(first).stop_reason is StopReason.CANCELLED
    second = run(**about, checkpoint=end_of(first).checkpoint)
    assert bits_of(end_of(second), config) == bits_of(end_of(undisturbed), config)
    together = [checked.check for checked in checks_of(first) + checks_of(second)]
    assert together == [checked.check for checked in checks_of(undisturbed)]
    losses = b"".join(checked.step_losses for checked in checks_of(first) + checks_of(second))
    assert losses == b"".join(checked.step_losses for checked in checks_of(undisturbed))


def test_a_run_that_goes_on_tells_its_own_pace(run: Run) -> None:
    about = {"epochs": 20, "patience": None}
    first = run(**about, stop_after=5, ask=StopRequests.hand_back)
    progress = checks_of(run(**about, checkpoint=end_of(first).checkpoint))[0].progress
    assert progress.step > 0 and progress.fraction == (progress.step + 1) / 80


def test_a_finished_checkpoint_ends_at_once_with_the_same_bits(run: Run) -> None:
    config = TrainingConfig(train_size=512, validation_size=500)
    ended = end_of(run())
    again = run(checkpoint=ended.checkpoint)
    assert [type(message) for message in again] == [Started, Ended]
    assert end_of(again).checkpoint == ended.checkpoint
    assert bits_of(end_of(again), config) == bits_of(ended, config)


def test_a_cancel_wins_over_handing_back(run: Run) -> None:
    def both(stop: StopRequests) -> None:
        stop.hand_back()
        stop.cancel(0)

    ended = end_of(run(epochs=60, stop_after=2, ask=both))
    assert ended.stop_reason is StopReason.CANCELLED and not ended.handed_back


def test_a_run_that_ends_by_itself_was_not_handed_back(run: Run) -> None:
    ended = end_of(run(stop_after=12, ask=StopRequests.hand_back))
    assert ended.stop_reason is StopReason.MAX_EPOCHS and not ended.handed_back


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_diverging_run_says_where(run: Run, dtype: str) -> None:
    messages = run(learning_rate=10.0, l2_penalty=100.0, dtype=dtype, epochs=50, patience=None)
    ended = end_of(messages)
    assert ended.stop_reason is StopReason.NON_FINITE_LOSS
    assert ended.failed_step is not None and ended.failed_step > checks_of(messages)[-1].check.step
    for checked in checks_of(messages):
        assert np.isfinite(list(asdict(checked.check).values())).all()
        assert np.isfinite(unpack_losses(checked.step_losses)).all()


def test_an_error_of_the_service_is_said_not_raised(run: Run) -> None:
    assert run(dataset="none-of-that-name") == [
        Failed(member=0, code="dataset-not-found", message="There is no data set of this name.")
    ]
    (failed,) = run(checkpoint=b"damaged")
    assert isinstance(failed, Failed) and failed.code == "corrupted"


def test_a_bug_is_raised(make_spec: Callable[..., StackSpec]) -> None:
    one, other = make_spec().members[0], make_spec(train_size=600).members[0]
    with pytest.raises(ValueError, match="stack"):
        run_training(StackSpec(dataset="mnist", members=(one, other)), lambda message: None, StopRequests())


def test_members_of_a_stack_speak_for_themselves(make_spec: Callable[..., StackSpec]) -> None:
    configs = [make_spec(learning_rate=rate, patience=None).members[0].config for rate in (0.01, 0.02, 0.05)]
    members = tuple(MemberSpec(job_id=f"job-{n}", fence=1, config=config) for n, config in enumerate(configs))
    messages: list[Message] = []
    stop = StopRequests()
    stop.cancel(1)
    run_training(StackSpec(dataset="mnist", members=members), messages.append, stop)
    ends = {message.member: message for message in messages if isinstance(message, Ended)}
    assert [ends[member].stop_reason for member in range(3)] == ["max_epochs", "cancelled", "max_epochs"]
    assert {checked.member for checked in checks_of(messages)} == {0, 2}
    for member in (0, 2):
        alone = train(configs[member], split(load_dataset("mnist"), configs[member]))
        state = decode_checkpoint(ends[member].checkpoint, configs[member])
        np.testing.assert_allclose(state.last, alone.state.last, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_weights_in_checkpoints_are_those_of_the_checks(run: Run) -> None:
    messages = run()
    config = TrainingConfig(train_size=512, validation_size=500)
    state = decode_checkpoint(end_of(messages).checkpoint, config)
    data = load_dataset("mnist")
    x = design_matrix(data.test.images[:500])
    assert state.best_check is not None
    predicted = config.build_model().probabilities(state.best, x).argmax(axis=1)
    accuracy = float((predicted == data.test.labels[:500]).mean())
    assert accuracy == pytest.approx(state.best_check.validation_accuracy, abs=1e-9)

"""A checkpoint brings a run back to the bit, and damaged bytes bring back nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from service.core import HYPERPARAMETERS, StopReason, TrainingConfig, TrainingState
from service.core.npz import write_npz
from service.errors import Corrupted
from service.worker import Checkpointed, Ended, Message, decode_checkpoint, decode_pending_losses, encode_checkpoint

CONFIGS = {
    "softmax": {},
    "logistic": {"model": "logistic", "batch_size": 32},
    "float64": {"dtype": "float64", "classes": (1, 7, 8)},
    "without patience": {"patience": None, "drop_last": False},
}


def config_of(**hyperparameters: Any) -> TrainingConfig:
    return TrainingConfig(**{"train_size": 512, "validation_size": 500, "epochs": 3, **hyperparameters})


def checkpoints_of(messages: list[Message]) -> list[bytes]:
    return [message.checkpoint for message in messages if isinstance(message, Checkpointed | Ended)]


def assert_same_state(one: TrainingState, other: TrainingState) -> None:
    for field in fields(TrainingState):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(mine, np.ndarray):
            assert mine.dtype == theirs.dtype and mine.tobytes() == theirs.tobytes(), field.name
        else:
            assert mine == theirs, field.name


@pytest.mark.parametrize("hyperparameters", CONFIGS.values(), ids=CONFIGS)
def test_a_state_comes_back_to_the_bit(run: Callable[..., list[Message]], hyperparameters: dict[str, Any]) -> None:
    config = config_of(**hyperparameters)
    checkpoints = checkpoints_of(run(**hyperparameters))
    assert len(checkpoints) >= 2
    for checkpoint in checkpoints:
        state = decode_checkpoint(checkpoint, config)
        assert encode_checkpoint(state) == checkpoint
        assert_same_state(decode_checkpoint(encode_checkpoint(state), config), state)
        last_check, losses = decode_pending_losses(checkpoint)
        assert last_check == state.last_check and losses.tobytes() == state.pending_losses.tobytes()


def test_a_state_before_the_first_check_comes_back(run: Callable[..., list[Message]]) -> None:
    ended = run(ask=lambda stop: stop.cancel(0), stop_after=0)[-1]
    assert isinstance(ended, Ended) and ended.stop_reason is StopReason.CANCELLED
    state = decode_checkpoint(ended.checkpoint, config_of())
    assert state.next_step == 0 and state.best_check is None and state.last_check is None
    assert not state.best.any()
    assert encode_checkpoint(state) == ended.checkpoint


@pytest.mark.parametrize(
    "other",
    [{"model": "logistic"}, {"dtype": "float64"}, {"classes": (0, 1, 2)}],
    ids=["another model", "another dtype", "fewer classes"],
)
def test_a_checkpoint_of_another_kind_of_run_is_refused(
    run: Callable[..., list[Message]], other: dict[str, Any]
) -> None:
    with pytest.raises(Corrupted):
        decode_checkpoint(checkpoints_of(run())[-1], config_of(**other))


def test_a_flipped_bit_is_refused_or_without_effect(run: Callable[..., list[Message]]) -> None:
    config = config_of(model="logistic")
    checkpoint = checkpoints_of(run(model="logistic", batch_size=32))[-1]
    state = decode_checkpoint(checkpoint, config)
    rng = np.random.default_rng(0)
    refused = 0
    for place in rng.choice(len(checkpoint), 400, replace=False):
        damaged = bytearray(checkpoint)
        damaged[place] ^= 1 << int(rng.integers(8))
        try:
            survivor = decode_checkpoint(bytes(damaged), config)
        except Corrupted:
            refused += 1
        else:  # a time stamp or an attribute in the archive's directory
            assert_same_state(survivor, state)
    assert refused > 350


@pytest.mark.parametrize("length", [0, 1, 1000, -1])
def test_a_cut_checkpoint_is_refused(run: Callable[..., list[Message]], length: int) -> None:
    with pytest.raises(Corrupted):
        decode_checkpoint(checkpoints_of(run())[-1][:length], config_of())


@pytest.mark.parametrize(
    "changes",
    [
        {"counters": np.array([-1, 0])},
        {"counters": np.array([5, -1])},
        {"counters": np.array([5])},
        {"last_check": np.ones(5)},
        {"best_check": np.ones(7)},
        {"best_check": np.full(6, np.nan)},
        {"last": np.full(7850, np.inf, dtype=np.float32)},
        {"last": np.zeros(7849, dtype=np.float32)},
        {"optimizer": np.zeros((1, 7849), dtype=np.float32)},
        {"format": np.array(3)},
        {"extra": np.ones(1)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_impossible_state_is_refused(changes: dict[str, Any]) -> None:
    weights = np.zeros(7850, dtype=np.float32)
    arrays: dict[str, Any] = {
        "format": np.array(2),
        "optimizer": np.zeros((0, 7850), dtype=np.float32),
        "last": weights,
        "best": weights,
        "pending_losses": np.empty(0),
        "last_check": np.ones(6),
        "best_check": np.ones(6),
        "counters": np.array([5, 0]),
    }
    decode_checkpoint(write_npz(arrays), config_of())
    with pytest.raises(Corrupted):
        decode_checkpoint(write_npz({**arrays, **changes}), config_of())


def of_first_format(**changes: Any) -> dict[str, Any]:
    """A checkpoint as it was written when a model was one matrix, (785, 10)."""
    weights = np.random.default_rng(0).normal(size=(785, 10)).astype(np.float32)
    arrays = {"last": weights, "best": -weights, "pending_losses": np.empty(0)}
    checks = {"last_check": np.ones(6), "best_check": np.ones(6), "counters": np.array([5, 0])}
    return {**arrays, **checks, **changes}


def test_the_first_format_reads_on() -> None:
    arrays, layout = of_first_format(), config_of().build_model().layout
    state = decode_checkpoint(write_npz(arrays), config_of())
    assert state.next_step == 5 and state.optimizer.shape == (0, 7850)
    for name, row in (("last", state.last), ("best", state.best)):
        assert layout.views(row)["W"].tobytes() == arrays[name].tobytes()


def test_a_checkpoint_of_before_a_hyperparameter_is_one_of_its_value_before(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tuple(replace(row, before="float32") if row.name == "dtype" else row for row in HYPERPARAMETERS)
    monkeypatch.setattr("service.core.config.HYPERPARAMETERS", rows)
    record = {name: value for name, value in config_of().to_dict().items() if name != "dtype"}
    assert decode_checkpoint(write_npz(of_first_format()), TrainingConfig.from_record(record)).last.dtype == np.float32


@pytest.mark.parametrize("changes", [{"last": np.zeros((784, 10), np.float32)}, {"best": np.zeros((785, 10))}])
def test_nor_is_an_impossible_one_of_the_first_format(changes: dict[str, Any]) -> None:
    with pytest.raises(Corrupted):
        decode_checkpoint(write_npz(of_first_format(**changes)), config_of())

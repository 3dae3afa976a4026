"""Small real runs of a worker, in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from service.core import TrainingConfig
from service.worker import MemberSpec, Message, StackSpec, StopRequests, run_training

Run = Callable[..., list[Message]]


@pytest.fixture
def make_spec() -> Callable[..., StackSpec]:
    """Describe one small run: ``make_spec(checkpoint=None, dataset="mnist", **hyperparameters)``."""

    def make(*, checkpoint: bytes | None = None, dataset: str = "mnist", **hyperparameters: Any) -> StackSpec:
        config = TrainingConfig(**{"train_size": 512, "validation_size": 500, "epochs": 3, **hyperparameters})
        return StackSpec(
            dataset=dataset, members=(MemberSpec(job_id="job", fence=1, config=config, checkpoint=checkpoint),)
        )

    return make


@pytest.fixture
def run(make_spec: Callable[..., StackSpec]) -> Run:
    """Train in this process and return all messages; ``stop_after`` asks for a stop after so many checks."""

    def run_one(
        *, stop_after: int | None = None, ask: Callable[[StopRequests], None] | None = None, **about: Any
    ) -> list[Message]:
        messages: list[Message] = []
        stop = StopRequests()

        def send(message: Message) -> None:
            messages.append(message)
            if ask and sum(type(m).__name__ == "Checked" for m in messages) == stop_after:
                ask(stop)

        run_training(make_spec(**about), send, stop)
        return messages

    return run_one

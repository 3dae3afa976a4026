"""One training, as every contender is given it: images, labels, the order of the batches, and what to report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from service.core import Schedule, TrainingConfig, TrainingData
from service.core.data import epoch_batches
from service.datasets import load_dataset, split


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Softmax regression on MNIST, one member for each l2 penalty; the rest is as in the course report.

    A check after step 0, 31, 62, ... takes loss and accuracy of the validation images and accuracy of the training
    images. A run stops when its loss found no new low in ``patience`` checks.
    """

    l2: tuple[float, ...] = (0.0,)
    n_train: int = 20_000
    n_validation: int = 10_000
    epochs: int = 50
    patience: int | None = 10
    dtype: str = "float32"

    def to_json(self) -> str:
        """Return one line; `from_json` reads it back."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Task:
        """Read a task from its line."""
        values = json.loads(line)
        return cls(**{**values, "l2": tuple(values["l2"])})

    def configs(self) -> list[TrainingConfig]:
        """Inkling's configuration of each member."""
        return [
            TrainingConfig(
                l2_penalty=l2,
                epochs=self.epochs,
                patience=self.patience,
                train_size=self.n_train,
                validation_size=self.n_validation,
                dtype="float32" if self.dtype == "float32" else "float64",
            )
            for l2 in self.l2
        ]

    @property
    def learning_rate(self) -> float:
        """The report's, which is Inkling's default."""
        return self.configs()[0].learning_rate

    @property
    def schedule(self) -> Schedule:
        """Batches of an epoch and steps between checks."""
        return Schedule.of(self.configs()[0], self.n_train)

    def data(self) -> TrainingData:
        """The images, scaled and with the bias trick."""
        return split(load_dataset("mnist"), self.configs()[0])

    def order(self) -> Any:
        """The images of each step, (n_steps, 128): Inkling's order, which the peers are given."""
        config, schedule = self.configs()[0], self.schedule
        epochs = (
            list(epoch_batches(config, schedule, epoch * schedule.batches_per_epoch)) for epoch in range(self.epochs)
        )
        return np.concatenate([np.array(batches) for batches in epochs])


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What a contender found for one member.

    Attributes
    ----------
    n_steps : made until it stopped.
    checks : rows of validation loss, validation accuracy, training accuracy.
    """

    n_steps: int
    checks: Sequence[Sequence[float]]


def new_low_is_overdue(losses: Sequence[float], patience: int | None) -> bool:
    """Tell whether the oldest of the last ``patience`` + 1 losses is the lowest, as the report words it."""
    if patience is None:
        return False
    newest = losses[-1 - patience :]
    return len(newest) > patience and newest[0] == min(newest)

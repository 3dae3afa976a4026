"""The two parts of a data set as arrays, and which images each step sees: a pure function of seed and epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from service.errors import InvalidDataset

from .config import TrainingConfig
from .task import Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingData:
    """What a stack of runs is trained and validated on.

    Images are (n, n_inputs), of the run's dtype; y, (n,) int64, is the place of each label among the run's classes.
    """

    x_train: Floats
    y_train: Ints
    x_validation: Floats
    y_validation: Ints

    def __post_init__(self) -> None:
        for x, y in ((self.x_train, self.y_train), (self.x_validation, self.y_validation)):
            if x.ndim != 2 or x.shape[1] != self.x_train.shape[1] or y.shape != (len(x),):
                raise ValueError(f"images {x.shape} and labels {y.shape} do not fit together")
            if len(x) == 0:
                raise InvalidDataset("Training and validation need at least one image each.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The counting rules of a run. Steps and epochs count from 0; a step is one batch, an epoch one pass.

    A validation check follows every step that is a multiple of ``check_interval``, the first being step 0.
    """

    n_images: int
    batch_size: int
    batches_per_epoch: int
    check_interval: int

    @classmethod
    def of(cls, config: TrainingConfig, n_images: int) -> Schedule:
        """Work out the schedule of ``config`` on ``n_images`` training images.

        A batch size above the number of images is one batch of them all.
        """
        batch_size = min(config.batch_size, n_images)
        whole, rest = divmod(n_images, batch_size)
        batches = whole + (rest > 0 and not config.drop_last)
        return cls(
            n_images=n_images,
            batch_size=batch_size,
            batches_per_epoch=batches,
            check_interval=max(1, batches // config.checks_per_epoch),
        )

    def is_check(self, step: int) -> bool:
        """Tell whether a validation check follows this step."""
        return step % self.check_interval == 0

    def epoch_of(self, step: int) -> int:
        """Return the epoch that a step belongs to."""
        return step // self.batches_per_epoch


def epoch_batches(config: TrainingConfig, schedule: Schedule, first_step: int) -> Iterator[slice | Ints]:
    """Yield the index of each batch from ``first_step`` to the end of its epoch.

    Slices in the given order, or parts of a permutation. That is drawn from
    ``np.random.default_rng([seed, epoch])``, so that any epoch can be replayed alone.
    """
    epoch, first_batch = divmod(first_step, schedule.batches_per_epoch)
    size = schedule.batch_size
    starts = range(first_batch * size, schedule.batches_per_epoch * size, size)
    if not config.shuffle:
        for start in starts:
            yield slice(start, min(start + size, schedule.n_images))
        return
    order = np.random.default_rng([config.seed, epoch]).permutation(schedule.n_images)
    for start in starts:
        yield order[start : start + size]
